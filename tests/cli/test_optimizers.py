#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training with each optimizer: the loss falls, and a stop changes no byte of the result."""
import os
import re
import unittest

from cli_testing import ALPACA, Case, read, read_json_lines

RATES = {"free_sgd": 0.1, "sgd": 0.1, "lion": 1e-4, "ademamix": 1e-3, "rmsprop": 1e-3, "came": 5e-5}


class Optimizers(Case):
    def names(self):
        """What the error about an unknown one lists."""
        result = self.axl("check", self.config("unknown.yml", optimizer="no_such_optimizer"))
        return re.search(r"must be one of (.*), found", result.out).group(1).split(", ")

    def few(self):
        path = self.write("few.jsonl", "".join(read(ALPACA).splitlines(True)[:6]))
        return [{"path": path, "type": "alpaca", "split": "train"}]

    def run_of(self, name, out, *args, **changes):
        rate = next((r for part, r in RATES.items() if part in name), 5e-3)
        data = self.few()
        config = self.config(f"{out}.yml", optimizer=name, learning_rate=rate,
                             output_dir=self.path(out), max_steps=12, lr_scheduler="constant",
                             warmup_steps=0, lora_r=16, lora_alpha=32, eval_steps=6,
                             datasets=data, test_datasets=data, **changes)
        self.good("train", config, "--quiet", *args)
        log = read_json_lines(self.path(out, "training_log.jsonl"))
        return [r["eval_loss"] for r in log if "eval_loss" in r]

    def files(self, out):
        found = {"adapter": self.adapter(out)}
        for name in ("adapter_model.safetensors", "optimizer.safetensors"):
            with open(self.path(out, "checkpoint-12", name), "rb") as f:
                found[name] = f.read()
        return found

    def test_each(self):
        for name in self.names():
            with self.subTest(name):
                losses = self.run_of(name, name, save_strategy="steps", save_steps=6)
                self.assertEqual(len(losses), 3)
                self.assertLess(losses[2], 0.98 * losses[0])
                whole = self.files(name)
                os.rename(self.path(name, "checkpoint-12"), self.path(name, "later"))
                self.run_of(name, name, "--resume", self.path(name, "checkpoint-6"),
                            save_strategy="steps", save_steps=6)
                self.assertEqual(self.files(name), whole)

    def test_a_checkpoint_of_another(self):
        self.run_of("sgd", "out", save_strategy="steps", save_steps=12)
        config = self.config("other.yml", optimizer="adamw_8bit", output_dir=self.path("out2"),
                             lora_r=16, lora_alpha=32, datasets=self.few())
        result = self.axl("train", config, "--quiet", "--resume", self.path("out", "checkpoint-12"))
        self.assertEqual(result.code, 2, result)
        self.assertIn("was written with the optimizer sgd, this is adamw_8bit", result.err)


if __name__ == "__main__":
    unittest.main()
