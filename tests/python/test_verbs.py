# SPDX-License-Identifier: Apache-2.0
"""axl.plan(), axl.estimate(), axl.evaluate() and axl.sweep() of the Python binding."""
import math
import os
import sys
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "bindings", "python"))
import axl  # noqa: E402  pylint: disable=wrong-import-position

MODEL = os.path.join(ROOT, "examples", "tiny-llama")
ROWS = os.path.join(ROOT, "examples", "tiny-alpaca.jsonl")


class Planning(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="axl-test-")
        self.addCleanup(folder.cleanup)
        self.keys = {"base_model": MODEL, "datasets": [{"path": ROWS, "type": "alpaca"}],
                     "adapter": "lora", "lora_r": 4, "lora_alpha": 8, "lora_target_linear": True,
                     "sequence_len": 256, "micro_batch_size": 2,
                     "gradient_accumulation_steps": 1, "max_steps": 5, "learning_rate": 1e-3, "bf16": False,
                     "output_dir": os.path.join(folder.name, "out")}

    def test_plan_of_a_config(self):
        plan = axl.plan(self.keys)
        self.assertEqual(plan.steps, 5)
        self.assertGreater(plan.seconds, 0)
        self.assertGreater(plan.peak_rss_bytes, plan.weights_bytes + plan.activation_bytes)
        self.assertGreater(plan.host_limit_bytes, plan.peak_rss_bytes)
        self.assertEqual(axl.plan(self.keys, max_steps=7).steps, 7)
        self.assertIsNone(axl.plan(self.keys, axl={"memory_limit": 0}).host_limit_bytes)

    def test_a_run_that_does_not_fit(self):
        with self.assertRaisesRegex(axl.OutOfMemory, "the run needs"):
            axl.finetune(self.keys, axl={"memory_limit": 0.001})

    def test_evaluate(self):
        self.assertIsNone(axl.evaluate(self.keys))
        base = axl.evaluate(self.keys, val_set_size=10)
        self.assertEqual(base.rows, 10)
        self.assertAlmostEqual(base.perplexity, math.exp(base.loss))
        axl.finetune(self.keys, val_set_size=10)
        self.assertLess(axl.evaluate(self.keys, val_set_size=10).loss, base.loss)

    def test_sweep(self):
        runs = axl.sweep({"lora_r": [2, 4], "_": [{"seed": 1}, {"seed": 2, "lora_r": 8}]})
        self.assertEqual([r.name for r in runs], [f"sweep000{i}" for i in range(1, 5)])
        self.assertEqual(sorted(tuple(sorted(r.overrides.items())) for r in runs),
                         [(("lora_r", "2"), ("seed", "1")), (("lora_r", "4"), ("seed", "1")),
                          (("lora_r", "8"), ("seed", "2")), (("lora_r", "8"), ("seed", "2"))])
        path = os.path.join(os.path.dirname(self.keys["output_dir"]), "sweep.yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("lora_target_modules: [[q_proj], [v_proj, k_proj]]\n")
        made = [axl.Config.parse(self.keys, overrides=r.overrides) for r in axl.sweep(path)]
        self.assertEqual(sorted(c["lora_target_modules"] for c in made),
                         [["q_proj"], ["v_proj", "k_proj"]])
        with self.assertRaisesRegex(axl.ConfigError, "lora_r: must be a list"):
            axl.sweep({"lora_r": 3})

    def test_estimate_of_a_loop(self):
        full = axl.estimate(MODEL, 4096, compute="f32")
        self.assertEqual((full.steps, full.seconds), (0, 0.0))
        with axl.Model.open(MODEL, compute="f32") as model:
            self.assertEqual(full.weights_bytes, model.info.weights_bytes)
        small = axl.estimate(MODEL, 4096, compute="f32", checkpointing=True, rank=2)
        self.assertLess(small.activation_bytes, full.activation_bytes)
        self.assertLess(small.optimizer_bytes, full.optimizer_bytes)
        with self.assertRaises(axl.InvalidError):
            axl.estimate(MODEL, 0)
        with self.assertRaises(ValueError):
            axl.estimate(MODEL, 16, compute="f8")


if __name__ == "__main__":
    unittest.main()
