#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tool against Axolotl's own run of the shared golden.yml, and against a pretrained model."""
import hashlib
import json
import math
import os
import re
import struct
import unittest

from cli_testing import LONG, SOURCE, Case, read, read_json_lines, read_safetensors, shared

GOLDEN = os.path.join(SOURCE, "tests", "golden", "axolotl_run")


def golden_json(name):
    return json.loads(read(os.path.join(GOLDEN, name)))


def norm(dtype, data):
    assert dtype == "F32", dtype
    return math.sqrt(math.fsum(x * x for (x,) in struct.iter_unpack("<f", data)))


def sha256_of_ids(rows, field):
    """Of the little-endian 32-bit ids of all rows, one after another."""
    ids = b"".join(struct.pack(f"<{len(r[field])}i", *r[field]) for r in rows)
    return hashlib.sha256(ids).hexdigest()


class GoldenRun(Case):
    def setUp(self):
        super().setUp()
        text = read(shared("golden.yml"))
        for word, path in (("MODEL", shared("models", "stories260K")),
                           ("DATA", shared("data", "alpaca_en_demo.json")),
                           ("ADAPTER", os.path.join(GOLDEN, "adapter")),
                           ("OUT", self.path("out"))):
            text = re.sub(rf": {word}\b", lambda _, p=path: f": {json.dumps(p)}", text)
        self.yml = self.write("golden.yml", text)

    def check_steps_and_result(self, golden, *options, loss=1e-4, grad_norm=1e-3):
        self.good("train", self.yml, "--quiet", *options)
        log = read_json_lines(self.path("out", "training_log.jsonl"))
        steps = golden["steps"]
        self.assertEqual([r["step"] for r in log], [r["step"] for r in steps])
        self.assertEqual(len(log), 30)
        peak = max(r["learning_rate"] for r in steps)
        for mine, other in zip(log, steps):
            at = f"step {other['step']}"
            self.assertLess(abs(mine["loss"] / other["loss"] - 1), loss, at)
            self.assertLess(abs(mine["grad_norm"] / other["grad_norm"] - 1), grad_norm, at)
            self.assertLess(abs(mine["learning_rate"] - other["learning_rate"]), 1e-6 * peak, at)
            self.assertLess(abs(mine["epoch"] - other["epoch"]), 1e-6, at)

        what, file = ("weights", "model") if "final_weights" in golden else (
            "adapter", "adapter_model")
        tensors = read_safetensors(self.path("out", file + ".safetensors"))
        self.assertEqual(sorted(tensors), sorted(golden["final_" + what]))
        for name, wanted in golden["final_" + what].items():
            dtype, shape, data = tensors[name]
            self.assertEqual(shape, wanted["shape"], name)
            self.assertLess(abs(norm(dtype, data) / wanted["norm"] - 1), 1e-3, name)

    def test_steps_and_adapter(self):
        self.check_steps_and_result(golden_json("steps.json"))

    def test_qlora(self):
        self.check_steps_and_result(golden_json("steps_qlora.json"), "--adapter", "qlora",
                                    "--load_in_4bit", "true")

    # With load_in_8bit and without bf16 Axolotl rounds embeddings, head and norms to f16.
    def test_base_in_8_bit(self):
        self.check_steps_and_result(golden_json("steps_int8.json"), "--load_in_8bit", "true",
                                    loss=5e-4, grad_norm=5e-3)

    if LONG:
        def test_mean_of_micro_batches_as_axolotl_accumulates(self):
            self.check_steps_and_result(golden_json("steps_accumulation_4.json"),
                                         "--gradient_accumulation_steps", "4",
                                         "--axl.loss_average", "micro_batches")

    def without_adapter(self, **more):
        text = "".join(line for line in read(self.yml).splitlines(True)
                       if not line.startswith(("adapter:", "lora_")))
        self.write("golden.yml", text + "".join(f"{k}: {v}\n" for k, v in more.items()))

    def test_full_fine_tuning(self):
        self.without_adapter()
        self.check_steps_and_result(golden_json("steps_full.json"), "--learning_rate", "0.001")

    def test_lisa(self):
        golden = golden_json("steps_lisa.json")
        self.without_adapter(**{k: golden["lisa"][k] for k in ("lisa_n_layers",
                                                               "lisa_step_interval")})
        self.check_steps_and_result(golden, "--learning_rate", "0.001")

    def test_rows(self):
        golden = golden_json("rows.json")
        lines = self.good("inspect", self.yml, "--json", "-n", "0").out.splitlines()
        rows = [json.loads(line) for line in lines]
        self.assertEqual(len(rows), golden["count"])
        self.assertEqual(sum(len(r["input_ids"]) for r in rows), golden["tokens"])
        self.assertEqual(sum(x != -100 for r in rows for x in r["labels"]),
                         golden["trained_tokens"])
        for row, wanted in zip(rows, golden["first"]):
            self.assertEqual(row["input_ids"], wanted["input_ids"])
            self.assertEqual(row["labels"], wanted["labels"])
        for field in ("input_ids", "labels"):
            self.assertEqual(sha256_of_ids(rows, field), golden[field + "_sha256"])
        for row, wanted in zip(rows, golden["rows"]):
            wanted = dict(zip(golden["row_fields"], wanted))
            self.assertEqual(len(row["input_ids"]), wanted["length"], wanted)


class Stories(Case):
    def test_greedy_story(self):
        readme = read(shared("README.md"))
        story = re.search(r'"(Once upon a time.*?)"', readme, re.S).group(1)
        result = self.good("inference", "--model", shared("models", "stories260K"), "--prompt", "",
                           "--greedy", "--max-new-tokens", "200")
        words = story.split()
        self.assertGreater(len(words), 30)
        self.assertEqual(result.out.split()[:len(words)], words)
        self.assertEqual(result.err, "")


if __name__ == "__main__":
    unittest.main()
