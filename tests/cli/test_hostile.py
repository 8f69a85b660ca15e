#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is the user's stays: base models, names that axl did not make, what lies outside output_dir;
and two runs do not share a folder."""
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
import unittest

from cli_testing import ALPACA, TINY, TOOL, Case, environment, read

WHOLE = {"adapter": None, "lora_r": None, "lora_alpha": None, "lora_target_linear": None}


def contents(folder):
    """{path below: bytes} of the files in a folder."""
    found = {}
    for path, _, files in os.walk(folder):
        for name in files:
            with open(os.path.join(path, name), "rb") as f:
                found[os.path.relpath(os.path.join(path, name), folder)] = f.read()
    return found


class BaseModels(Case):
    def setUp(self):
        super().setUp()
        self.base = shutil.copytree(TINY, self.path("models", "base"))
        os.symlink("models", self.path("linked"))
        self.before = contents(self.base)

    def names(self):
        """The base's folder, by every name that leads to it."""
        return (self.base, self.base + "/", self.path("linked", "base"), self.path("models", "..", "models", "base"),
                self.path("models", "base", "."))

    def spared(self, line):
        self.assertIn("not written over", line)
        self.assertEqual(contents(self.base), self.before)

    def test_a_result_of_training(self):
        for out in self.names():
            for changes in {}, WHOLE:
                config = self.config(base_model=self.base, output_dir=out, max_steps=1, **changes)
                self.spared(self.wrong("train", config))
                self.assertEqual(self.axl("check", config).code, 2)

    def test_files_that_the_base_links_to(self):
        """The base is a folder of links, as in the Hub's cache."""
        links = self.path("links")
        os.mkdir(links)
        for name in self.before:
            os.symlink(os.path.join(self.base, name), os.path.join(links, name))
        self.spared(self.axl("train", self.config(base_model=links, output_dir=self.base, **WHOLE)).errors[-1])

    def test_a_base_in_a_checkpoint(self):
        """Which saving replaces and prunes."""
        inner = shutil.copytree(TINY, self.path("out", "checkpoint-1", "base"))
        for base in inner, os.path.dirname(inner):
            if not os.path.exists(os.path.join(base, "config.json")):
                shutil.copytree(TINY, base, dirs_exist_ok=True)
            before = contents(self.path("out"))
            result = self.axl("train", self.config(base_model=base, **WHOLE))
            self.assertEqual(result.code, 2, result)
            self.assertIn("lies in a checkpoint of", result.errors[-1])
            self.assertEqual(contents(self.path("out")), before)

    def test_a_merged_model(self):
        self.good("train", self.config(base_model=self.base, max_steps=1), "--quiet")
        for out in self.names():
            self.spared(self.wrong("merge-lora", "--model", self.base, "--adapter", self.path("out"), "--out", out,
                                   "--quiet"))
        self.good("merge-lora", "--model", self.base, "--adapter", self.path("out"), "--out",
                  self.path("models", "base2"), "--quiet")


class OwnNames(Case):
    def test_only_own_leftovers_go(self):
        for name in ("photos.tmp20240101/a", "notes.txt.tmp999999999", "checkpoint-x.tmp999999999/a",
                     "checkpoint-5.old/a", "checkpoint-7/a"):
            self.write(f"out/{name}", "mine")
        for name in ("checkpoint-5.tmp999999999/a", "adapter_model.safetensors.tmp999999999"):
            self.write(f"out/{name}", "half")
        self.good("train", self.config(max_steps=1, save_strategy="steps", save_steps=1, save_total_limit=1))
        left = [n for n in os.listdir(self.path("out")) if ".tmp" in n or ".old" in n]
        self.assertEqual(sorted(left), ["checkpoint-5.old", "checkpoint-x.tmp999999999", "notes.txt.tmp999999999",
                                        "photos.tmp20240101"])
        self.assertEqual(read(self.path("out", "checkpoint-7", "a")), "mine")

    def test_a_folder_in_a_checkpoints_place(self):
        self.write("out/checkpoint-1/thesis.md", "mine")
        result = self.axl("train", self.config(max_steps=1, save_strategy="steps", save_steps=1))
        self.assertEqual(result.code, 2, result)
        self.assertIn("is no checkpoint", result.errors[-1])
        self.assertEqual(read(self.path("out", "checkpoint-1", "thesis.md")), "mine")

    def test_a_link_in_a_checkpoints_place_is_not_pruned(self):
        self.good("train", self.config(max_steps=1, save_strategy="steps", save_steps=1))
        shutil.move(self.path("out", "checkpoint-1"), self.path("moved"))
        os.symlink(self.path("moved"), self.path("out", "checkpoint-1"))
        before = contents(self.path("moved"))
        self.good("train", self.config(max_steps=3, save_strategy="steps", save_steps=1, save_total_limit=1),
                  "--resume")
        self.assertEqual(contents(self.path("moved")), before)

    def test_a_prepared_file_is_a_cache_file(self):
        config = self.config(max_steps=1, dataset_prepared_path=self.path("prepared"))
        self.good("train", config)
        (name,) = os.listdir(self.path("prepared"))
        self.write(f"prepared/{name}", "my thesis")
        self.assertIn("is not replaced", self.good("train", config).err)
        self.assertEqual(read(self.path("prepared", name)), "my thesis")


class Damage(Case):
    def test_a_prepared_file_that_was_damaged(self):
        """It is said and made anew, wherever the bit is."""
        config = self.config(max_steps=1, dataset_prepared_path=self.path("prepared"))
        self.good("train", config)
        (name,) = os.listdir(self.path("prepared"))
        with open(self.path("prepared", name), "rb") as f:
            whole = f.read()
        n = len(whole)
        damaged = [whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1:] for at in (0, 9, n // 2, n - 1)]
        for data in damaged + [whole[:n // 2], whole + b"\0", b""]:
            self.write(f"prepared/{name}", data)
            self.assertIn("the prepared data set is broken; the data is prepared anew", self.good("train", config).err)
            with open(self.path("prepared", name), "rb") as f:
                self.assertEqual(f.read() == whole, data[:7] == whole[:7] or not data)

    def test_a_checkpoint_that_was_damaged(self):
        """The newest is not passed over in silence; the best is, with a warning, when its turn comes at the end."""
        keys = {"save_strategy": "steps", "save_steps": 1, "val_set_size": 20, "eval_steps": 1,
                "load_best_model_at_end": True, "metric_for_best_model": "loss", "greater_is_better": True}
        self.good("train", self.config(max_steps=3, **keys))
        best = self.path("out", "checkpoint-1", "adapter_model.safetensors")
        with open(best, "r+b") as f:
            f.seek(-1, os.SEEK_END)
            byte = f.read(1)
            f.seek(-1, os.SEEK_END)
            f.write(bytes([byte[0] ^ 8]))
        result = self.good("train", self.config(max_steps=3, **keys), "--resume", self.path("out", "checkpoint-2"))
        self.assertRegex(result.err, r"checkpoint-1, the best evaluation, cannot be read: the result is the last step's "
                         r"\(.*adapter_model.safetensors is damaged")
        state = self.path("out", "checkpoint-3", "trainer_state.json")
        self.write("out/checkpoint-3/trainer_state.json", read(state)[:-9])
        line = self.wrong("train", self.config(max_steps=4, **keys), "--resume", "--quiet")
        self.assertIn("the newest checkpoint cannot be read; remove its folder to go on from an earlier one: " + state,
                      line)
        shutil.rmtree(os.path.dirname(state))
        self.assertIn("resumed from " + self.path("out", "checkpoint-2"),
                      self.good("train", self.config(max_steps=3, **keys), "--resume").err)


class Outside(Case):
    def test_names_that_leave_output_dir(self):
        self.write("victim/key", "mine")
        for name in ("../victim/key", self.path("victim", "key"), "a/../../victim/key", ".."):
            for keys in ({"dynamic_checkpoint": {"enabled": True, "trigger_file_path": name}},
                         {"axl": {"prometheus_file": name}}):
                config = self.config(**keys)
                self.assertIn("must be a name below output_dir", self.wrong("train", config))
                self.assertEqual(self.axl("check", config).code, 2)
        self.assertEqual(read(self.path("victim", "key")), "mine")

    def test_links_that_leave_output_dir(self):
        self.write("victim/key.prom", "mine")
        os.makedirs(self.path("out"))
        os.symlink(self.path("victim"), self.path("out", "link"))
        trigger = {"enabled": True, "check_interval": 1, "trigger_file_path": "link/key.prom"}
        self.good("train", self.config(dynamic_checkpoint=trigger, max_steps=2))
        self.assertFalse([n for n in os.listdir(self.path("out")) if n.startswith("checkpoint")])
        line = self.axl("train", self.config(axl={"prometheus_file": "link/key.prom"})).errors[-1]
        self.assertIn("leads out of output_dir", line)
        self.assertEqual(read(self.path("victim", "key.prom")), "mine")

    def test_an_override_may_name_any_place(self):
        self.good("train", self.config(max_steps=1), f"--axl.prometheus_file={self.path('axl.prom')}")
        self.assertIn("axl_step", read(self.path("axl.prom")))


    def test_links_in_the_place_of_own_files(self):
        """They are replaced or not written, and never followed."""
        names = ("training_log.jsonl", "report.html", "README.md", "adapter_config.json", "axl.prom",
                 "adapter_model.safetensors", "tokenizer_config.json")
        keys = {"use_tensorboard": True, "axl": {"prometheus_file": "axl.prom"}}
        os.makedirs(self.path("elsewhere"))
        for resume in (), ("--resume",):
            os.makedirs(self.path("out"), exist_ok=True)
            for name in names:
                self.write(f"victim/{name}", "mine")
                if os.path.lexists(self.path("out", name)):
                    os.remove(self.path("out", name))
                os.symlink(self.path("victim", name), self.path("out", name))
            shutil.rmtree(self.path("out", "runs"), ignore_errors=True)
            os.symlink(self.path("elsewhere"), self.path("out", "runs"))
            result = self.good("train", self.config(max_steps=1 + len(resume), save_strategy="steps", save_steps=1,
                                                    **keys), *resume)
            self.assertIn("use_tensorboard: " + self.path("out", "runs") + " leads out of output_dir; the run goes on",
                          result.err)
            self.assertEqual(os.listdir(self.path("elsewhere")), [])
            self.assertEqual({read(self.path("victim", name)) for name in names}, {"mine"})
            for name in names:
                self.assertFalse(os.path.islink(self.path("out", name)), name)
            os.remove(self.path("out", "runs"))


class Locks(Case):
    def begin(self, config):
        """A run that is at work in its output_dir."""
        tool = subprocess.Popen([TOOL, "train", config], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                cwd=self.dir, env=environment())
        self.addCleanup(tool.communicate)
        self.addCleanup(tool.kill)
        log = self.path("out", "training_log.jsonl")
        while not os.path.exists(log) or not os.path.getsize(log):
            self.assertIsNone(tool.poll())
            time.sleep(0.02)
        return tool

    def test_a_second_run_stays_out(self):
        config = self.config(max_steps=100000, save_strategy="steps", save_steps=1000)
        tool = self.begin(config)
        self.assertEqual(self.wrong("train", config, "--quiet", code=1),
                         f"axl train: output_dir: {self.path('out')} is in use by another run, of process {tool.pid}: "
                         "wait for its end or name another folder")
        self.good("check", config)
        self.good("plan", config)
        tool.send_signal(signal.SIGKILL)
        tool.wait(timeout=60)
        self.good("train", self.config(max_steps=1))
        self.assertNotIn(".axl.lock", os.listdir(self.path("out")))


class Warnings(Case):
    def test_a_report_that_cannot_be_written(self):
        for name in ("report.html/a", "README.md/a"):
            self.write(f"out/{name}", "in the way")
        result = self.good("train", self.config(max_steps=1, save_strategy="steps", save_steps=1))
        for name in ("report.html", "README.md"):
            self.assertRegex(result.err, rf"warning: cannot write .*{name}: .*; the run goes on")
        self.adapter()

    def test_records_that_cannot_be_begun(self):
        for name in ("training_log.jsonl/a", "runs", "axl.prom/a"):
            self.write(f"out/{name}", "in the way")
        keys = {"use_tensorboard": True, "axl": {"prometheus_file": "axl.prom"}, "save_strategy": "steps",
                "save_steps": 1}
        for steps, resume in (2, ()), (3, ("--resume",)):
            result = self.good("train", self.config(max_steps=steps, **keys), *resume)
            for key in "training_log.jsonl", "use_tensorboard", "axl.prometheus_file":
                self.assertEqual(len(re.findall(f"warning: {key}: .*; the run goes on", result.err)), 1, result.err)
            self.adapter()
            self.assertIn("finished", read(self.path("out", "report.html")))

    def test_a_log_that_can_no_longer_be_written(self):
        self.good("train", self.config(max_steps=4, save_strategy="steps", save_steps=2), "--quiet")
        os.remove(self.path("out", "training_log.jsonl"))
        os.mkdir(self.path("out", "training_log.jsonl"))
        config = self.config(max_steps=6, save_strategy="steps", save_steps=2)
        result = self.good("train", config, "--resume", self.path("out", "checkpoint-2"))
        self.assertIn("warning: training_log.jsonl: cannot read", result.err)
        self.assertTrue(os.path.exists(self.path("out", "checkpoint-6")))

    def test_a_checkpoint_that_cannot_be_pruned(self):
        keys = {"save_strategy": "steps", "save_steps": 1, "save_total_limit": 1}
        self.good("train", self.config(max_steps=1, **keys))
        inner = self.path("out", "checkpoint-1", "mounted")
        os.mkdir(inner)
        mount = shutil.which("mount")
        if os.geteuid() != 0 or not mount or subprocess.run(
                [mount, "-t", "tmpfs", "tmpfs", inner], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("no right to mount a file system")
        self.addCleanup(subprocess.run, ["umount", inner], check=False)
        result = self.good("train", self.config(max_steps=3, **keys), "--resume")
        self.assertIn("warning: cannot remove", result.err)
        self.assertTrue(os.path.exists(self.path("out", "checkpoint-3", "trainer_state.json")))


class Ends(Case):
    """Within seconds, where it would be hours or never."""

    def test_a_fifo_is_no_file(self):
        os.mkfifo(self.path("pipe.jsonl"))
        tokenizer = shutil.copytree(TINY, self.path("model"))
        for name in ("tokenizer.json", "tokenizer.model", "config.json"):
            path = os.path.join(tokenizer, name)
            if os.path.exists(path):
                os.rename(path, path + ".kept")
                os.mkfifo(path)
                self.assertEqual(self.axl("train", self.config(base_model=tokenizer), timeout=20).code, 2)
                os.remove(path)
                os.rename(path + ".kept", path)
        for args in (("train", self.path("pipe.jsonl")), ("check", self.path("pipe.jsonl")),
                     ("train", self.config(datasets=[{"path": self.path("pipe.jsonl"), "type": "alpaca"}]))):
            result = self.axl(*args, timeout=20)
            self.assertEqual(result.code, 2, result)
            self.assertIn("it is not a file", result.err + result.out)

    def test_a_hub_reference_that_is_a_fifo(self):
        repo = self.path("hub", "models--a--b")
        os.makedirs(os.path.join(repo, "refs"))
        os.mkfifo(os.path.join(repo, "refs", "main"))
        result = self.axl("plan", self.config(base_model="a/b"), env={"HF_HUB_CACHE": self.path("hub")}, timeout=20)
        self.assertEqual(result.code, 2, result)

    def test_links_that_go_in_circles(self):
        os.mkdir(self.path("loop"))
        shutil.copy(ALPACA, self.path("loop", "a.jsonl"))
        for i in range(4):
            os.symlink(".", self.path("loop", f"l{i}"))
        sets = [{"path": self.path("loop"), "type": "alpaca"}]
        whole = self.good("inspect", self.config("file.yml"), "-n", "0", "--json").out
        looped = self.good("inspect", self.config(datasets=sets), "-n", "0", "--json", timeout=20).out
        self.assertEqual(looped.count('{"source"'), whole.count('{"source"'))

    def test_many_special_tokens(self):
        model = shutil.copytree(TINY, self.path("model"))
        path = os.path.join(model, "tokenizer_config.json")
        config = json.loads(read(path))
        config.update({f"x{i}_token": f"<x{i}>" for i in range(60000)})
        config["extra_special_tokens"] = [f"<y{i}>" for i in range(60000)]
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config, f)
        self.good("tokenize", "--model", model, stdin=b"a", timeout=20)


@unittest.skipIf(os.environ.get("AXL_SLOW"), "sanitizers take memory of their own")
class Memory(Case):
    """Bounded by what the input may need."""

    LIMIT = 1 << 30

    def limited(self, *args, **how):
        """The tool with a gigabyte of addresses; it must refuse within that, in one line."""
        done = subprocess.run([TOOL, *args], cwd=self.dir, env=environment(), capture_output=True, timeout=60,
                              check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS,
                                                                                 (self.LIMIT, self.LIMIT)), **how)
        self.assertEqual(done.returncode, 2, done.stderr)
        (line,) = done.stderr.decode().splitlines()
        return line

    def test_replacements_that_multiply(self):
        model = {"type": "BPE", "vocab": {"a": 0}, "merges": []}
        steps = [{"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 1000}] * 4
        os.mkdir(self.path("bomb"))
        self.write("bomb/tokenizer.json", json.dumps({
            "version": "1.0", "added_tokens": [], "normalizer": {"type": "Sequence", "normalizers": steps},
            "pre_tokenizer": None, "post_processor": None, "decoder": None, "model": model}))
        self.assertIn("64 times as long", self.limited("tokenize", "--model", self.path("bomb"), input=b"a"))

    def test_a_large_tree_of_a_small_file(self):
        model = shutil.copytree(TINY, self.path("model"))
        with open(os.path.join(model, "config.json"), "w", encoding="utf-8") as f:
            f.write('{"a": [' + "0," * (10 << 20) + "0]}")
        self.assertIn("larger than the 16 MiB", self.limited("plan", self.config(base_model=model)))


class Inputs(Case):
    def test_a_models_numbers(self):
        """The input's fault, for every verb."""
        model = shutil.copytree(TINY, self.path("model"))
        path = os.path.join(model, "config.json")
        text = read(path)
        for key, value in (("rms_norm_eps", -1), ("num_hidden_layers", 2147483647), ("num_hidden_layers", 10**15),
                           ("hidden_size", 2147483640), ("vocab_size", 2**31 - 1), ("num_attention_heads", 0),
                           ("intermediate_size", -5), ("rope_parameters", {"rope_theta": -1}),
                           ("rms_norm_eps", 1e999), ("max_position_embeddings", 0)):
            with open(path, "w", encoding="utf-8") as f:
                f.write(json.dumps({**json.loads(text), key: value}).replace("Infinity", "1e999"))
            for args in (("plan", self.config(base_model=model)), ("train", self.config(base_model=model), "--quiet"),
                         ("inference", "--model", model, "--prompt", "a")):
                result = self.axl(*args, timeout=30)
                self.assertEqual(result.code, 2, f"{key} {value} {args}: {result}")


if __name__ == "__main__":
    unittest.main()
