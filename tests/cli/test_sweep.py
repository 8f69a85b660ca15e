# SPDX-License-Identifier: Apache-2.0
"""axl train --sweep: the runs, their folders, the table, and what happens to one that fails."""
import csv
import json
import os
import signal
import subprocess
import unittest

from cli_testing import NO_HUB, TOOL, Case, read, read_json_lines, yaml_text


class Sweep(Case):
    def sweep(self, **keys):
        return self.write("sweep.yml", yaml_text(keys))

    def table(self, *where):
        with open(self.path(*where, "sweep_results.tsv"), encoding="utf-8", newline="") as f:
            return list(csv.DictReader(f, delimiter="\t"))

    def test_every_combination_is_a_run(self):
        grid = self.sweep(learning_rate=[0.001, 0.01], lora_r=[2, 4])
        done = self.good("train", self.config(val_set_size=20), "--sweep", grid)
        self.assertEqual(sorted(n for n in os.listdir(self.path("out"))),
                         ["prepared", "sweep0001", "sweep0002", "sweep0003", "sweep0004",
                          "sweep_results.tsv"])
        rows = self.table("out")
        self.assertEqual({(r["learning_rate"], r["lora_r"]) for r in rows},
                         {("0.001", "2"), ("0.001", "4"), ("0.01", "2"), ("0.01", "4")})
        for row in rows:
            folder = self.path("out", row["run"])
            with open(os.path.join(folder, "adapter_config.json"), encoding="utf-8") as f:
                self.assertEqual(json.load(f)["r"], int(row["lora_r"]))
            steps = [r for r in read_json_lines(os.path.join(folder, "training_log.jsonl"))
                     if "loss" in r]
            self.assertAlmostEqual(float(row["loss"]), steps[-1]["loss"], places=4)
            self.assertEqual(row["status"], "done")
            answer = json.loads(self.good("evaluate", "run.yml", "--json", "--lora-r",
                                          row["lora_r"], "--output-dir", folder).out)
            self.assertAlmostEqual(float(row["eval_loss"]), answer["loss"], places=4)
        lines = done.out.splitlines()
        self.assertEqual(lines[0].split(), ["run", "learning_rate", "lora_r", "loss", "eval_loss",
                                            "status"])
        self.assertEqual(len(lines), 6)
        best = min(rows, key=lambda r: float(r["eval_loss"]))
        self.assertEqual(lines[-1], self.path("out", best["run"]))
        self.assertIn("sweep0002 (2 of 4): learning_rate=", done.err)

    def test_a_run_is_what_it_would_be_alone(self):
        grid = self.sweep(lora_r=[2, 4])
        path = self.config(save_strategy="steps", save_steps=2)
        self.good("train", path, "--sweep", grid, "--quiet")
        for row in self.table("out"):
            self.good("train", path, "--lora_r", row["lora_r"], "--output-dir", self.path("alone"))
            self.assertEqual(self.adapter(os.path.join("out", row["run"])), self.adapter("alone"))
            self.assertTrue(os.path.isdir(self.path("out", row["run"], "checkpoint-2")))
            self.assertEqual(row["eval_loss"], "", "there is no validation data")

    def test_values_that_belong_together(self):
        grid = self.write("pairs.yml", "lora_alpha: [8, 16]\n_:\n  - {learning_rate: 1e-3}\n"
                                       "  - lora_dropout: 0.1\n    lora_alpha: 4\n")
        self.good("train", self.config(max_steps=1), "--sweep", grid, "--quiet")
        self.assertEqual(sorted((r["lora_alpha"], r["learning_rate"], r["lora_dropout"])
                                for r in self.table("out")),
                         [("16", "1e-3", ""), ("4", "", "0.1"), ("4", "", "0.1"),
                          ("8", "1e-3", "")])

    def test_a_failing_run_lets_the_others_go_on(self):
        data = self.rows("bad.jsonl", [{"instruction": 1, "input": "", "output": "x"}])
        lists = [[{"path": data, "type": "alpaca"}],
                 self.settings()["datasets"],
                 [{"path": self.path("nowhere.jsonl"), "type": "alpaca"}]]
        done = self.axl("train", self.config(max_steps=1), "--sweep", self.sweep(datasets=lists))
        self.assertEqual(done.code, 2, done)
        rows = self.table("out")
        self.assertEqual(sorted(r["status"] for r in rows), ["done", "failed", "failed"])
        good = next(r for r in rows if r["status"] == "done")
        self.assertEqual(done.out.splitlines()[-1], self.path("out", good["run"]))
        self.assertIn("nowhere.jsonl", done.err)
        self.assertIn("bad.jsonl", done.err)
        for row in rows:
            self.assertEqual(row["loss"] != "", row["status"] == "done")

    def test_a_value_that_the_config_refuses(self):
        done = self.axl("train", self.config(max_steps=1), "--sweep",
                        self.sweep(lora_dropout=[0.0, 1.5]))
        self.assertEqual(done.code, 2)
        self.assertIn("lora_dropout", done.err)
        self.assertEqual({r["lora_dropout"]: r["status"] for r in self.table("out")},
                         {"0.0": "done", "1.5": "failed"})

    def test_the_base_config_may_lack_what_is_swept(self):
        path = self.config(learning_rate=None, max_steps=1)
        self.assertEqual(self.axl("train", path).code, 2)
        self.good("train", path, "--sweep", self.sweep(learning_rate=[1e-3, 2e-3]), "--quiet")

    def test_folders_follow_a_swept_output_dir(self):
        self.good("train", self.config(max_steps=1), "--sweep",
                  self.sweep(output_dir=[self.path("a"), self.path("b")]), "--quiet")
        made = sorted(os.path.join(d, n) for d in ("a", "b") for n in os.listdir(self.path(d))
                      if n.startswith("sweep0"))
        self.assertEqual([m[-1] for m in sorted(made, key=lambda m: m[-1])], ["1", "2"])

    def test_resuming_goes_on(self):
        path = self.config(max_steps=4, save_strategy="steps", save_steps=2)
        grid = self.sweep(lora_r=[2, 4])
        self.good("train", path, "--sweep", grid, "--quiet")
        first = {r["run"]: self.adapter(os.path.join("out", r["run"])) for r in self.table("out")}
        again = self.good("train", path, "--sweep", grid, "--resume")
        self.assertIn("resumed from", again.err)
        for run, adapter in first.items():
            self.assertEqual(self.adapter(os.path.join("out", run)), adapter)

    def test_a_signal_ends_the_sweep(self):
        path = self.config(max_steps=2000)
        grid = self.sweep(lora_r=[2, 4, 8])
        with subprocess.Popen([TOOL, "train", path, "--sweep", grid], cwd=self.dir,
                              stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                              env={**os.environ, **NO_HUB}) as process:
            for line in process.stderr:
                if line.startswith(b"step 3/"):
                    process.send_signal(signal.SIGINT)
                    break
            out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertEqual([r["status"] for r in self.table("out")], ["stopped", "waiting", "waiting"])
        self.assertEqual(len(out.splitlines()), 4)
        self.assertTrue(any(n.startswith("checkpoint-")
                            for n in os.listdir(self.path("out", "sweep0001"))))

    def test_what_is_wrong(self):
        path = self.config()
        grid = self.sweep(lora_r=[2])
        for args, words in (
                ([path, "--sweep", self.path("none.yml")], "none.yml"),
                ([path, "--sweep", self.write("w.yml", "lora_r: 2\n")], "w.yml:1:9: error: lora_r"),
                ([path, "--sweep", self.write("x.yml", "lora_rr: [2]\n")], "did you mean"),
                ([path, "--sweep", grid, "--lora_r", "4"], "--lora_r is swept, too"),
                ([path, "--sweep", grid, "--resume", "checkpoint-2"], "--resume"),
                (["--sweep", grid], "config file"), ([path, "--sweep"], "--sweep")):
            done = self.axl("train", *args)
            self.assertEqual((done.code, done.out), (2, ""), done)
            self.assertIn(words, done.err)
        self.assertFalse(os.path.exists(self.path("out")))

    def test_text_of_the_table_keeps_its_lines(self):
        grid = self.sweep(wandb_name=["one\nor\ttwo"])
        done = self.good("train", self.config(max_steps=1), "--sweep", grid, "--quiet")
        rows = read(self.path("out", "sweep_results.tsv")).splitlines()
        self.assertEqual(len(rows), 2)
        self.assertIn('"one\\u000aor\\u0009two"', rows[1])
        self.assertEqual(len(done.out.splitlines()), 3)


if __name__ == "__main__":
    unittest.main()
