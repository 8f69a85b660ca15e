# SPDX-License-Identifier: Apache-2.0
"""axl merge-lora: an adapter in its base."""
import os
import shutil
import unittest

from cli_testing import TINY, Case, read_safetensors

PROMPT = "### Instruction:\nHow much is 6 plus 3?\n\n### Response:\n"
GREEDY = ("--prompt", PROMPT, "--greedy", "--max-new-tokens", "12")


class Merge(Case):
    def trained(self, **changes):
        config = self.config(max_steps=12, learning_rate=0.01, **changes)
        self.good("train", config, "--quiet")
        return config

    def test_a_config(self):
        config = self.trained()
        out = self.good("merge-lora", config).out
        self.assertEqual(out, self.path("out", "merged") + "\n")
        files = set(os.listdir(self.path("out", "merged")))
        self.assertLessEqual({"config.json", "model.safetensors", "tokenizer.json",
                              "tokenizer_config.json"}, files)
        answer = self.good("inference", config, *GREEDY).out
        self.assertEqual(self.good("inference", "--model", self.path("out", "merged"), *GREEDY).out,
                         answer)
        self.assertNotEqual(self.good("inference", "--model", TINY, *GREEDY).out, answer)

    def test_a_model_and_an_adapter(self):
        self.trained()
        out = self.good("merge-lora", "--model", TINY, "--adapter", self.path("out"), "--out",
                        self.path("whole")).out
        self.assertEqual(out, self.path("whole") + "\n")
        merged = read_safetensors(self.path("whole", "model.safetensors"))
        base = read_safetensors(os.path.join(TINY, "model.safetensors"))
        self.assertEqual({k: v[:2] for k, v in merged.items()}, {k: v[:2] for k, v in base.items()})
        changed = {k for k, v in merged.items() if v[2] != base[k][2]}
        self.assertEqual(changed, {k for k in base if "_proj." in k})

    def test_what_is_wrong(self):
        config = self.config()
        line = self.wrong("merge-lora", config)
        self.assertIn("train with this config first", line)
        line = self.wrong("merge-lora", "--model", TINY)
        self.assertIn("--adapter DIR and --out DIR are needed", line)
        line = self.wrong("merge-lora", config, "--base", "4bit")
        self.assertIn("4-bit bases are still to come", line)
        whole = self.config(adapter=None, lora_r=None, lora_alpha=None, lora_target_linear=None)
        line = self.wrong("merge-lora", whole)
        self.assertIn("the config has no adapter", line)
        self.trained()
        shutil.rmtree(self.path("out", "merged"), ignore_errors=True)
        self.write("out/merged", "a file is in the way")
        line = self.wrong("merge-lora", self.config())
        self.assertIn("merged", line)


if __name__ == "__main__":
    unittest.main()
