#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A signal stops a run after a checkpoint, and --resume ends it with the bytes of one that was never
stopped."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

from cli_testing import ALPACA, TOOL, Case, environment, read, read_json_lines, read_safetensors

TRIES = 5  # on a busy machine a run may be over before it is told to stop


def records(path):
    """The whole lines of a log that is being written."""
    with contextlib.suppress(FileNotFoundError):
        return [json.loads(line) for line in read(path).split("\n")[:-1]]
    return []


class Interrupt(Case):
    STEPS = 36

    def setUp(self):
        super().setUp()
        rows = read_json_lines(ALPACA)[:120]
        self.data = self.rows("rows.jsonl", rows)

    def settings(self, **changes):
        keys = {"datasets": [{"path": self.data, "type": "alpaca"}], "micro_batch_size": 2,
                "max_steps": self.STEPS, "learning_rate": 0.01, "sequence_len": 256,
                "axl": {"threads": 2}}
        return super().settings(**{**keys, **changes})

    def start(self, *args):
        return subprocess.Popen([TOOL, "train", *args], cwd=self.dir, env=environment({}),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, tool):
        out, err = tool.communicate(timeout=120)
        return tool.returncode, out, err

    def stop(self, out, at_step, number, *args):
        """Starts a run, stops it once its log has a step; (status, stdout, stderr), or None when it
        was over before."""
        log = self.path(out, "training_log.jsonl")
        tool = self.start(*args)
        while tool.poll() is None and not any(r["step"] >= at_step for r in records(log)):
            time.sleep(0.002)
        if tool.poll() is None:
            tool.send_signal(number)
        result = self.finish(tool)
        return None if result[0] == 0 else result

    def stopped(self, out, at_step, number, *args):
        """The same until it works."""
        for _ in range(TRIES):
            result = self.stop(out, at_step, number, *args)
            if result:
                return result
        return self.fail("the run was always over before it could be stopped")

    def checkpoints(self, out):
        return sorted(int(name.split("-")[1]) for name in os.listdir(self.path(out))
                      if name.startswith("checkpoint-"))

    def log(self, out):
        """The records without their speed, which alone may differ."""
        return [{k: v for k, v in r.items() if k != "tokens_per_second"}
                for r in read_json_lines(self.path(out, "training_log.jsonl"))]

    def check_same(self, out):
        self.assertEqual(self.log(out), self.log("whole"))
        self.assertEqual(self.adapter(out), self.adapter("whole"))
        left = [name for name in os.listdir(self.path(out)) if ".tmp" in name or ".old" in name]
        self.assertEqual(left, [])

    def check_checkpoint(self, out, result, status):
        """What a stop leaves; the step."""
        self.assertEqual(result[:2], (status, ""), result)
        step = self.checkpoints(out)[-1]
        said, command = result[2].splitlines()[-2:]
        self.assertRegex(said, f"after step {step}$")
        self.assertRegex(command, r"^go on with: axl train .*\.yml --resume")
        self.assertEqual(records(self.path(out, "training_log.jsonl"))[-1]["step"], step)
        self.assertFalse(os.path.exists(self.path(out, "adapter_model.safetensors")))
        state = json.loads(read(self.path(out, f"checkpoint-{step}", "trainer_state.json")))
        self.assertEqual(state["step"], step)
        return step

    def both(self, **changes):
        """Configs of a run that is never stopped, and of one that is."""
        whole = self.config("whole.yml", output_dir=self.path("whole"), **changes)
        self.good("train", whole, "--quiet")
        return self.config("out.yml", output_dir=self.path("out"), **changes)

    def check_stop_and_resume(self, number, **changes):
        yml = self.both(**changes)
        result = self.stopped("out", 20, number, yml)
        step = self.check_checkpoint("out", result, 128 + number)
        self.assertGreaterEqual(step, 20)
        done = self.good("train", yml, "--resume")
        self.assertIn(f"resumed from {self.path('out')}/checkpoint-{step}", done.err)
        self.check_same("out")

    def test_interrupt(self):
        self.check_stop_and_resume(signal.SIGINT)

    def test_terminate_a_packed_run(self):
        self.check_stop_and_resume(signal.SIGTERM, sample_packing=True, lora_dropout=0.1,
                                   sequence_len=128, bf16=True)

    def test_accumulation_and_dropout(self):
        self.check_stop_and_resume(signal.SIGINT, gradient_accumulation_steps=3, lora_dropout=0.2)

    def test_twice_in_a_row_and_with_other_threads(self):
        yml = self.both(sample_packing=True, sequence_len=128, gradient_accumulation_steps=2,
                        lora_dropout=0.1, val_set_size=8, eval_steps=5, eval_strategy="steps")
        first = self.stopped("out", 10, signal.SIGINT, yml)
        step = self.checkpoints("out")[-1]
        self.assertEqual(first[0], 130, first)
        second = self.stop("out", step + 6, signal.SIGINT, yml, "--resume", "--axl.threads=3")
        self.assertIn(second and second[0], (130, None), second)
        if second:
            self.assertGreater(self.checkpoints("out")[-1], step)
            self.good("train", yml, "--resume", "--axl.threads=1")
        self.check_same("out")

    def test_records_of_several_steps(self):
        """What a record sums up crosses the stop."""
        yml = self.both(logging_steps=7, save_steps=4, save_strategy="steps")
        result = self.stopped("out", 7, signal.SIGINT, yml)
        self.assertEqual(result[0], 130, result)
        self.good("train", yml, "--resume", "--quiet")
        self.check_same("out")

    def test_a_second_signal_ends_at_once(self):
        """Whatever it broke off, the run can be resumed."""
        yml = self.both(sample_packing=True, sequence_len=128)
        for _ in range(TRIES):
            log, tool = self.path("out", "training_log.jsonl"), self.start(yml)
            while tool.poll() is None and not records(log):
                time.sleep(0.002)
            while tool.poll() is None:
                tool.send_signal(signal.SIGINT)
            code, _, err = self.finish(tool)
            if code != 0:
                break
        self.assertIn(code, (-signal.SIGINT, 130), err)
        self.good("train", yml, "--resume", "--quiet")
        self.assertEqual(self.log("out"), self.log("whole"))
        self.assertEqual(self.adapter("out"), self.adapter("whole"))

    def catches(self, tool, number):
        """Whether a process has a handler for a signal."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for line in read(f"/proc/{tool.pid}/status").splitlines():
                if line.startswith("SigCgt:"):
                    return bool(int(line.split()[1], 16) >> (number - 1) & 1)
        return False

    def test_while_it_loads(self):
        """Nothing is written then, and a run is not in the way of the next."""
        rows = read_json_lines(ALPACA)
        self.data = self.rows("many.jsonl", rows * 40)
        yml = self.config("out.yml", output_dir=self.path("new", "out"), max_steps=2)
        for wait in (0.0, 0.02, 0.05):
            tool = self.start(yml)
            while tool.poll() is None and not self.catches(tool, signal.SIGINT):
                time.sleep(0.001)
            time.sleep(wait)
            tool.send_signal(signal.SIGINT)
            code, out, err = self.finish(tool)
            self.assertEqual((code, out), (130, ""), err)
            self.assertIn("cancelled", err.splitlines()[-1])
            self.assertFalse(os.path.exists(self.path("new", "out", "checkpoint-1")))
        self.good("train", yml, "--quiet")

    def test_a_resume_without_a_checkpoint_starts_anew(self):
        yml = self.both(max_steps=4)
        done = self.good("train", yml, "--resume")
        self.assertIn("holds no checkpoint", done.err)
        self.check_same("out")
        again = self.config("again.yml", output_dir=self.path("out"), max_steps=4)
        self.good("train", again, "--quiet")  # and without, an old log does not stay
        self.check_same("out")


class Dates(Case):
    """What strftime_now writes into the rows of a run."""

    TEMPLATE = ("{{ strftime_now('%d %B %Y %H:%M') }}\n{% for m in messages %}{{ m.role }}: {{ m.content }}"
                "{{ eos_token }}\n{% endfor %}")

    def setUp(self):
        super().setUp()
        self.rows("chats.jsonl", [{"messages": [{"role": "user", "content": f"{i}?"},
                                                {"role": "assistant", "content": f"{i}."}]} for i in range(12)])

    def run_of(self, steps, date=None, **keys):
        return self.config(datasets=[{"path": self.path("chats.jsonl"), "type": "chat_template"}], max_steps=steps,
                           chat_template_jinja=self.TEMPLATE, save_strategy="steps", save_steps=1,
                           **({"axl": {"date": date}} if date else {}), **keys)

    def date_of(self, step):
        return json.loads(read(self.path("out", f"checkpoint-{step}", "trainer_state.json"))).get("date")

    def check_another_day(self, **keys):
        """The second half as if today were another day than that of the first."""
        name = self.path("out", "checkpoint-4", "adapter_model.safetensors")
        self.good("train", self.run_of(4, "2020-02-03", **keys))
        whole = read_safetensors(name)
        for step in 3, 4:
            shutil.rmtree(self.path("out", f"checkpoint-{step}"))
        self.good("train", self.run_of(4, **keys), "--resume")
        self.assertEqual([self.date_of(2), self.date_of(4)], ["2020-02-03"] * 2)
        self.assertTrue(whole == read_safetensors(name))

    def test_a_run_that_goes_on_another_day(self):
        self.check_another_day()
        self.assertIn("checkpoint-4", self.wrong("train", self.run_of(5, "2020-02-04"), "--resume", "--quiet"))

    def test_streamed_rows_too(self):
        self.check_another_day(streaming=True, val_set_size=None)

    def test_a_new_run_is_of_today(self):
        """And its rows have no time of the day, so that those of a minute later are the same."""
        self.good("train", self.run_of(1))
        day = time.strftime("%Y-%m-%d", time.gmtime())
        self.assertIn(self.date_of(1), (day, time.strftime("%Y-%m-%d", time.gmtime(time.time() - 60))))
        result = self.good("inspect", self.run_of(1), "-n", "1")
        self.assertIn("00:00", result.out)


if __name__ == "__main__":
    unittest.main()
