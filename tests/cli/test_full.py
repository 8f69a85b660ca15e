# SPDX-License-Identifier: Apache-2.0
"""Full fine-tuning: configs without an adapter."""
import json
import os
import re
import shutil
import unittest

from cli_testing import TINY, Case, read, read_json_lines, read_safetensors

PROMPT = "### Instruction:\nName a colour.\n\n### Response:\n"


class Full(Case):
    def settings(self, **changes):
        return super().settings(**{"adapter": None, "lora_r": None, "lora_alpha": None,
                                   "lora_target_linear": None, **changes})

    def losses(self, out="out"):
        return [r["loss"] for r in read_json_lines(self.path(out, "training_log.jsonl"))
                if "loss" in r]

    def test_the_result_is_a_model(self):
        for bf16 in (False, True):
            config = self.config(bf16=bf16, max_steps=8)
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.good("train", config)
            losses = self.losses()
            self.assertLess(losses[-1], losses[0])
            files = set(os.listdir(self.path("out")))
            self.assertLessEqual({"config.json", "model.safetensors", "tokenizer.json", "README.md",
                                  "report.html"}, files)
            self.assertFalse({"adapter_config.json", "adapter_model.safetensors"} & files)
            mine = read_safetensors(self.path("out", "model.safetensors"))
            base = read_safetensors(os.path.join(TINY, "model.safetensors"))
            self.assertEqual({k: v[:2] for k, v in mine.items()},  # dtype and shape
                             {k: v[:2] for k, v in base.items()})
            written = json.loads(read(self.path("out", "config.json")))
            given = json.loads(read(os.path.join(TINY, "config.json")))
            self.assertEqual(written, given)
            card = read(self.path("out", "README.md"))
            self.assertNotIn("peft", card.lower())
            self.assertIn("library_name: transformers", card)
            self.assertNotRegex(card.split("</details>")[1], "lora|LoRA")
            self.assertIn("Full fine-tuning", read(self.path("out", "report.html")))

    def test_what_was_trained_is_used(self):
        config = self.config(max_steps=8, val_set_size=0.1, eval_steps=4, seed=7)
        line = self.wrong("inference", config, "--prompt", PROMPT)
        self.assertIn("train with this config first", line)
        before = self.good("evaluate", config)
        self.assertIn("holds no model", before.err)
        self.good("train", config, "--quiet")
        after = self.good("evaluate", config)
        loss = [float(re.match(r"loss ([0-9.]+)", r.out).group(1)) for r in (before, after)]
        self.assertLess(loss[1], loss[0])
        evaluated = [r["eval_loss"] for r in read_json_lines(self.path("out", "training_log.jsonl"))
                     if "eval_loss" in r]
        # trained in f32, the result is rounded once to the base's bf16
        self.assertAlmostEqual(evaluated[-1], loss[1], delta=0.002)
        how = ("--prompt", PROMPT, "--greedy", "--max-new-tokens", "8")
        self.assertEqual(self.good("inference", config, *how).out,
                         self.good("inference", "--model", self.path("out"), *how).out)

    def test_a_stop_changes_no_bit(self):
        for bf16 in (False, True):
            name = f"whole-{bf16}"
            self.good("train", self.config(max_steps=6, bf16=bf16, output_dir=self.path(name)))
            stopped = self.config(max_steps=6, bf16=bf16, save_strategy="steps", save_steps=4,
                                  output_dir=self.path("out"))
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.good("train", stopped, "--quiet")
            shutil.rmtree(self.path("out", "checkpoint-6"))
            os.unlink(self.path("out", "model.safetensors"))
            self.good("train", stopped, "--quiet", "--resume")
            for out in (name, "out"):
                self.assertTrue(os.path.exists(self.path(out, "model.safetensors")))
            with open(self.path(name, "model.safetensors"), "rb") as f, \
                    open(self.path("out", "model.safetensors"), "rb") as g:
                self.assertEqual(f.read(), g.read())

    def test_a_checkpoint_of_the_other_kind(self):
        self.good("train", self.config(save_strategy="steps", save_steps=3), "--quiet")
        lora = Case.settings(self)
        path = self.write("lora.yml", "".join(f"{k}: {json.dumps(v)}\n" for k, v in lora.items()))
        line = self.wrong("train", path, "--quiet", "--resume")
        self.assertIn("checkpoint-3 holds no adapter: there is no adapter_config.json", line)

    def test_keys_of_adapters(self):
        result = self.good("check", self.config(lora_r=8, lora_dropout=0.1))
        for key in ("lora_r", "lora_dropout"):
            self.assertIn(f"warning: {key}: no effect here: there is no adapter", result.out)
        result = self.axl("check", self.config(relora=True, jagged_restart_steps=3))
        self.assertEqual(result.code, 2)
        self.assertIn("relora: needs adapter: lora", result.out)
        result = self.axl("check", self.config(lora_model_dir=self.path("x")))
        self.assertIn("lora_model_dir: needs adapter: lora", result.out)

    def test_some_weights(self):
        some = {"unfrozen_parameters": ["model.layers.[1-9]+.mlp", "^model.norm.weight$[:8]"]}
        self.good("train", self.config(max_steps=2, **some), "--quiet")
        self.assertIn("GiB", self.good("plan", self.config(max_steps=2, **some)).out)
        lisa = {"lisa_n_layers": 1, "lisa_step_interval": 2}
        result = self.axl("check", self.config(**some, **lisa))
        self.assertIn("unfrozen_parameters: lisa_n_layers trains whole layers", result.out)

    def test_random_weights(self):
        shape = self.path("shape")
        os.mkdir(shape)
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            shutil.copy(os.path.join(TINY, name), shape)
        result = self.axl("check", self.config(base_model=shape))
        self.assertIn("with reinit_weights: true a model begins with random weights", result.out)
        anew = self.config(base_model=shape, reinit_weights=True, max_steps=30, seed=3,
                           learning_rate=0.003)
        self.good("check", anew)
        self.assertIn("GiB", self.good("plan", anew).out)
        self.good("train", anew, "--quiet")
        losses = self.losses()
        self.assertAlmostEqual(losses[0], 6.64, delta=0.3)  # log(768)
        self.assertLess(losses[-1], losses[0] - 1)
        self.good("inference", "--model", self.path("out"), "--prompt", PROMPT,
                  "--max-new-tokens", "4")
        result = self.axl("check", self.config(reinit_weights=True, lora_r=8, adapter="lora"))
        self.assertIn("reinit_weights: an adapter would belong to weights", result.out)

    def test_lisa(self):
        lisa = {"lisa_n_layers": 1, "lisa_step_interval": 2}
        self.good("train", self.config(max_steps=6, **lisa), "--quiet")
        losses = self.losses()
        self.assertLess(losses[-1], losses[0])
        self.good("plan", self.config(max_steps=6, **lisa))
        result = self.good("check", self.config(lisa_n_layers=1))
        self.assertIn("lisa_n_layers: no effect here: lisa_step_interval is not set", result.out)
        result = self.axl("check", self.config(adapter="lora", lora_r=4, lora_alpha=8,
                                               lora_target_linear=True, **lisa))
        self.assertIn("LISA trains whole layers: remove adapter", result.out)
        result = self.axl("train", self.config(lisa_n_layers=9, lisa_step_interval=2))
        self.assertEqual(result.code, 2)
        self.assertIn("lisa_n_layers is 9, the model has 4 layers", result.err)


if __name__ == "__main__":
    unittest.main()
