# SPDX-License-Identifier: Apache-2.0
"""Tokens that the model's embedding has no row for: it grows, and what is made of it has the rows."""
import json
import os
import shutil
import unittest

from cli_testing import TINY, Case, read, read_json_lines, read_safetensors

PROMPT = "### Instruction:\nName a colour.\n\n### Response:\n"
GREEDY = ("--prompt", PROMPT, "--greedy", "--max-new-tokens", "6")
TOKENS = ["<tool>", "</tool>"]
ROWS = 768 + len(TOKENS)
FULL = {"adapter": None, "lora_r": None, "lora_alpha": None, "lora_target_linear": None}


class Grown(Case):
    def rows_of(self, *path):
        return {k: v[1][0] for k, v in read_safetensors(self.path(*path)).items()
                if "embed_tokens" in k or "lm_head" in k}

    def vocabulary(self, *path):
        return json.loads(read(self.path(*path)))["vocab_size"]

    def losses(self):
        return [r["loss"] for r in read_json_lines(self.path("out", "training_log.jsonl"))
                if "loss" in r]

    def test_with_an_adapter(self):
        names = ["embed_tokens", "lm_head"]
        for tying in (False, True):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            config = self.config(max_steps=6, learning_rate=0.01, tokens=TOKENS, val_set_size=0.1,
                                 lora_modules_to_save=names, peft_ensure_weight_tying=tying)
            self.good("train", config, "--quiet")
            losses = self.losses()
            self.assertLess(losses[-1], losses[0])
            rows = self.rows_of("out", "adapter_model.safetensors")
            self.assertEqual(rows, {"base_model.model.model.embed_tokens.weight": ROWS,
                                    "base_model.model.lm_head.weight": ROWS})
            self.assertEqual(json.loads(read(self.path("out", "adapter_config.json")))["modules_to_save"], names)
            self.good("evaluate", config)
            self.assertIn("has rows for 770 tokens, and the model for 768: give the model as many",
                          self.wrong("inference", "--model", TINY, "--adapter", self.path("out"), *GREEDY))
            further = self.config("further.yml", max_steps=2, tokens=TOKENS, lora_modules_to_save=names,
                                  lora_model_dir=self.path("out"), output_dir=self.path("further"))
            self.good("train", further, "--quiet")
            answer = self.good("inference", config, *GREEDY).out
            self.good("merge-lora", config)
            merged = self.path("out", "merged")
            self.assertEqual(self.vocabulary("out", "merged", "config.json"), ROWS)
            self.assertEqual(self.good("inference", "--model", merged, *GREEDY).out, answer)

    def test_without_one(self):
        config = self.config(max_steps=6, tokens=TOKENS, resize_token_embeddings_to_32x=True,
                             mean_resizing_embeddings=True, **FULL)
        self.good("train", config, "--quiet")
        self.assertEqual(set(self.rows_of("out", "model.safetensors").values()), {800})
        self.assertEqual(self.vocabulary("out", "config.json"), 800)
        self.good("inference", config, *GREEDY)

    def test_a_stop_changes_no_bit(self):
        for more in ({"lora_modules_to_save": ["embed_tokens", "lm_head"]}, FULL):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            shutil.rmtree(self.path("whole"), ignore_errors=True)
            name = "model.safetensors" if more is FULL else "adapter_model.safetensors"
            self.good("train", self.config(max_steps=4, tokens=TOKENS, output_dir=self.path("whole"),
                                           **more), "--quiet")
            stopped = self.config(max_steps=4, tokens=TOKENS, save_strategy="steps", save_steps=2,
                                  output_dir=self.path("out"), **more)
            self.good("train", stopped, "--quiet")
            shutil.rmtree(self.path("out", "checkpoint-4"))
            os.unlink(self.path("out", name))
            self.good("train", stopped, "--quiet", "--resume")
            self.assertEqual(read_safetensors(self.path("out", name)),
                             read_safetensors(self.path("whole", name)))

    def test_padding_is_trained_by_nobody(self):
        config = self.config(max_steps=2, special_tokens={"pad_token": "<fill>"})
        self.good("train", config, "--quiet")
        self.assertEqual(self.rows_of("out", "adapter_model.safetensors"), {})
        self.good("inference", config, *GREEDY)
        self.good("inference", "--model", TINY, "--adapter", self.path("out"), *GREEDY)


if __name__ == "__main__":
    unittest.main()
