#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What training shows: logged steps that stay and, on a terminal that can, one line under them that
rewrites itself; and what a stop or a question about the verbs shows."""
import re
import shlex
import signal
import subprocess
import time
import unittest

from cli_testing import TOOL, Case, environment

STEP = re.compile(r"step \d+/6  epoch [\d.]+  loss [\d.]+  grad_norm [\d.]+  lr [-+\d.e]+  "
                  r"\d+ tokens/s  (ETA|took) [\dhms]+")
LIVE = re.compile(r"step \d/6  loss [\d.]+  \d+k? tokens/s  ETA [\dhms]+")


def kept(shown):
    """The lines that stay: what was taken away is not among them."""
    return [line.split("\r\033[K")[-1] for line in shown.replace("\r\n", "\n").split("\n")]


def rewritten(shown):
    """What stood on the line that rewrites itself, one after another."""
    return [text for text in re.findall(r"\r\033\[K([^\r\n]*)(?=\r(?!\n))", shown) if text]


class Live(Case):
    def train(self, columns, **env):
        config = self.config(max_steps=6, logging_steps=2)
        return self.terminal("train", config, columns=columns, env=env)

    def check_steps(self, lines):
        self.assertEqual([line.split()[1] for line in lines if STEP.fullmatch(line)],
                         ["2/6", "4/6", "6/6"], lines)

    def test_whole_at_60_columns(self):
        for columns in 60, 120, 0:  # 0: unknown
            shown = self.train(columns)
            self.check_steps(kept(shown))
            first, *live = [line for line in rewritten(shown) if line.startswith("step")]
            self.assertEqual(first, "step 0/6")
            while live[0] == first:
                del live[0]
            self.assertGreaterEqual(len(live), 2, shown)
            for line in live:
                self.assertRegex(line, LIVE)
                self.assertIsNotNone(LIVE.fullmatch(line), line)
                self.assertLess(len(line), columns or 80)
            self.assertTrue(shown.replace("\r\n", "\n").endswith(self.path("out") + "\n"), shown)

    def test_cut_to_the_width(self):
        shown = self.train(24)
        self.check_steps(kept(shown))  # what stays is whole and may wrap
        live = rewritten(shown)
        self.assertTrue(any(line.startswith("step ") and len(line) == 23 for line in live), shown)
        self.assertLess(max(map(len, live)), 24)

    def test_plain_where_no_line_can_be_rewritten(self):
        for term in "dumb", "":
            shown = self.train(60, TERM=term, NO_COLOR="")
            self.assertNotIn("\033", shown)
            self.assertNotIn("\r", shown.replace("\r\n", "\n"))
            self.check_steps(shown.splitlines())
        result = self.good("train", self.config(max_steps=6, logging_steps=2), env={"TERM": "xterm"})
        self.check_steps(result.errors)
        self.assertNotRegex(result.err, "[\r\033]")

    def test_no_color_keeps_the_line(self):
        shown = self.train(60, NO_COLOR="1")
        self.assertNotRegex(shown, r"\033\[[\d;]*m")
        self.assertTrue(any(map(LIVE.fullmatch, rewritten(shown))), shown)

    def test_quiet(self):
        shown = self.terminal("train", self.config(max_steps=2), "--quiet", columns=60)
        self.assertEqual(shown.splitlines(), [self.path("out")])


class Stopped(Case):
    def stop(self, *args):
        """Stops a run after its first logged step; the last line of what it says."""
        with subprocess.Popen([TOOL, "train", *args], cwd=self.dir, env=environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tool:
            for line in tool.stderr:
                if line.startswith("step "):
                    tool.send_signal(signal.SIGINT)
                    break
            rest = tool.stderr.read().splitlines()
            self.assertEqual(tool.wait(), 130, rest)
        self.assertRegex(rest[-2], r"cancelled after step \d+\Z")
        self.assertTrue(rest[-1].startswith("go on with: axl train "), rest)
        return shlex.split(rest[-1][len("go on with: axl "):])

    def test_names_the_command_that_goes_on(self):
        self.config("it's mine.yml", max_steps=4000, output_dir="out")
        args = self.stop("it's mine.yml", "--lora-r", "2", "--datasets[0].type=alpaca:chat",
                         "--no-bf16", "--log-level=info")
        self.assertEqual(args, ["train", "it's mine.yml", "--resume", "--lora_r=2",
                                "--datasets[0].type=alpaca:chat", "--bf16=false"])
        began = time.monotonic()
        done = self.good(*args, "--max-steps", "1")
        self.assertIn("out/checkpoint-", done.err)
        self.assertLess(time.monotonic() - began, 60)

    def test_of_a_sweep(self):
        self.config(max_steps=4000, output_dir="out")
        self.write("grid.yml", "lora_r: [2, 4]\n")
        self.assertEqual(self.stop("run.yml", "--sweep", "grid.yml"),
                         ["train", "run.yml", "--sweep", "grid.yml", "--resume"])


class Help(Case):
    def test_explains_each_option(self):
        """A line or more for every option that the usage names, and for those of all verbs."""
        verbs = re.findall(r"^  ([a-z-]+)", self.good("--help").out, re.M)
        for verb in verbs:
            text = self.good(verb, "--help").out
            lines = text.splitlines()
            self.assertLessEqual(max(map(len, lines[3:])), 80, text)
            explained = {}
            for line in lines:
                found = re.match(r"  (?:-h, )?(--?[a-z-]+)(?: \[?[A-Z0-9|a-z]+\]?)?  +(\S.*)", line)
                if found:
                    explained[found[1]] = found[2]
            usage = text.split("\n\n")[0]
            for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", usage):
                self.assertIn(option, explained, verb)
            for option in "--quiet", "--log-level", "--help":
                self.assertIn(option, explained, verb)
            self.assertNotIn("(null)", text)

    def test_options_of_inference(self):
        text = self.good("inference", "--help").out
        for option in ("--greedy", "--max-new-tokens N", "--temperature T", "--top-k K",
                       "--top-p P", "--min-p P", "--repetition-penalty R", "--seed S"):
            self.assertIn(f"\n  {option} ", text)


if __name__ == "__main__":
    unittest.main()
