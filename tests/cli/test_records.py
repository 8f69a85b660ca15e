#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a run leaves behind: TensorBoard's events, the Prometheus file, the report, the model card, the console line."""
import glob
import math
import os
import re
import signal
import struct
import subprocess
import time
import unittest
import zlib
from html.parser import HTMLParser

from cli_testing import ALPACA, TOOL, Case, environment, read, read_json_lines

# ---- a reader of event files, after TFRecord's and protobuf's descriptions ----

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frames(data):
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        assert struct.unpack_from("<I", data, at + 8)[0] == masked(data[at:at + 8])
        message = data[at + 12:at + 12 + length]
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked(message)
        yield message
        at += 16 + length


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """(number, value) of each field."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            form = {1: "<d", 5: "<f"}[tag & 7]
            (value,) = struct.unpack_from(form, data, at)
            at += struct.calcsize(form)
        yield tag >> 3, value


def read_events(path):
    """[(step, {tag: value})]; "version" and "start" are tags of their own events."""
    with open(path, "rb") as f:
        data = f.read()
    found = []
    for message in frames(data):
        event = dict(fields(message))
        values = {}
        if 3 in event:
            values["version"] = event[3].decode()
        if 7 in event:
            values["start"] = dict(fields(event[7]))[1]
        for _, value in fields(event.get(5, b"")):
            value = dict(fields(value))
            text = dict(fields(value[8]))[8].decode() if 8 in value else None
            values[value[1].decode()] = value[2] if 2 in value else text
        found.append((event.get(2, 0), values))
    return found


def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


# ---- a reader of Prometheus' text ----

def read_prometheus(path):
    """{name: value} of one run, and its label; each series has HELP and TYPE before it."""
    values, labels, about = {}, set(), {}
    text = read(path)
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# "):
            word, name, rest = line[2:].split(" ", 2)
            about.setdefault(name, {})[word] = rest
            continue
        name, label, value = re.fullmatch(r'([a-z_]+)\{output_dir="((?:[^"\\]|\\.)*)"\} (\S+)', line).groups()
        assert set(about[name]) == {"HELP", "TYPE"} and name not in values
        assert about[name]["TYPE"] == ("counter" if name.endswith("_total") else "gauge")
        values[name] = float(value)
        labels.add(label)
    assert len(labels) == 1
    return values, labels.pop()


class Page(HTMLParser):
    """Checks that elements nest, and gathers text and what the page loads."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.tags, self.loads = [], "", [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [v for k, v in attrs if k in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        self.text += data


class Records(Case):
    def run_with_everything(self, *args, **changes):
        path = self.config(**{"val_set_size": 20, "eval_steps": 2, "max_steps": 6, "use_tensorboard": True,
                              "axl": {"prometheus_file": "axl.prom"}, **changes})
        return self.good("train", path, *args)

    def event_files(self):
        return sorted(glob.glob(self.path("out", "runs", "*", "events.out.tfevents.*")))

    def test_tensorboard_has_the_log(self):
        self.run_with_everything()
        (path,) = self.event_files()
        self.assertRegex(path, r"/runs/[A-Z][a-z]{2}\d\d_\d\d-\d\d-\d\d_[^/]+/events\.out\.tfevents\.\d{10}\.")
        events = read_events(path)
        self.assertEqual([v for _, v in events[:2]], [{"version": "brain.Event:2"}, {"start": 1}])
        self.assertIn("    lora_r: 4\n", events[2][1]["config/text_summary"])
        log = read_json_lines(self.path("out", "training_log.jsonl"))
        self.assertEqual(len(log), 6 + 4)
        tokens = trained = 0
        for (step, values), line in zip(events[3:], log):
            self.assertEqual(step, line["step"])
            self.assertEqual(values["train/epoch"], f32(line["epoch"]))
            if "loss" in line:
                self.assertEqual(values["train/loss"], f32(line["loss"]))
                self.assertEqual(values["train/ppl"], f32(math.exp(line["loss"])))
                for key in "grad_norm", "learning_rate":
                    self.assertEqual(values["train/" + key], f32(line[key]))
                self.assertEqual(values["train/tokens/total"], line["tokens"])
                self.assertEqual(values["train/tokens/trainable"], line["trained_tokens"])
                rate = (line["tokens_per_second"] * (line["trained_tokens"] - trained)
                        / (line["tokens"] - tokens))
                self.assertEqual(values["train/tokens/train_per_sec_per_gpu"], f32(rate))
                tokens, trained = line["tokens"], line["trained_tokens"]
            else:
                self.assertEqual(values["eval/loss"], f32(line["eval_loss"]))
                self.assertEqual(values["eval/ppl"], f32(line["eval_perplexity"]))
                self.assertGreater(values["eval/runtime"], 0)
                self.assertLess(abs(values["eval/samples_per_second"] * values["eval/runtime"] - 20), 1e-4)
        self.assertEqual(len(events), 3 + len(log))

    def test_nothing_is_written_unasked(self):
        self.good("train", self.config())
        self.assertFalse(os.path.exists(self.path("out", "runs")))

    def test_prometheus(self):
        self.run_with_everything()
        values, label = read_prometheus(self.path("out", "axl.prom"))
        self.assertEqual(label, self.path("out"))
        step, evaluation = read_json_lines(self.path("out", "training_log.jsonl"))[-2:]
        for name, value in (("step", 6), ("planned_steps", 6), ("finished", 1), ("eta_seconds", 0),
                            ("loss", step["loss"]), ("grad_norm", step["grad_norm"]),
                            ("tokens_total", step["tokens"]), ("eval_loss", evaluation["eval_loss"]),
                            ("eval_perplexity", evaluation["eval_perplexity"])):
            self.assertEqual(values["axl_" + name], value, name)
        self.assertEqual([n for n in os.listdir(self.path("out")) if "axl.prom" in n], ["axl.prom"])

    def test_prometheus_file_that_cannot_be_written(self):
        path = self.config(axl={"prometheus_file": "none/axl.prom"})
        result = self.axl("train", path)
        self.assertEqual(result.code, 2, result)
        self.assertIn("axl.prometheus_file: ", result.err)
        self.assertIn(self.path("out", "none"), result.err)
        other = self.config(axl={"prometheus_file": "axl.txt"}, max_steps=1)
        self.assertIn("end in .prom", self.good("train", other).err)

    def test_resumed_run(self):
        """Events, report and counts of a stopped and resumed run are those of the whole one."""
        self.run_with_everything(output_dir=self.path("whole"), save_steps=4, save_strategy="steps")
        keys = {"save_steps": 4, "save_strategy": "steps"}
        self.run_with_everything(**keys)
        self.good("train", self.path("run.yml"), f"--resume={self.path('out', 'checkpoint-4')}")
        first, second = self.event_files()
        self.assertEqual(os.path.dirname(first), os.path.dirname(second))
        self.assertEqual([(s, v) for s, v in read_events(second) if "start" in v], [(5, {"start": 1})])
        resumed, whole = (read_json_lines(self.path(d, "training_log.jsonl")) for d in ("out", "whole"))
        self.assertEqual([{k: v for k, v in line.items() if k != "tokens_per_second"} for line in resumed],
                         [{k: v for k, v in line.items() if k != "tokens_per_second"} for line in whole])
        page = Page(read(self.path("out", "report.html")))
        for line in resumed:
            self.assertIn(f"step {line['step']}: ", page.text)

    def test_an_evaluation_is_there_once_whatever_kills_come(self):
        """A stop in an evaluation leaves a checkpoint before it; what follows it may be killed too."""
        keys = {"save_steps": 4, "save_strategy": "steps"}
        self.run_with_everything(**keys)
        state = self.path("out", "checkpoint-4", "trainer_state.json")
        summed = read(state).split(',\n  "crc32"')[0].replace('"evaluated_step": 4', '"evaluated_step": 2')
        self.write("out/checkpoint-4/trainer_state.json",
                   f'{summed},\n  "crc32": "{zlib.crc32(summed.encode()):08x}"\n}}\n')
        for _ in range(2):
            self.good("train", self.path("run.yml"), f"--resume={self.path('out', 'checkpoint-4')}")
        shown = []
        for path in self.event_files():
            for step, values in read_events(path):
                if "start" in values:
                    shown = [(s, tag) for s, tag in shown if s < step]
                shown += [(step, tag) for tag in values]
        self.assertEqual([s for s, tag in shown if tag == "eval/loss"], [0, 2, 4, 6])
        self.assertEqual([s for s, tag in shown if tag == "train/loss"], [1, 2, 3, 4, 5, 6])
        log = read_json_lines(self.path("out", "training_log.jsonl"))
        self.assertEqual([r["step"] for r in log if "eval_loss" in r], [0, 2, 4, 6])
        events = dict((s, v) for s, v in read_events(self.event_files()[-1]) if "train/loss" in v)
        for line in log:
            if "loss" in line and line["step"] in events:
                self.assertEqual(events[line["step"]]["train/tokens/total"], line["tokens"])
        rate = [v["train/tokens/train_per_sec_per_gpu"] for s, v in read_events(self.event_files()[0])
                if s == 4 and "train/loss" in v]
        self.assertEqual(events[4]["train/tokens/train_per_sec_per_gpu"], rate[0])

    def test_report(self):
        self.run_with_everything("--lora-alpha=7")
        text = read(self.path("out", "report.html"))
        page = Page(text)
        self.assertEqual(page.tags.count("svg"), 4)
        self.assertEqual(page.loads, [])
        self.assertNotIn("script", page.tags)
        self.assertNotIn("http", text)
        for words in ("tiny-llama", "finished at step 6 of 6", "Loss", "Learning rate", "Gradient norm",
                      "Throughput", "Samples kept", "Activations of the largest batch", "lora_r: 4", "Overrides"):
            self.assertIn(words, page.text)

    def test_report_of_a_stopped_run_and_at_saves(self):
        path = self.config(max_steps=100000, num_epochs=100, save_steps=2, save_strategy="steps")
        running, status = self.interrupted(path)
        self.assertIn("running at step", Page(running).text)
        self.assertEqual(status, 130)
        self.assertIn("stopped at step", Page(read(self.path("out", "report.html"))).text)
        self.assertFalse(os.path.exists(self.path("out", "README.md")))

    def interrupted(self, path):
        """Starts a run, sends SIGINT once there is a report, gives that report and the exit status."""
        report = self.path("out", "report.html")
        with subprocess.Popen([TOOL, "train", path, "--quiet"], cwd=self.dir, env=environment(),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            end = time.monotonic() + 60
            while not os.path.exists(report) and run.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            running = read(report) if os.path.exists(report) else ""
            run.send_signal(signal.SIGINT)
            return running, run.wait()

    def test_model_card(self):
        self.run_with_everything()
        card = read(self.path("out", "README.md"))
        front = card.split("---\n")[1]
        for line in ("library_name: peft", "- lora", "- axl", f'- "{ALPACA}"', "pipeline_tag: text-generation"):
            self.assertIn(line + "\n", front)
        yaml = read(self.path("run.yml"))
        self.assertIn(f"<details><summary>See axl config</summary>\n\naxl version: `0.1.0`\n```yaml\n{yaml}```\n", card)
        for row in ("| learning_rate | 0.001 |", "| train_batch_size | 2 |", "| training_steps | 6 |", "| lora_r | 4 |",
                    "| lr_scheduler_type | cosine |", "| Training Loss | Epoch | Step | Validation Loss | Perplexity |"):
            self.assertIn(row, card)
        rows = re.findall(r"^\| (No log|[\d.]+) \| [\d.]+ \| (\d+) \| ([\d.]+) \| [\d.]+ \|$", card, re.M)
        log = [r for r in read_json_lines(self.path("out", "training_log.jsonl")) if "eval_loss" in r]
        self.assertEqual([int(step) for _, step, _ in rows], [r["step"] for r in log])
        self.assertEqual(rows[0][0], "No log")
        for (_, _, loss), r in zip(rows, log):
            self.assertAlmostEqual(float(loss), r["eval_loss"], places=4)

    def test_console_lines_in_a_pipe(self):
        result = self.good("train", self.config(logging_steps=2, max_steps=4))
        lines = [line for line in result.errors if line.startswith("step ")]
        self.assertEqual(len(lines), 2)
        number = r"-?[\d.]+(?:e[-+]\d+)?"
        for line, end in zip(lines, ("ETA", "took")):
            self.assertRegex(line, rf"^step \d/4  epoch {number}  loss {number}  grad_norm {number}  lr {number}  "
                                   rf"\d+ tokens/s  {end} [\dhms]+$")
        self.assertNotIn("\r", result.err)

    def test_console_lines_on_a_terminal(self):
        """All logged steps and evaluations stay; test_terminal.py looks at the line under them."""
        path = self.config(max_steps=3, val_set_size=20, eval_steps=3)
        shown = self.terminal("train", path)
        kept = [line.split("\r\033[K")[-1] for line in shown.replace("\r\n", "\n").split("\n")]
        self.assertEqual([line.split("  ")[2].split()[0] for line in kept if line.startswith("step ")],
                         ["eval_loss", "loss", "loss", "loss", "eval_loss"], shown)


if __name__ == "__main__":
    unittest.main()
