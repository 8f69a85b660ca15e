#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""axl train: what it prints, logs and leaves behind, and how a run goes on."""
import json
import math
import os
import re
import shutil
import unittest

from cli_testing import ALPACA, TINY, Case, read, read_json_lines, read_safetensors


class Train(Case):
    def train(self, *args, **changes):
        return self.good("train", self.config(**changes), *args)

    def log(self, out="out"):
        return read_json_lines(self.path(out, "training_log.jsonl"))

    def checkpoints(self, out="out"):
        return sorted(n for n in os.listdir(self.path(out)) if n.startswith("checkpoint"))


class Streams(Train):
    def test_answer_and_diagnostics(self):
        result = self.train()
        self.assertEqual(result.out, self.path("out") + "\n")
        steps = [line for line in result.errors if line.startswith("step ")]
        self.assertEqual(len(steps), 3)
        for i, line in enumerate(steps):
            self.assertRegex(line, rf"\Astep {i + 1}/3  epoch \S+  loss \S+  grad_norm \S+  lr \S+")
        self.assertIn("data: 711 rows, 40344 tokens, 6642 of them trained", result.errors)
        self.assertNotIn("\r", result.err)
        self.assertNotIn("\033", result.err)

    def test_a_line_for_a_logged_step(self):
        result = self.train(max_steps=5, logging_steps=2)
        steps = re.findall(r"^step ([0-9]+)/5 ", result.err, re.M)
        self.assertEqual([int(s) for s in steps], [r["step"] for r in self.log()])

    def test_quiet(self):
        for args in (["--quiet"], ["--log-level", "error"]):
            result = self.train(*args, max_steps=1)
            self.assertEqual(result.err, "")
            self.assertEqual(result.out, self.path("out") + "\n")
        self.assertNotIn("step 1", self.train("--log-level=warning", max_steps=1).err)
        self.assertIn("step 1/1", self.train("--log-level=info", max_steps=1).err)

    def test_terminal(self):
        shown = self.terminal("train", self.config())
        self.assertIn("\r", shown)
        self.assertIn("step 3/3", shown)
        self.assertTrue(shown.splitlines()[-1].endswith(self.path("out"))) # a cleared line before it

    def test_warnings(self):
        result = self.train(deepspeed="zero.json", max_steps=1)
        self.assertEqual(len([e for e in result.errors if e.startswith("warning: ")]), 1)

    def test_dropped_rows_are_told(self):
        rows = [{"instruction": "a", "output": "b"}, {"instruction": "c", "output": ""},
                {"instruction": "e " * 200, "output": "f"}]
        result = self.train(max_steps=1, datasets=[{"path": self.rows("d.jsonl", rows),
                                                    "type": "alpaca"}])
        self.assertIn("warning: 2 of 3 rows are dropped: 1 longer than sequence_len, 0 too short, "
                      "1 without a token to train on", result.errors)


class Log(Train):
    def test_fields(self):
        self.train()
        log = self.log()
        self.assertEqual([r["step"] for r in log], [1, 2, 3])
        for r in log:
            for key in ("epoch", "loss", "grad_norm", "learning_rate", "tokens_per_second"):
                self.assertIsInstance(r[key], float, key)
                self.assertTrue(math.isfinite(r[key]), key)
                self.assertGreater(r[key], 0, key)
            self.assertNotIn("eval_loss", r)
            self.assertAlmostEqual(r["epoch"], r["step"] / 356, places=12) # 711 rows by twos
        self.assertLess(log[2]["loss"], log[0]["loss"])

    def test_rate_is_the_one_that_a_step_used(self):
        self.train(max_steps=4)
        for r in self.log():
            wanted = 0.001 * 0.5 * (1 + math.cos(math.pi * (r["step"] - 1) / 4))
            self.assertAlmostEqual(r["learning_rate"], wanted, delta=1e-17)
        self.train(max_steps=4, warmup_steps=2, lr_scheduler="constant_with_warmup")
        self.assertEqual([r["learning_rate"] for r in self.log()], [0, 0.0005, 0.001, 0.001])

    def test_loss_is_the_mean_since_the_last_line(self):
        self.train(max_steps=5)
        each = [r["loss"] for r in self.log()]
        self.train(max_steps=5, logging_steps=2)
        log = self.log()
        self.assertEqual([r["step"] for r in log], [2, 4, 5]) # the last step always
        for r, two in zip(log, (each[0:2], each[2:4], each[4:5])):
            self.assertLessEqual(min(two) - 1e-12, r["loss"])
            self.assertLessEqual(r["loss"], max(two) + 1e-12)
        self.assertEqual(log[2]["loss"], each[4])

    def test_grad_norm_is_before_clipping(self):
        self.train(max_steps=1, max_grad_norm=0.001)
        self.assertGreater(self.log()[0]["grad_norm"], 1)

    def test_evaluations(self):
        self.train(max_steps=4, val_set_size=20, eval_strategy="steps", eval_steps=2)
        log = self.log()
        evals = [r for r in log if "eval_loss" in r]
        self.assertEqual([r["step"] for r in evals], [0, 2, 4])
        for r in evals:
            self.assertEqual(set(r) & {"loss", "grad_norm", "learning_rate"}, set())
            self.assertAlmostEqual(r["eval_perplexity"], math.exp(r["eval_loss"]), places=9)
        self.assertLess(evals[2]["eval_loss"], evals[0]["eval_loss"])
        self.assertEqual([r["step"] for r in log if "loss" in r], [1, 2, 3, 4])

    def test_new_run_truncates(self):
        self.train()
        self.train(max_steps=2)
        self.assertEqual([r["step"] for r in self.log()], [1, 2])

    def test_same_run_same_numbers(self):
        self.train()
        first, adapter = self.log(), self.adapter()
        self.train("--output-dir", "two", "--axl.threads", "1")
        for a, b in zip(first, self.log("two")):
            for key in ("loss", "grad_norm", "learning_rate", "epoch"):
                self.assertEqual(a[key], b[key], key)
        self.assertEqual(self.adapter("two"), adapter)


class Output(Train):
    def test_adapter(self):
        self.train()
        config = json.loads(read(self.path("out", "adapter_config.json")))
        self.assertEqual(config["r"], 4)
        self.assertEqual(config["lora_alpha"], 8)
        self.assertEqual(config["peft_type"], "LORA")
        self.assertEqual(config["task_type"], "CAUSAL_LM")
        self.assertEqual(config["base_model_name_or_path"], TINY)
        self.assertEqual(sorted(config["target_modules"]),
                         ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj",
                          "v_proj"])
        tensors = read_safetensors(self.path("out", "adapter_model.safetensors"))
        self.assertEqual(len(tensors), 4 * 7 * 2)
        name = "base_model.model.model.layers.3.mlp.down_proj.lora_"
        self.assertEqual(tensors[name + "A.weight"][:2], ("F32", [4, 352]))
        self.assertEqual(tensors[name + "B.weight"][:2], ("F32", [128, 4]))
        self.assertTrue(any(tensors[name + "B.weight"][2]), "B was trained")

    def test_tokenizer(self):
        self.train(max_steps=1)
        for name in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json"):
            with open(os.path.join(TINY, name), "rb") as f:
                base = f.read()
            with open(self.path("out", name), "rb") as f:
                self.assertEqual(f.read(), base, name)
        self.assertEqual(self.good("tokenize", "--model", "out", stdin=b"The fox").out,
                         self.good("tokenize", "--model", TINY, stdin=b"The fox").out)

    def test_model_card(self):
        yml = self.config()
        self.good("train", yml, "--learning-rate", "0.002")
        card = read(self.path("out", "README.md"))
        self.assertTrue(card.startswith("---\nlibrary_name: peft\n"))
        front = card.split("---\n")[1]
        self.assertIn(f'base_model: {json.dumps(TINY)}\n', front)
        self.assertIn(f'- {json.dumps(ALPACA)}\n', front)
        self.assertIn("```yaml\n" + read(yml) + "```\n", card)
        self.assertIn("```\nlearning_rate=0.002\n```\n", card)
        self.good("train", yml)
        self.assertNotIn("override", read(self.path("out", "README.md")))

    def test_checkpoints(self):
        self.train(max_steps=6, save_strategy="steps", save_steps=2)
        self.assertEqual(self.checkpoints(), ["checkpoint-2", "checkpoint-4", "checkpoint-6"])
        files = set(os.listdir(self.path("out", "checkpoint-2")))
        self.assertLessEqual({"adapter_config.json", "adapter_model.safetensors",
                              "optimizer.safetensors", "trainer_state.json"}, files)
        self.assertEqual(json.loads(read(self.path("out", "checkpoint-4", "trainer_state.json")))
                         ["step"], 4)
        self.assertEqual(self.adapter("out"), self.adapter("out/checkpoint-6"))
        self.assertNotEqual(self.adapter("out"), self.adapter("out/checkpoint-2"))
        left = [n for n in os.listdir(self.path("out")) if "tmp" in n or "old" in n]
        self.assertEqual(left, [])

    def test_save_total_limit(self):
        self.train(max_steps=5, save_strategy="steps", save_steps=1, save_total_limit=2)
        self.assertEqual(self.checkpoints(), ["checkpoint-4", "checkpoint-5"])

    def test_save_each_epoch(self):
        rows = [{"instruction": f"{i}", "output": f"{i}"} for i in range(6)]
        self.train(max_steps=None, num_epochs=2, save_strategy="epoch",
                   datasets=[{"path": self.rows("d.jsonl", rows), "type": "alpaca"}])
        self.assertEqual(self.checkpoints(), ["checkpoint-3", "checkpoint-6"])

    def test_no_checkpoints(self):
        self.train()
        self.assertEqual(self.checkpoints(), [])

    def test_nested_output_dir(self):
        self.train(output_dir="a/b/c", max_steps=1)
        self.assertTrue(os.path.exists(self.path("a/b/c/adapter_model.safetensors")))


class Start(Train):
    """lora_model_dir: an adapter to start from."""

    def test_goes_on_from_it(self):
        self.train(max_steps=6)
        self.train(output_dir="two", lora_model_dir="out", lora_dropout=0.0)
        self.assertLess(self.log("two")[0]["loss"], self.log()[0]["loss"] - 0.1)

    def test_takes_it_as_it_is(self):
        self.train(max_steps=2)
        self.train(output_dir="two", lora_model_dir="out", max_steps=1, warmup_steps=1,
                   weight_decay=0.0) # the first step's rate is 0
        self.assertEqual(self.adapter("two"), self.adapter())

    def test_says_what_it_ignores(self):
        self.train(max_steps=1)
        result = self.train(output_dir="two", lora_model_dir="out", lora_r=8, lora_alpha=8,
                            max_steps=1)
        self.assertIn("warning: lora_r 8 has no effect: the adapter in out has rank 4",
                      result.errors)
        result = self.train(output_dir="two", lora_model_dir="out", lora_r=None, lora_alpha=None,
                            lora_target_linear=None, max_steps=1)
        self.assertNotIn("warning", result.err)
        result = self.train(output_dir="two", lora_model_dir="out", lora_target_linear=False,
                            lora_target_modules=["q_proj"], max_steps=1)
        self.assertIn("the layers that are trained are those of the adapter in out", result.err)


class Resume(Train):
    SAVING = {"max_steps": 6, "save_strategy": "steps", "save_steps": 2, "save_total_limit": 9}

    def test_a_checkpoint(self):
        """Goes on with the same bits; the log keeps what was before the checkpoint as it was."""
        self.train(**self.SAVING)
        adapter, lines = self.adapter(), read(self.path("out", "training_log.jsonl")).splitlines()
        losses = [r["loss"] for r in self.log()]
        result = self.train("--resume", "out/checkpoint-4", **self.SAVING)
        self.assertIn("resumed from out/checkpoint-4", result.errors)
        self.assertEqual(self.adapter(), adapter)
        again = read(self.path("out", "training_log.jsonl")).splitlines()
        self.assertEqual(again[:4], lines[:4])
        self.assertEqual([r["step"] for r in self.log()], [1, 2, 3, 4, 5, 6])
        self.assertEqual([r["loss"] for r in self.log()], losses)

    def test_torn_log(self):
        """A line that a crash cut short goes, and what follows the checkpoint's step."""
        self.train(**self.SAVING)
        log = self.path("out", "training_log.jsonl")
        lines = read(log).splitlines()
        self.write("out/training_log.jsonl", "\n".join(lines[:5]) + "\n" + lines[5][:20])
        self.train("--resume=out/checkpoint-2", **self.SAVING)
        self.assertEqual([r["step"] for r in self.log()], [1, 2, 3, 4, 5, 6])
        self.assertEqual(read(log).splitlines()[:2], lines[:2])

    def test_the_newest(self):
        self.train(**self.SAVING)
        adapter = self.adapter()
        for how in (["--resume"], ["--resume", "--quiet"], ["--resume-from-checkpoint",
                                                            "out/checkpoint-2"],
                    ["--auto-resume-from-checkpoints"]):
            os.remove(self.path("out", "adapter_model.safetensors"))
            self.train(*how, **self.SAVING)
            self.assertEqual(self.adapter(), adapter)
        result = self.train("--resume", **self.SAVING)
        self.assertIn(f"resumed from {self.path('out', 'checkpoint-6')}", result.errors)
        self.assertIn("is at step 6 of 6: nothing is left to train", result.err)

    def test_none_there(self):
        result = self.train("--resume")
        self.assertIn("holds no checkpoint; starting from the beginning", result.err)
        self.assertEqual(len(self.log()), 3)

    def test_across_epochs(self):
        rows = [{"instruction": f"{i}", "output": f"{i} {i}"} for i in range(8)]
        changes = {**self.SAVING, "max_steps": None, "num_epochs": 2, "save_steps": 3,
                   "datasets": [{"path": self.rows("d.jsonl", rows), "type": "alpaca"}]}
        self.train(**changes)
        adapter = self.adapter()
        for step in (3, 6):
            self.train("--resume", f"out/checkpoint-{step}", "--output-dir", "two", **changes)
            self.assertEqual(self.adapter("two"), adapter, step)

    def check_refused(self, text, **changes):
        result = self.axl("train", self.config(**{**self.SAVING, **changes}), "--quiet",
                          "--resume", "out/checkpoint-4")
        self.assertEqual(result.code, 2, result)
        self.assertIn("out/checkpoint-4 is of a run " + text, result.err)

    def test_over_other_rows(self):
        """What would skip rows, or train them again, in silence."""
        rows = [{"instruction": f"{i}", "output": f"{i} {i}"} for i in range(40)]
        data = self.rows("d.jsonl", rows)
        self.SAVING = {**self.SAVING, "datasets": [{"path": data, "type": "alpaca"}],
                       "train_on_inputs": False}
        self.train(**self.SAVING)
        self.check_refused("with 42 as the seed of the rows' order, this one has 7", seed=7)
        self.check_refused("with 2 rows in a step", micro_batch_size=1)
        self.check_refused("with 2 rows in a step", gradient_accumulation_steps=3)
        self.check_refused("with 0 tokens in a packed row", sample_packing=True)
        self.check_refused("with another order of rows", curriculum_sampling=True)
        self.check_refused("over other data", train_on_inputs=True)
        self.check_refused("with 40 rows of data, this one has 36", val_set_size=4)
        self.rows("d.jsonl", rows[:20] + [{"instruction": "x", "output": "20 20"}] + rows[21:])
        self.check_refused("over other data")

    def test_in_another_cut(self):
        """As many rows a step, in other batches: the same rows follow."""
        rows = [{"instruction": f"{i}", "output": f"{i} {i}"} for i in range(22)]
        changes = {**self.SAVING, "datasets": [{"path": self.rows("d.jsonl", rows), "type": "alpaca"}],
                   "bf16": False, "max_steps": 12, "save_steps": 4, "learning_rate": 0.01}
        whole = self.cut_run("whole", 1, 4, **changes)
        for micro, steps in ((2, 2), (4, 1), (1, 4)):
            for step in (4, 8):  # within the first epoch of six, and the second
                rest = self.cut_run("rest", micro, steps, "--resume",
                                    f"whole/checkpoint-{step}", **changes)
                self.assertEqual(len(rest), 12 - step)
                for a, b in zip(whole[step:], rest):
                    self.assertAlmostEqual(a, b, places=4)
                shutil.rmtree(self.path("rest"))

    def cut_run(self, out, micro, steps, *args, **changes):
        self.train("--output-dir", out, *args, **{
            **changes, "micro_batch_size": micro, "gradient_accumulation_steps": steps})
        return [r["loss"] for r in read_json_lines(self.path(out, "training_log.jsonl"))]

    def test_bins_in_another_cut(self):
        changes = {**self.SAVING, "bf16": False, "sample_packing": True, "sequence_len": 128,
                   "multipack_real_batches": True}
        whole = self.cut_run("whole", 1, 4, **changes)
        rest = self.cut_run("rest", 2, 2, "--resume", "whole/checkpoint-4", **changes)
        for a, b in zip(whole[4:], rest):
            self.assertAlmostEqual(a, b, places=4)

    def test_other_settings_are_named(self):
        self.train(**self.SAVING)
        result = self.train("--resume", "out/checkpoint-4", **{
            **self.SAVING, "learning_rate": 0.25, "max_steps": 7, "lora_dropout": 0.5})
        for text in ("learning_rate", "total_steps 6.0, this is 7.0", "lora_dropout 0.0, this is 0.5"):
            self.assertIn("out/checkpoint-4 was written with " + text, result.err)


class Failure(Train):
    def test_loss_that_is_not_finite(self):
        result = self.axl("train", self.config(learning_rate=1e30, max_steps=9, output_dir="out"))
        self.assertEqual(result.code, 1)
        self.assertEqual(result.out, "")
        self.assertRegex(result.errors[-1], r"\Aaxl train: (step 2: )?the .* not finite")
        self.assertEqual(sorted(os.listdir(self.path("out"))), ["prepared", "training_log.jsonl"])


if __name__ == "__main__":
    unittest.main()
