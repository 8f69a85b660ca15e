#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What steers a run beside the data: noise, schedules, evaluations, saving and resuming."""
import unittest

from cli_testing import Case, read_json_lines


class LoopCase(Case):
    def log(self, out="out"):
        return read_json_lines(self.path(out, "training_log.jsonl"))

    def losses(self, out="out"):
        return [r["loss"] for r in self.log(out) if "loss" in r]

    def run_to(self, out, *options, **changes):
        """A run of its own into `out`; its final adapter's bytes."""
        config = self.config(output_dir=self.path(out), **changes)
        self.good("train", config, "--quiet", *options)
        return self.adapter(out)

    def check_resume(self, step, **changes):
        """From checkpoint-`step` on, a second run must end as the first."""
        whole = self.run_to("whole", **changes)
        rest = self.run_to("rest", "--resume", self.path("whole", f"checkpoint-{step}"), **changes)
        self.assertEqual(whole, rest)
        self.assertEqual([r for r in self.losses("whole")][step:], self.losses("rest"))


class Neftune(LoopCase):
    NOISY = {"neftune_noise_alpha": 5, "max_steps": 6}

    def test_changes_training_and_no_evaluation(self):
        evaluated = {"val_set_size": 20, "eval_steps": 100, "max_steps": 2}
        self.run_to("plain", **evaluated)
        self.run_to("noisy", neftune_noise_alpha=5, **evaluated)
        plain, noisy = self.log("plain"), self.log("noisy")
        self.assertEqual(plain[0], noisy[0])
        self.assertIn("eval_loss", plain[0])
        self.assertNotEqual(plain[1]["loss"], noisy[1]["loss"])

    def test_does_not_know_how_many_threads_there_are(self):
        first = self.run_to("one", **self.NOISY, axl={"threads": 1})
        self.assertEqual(first, self.run_to("three", **self.NOISY, axl={"threads": 3}))

    def test_resumes_with_the_same_noise(self):
        self.check_resume(3, **self.NOISY, save_strategy="steps", save_steps=3,
                          gradient_accumulation_steps=2)


if __name__ == "__main__":
    unittest.main()
