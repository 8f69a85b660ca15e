#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What steers a run beside the data: noise, schedules, evaluations, saving and resuming."""
import json
import math
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest

from cli_testing import (
    NO_HUB, TINY, TOOL, Case, read, read_json_lines, read_safetensors, write_safetensors)


def read_json(path):
    return json.loads(read(path))


class LoopCase(Case):
    def settings(self, **changes):
        if "save_steps" in changes:
            changes.setdefault("save_strategy", "steps")
        return super().settings(**changes)

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
        self.assertEqual(self.losses("whole")[step:], self.losses("rest"))
        shutil.rmtree(self.path("whole"))
        shutil.rmtree(self.path("rest"))


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


class Schedules(LoopCase):
    def test_of_the_config(self):
        self.run_to("out", max_steps=6, lr_scheduler="warmup_stable_decay", warmup_steps=2,
                    lr_scheduler_kwargs={"num_decay_steps": 2, "decay_type": "linear"})
        self.assertEqual([r["learning_rate"] for r in self.log()],
                         [0, 0.0005, 0.001, 0.001, 0.001, 0.0005])

    def test_plateau_follows_evaluations_across_a_stop(self):
        changes = {"lr_scheduler": "reduce_lr_on_plateau", "val_set_size": 20, "max_steps": 8,
                   "lr_scheduler_kwargs": {"patience": 0, "factor": 0.5, "threshold": 0.5},
                   "eval_steps": 1, "save_steps": 3, "learning_rate": 0.01}
        self.check_resume(3, **changes)
        self.run_to("out", **changes)
        rates = [r["learning_rate"] for r in self.log() if "loss" in r]
        self.assertEqual(rates[:2], [0.01, 0.01])  # the first evaluation is the best so far
        self.assertLess(rates[-1], 0.001)


class Best(LoopCase):
    """A rate at which evaluations soon get worse."""
    WILD = {"val_set_size": 20, "eval_steps": 1, "max_steps": 12, "learning_rate": 0.3,
            "lr_scheduler": "constant", "max_grad_norm": 0}

    def evaluations(self, out="out"):
        return [r for r in self.log(out) if "eval_loss" in r and r["step"] > 0]

    def checkpoints(self, out="out"):
        return sorted(int(n[11:]) for n in os.listdir(self.path(out)) if n.startswith("checkpoint-"))

    def weights_of(self, out, step):
        with open(self.path(out, f"checkpoint-{step}", "adapter_model.safetensors"), "rb") as f:
            return f.read()

    def check_stopped_early(self, out, patience):
        """The step of the best evaluation."""
        seen = self.evaluations(out)
        best = min(seen, key=lambda e: e["eval_loss"])["step"]
        self.assertEqual(seen[-1]["step"], best + patience)
        self.assertLess(seen[-1]["step"], 12)
        return best

    def test_early_stopping_gives_the_best(self):
        result = self.run_to("out", early_stopping_patience=2, save_steps=1, save_total_limit=1,
                             **self.WILD)
        best = self.check_stopped_early("out", 2)
        self.assertEqual(self.checkpoints(), [best, best + 2])
        self.assertEqual(result, self.weights_of("out", best))
        self.assertNotEqual(result, self.weights_of("out", best + 2))

    def test_the_last_where_asked_for(self):
        result = self.run_to("out", early_stopping_patience=1, load_best_model_at_end=False,
                             save_steps=1, **self.WILD)
        best = self.check_stopped_early("out", 1)
        self.assertEqual(result, self.weights_of("out", best + 1))

    def test_a_best_checkpoint_that_is_gone(self):
        """Only the newest was copied to another machine; the run still ends with a result."""
        changes = {"early_stopping_patience": 2, "save_steps": 1, "save_total_limit": 20,
                   **self.WILD}
        self.run_to("whole", **changes)
        best = [r for r in self.log("whole") if "eval_loss" in r and r["step"] > 0]
        best = min(best, key=lambda r: r["eval_loss"])["step"]
        last = best + 1
        for name in ("training_log.jsonl", f"checkpoint-{last}"):
            whole, there = self.path("whole", name), self.path("rest", name)
            os.makedirs(self.path("rest"), exist_ok=True)
            (shutil.copytree if os.path.isdir(whole) else shutil.copy)(whole, there)
        config = self.config(output_dir=self.path("rest"), **changes)
        result = self.good("train", config, "--resume")
        gone = f"checkpoint-{best}, the best evaluation"
        self.assertLess(result.err.index(gone + " so far, is gone"), result.err.index("saved "))
        self.assertIn(gone + ", is gone: the result is the last step's", result.err)
        self.adapter("rest")

    def test_save_strategy_best(self):
        result = self.run_to("out", save_strategy="best", metric_for_best_model="perplexity",
                             load_best_model_at_end=True, **self.WILD)
        best, steps = math.inf, []
        for e in self.evaluations():
            if e["eval_loss"] < best:
                best = e["eval_loss"]
                steps.append(e["step"])
        self.assertEqual(self.checkpoints(), steps[-4:])
        self.assertEqual(result, self.weights_of("out", steps[-1]))

    def test_a_resumed_run_stops_where_the_whole_one_does(self):
        whole = self.run_to("whole", early_stopping_patience=3, save_steps=1, save_total_limit=20,
                            **self.WILD)
        best = self.check_stopped_early("whole", 3)
        for at in (best + 1, best + 3):
            shutil.copytree(self.path("whole"), self.path("rest"))
            for step in self.checkpoints("rest"):
                if step > at:
                    shutil.rmtree(self.path("rest", f"checkpoint-{step}"))
            rest = self.run_to("rest", "--resume", early_stopping_patience=3, save_steps=1,
                               save_total_limit=20, **self.WILD)
            self.assertEqual(rest, whole)
            self.assertEqual(self.evaluations("rest"), self.evaluations("whole"))
            shutil.rmtree(self.path("rest"))

    def test_without_evaluations_is_an_error(self):
        result = self.axl("train", self.config(early_stopping_patience=2))
        self.assertEqual(result.code, 2, result)
        self.assertIn("early_stopping_patience: needs evaluations", result.err)


class Rhythms(LoopCase):
    def steps(self, key):
        return [r["step"] for r in self.log() if key in r]

    def test_evaluates_and_saves_at_the_end_too(self):
        self.run_to("out", max_steps=5, val_set_size=20, eval_steps=2, save_steps=2)
        self.assertEqual(self.steps("eval_loss"), [0, 2, 4, 5])
        self.assertTrue(os.path.exists(self.path("out", "checkpoint-5")))

    def test_on_start_where_asked_for(self):
        self.run_to("out", max_steps=2, val_set_size=20, eval_steps=2, axl={"eval_on_start": False})
        self.assertEqual(self.steps("eval_loss"), [2])
        self.run_to("out", max_steps=2, val_set_size=20)  # no word about when
        self.assertEqual(self.steps("eval_loss"), [2])
        self.run_to("out", max_steps=2, val_set_size=20, eval_strategy="epoch")
        self.assertEqual(self.steps("eval_loss"), [0, 2])

    def checkpoints(self):
        return sorted(n for n in os.listdir(self.path("out")) if "checkpoint" in n)

    def test_epochs_end_with_the_run(self):
        """As Axolotl: a run that ends inside an epoch saves and evaluates there."""
        rows = self.rows("d.jsonl", [{"instruction": f"{i}", "output": f"{i}"} for i in range(8)])
        data = {"datasets": [{"path": rows, "type": "alpaca"}], "val_set_size": 2,
                "save_strategy": None, "micro_batch_size": 1, "gradient_accumulation_steps": 2}
        self.run_to("out", max_steps=5, eval_strategy="epoch", **data)
        self.assertEqual(self.steps("eval_loss"), [0, 3, 5])
        self.assertEqual(self.checkpoints(), ["checkpoint-3", "checkpoint-5"])
        shutil.rmtree(self.path("out"))
        self.run_to("out", max_steps=2, **data)  # shorter than an epoch, nothing said
        self.assertEqual(self.steps("eval_loss"), [2])
        self.assertEqual(self.checkpoints(), ["checkpoint-2"])
        shutil.rmtree(self.path("out"))
        self.run_to("out", max_steps=None, num_epochs=2, **data)  # once at an epoch's end
        self.assertEqual(self.steps("eval_loss"), [3, 6])
        self.assertEqual(self.checkpoints(), ["checkpoint-3", "checkpoint-6"])

    def test_evaluating_by_steps_follows_logging(self):
        changes = {"max_steps": 5, "val_set_size": 20, "eval_strategy": "steps"}
        self.run_to("out", logging_steps=2, **changes)
        self.assertEqual(self.steps("eval_loss"), [0, 2, 4, 5])
        self.run_to("out", logging_steps=None, **changes)  # every step of so short a run
        self.assertEqual(self.steps("eval_loss"), [0, 1, 2, 3, 4, 5])

    def test_saves_after_the_first_step(self):
        self.run_to("out", max_steps=4, save_first_step=True, save_steps=3)
        self.assertEqual({n for n in os.listdir(self.path("out")) if "checkpoint" in n},
                         {"checkpoint-1", "checkpoint-3", "checkpoint-4"})

    def test_saves_when_a_file_appears(self):
        self.write("out/now", "")
        self.run_to("out", max_steps=5, dynamic_checkpoint={
            "enabled": True, "check_interval": 2, "trigger_file_path": "now"})
        self.assertEqual({n for n in os.listdir(self.path("out")) if "checkpoint" in n},
                         {"checkpoint-2"})
        self.assertFalse(os.path.exists(self.path("out", "now")))

    def test_a_loss_that_stays_high_ends_the_run(self):
        config = self.config(max_steps=9, loss_watchdog_threshold=0.01, loss_watchdog_patience=2)
        result = self.good("train", config)
        self.assertIn("above loss_watchdog_threshold for 2 steps in a row", result.err)
        self.assertEqual(self.steps("loss"), [1, 2])
        self.adapter()


class OnlyModel(LoopCase):
    def test_checkpoints_without_optimizer_cannot_be_resumed(self):
        changes = {"save_only_model": True, "save_steps": 2, "max_steps": 4}
        self.run_to("out", **changes)
        self.assertEqual(sorted(os.listdir(self.path("out", "checkpoint-2"))),
                         ["adapter_config.json", "adapter_model.safetensors", "trainer_state.json"])
        config = self.config(**changes)
        result = self.axl("train", config, "--resume", self.path("out", "checkpoint-2"))
        self.assertEqual(result.code, 2, result)
        self.assertIn("save_only_model", result.err)
        self.assertIn("lora_model_dir", result.err)
        result = self.good("train", config, "--resume")
        self.assertIn("holds no checkpoint", result.err)

    def test_a_checkpoint_that_is_not_there(self):
        result = self.axl("train", self.config(max_steps=1), "--resume", self.path("none"))
        self.assertEqual(result.code, 2, result)
        self.assertIn("none is no checkpoint", result.err)
        self.assertFalse(os.path.exists(self.path("out")))

    def test_label_smoothing(self):
        losses = []
        for share in (0.0, 0.2):
            self.good("train", self.config(max_steps=1, axl={"label_smoothing": share}), "--quiet")
            losses.append(read_json_lines(self.path("out", "training_log.jsonl"))[0]["loss"])
            shutil.rmtree(self.path("out"))
        self.assertNotAlmostEqual(losses[0], losses[1], places=3)
        self.wrong("train", self.config(axl={"label_smoothing": 1}))

    def test_leftovers_of_a_killed_run(self):
        gone, alive = f"checkpoint-3.tmp{2 ** 31 - 1}", f"checkpoint-4.tmp{os.getpid()}"
        for name in (gone, alive):
            self.write(f"out/{name}/model.safetensors", "half")
        self.write("out/config.json.tmp99999999999", "{")
        self.write("out/notes.tmp", "mine")
        self.good("train", self.config(max_steps=1), "--quiet")
        files = set(os.listdir(self.path("out")))
        self.assertLessEqual({alive, "notes.tmp"}, files)
        self.assertFalse({gone, "config.json.tmp99999999999"} & files)

    def test_a_checkpoint_of_hugging_faces_trainer(self):
        self.run_to("first", max_steps=1)
        shutil.copytree(self.path("first"), self.path("out", "checkpoint-7"))
        self.write("out/checkpoint-7/trainer_state.json",
                   json.dumps({"global_step": 7, "log_history": []}))
        config = self.config(max_steps=1)
        result = self.axl("train", config, "--resume", self.path("out", "checkpoint-7"))
        self.assertEqual(result.code, 2, result)
        self.assertIn("checkpoint of Hugging Face's trainer: set lora_model_dir", result.err)
        self.good("train", self.config(max_steps=1, learning_rate=1e-9,
                                       lora_model_dir=self.path("out", "checkpoint-7")))


class NotFinite(LoopCase):
    """A token whose embedding is no number spoils the step of the row that has it."""

    def setUp(self):
        super().setUp()
        self.model = self.path("model")
        shutil.copytree(TINY, self.model)
        tokens = read_json(os.path.join(TINY, "tokenizer.json"))["model"]["vocab"]
        weights = read_safetensors(os.path.join(TINY, "model.safetensors"))
        name = "model.embed_tokens.weight"
        dtype, shape, data = weights[name]
        row = len(data) // shape[0]
        at = tokens["\u0120~" if "\u0120~" in tokens else "~"] * row
        weights["lm_head.weight"] = weights[name]  # whose logits stay numbers
        weights[name] = dtype, shape, data[:at] + b"\xff" * row + data[at + row:]
        config = read_json(os.path.join(TINY, "config.json"))
        self.write("model/config.json", json.dumps({**config, "tie_word_embeddings": False}))
        write_safetensors(os.path.join(self.model, "model.safetensors"), weights)

    def settings(self, bad=(), **changes):
        rows = [{"instruction": f"say {i}" + (" ~" if i in bad else ""), "input": "",
                 "output": f"so {i}"} for i in range(12)]
        return super().settings(**{
            "base_model": self.model, "curriculum_sampling": True, "shuffle_merged_datasets": False,
            "datasets": [{"path": self.rows("rows.jsonl", rows), "type": "alpaca"}],
            "max_steps": None, "num_epochs": 1, **changes})

    def test_stops_at_the_first(self):
        result = self.axl("train", self.config(bad=[5]))
        self.assertEqual(result.code, 1, result)
        self.assertIn("step 3", result.errors[-1])
        self.assertIn("not finite", result.errors[-1])

    def test_skips_the_whole_step(self):
        config = self.config(bad=[5], micro_batch_size=1, gradient_accumulation_steps=3,
                             axl={"max_skipped_steps": 1})
        result = self.good("train", config)
        self.assertIn("step 2 is skipped: ", result.err)
        self.assertEqual(len(self.losses()), 3)  # of the four windows
        self.assertEqual([r.get("skipped_steps", 0) for r in self.log()], [0, 1, 1])
        self.assertTrue(all(x == x for x in self.losses()))

    def test_gives_up_after_so_many_in_a_row(self):
        result = self.axl("train", self.config(bad=[2, 4, 6, 8], axl={"max_skipped_steps": 2}))
        self.assertEqual(result.code, 1, result)
        self.assertIn("step 2, after 2 skipped ones: ", result.errors[-1])

    def test_does_not_end_in_skipped_steps(self):
        result = self.axl("train", self.config(bad=[11], axl={"max_skipped_steps": 2}))
        self.assertEqual(result.code, 1, result)
        self.assertIn("last 1 steps was not finite", result.errors[-1])

    def test_resumes_across_one(self):
        self.check_resume(2, bad=[3, 8], micro_batch_size=1, save_steps=2, save_total_limit=20,
                          axl={"max_skipped_steps": 1})


class Relora(LoopCase):
    RESTARTS = {"relora": True, "jagged_restart_steps": 3, "jagged_restart_warmup_steps": 2,
                "max_steps": 8, "save_steps": 1, "save_total_limit": 9}

    def test_the_result_is_one_adapter_of_all_pairs(self):
        evaluated = {"val_set_size": 20, "eval_steps": 8}
        self.run_to("out", **self.RESTARTS, **evaluated)
        config = read_json(self.path("out", "adapter_config.json"))
        self.assertEqual((config["r"], config["lora_alpha"]), (12, 24))
        last = self.log()[-1]
        self.run_to("again", lora_model_dir=self.path("out"), max_steps=1, learning_rate=1e-30,
                    **evaluated)
        self.assertAlmostEqual(self.log("again")[0]["eval_loss"], last["eval_loss"], delta=1e-5)

    def test_resumes_before_and_after_a_restart(self):
        for step, method in ((2, "magnitude"), (3, "random"), (4, "reset"), (7, "magnitude")):
            self.check_resume(step, **self.RESTARTS, relora_prune_method=method)

    def test_the_best_may_be_of_before_a_restart(self):
        result = self.run_to("out", **{
            **self.RESTARTS, **Best.WILD, "learning_rate": 0.02, "load_best_model_at_end": True})
        seen = [r for r in self.log() if "eval_loss" in r and r["step"] > 0]
        best = min(seen, key=lambda e: e["eval_loss"])["step"]
        with open(self.path("out", f"checkpoint-{best}", "adapter_model.safetensors"), "rb") as f:
            self.assertEqual(result, f.read())

    def test_needs_its_steps_and_moments(self):
        result = self.axl("check", self.config(relora=True, optimizer="adamw_torch_4bit"))
        self.assertIn("relora: jagged_restart_steps must be set with it", result.out)
        self.assertIn("optimizer: relora prunes the moments of AdamW, which adamw_torch_4bit does not have", result.out)


class Stops(LoopCase):
    LONG = {"max_steps": 100, "learning_rate": 0.0001, "val_set_size": 10, "eval_steps": 40}

    def interrupt(self, number):
        """The tool's status after a signal in the middle of a run into "stopped"."""
        config = self.config(output_dir=self.path("stopped"), **self.LONG)
        log = self.path("stopped", "training_log.jsonl")
        with subprocess.Popen([TOOL, "train", config], cwd=self.dir, env={**os.environ, **NO_HUB},
                              stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as tool:
            while not (os.path.exists(log) and len(read(log).splitlines()) > 5):
                self.assertIsNone(tool.poll())
                time.sleep(0.002)
            tool.send_signal(number)
            self.error = tool.stderr.read().decode()
        return tool.returncode

    def test_a_signal_leaves_a_checkpoint_to_go_on_from(self):
        whole = self.run_to("whole", **self.LONG)
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            self.assertEqual(self.interrupt(number), status, self.error)
            (checkpoint,) = (n for n in os.listdir(self.path("stopped")) if "checkpoint" in n)
            self.assertIn(f"after step {checkpoint[11:]}", self.error)
            self.assertEqual(whole, self.run_to("stopped", "--resume", **self.LONG))
            self.assertEqual(self.losses("whole"), self.losses("stopped"))
            shutil.rmtree(self.path("stopped"))

    def test_a_reader_that_goes_leaves_a_checkpoint(self):
        """As in `axl train run.yml 2>&1 | head -3`."""
        whole = self.run_to("whole", **self.LONG)
        config = self.config(output_dir=self.path("stopped"), **self.LONG)
        with subprocess.Popen([TOOL, "train", config], cwd=self.dir, env={**os.environ, **NO_HUB},
                              stderr=subprocess.STDOUT, stdout=subprocess.PIPE) as tool:
            for _ in range(5):
                tool.stdout.readline()
            tool.stdout.close()
        self.assertEqual(tool.returncode, 141)
        (_,) = (n for n in os.listdir(self.path("stopped")) if "checkpoint" in n)
        self.assertEqual(whole, self.run_to("stopped", "--resume", **self.LONG))
        self.assertEqual(self.losses("whole"), self.losses("stopped"))

    def test_what_is_hung_up_under_nohup_goes_on(self):
        config = self.config(output_dir=self.path("kept"), **self.LONG)
        log = self.path("kept", "training_log.jsonl")
        with subprocess.Popen([TOOL, "train", config], cwd=self.dir, env={**os.environ, **NO_HUB},
                              stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as tool:
            while not (os.path.exists(log) and len(read(log).splitlines()) > 5):
                self.assertIsNone(tool.poll())
                time.sleep(0.002)
            tool.send_signal(signal.SIGHUP)
        self.assertEqual(tool.returncode, 0)

    def test_a_full_disk_leaves_the_last_checkpoint(self):
        """No file may grow past 20,000 bytes, which the adapter does."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
        changes = {"save_steps": 1, "save_total_limit": 1, "lr_scheduler": "constant"}
        whole = self.run_to("whole", max_steps=4, **changes)
        self.run_to("full", max_steps=2, **changes)
        config = self.config(output_dir=self.path("full"), max_steps=4, **changes)
        done = subprocess.run([TOOL, "train", config, "--resume"], cwd=self.dir, check=False,
                              env={**os.environ, **NO_HUB}, capture_output=True,
                              preexec_fn=limit, restore_signals=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"adapter_model.safetensors", done.stderr)
        self.assertEqual([n for n in os.listdir(self.path("full")) if "checkpoint" in n],
                         ["checkpoint-2"])
        self.assertEqual(whole, self.run_to("full", "--resume", max_steps=4, **changes))
        self.assertEqual(self.losses("whole"), self.losses("full"))


if __name__ == "__main__":
    unittest.main()
