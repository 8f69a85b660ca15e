# SPDX-License-Identifier: Apache-2.0
"""axl plan: what it tells against what a run then does, and runs that do not fit."""
import json
import os
import subprocess
import unittest

from cli_testing import ALPACA, LONG, NO_HUB, TOOL, Case, read_json_lines

KEYS = {"weights_bytes", "activation_bytes", "optimizer_bytes", "peak_rss_bytes", "steps",
        "tokens_per_step", "seconds"}


class Plan(Case):
    def plan(self, *args):
        return json.loads(self.good("plan", *args, "--json").out)

    def peak_of(self, *args):
        """The resident peak of a run of the tool; a small process must be its parent."""
        with subprocess.Popen([TOOL, *args], cwd=self.dir, env={**os.environ, **NO_HUB},
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_maxrss * 1024

    def near_the_run(self, **changes):
        path = self.config(max_steps=2, micro_batch_size=200, lora_r=16, **changes)
        plan = self.plan(path)
        measured = self.peak_of("train", path)
        unfilled = 8 << 20  # of kernels' scratch, which is counted, by a model this small
        off = plan["peak_rss_bytes"] - measured
        self.assertGreater(off, -0.05 * measured, (plan, measured))
        self.assertLess(off, 0.05 * measured + unfilled, (plan, measured))

    if LONG:
        def test_the_peak_is_near_the_measured(self):
            self.near_the_run()

        def test_the_peak_of_full_fine_tuning(self):
            self.near_the_run(adapter=None, lora_alpha=None, lora_target_linear=None, bf16=True,
                              save_strategy="steps", save_steps=1)

    @unittest.skipIf(os.environ.get("AXL_SLOW"), "sanitizers take memory of their own")
    def test_the_peak_with_validation_checkpoints_and_accumulation(self):
        self.near_the_run(gradient_checkpointing=True, bf16=True, val_set_size=0.1,
                          eval_batch_size=70, evals_per_epoch=2, save_strategy="steps",
                          save_steps=1, gradient_accumulation_steps=2, lora_dropout=0.1,
                          dataset_prepared_path=self.path("prepared"))

    def test_steps_are_those_of_the_run(self):
        data = self.rows("rows.jsonl", read_json_lines(ALPACA)[:80])
        for packing in (False, True):
            path = self.config(datasets=[{"path": data, "type": "alpaca"}], max_steps=None, num_epochs=1, sample_packing=packing,
                               micro_batch_size=4, gradient_accumulation_steps=2)
            plan = self.plan(path)
            self.assertEqual(set(plan), KEYS)
            self.assertFalse(os.path.exists(self.path("out", "training_log.jsonl")), "it only told")
            self.good("train", path, "--quiet")
            self.assertEqual(read_json_lines(self.path("out", "training_log.jsonl"))[-1]["step"],
                             plan["steps"])
            self.assertGreater(plan["tokens_per_step"], 8)
            self.assertGreater(plan["seconds"], 0)
            os.unlink(self.path("out", "training_log.jsonl"))

    def test_more_work_takes_longer(self):
        path = self.config(max_steps=1000)
        short, long = self.plan(path), self.plan(path, "--max-steps", "1000000")
        self.assertGreater(long["seconds"], 20 * short["seconds"])

    def test_the_text_tells_the_same(self):
        text = self.good("plan", self.config()).out
        for word in ("weights", "activations", "optimizer", "peak", "steps", "time"):
            self.assertIn(word, text)

    def test_a_run_that_does_not_fit_is_refused(self):
        path = self.config()
        refused = self.axl("train", path, "--axl.memory_limit", "0.001", "--quiet")
        self.assertEqual(refused.code, 1)
        self.assertEqual(len(refused.errors), 1, refused)
        self.assertRegex(refused.err, r"the run needs 0\.\d+ GiB .* and has 0\.001; "
                                      r".*memory_limit: 0")
        self.assertFalse(os.path.exists(self.path("out", "adapter_model.safetensors")))
        self.assertIn("does not fit", self.good("plan", path, "--axl.memory_limit=0.001").out)
        self.good("train", path, "--axl.memory_limit", "0")

    def test_what_is_missing_is_named(self):
        done = self.axl("plan", self.config(base_model=self.path("nowhere")))
        self.assertEqual(done.code, 2)
        self.assertIn("nowhere", done.err)
        self.assertEqual(self.axl("plan").code, 2)


if __name__ == "__main__":
    unittest.main()
