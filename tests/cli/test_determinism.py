#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same config and seed give the same bytes, a process each, at any number of threads."""
import hashlib
import json
import os
import unittest

from cli_testing import ALPACA, LONG, Case, read_json_lines

THREADS = (1, 2, 3, 5, 8, 1) if LONG else (1, 3, 1)  # one of them twice
LEVELS = ("baseline", "avx2", "avx512", "avx512_bf16", "amx")


class Determinism(Case):
    def setUp(self):
        super().setUp()
        rows = read_json_lines(ALPACA)
        self.data = self.rows("rows.jsonl", [  # of 30 to 400 tokens
            {**rows[i], "output": " ".join(r["output"] for r in rows[9 * i:9 * i + i % 9 + 1])}
            for i in range(40)])
        self.runs = 0

    def run_once(self, env=None, **changes):
        """The digest of the adapter of a short run, and its losses."""
        self.runs += 1
        out = f"out{self.runs}"
        keys = {"datasets": [{"path": self.data, "type": "alpaca"}], "output_dir": self.path(out),
                "micro_batch_size": 2, "gradient_accumulation_steps": 2, "max_steps": 2,
                "learning_rate": 0.01, "lora_dropout": 0.1, "seed": 11, **changes}
        self.good("train", self.config(**keys), "--quiet", env=env)
        log = read_json_lines(self.path(out, "training_log.jsonl"))
        return hashlib.sha256(self.adapter(out)).hexdigest(), [r["loss"] for r in log]

    def check_same(self, first, second, what):
        self.assertEqual(first[1], second[1], f"losses, {what}")
        self.assertEqual(first[0], second[0], f"adapters, {what}")

    def check_threads(self, counts, axl=None, **changes):
        """The run's outcome, the same at all counts."""
        first = None
        for threads in counts:
            outcome = self.run_once(axl={**(axl or {}), "threads": threads}, **changes)
            if first:
                self.check_same(first, outcome, f"{threads} threads, {axl} {changes}")
            first = first or outcome
        return first

    def levels(self):
        """Those that this machine has."""
        best = json.loads(self.good("version", "--json").out)["isa"]
        levels = LEVELS[:LEVELS.index(best) + 1]
        return levels if LONG else levels[-2:]

    def test_threads(self):
        outcomes = set()
        for sequence_len in 512, 100:
            for packing in False, True:
                for bf16 in False, True:
                    if not LONG and packing != bf16:
                        continue
                    outcome = self.check_threads(THREADS, sequence_len=sequence_len,
                                                 sample_packing=packing, bf16=bf16)
                    outcomes.add(outcome[0])
        self.assertEqual(len(outcomes), 8 if LONG else 4)  # the settings do change the run

    def test_instruction_sets(self):
        for level in self.levels():
            for bf16 in False, True:
                self.check_threads((1, 2, 5) if LONG else (1, 5), axl={"isa": level}, sequence_len=150,
                                   sample_packing=True, bf16=bf16)  # 300 rows: two tiles

    def test_own_and_library_matmuls(self):
        for onednn in False, True:
            self.check_threads((1, 3), axl={"onednn": onednn}, bf16=True)

    def test_what_must_not_matter(self):
        for bf16 in (False, True) if LONG else (True,):
            base = {"bf16": bf16, "sample_packing": True, "sequence_len": 100}
            first = self.run_once(axl={"threads": 2}, **base)
            for changes in ({"gradient_checkpointing": True}, {"axl": {"load": "read"}},
                            {"dataset_prepared_path": self.path("prepared")},
                            {"dataset_prepared_path": self.path("prepared")}):  # from the cache
                self.check_same(first, self.run_once(**{**base, **changes}), changes)
            for changes, same in (({"logging_steps": 2, "save_steps": 1, "save_strategy": "steps"},
                                   True), ({"seed": 12}, False)):
                adapter = self.run_once(**{**base, **changes})[0]
                self.assertEqual(adapter == first[0], same, changes)

    def test_a_machine_of_one_processor(self):
        first = self.run_once()
        mask = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(mask)})  # the tool inherits it
        try:
            self.check_same(first, self.run_once(), "one processor")
            self.check_same(first, self.run_once(axl={"threads": 4}), "4 threads on one processor")
        finally:
            os.sched_setaffinity(0, mask)
        self.check_same(first, self.run_once(env={"OMP_NUM_THREADS": "1"}), "OMP_NUM_THREADS")


if __name__ == "__main__":
    unittest.main()
