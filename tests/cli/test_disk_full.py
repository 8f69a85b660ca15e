#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_disk_full.py - axl train where a file may not grow, or the disk is full: status 1, a line that says so, and the
last good checkpoint is there, alone and whole."""
import os
import resource
import shutil
import subprocess
import unittest

from cli_testing import TOOL, Case, environment, read_json_lines


class DiskFull(Case):
    def train(self, config, limit=None):
        """(status, last line on standard error) with files of at most `limit` bytes."""
        def set_limit():
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        done = subprocess.run([TOOL, "train", config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.dir,
                              env=environment(), preexec_fn=set_limit, timeout=120, check=False)
        self.assertEqual(done.stdout, b"")
        return done.returncode, done.stderr.decode("utf-8").splitlines()[-1]

    def no_remains(self, out):
        for path, folders, files in os.walk(out):
            for name in folders + files:
                self.assertNotIn(".tmp", name, path)

    def test_a_file_may_not_grow(self):
        config = self.config(save_strategy="steps", save_steps=1)
        code, line = self.train(config, limit=20000)
        self.assertEqual(code, 1, line)
        self.assertIn("File too large", line)
        self.assertIn("adapter_model.safetensors", line)
        self.no_remains(self.path("out"))

    def test_a_full_disk_keeps_the_last_checkpoint(self):
        small = self.path("small")
        os.mkdir(small)
        mount = shutil.which("mount")
        if os.geteuid() != 0 or not mount or subprocess.run(
                [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("no right to mount a small file system")
        self.addCleanup(subprocess.run, ["umount", small], check=False)
        out = os.path.join(small, "out")
        config = self.config(save_strategy="steps", save_steps=1, save_total_limit=100, max_steps=100, output_dir=out,
                             dataset_prepared_path=self.path("prepared"))
        code, line = self.train(config)
        self.assertEqual(code, 1, line)
        self.assertIn("No space left on device", line)
        self.assertIn(out, line)
        self.no_remains(out)
        steps = sorted(int(n.split("-")[1]) for n in os.listdir(out) if n.startswith("checkpoint-"))
        self.assertTrue(steps and steps == list(range(1, steps[-1] + 1)), steps)
        self.assertGreaterEqual(read_json_lines(os.path.join(out, "training_log.jsonl"))[-1]["step"], steps[-1])
        last = os.path.join(out, f"checkpoint-{steps[-1]}")
        self.good("train", self.config("next.yml", max_steps=steps[-1] + 1), "--resume", last)


if __name__ == "__main__":
    unittest.main()
