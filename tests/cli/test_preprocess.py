#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""axl preprocess: what it says of the data, where it keeps it, and that training takes it."""
import json
import os
import subprocess
import unittest

from cli_testing import ALPACA, TOOL, Case, environment, read_json_lines


class Preprocess(Case):
    def prepared(self, where):
        """{name: inode}"""
        return {n: os.stat(self.path(where, n)).st_ino for n in os.listdir(self.path(where))}

    def figures(self, config, *more):
        return json.loads(self.good("preprocess", config, "--json", *more).out)

    def inspected(self, config, *more):
        return [json.loads(line) for line in
                self.good("inspect", config, "-n", "0", "--json", *more).out.splitlines()]

    def test_its_figures_are_the_rows(self):
        read = len(read_json_lines(ALPACA))
        rows = [{"instruction": "x", "output": ""}, {"instruction": "y", "output": "z" * 400}]
        config = self.config(
            datasets=[{"path": ALPACA, "type": "alpaca"},
                      {"path": self.rows("more.jsonl", rows), "type": "alpaca"}],
            sequence_len=250, val_set_size=5, sample_packing=True, micro_batch_size=1,
            gradient_accumulation_steps=2, max_steps=None, num_epochs=3)
        said, kept = self.figures(config), self.inspected(config)
        self.assertEqual(list(said), ["rows_read", "rows", "tokens", "trained_tokens", "dropped",
                                      "length_histogram", "packing_fill", "steps_per_epoch",
                                      "steps"])
        self.assertEqual(said["rows_read"], read + 2)
        self.assertEqual(said["rows"], len(kept))
        self.assertEqual(said["tokens"], sum(len(r["input_ids"]) for r in kept))
        self.assertEqual(said["trained_tokens"],
                         sum(label != -100 for r in kept for label in r["labels"]))
        dropped = said["dropped"]
        self.assertEqual(list(dropped), ["too_long", "too_short", "no_trained_token", "duplicate"])
        self.assertGreaterEqual(dropped["too_long"], 1)
        self.assertEqual(dropped["no_trained_token"], 1)
        self.assertEqual(said["rows_read"], said["rows"] + 5 + sum(dropped.values()))
        bars = said["length_histogram"]
        self.assertEqual(bars[0]["from"], 1)
        for bar, after in zip(bars, bars[1:]):
            self.assertEqual(bar["to"] + 1, after["from"])
        for bar in bars:
            self.assertEqual(bar["rows"], sum(bar["from"] <= len(r["input_ids"]) <= bar["to"]
                                              for r in kept))
        self.assertEqual(said["rows"], sum(bar["rows"] for bar in bars))
        self.assertGreater(bars[-1]["rows"], 0)
        self.assertTrue(0.5 < said["packing_fill"] <= 1)
        self.assertEqual(said["steps"],
                         json.loads(self.good("plan", config, "--json").out)["steps"])
        self.assertTrue(abs(said["steps"] - 3 * said["steps_per_epoch"]) <= 3)
        self.assertEqual(self.figures(config), said)

    def test_training_takes_what_it_kept(self):
        for more, where in (({}, "out/prepared"), ({"dataset_prepared_path": "kept"}, "kept")):
            config = self.config(val_set_size=4, max_steps=1, **more)
            text = self.good("preprocess", config).out
            self.assertRegex(text, rf"\nkept in +(.*/)?{where}\n$")
            before = self.prepared(where)
            self.assertEqual(len(before), 1)
            self.good("train", config)
            self.assertEqual(self.prepared(where), before)
            self.assertRegex(self.good("preprocess", config).out, rf"\nwas in +(.*/)?{where}\n$")
        self.assertIn(", beside 4 for validation\n", text)

    def test_rows_of_its_own_for_validation_are_kept_too(self):
        config = self.config(test_datasets=[{"path": ALPACA, "type": "alpaca"}], max_steps=1,
                             sequence_len=200)
        self.good("preprocess", config)
        before = self.prepared("out/prepared")
        self.good("train", config)
        self.assertEqual(self.prepared("out/prepared"), before)

    def test_debug_shows_rows(self):
        config = self.config()
        self.good("preprocess", config)
        for how in ([], ["--json"]):
            rows, said = (self.good(verb, config, *how).out for verb in ("inspect", "preprocess"))
            self.assertEqual(self.good("preprocess", config, "--debug", *how).out, rows + said)

    def test_several_at_once(self):
        config = self.config(sequence_len=200)
        running = [subprocess.Popen([TOOL, "preprocess", config, "--json"], cwd=self.dir,
                                    stdout=subprocess.PIPE, env=environment()) for _ in range(4)]
        said = {p.communicate(timeout=60)[0] for p in running}
        self.assertEqual([p.returncode for p in running], [0] * 4)
        self.assertEqual(len(said), 1)
        self.assertEqual(len(self.prepared("out/prepared")), 1)

    def test_what_cannot_be_kept_is_an_error(self):
        self.write("file", "x")
        result = self.axl("preprocess", self.config(dataset_prepared_path="file/in"))
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertIn("file", result.errors[-1])
        error = self.wrong("preprocess", self.config(
            datasets=[{"path": self.rows("bad.jsonl", [{"instruction": 1, "output": "x"}]),
                       "type": "alpaca"}]))
        self.assertIn("bad.jsonl:1", error)
        self.assertFalse(os.path.exists(self.path("out")))


if __name__ == "__main__":
    unittest.main()
