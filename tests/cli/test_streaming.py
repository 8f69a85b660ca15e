#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training on streamed data: the result is the same when a run goes on from a checkpoint."""
import json
import shutil
import unittest

from cli_testing import Case


class Stream(Case):
    def stream(self, **changes):
        self.rows("rows.jsonl", [{"text": f"The {i}th fox of Veldania is number {i * 7}."}
                                 for i in range(50)])
        keys = {"datasets": None, "val_set_size": None, "sample_packing": True, "max_steps": 8,
                "pretraining_dataset": [{"path": self.path("rows.jsonl")}], "sequence_len": 64,
                "streaming_multipack_buffer_size": 20, "save_steps": 3, "save_strategy": None}
        keys.update(changes)
        return self.config(**keys)

    def test_goes_on_in_the_middle_of_a_window(self):
        config = self.stream(output_dir=self.path("out"))
        self.good("train", config)
        whole = self.adapter()
        with open(self.path("out", "training_log.jsonl"), encoding="utf-8") as f:
            epochs = [json.loads(line)["epoch"] for line in f]
        self.assertEqual(epochs, [i / 8 for i in range(1, 9)])
        for name in ("checkpoint-6", "checkpoint-8"):
            shutil.rmtree(self.path("out", name))
        self.good("train", config, "--resume")
        self.assertEqual(self.adapter(), whole)

    def test_other_data_is_noticed(self):
        config = self.stream(output_dir=self.path("out"))
        self.good("train", config)
        with open(self.path("rows.jsonl"), "a", encoding="utf-8") as f:
            f.write('{"text": "One more."}\n')
        shutil.rmtree(self.path("out", "checkpoint-8"))
        result = self.axl("train", config, "--resume")
        self.assertEqual(result.code, 2)
        self.assertIn("other data", result.err)

    def test_other_verbs(self):
        config = self.stream()
        self.assertIn("streamed data is not prepared", self.wrong("preprocess", config))
        shown = self.good("inspect", config, "--json", "-n", 0).out
        rows = [json.loads(line) for line in shown.splitlines()]
        self.assertEqual(sorted(r["row"] for r in rows), list(range(20)))
        self.assertIn('"steps": 8', self.good("plan", config, "--json").out)

    def test_needs_max_steps(self):
        self.assertIn("max_steps: required with streamed data",
                      self.wrong("train", self.stream(max_steps=None)))


if __name__ == "__main__":
    unittest.main()
