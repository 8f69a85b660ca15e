#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples/quickstart on the tree that is built: what a newcomer sees."""
import os
import re
import shlex
import subprocess
import unittest

from cli_testing import SOURCE, TOOL, Case, environment

BUILD = os.path.dirname(os.path.dirname(os.path.dirname(TOOL)))
SECONDS = 300 # seconds of work, and room for a busy machine


class Quickstart(Case):
    def quickstart(self, *args):
        return subprocess.run([os.path.join(SOURCE, "examples", "quickstart"), *args],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, cwd=self.dir, timeout=SECONDS, check=False,
                              env=environment({"AXL_BUILD_DIR": BUILD}))

    def in_folder(self):
        """Options that keep the source tree as it is."""
        return ["--output-dir", self.path("out"), "--dataset-prepared-path", self.path("prepared")]

    def test_learns(self):
        done = self.quickstart(*self.in_folder())
        text = done.stdout.decode("utf-8")
        self.assertEqual(done.returncode, 0, text + done.stderr.decode("utf-8"))
        self.assertEqual(done.stderr, b"")

        losses = [float(x) for x in re.findall(r"  loss ([0-9.]+)", text)]
        self.assertEqual(len(losses), 15)
        self.assertGreater(losses[0], 1.5)
        self.assertLess(losses[-1], 0.2)

        self.assertEqual(re.findall(r'question: "(.*)"', text),
                         ["What colour is the fox in Veldania?"] * 2)
        before, after = re.findall(r'answer:   "(.*)"', text)
        self.assertNotIn("fox", before)
        self.assertEqual(after, "The fox in Veldania is yellow.")

        for name in ("adapter_model.safetensors", "README.md", "training_log.jsonl"):
            self.assertTrue(os.path.exists(self.path("out", name)), name)
        self.commands(text, after)

    def commands(self, text, answer):
        """What is shown after $ can be typed in the source tree; the last is the answer's."""
        shown = re.findall(r"^ +\$ (.*)", text, re.M)
        self.assertEqual(len(shown), 4)
        done = subprocess.run(shlex.split(shown[-1]), cwd=SOURCE, stdout=subprocess.PIPE,
                              env=environment(), timeout=SECONDS, check=True)
        self.assertEqual(done.stdout.decode("utf-8").strip(), answer)

    def test_takes_keys_of_the_config(self):
        done = self.quickstart(*self.in_folder(), "--max-steps", "10", "--lora_r=4")
        text = done.stdout.decode("utf-8")
        self.assertEqual(done.returncode, 0, text)
        self.assertIn("step 10/10 ", text)

    def test_a_wrong_key_ends_it_at_once(self):
        done = self.quickstart(*self.in_folder(), "--learning-rte", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'did you mean "learning_rate"?', done.stdout)
        self.assertEqual(done.stderr, b"quickstart: the config is wrong\n")
        self.assertEqual(os.listdir(self.dir), [])

    def test_help(self):
        for option in ("-h", "--help"):
            done = self.quickstart(option)
            self.assertEqual(done.returncode, 0)
            self.assertTrue(done.stdout.startswith(b"quickstart - "), done.stdout)


if __name__ == "__main__":
    unittest.main()
