# SPDX-License-Identifier: Apache-2.0
"""axl evaluate: the validation split's loss, of the adapter that it should be."""
import json
import math
import os
import signal
import subprocess
import unittest

from cli_testing import NO_HUB, TOOL, Case, read_json_lines


class Evaluate(Case):
    def evaluate(self, *args):
        answer = json.loads(self.good("evaluate", *args, "--json").out)
        self.assertEqual(set(answer), {"rows", "tokens", "loss", "perplexity"})
        self.assertAlmostEqual(answer["perplexity"], math.exp(answer["loss"]), places=9)
        return answer

    def test_it_is_the_last_evaluation_of_the_run(self):
        path = self.config(val_set_size=40, eval_steps=3, max_steps=6)
        self.good("train", path, "--quiet")
        last = [r for r in read_json_lines(self.path("out", "training_log.jsonl"))
                if "eval_loss" in r][-1]
        self.assertEqual(last["step"], 6)
        before = sorted(os.listdir(self.path("out")))
        answer = self.evaluate(path)
        self.assertEqual(answer["rows"], 40)
        self.assertGreater(answer["tokens"], 40)
        self.assertAlmostEqual(answer["loss"], last["eval_loss"], places=12)
        self.assertEqual(sorted(os.listdir(self.path("out"))), before)

    def test_batches_and_packing_do_not_change_it(self):
        path = self.config(val_set_size=30)
        plain = self.evaluate(path)
        for more in (["--eval-batch-size", "7"], ["--eval-batch-size=30"], ["--sample-packing"],
                     ["--axl.threads", "1"]):
            other = self.evaluate(path, *more)
            self.assertEqual(other["tokens"], plain["tokens"])
            self.assertAlmostEqual(other["loss"], plain["loss"], places=6, msg=more)

    def test_which_adapter(self):
        path = self.config(val_set_size=20, max_steps=8)
        base = self.axl("evaluate", path, "--json")
        self.assertIn(self.path("out") + " holds no adapter: the base model alone", base.err)
        self.good("train", path, "--quiet")
        trained = self.evaluate(path)
        self.assertLess(trained["loss"], json.loads(base.out)["loss"])
        elsewhere = ["--output-dir", self.path("other")]
        self.assertEqual(json.loads(self.good("evaluate", path, "--json", *elsewhere).out),
                         json.loads(base.out))
        begun = self.axl("evaluate", path, "--json", "--lora-model-dir", self.path("out"),
                         *elsewhere)
        self.assertEqual(json.loads(begun.out), trained)
        self.assertIn("evaluating the adapter in " + self.path("out"), begun.err)
        text = self.good("evaluate", path)
        self.assertRegex(text.out, r"^loss \d\.\d{4}  perplexity \d+\.\d{3}  over \d+ tokens of "
                                   r"20 rows\n$")
        quiet = self.axl("evaluate", path, "--quiet", *elsewhere)
        self.assertEqual((quiet.code, quiet.err), (0, ""))

    def test_what_is_wrong(self):
        for args, words in (([self.config(val_set_size=0)], "no validation data"),
                            ([self.config("no.yml", val_set_size=5, base_model="nowhere")], "nowhere"),
                            ([], "config")):
            done = self.axl("evaluate", *args)
            self.assertEqual(done.code, 2, done)
            self.assertIn(words, done.err)
        self.write("out/adapter_config.json", "{}")
        done = self.axl("evaluate", self.config(val_set_size=5), "--quiet")
        self.assertEqual(done.code, 2)
        self.assertIn("adapter_config.json", done.err)

    def test_a_signal_ends_it(self):
        path = self.config(val_set_size=300, datasets=[{"path": self.many(), "type": "alpaca"}],
                           axl={"threads": 1, "backend": "reference"})
        with subprocess.Popen([TOOL, "evaluate", path], cwd=self.dir, stderr=subprocess.PIPE,
                              stdout=subprocess.PIPE, env={**os.environ, **NO_HUB}) as process:
            for line in process.stderr:
                if b"base model" in line:
                    break
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (130, b""), err)

    def many(self):
        words = " ".join(f"word{i}" for i in range(20))
        return self.rows("many.jsonl", [{"instruction": f"Say {i}.", "input": "", "output": words}
                                        for i in range(400)])


if __name__ == "__main__":
    unittest.main()
