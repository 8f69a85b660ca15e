#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The programs of examples/ do what they say, and the hosts that train get what the tool gets."""
import json
import os
import re
import subprocess
import sys
import unittest

from cli_testing import ALPACA, SOURCE, TINY, Case, environment, read_json_lines

BUILD = os.path.abspath(os.environ.get("AXL_BUILD_DIR", os.path.join(SOURCE, "build")))


def program(name):
    path = os.path.join(BUILD, "examples", name)
    if not os.path.exists(path):
        raise unittest.SkipTest(f"not built here: {name}")
    return path


class ExampleCase(Case):
    def run_example(self, name, *args, status=0, **given):
        done = subprocess.run([program(name), *args], cwd=self.dir, env=environment(),
                              capture_output=True, timeout=120, check=False, **given)
        self.assertEqual(done.returncode, status, done.stderr.decode())
        self.errors = done.stderr.decode()
        return done.stdout.decode().splitlines()

    def losses(self, lines):
        return [float(m[1]) for m in (re.match(r"step .* loss ([\d.]+)", n) for n in lines) if m]

    def with_the_tool(self, **changes):
        """The adapter that `axl train` makes of the same config."""
        config = self.config(optimizer=None, lr_scheduler=None, bf16=None, **changes)
        self.good("train", config, "--quiet")
        return config, self.adapter()


class Finetune(ExampleCase):
    def test_makes_the_tools_adapter(self):
        config, adapter = self.with_the_tool()
        lines = self.run_example("finetune", config, self.path("host"))
        self.assertEqual(len(self.losses(lines)), 3)
        self.assertEqual(self.adapter("host"), adapter)

    def test_says_what_is_wrong(self):
        self.run_example("finetune", self.path("none.yml"), self.path("host"), status=1)
        self.assertIn("none.yml", self.errors)


class Host(ExampleCase):
    """In C++; a machine without a compiler for it has no such program."""

    def test_makes_the_tools_adapter(self):
        _, adapter = self.with_the_tool(lora_r=8, lora_alpha=16, micro_batch_size=4, max_steps=5,
                                        learning_rate=0.002)
        lines = self.run_example("host", TINY, ALPACA, self.path("host"))
        self.assertEqual(len(self.losses(lines)), 5)
        self.assertEqual(self.adapter("host"), adapter)

    def test_throws_the_librarys_line(self):
        self.run_example("host", TINY, self.path("none.jsonl"), self.path("host"), status=1)
        self.assertIn("none.jsonl", self.errors)


class OwnBatches(ExampleCase):
    def test_learns_by_its_own_optimizer(self):
        losses = self.losses(self.run_example("own_batches", TINY, self.path("out")))
        self.assertEqual(len(losses), 60)
        self.assertLess(losses[-1], losses[0] / 4)
        self.adapter()


class OwnStream(ExampleCase):
    KEYS = {"micro_batch_size": 2, "gradient_accumulation_steps": 1, "max_steps": 30,
            "streaming_multipack_buffer_size": 16}

    def test_makes_of_a_file_what_the_tool_streams(self):
        self.rows("rows.jsonl", read_json_lines(ALPACA)[:40])
        data = [{"path": self.path("rows.jsonl"), "type": "alpaca"}]
        config, adapter = self.with_the_tool(streaming=True, datasets=data, **self.KEYS)
        with open(self.path("rows.jsonl"), "rb") as rows:
            lines = self.run_example("own_stream", config, self.path("host"), stdin=rows)
        self.assertEqual(len(self.losses(lines)), 30)
        self.assertEqual(self.adapter("host"), adapter)

    def test_ends_with_a_pipe(self):
        rows = b"".join(json.dumps(row).encode() + b"\n" for row in read_json_lines(ALPACA)[:40])
        config = self.config(**self.KEYS)
        lines = self.run_example("own_stream", config, self.path("host"), input=rows)
        self.assertEqual(len(self.losses(lines)), 20)
        self.adapter("host")
        self.run_example("own_stream", config, self.path("host"), input=rows + b"[]\n", status=1)
        self.assertIn("own_stream: 1 of 41 records cannot be used: datasets[0]: record 41: a "
                      "record must be an object", self.errors)


class InMemory(ExampleCase):
    def test_learns_a_text_by_heart_and_leaves_no_file(self):
        text = "The fox of Oslo sings to the moon on Monday."
        before = sorted(os.listdir(self.dir))
        lines = self.run_example("in_memory", TINY, text)
        self.assertEqual(len(self.losses(lines)), 4)
        self.assertTrue(lines[4].startswith("adapter_model.safetensors: "), lines)
        self.assertEqual(lines[6], "adapter of in-memory: rank 16, alpha 16, 7 kinds of layers")
        self.assertTrue(lines[7].replace("|", "").startswith(text), lines)
        self.assertEqual(sorted(os.listdir(self.dir)), before)

    def test_says_what_is_missing(self):
        self.run_example("in_memory", os.path.dirname(ALPACA), "text", status=1)
        self.assertIn("in_memory: ", self.errors)


class TwoJobs(ExampleCase):
    """In C++, too."""

    def test_one_is_cancelled_beside_the_other(self):
        lines = self.run_example("two_jobs", TINY, "The fox of Oslo sings to the moon.")
        self.assertEqual(lines, ["this job: 10 steps", "the other: cancelled", "reports came"])


@unittest.skipIf(os.environ.get("AXL_SLOW"), "Python has no sanitizer's runtime")
class InPython(ExampleCase):
    """On the library of this build."""

    def python(self, name, *args):
        library = os.path.join(BUILD, "libaxl.so.0")
        env = environment({"AXL_LIBRARY": library, "PYTHONDONTWRITEBYTECODE": "1",
                           "PYTHONPATH": os.path.join(SOURCE, "bindings", "python")})
        done = subprocess.run([sys.executable, os.path.join(SOURCE, "examples", name), *args],
                              env=env, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def test_learns_by_its_own_loss(self):
        losses = self.losses(self.python("own_loss.py", TINY, "The fox of Oslo sings."))
        self.assertEqual(len(losses), 3)
        self.assertLess(losses[-1], losses[0] / 4)

    def test_learns_the_conversations_of_a_program(self):
        lines = self.python("own_chat.py", TINY, self.path("out"))
        self.assertEqual(lines[0], "<axl.Dataset: 8 samples, 232 tokens, 48 of them trained>")
        self.assertLess(self.losses(lines)[-1], 0.1)
        self.assertEqual(lines[-1], "The owl is brown.")


class Chat(ExampleCase):
    """chat.yml, as its first lines say."""

    def test_answers_in_the_form_that_it_learned(self):
        own = ("--output_dir", self.path("out"), "--dataset_prepared_path", self.path("prepared"))
        config = os.path.join(SOURCE, "examples", "chat.yml")
        self.good("train", config, "--quiet", "--num_epochs", "6", "--bf16", "false", *own,
                  cwd=SOURCE)
        asked = self.good("inference", config, "--chat", "--greedy", "--quiet", "--max-new-tokens",
                          "16", "--prompt", "What is the capital of Nuvia?", *own, cwd=SOURCE)
        self.assertEqual(asked.out.strip(), "The capital of Nuvia is Port Ebb.")


class Tokens(ExampleCase):
    def test_prints_the_tools_ids_and_the_text(self):
        text = "The fox in Oslo"
        lines = self.run_example("tokens", TINY, text)
        ids = [int(n.split()[0]) for n in lines[:-1]]
        told = self.good("tokenize", "--model", TINY, stdin=text.encode())
        self.assertEqual(str(ids).replace(" ", ""), told.out.strip().replace(" ", ""))
        self.assertEqual(lines[-1], f'text "{text}"')


class CheckConfig(ExampleCase):
    def test_values_and_their_places(self):
        config = self.config()
        lines = self.run_example("check_config", config, "lora_r", "seed", "special_tokens.bos_token")
        self.assertEqual(lines[0], "0 errors, 0 warnings")
        self.assertRegex(lines[1], r"^lora_r = 4, line \d+$")
        self.assertEqual(lines[2:], ["seed = 42, by default",
                                     "special_tokens.bos_token has no value"])

    def test_lists_what_is_wrong(self):
        config = self.write("bad.yml", "base_model: here\nlora_rr: 3\n")
        lines = self.run_example("check_config", config, status=1)
        self.assertTrue(any("bad.yml:2:1: error: lora_rr: " in n for n in lines), lines)


if __name__ == "__main__":
    unittest.main()
