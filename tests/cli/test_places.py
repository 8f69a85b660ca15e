#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where files appear: below output_dir and where a config or the command line says, nowhere else."""
import os
import unittest

from cli_testing import ALPACA, Case, yaml_text


class Places(Case):
    def found(self):
        """Every file and folder below the case's own, where the tool runs too."""
        return {os.path.relpath(os.path.join(top, name), self.dir)
                for top, folders, files in os.walk(self.dir) for name in folders + files}

    def cache_files(self, where):
        return [n for n in os.listdir(self.path(where)) if n.endswith(".axlrows")]

    def test_verbs_that_only_tell_make_nothing(self):
        config = self.config(val_set_size=4)
        for verb in (["check"], ["plan", "--json"], ["inspect", "-n", "1"],
                     ["inspect", "--split", "validation"], ["evaluate"]):
            self.good(verb[0], config, *verb[1:])
            self.assertEqual(self.found(), {"run.yml"}, verb)

    def test_training_stays_in_its_folder(self):
        config = self.config(val_set_size=4)
        self.good("train", config)
        self.assertEqual({n for n in self.found() if not n.startswith("out/")}, {"run.yml", "out"})
        self.assertEqual(len(self.cache_files("out/prepared")), 1)
        before = self.found()
        for verb in ("check", "inspect", "evaluate"):
            self.good(verb, config)
            self.assertEqual(self.found(), before, verb)
        # What differs from the run is not kept either.
        self.good("inspect", config, "--train-on-inputs")
        self.good("inference", config, "--prompt", "x", "--max-new-tokens", "1")
        self.assertEqual(self.found(), before)
        self.good("merge-lora", config)
        self.assertEqual({n for n in self.found() - before if not n.startswith("out/merged")}, set())

    def test_a_prepared_path_is_where_it_says(self):
        """Every verb keeps its rows there, and nothing appears beside them."""
        for verb in ("inspect", "plan", "evaluate", "train"):
            config = self.config(val_set_size=4, dataset_prepared_path="kept/" + verb, max_steps=1)
            self.good(verb, config)
            self.assertEqual(len(self.cache_files("kept/" + verb)), 1)
        self.assertFalse(os.path.exists(self.path("out", "prepared")))
        tops = {n.split(os.sep)[0] for n in self.found()}
        self.assertEqual(tops, {"run.yml", "kept", "out"})
        before = self.found()
        self.good("check", self.config(dataset_prepared_path="other"))
        self.assertEqual(self.found(), before)

    def test_a_sweep_prepares_once(self):
        grid = self.write("grid.yml", yaml_text({"lora_r": [2, 4]}))
        self.good("train", self.config(max_steps=1), "--sweep", grid, "--quiet")
        self.assertEqual(len(self.cache_files("out/prepared")), 1)
        self.assertFalse(os.path.exists(self.path("out", "sweep0001", "prepared")))

    def test_what_is_not_a_cache_file_stays(self):
        self.good("train", self.config(max_steps=1))
        (name,) = self.cache_files("out/prepared")
        self.write(f"out/prepared/{name}", "my thesis")
        self.write("out/prepared/notes.txt", "mine")
        result = self.good("train", self.config(max_steps=1))
        self.assertIn("it is not replaced", result.err)
        for path, text in ((name, b"my thesis"), ("notes.txt", b"mine")):
            with open(self.path("out", "prepared", path), "rb") as f:
                self.assertEqual(f.read(), text)

    def test_a_run_that_cannot_begin_leaves_nothing(self):
        self.assertEqual(self.axl("train", self.config(
            datasets=[{"path": ALPACA, "type": "alpaca"}], lora_target_linear=False,
            lora_target_modules=["no_such_layer"])).code, 2)
        self.assertEqual(self.found(), {"run.yml"})


if __name__ == "__main__":
    unittest.main()
