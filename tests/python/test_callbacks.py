# SPDX-License-Identifier: Apache-2.0
"""Callbacks of a run; WandB and MLflow against stand-ins that only write down how they are called."""
import json
import os
import sys
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "bindings", "python"))
import axl  # noqa: E402  pylint: disable=wrong-import-position

WANDB = '''
import types
calls, run, config = [], None, None

def init(**arguments):
    global run, config
    calls.append(("init", arguments))
    run = types.SimpleNamespace(id="r1")
    config = types.SimpleNamespace(update=lambda *a, **k: calls.append(("config.update", a, k)))

def finish(**arguments):
    global run
    calls.append(("finish", arguments))
    run = None

def define_metric(*a, **k):
    calls.append(("define_metric", a, k))

def log(values):
    calls.append(("log", values))

def log_artifact(artifact, aliases):
    calls.append(("log_artifact", artifact.name, artifact.held, aliases))

class Artifact:
    def __init__(self, name, type, metadata):
        self.name, self.held = name, []
    def add_dir(self, path):
        self.held.append(path)
    add_file = add_dir
'''

MLFLOW = '''
calls, active = [], None

def active_run():
    return active

def start_run(run_name=None):
    global active
    calls.append(("start_run", run_name))
    active = True

def end_run(status="FINISHED"):
    global active
    calls.append(("end_run", status))
    active = None

def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return lambda *a, **k: calls.append((name, *a, *k.items()))
'''


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="axl-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.addCleanup(setattr, sys, "path", list(sys.path))
        sys.path.insert(0, os.path.join(self.folder, "fakes"))
        for name in "wandb", "mlflow":
            self.addCleanup(sys.modules.pop, name, None)

    def fake(self, name, source):
        os.makedirs(sys.path[0], exist_ok=True)
        with open(os.path.join(sys.path[0], name + ".py"), "w", encoding="utf-8") as f:
            f.write(source)
        return __import__(name)

    def config(self, **more):
        keys = {"base_model": os.path.join(ROOT, "examples", "tiny-llama"), "adapter": "lora", "lora_r": 4,
                "lora_alpha": 8, "lora_target_modules": ["q_proj"], "sequence_len": 128, "micro_batch_size": 2,
                "gradient_accumulation_steps": 1, "num_epochs": 1, "max_steps": 4, "learning_rate": 1e-3,
                "datasets": [{"path": os.path.join(ROOT, "examples", "tiny-alpaca.jsonl"), "type": "alpaca"}],
                "val_set_size": 20, "eval_steps": 2, "save_steps": 2, "logging_steps": 1, "bf16": False,
                "output_dir": os.path.join(self.folder, "out"),
                "dataset_prepared_path": os.path.join(self.folder, "prepared")}
        return {**keys, **more}

    def logged(self):
        with open(os.path.join(self.folder, "out", "training_log.jsonl"), encoding="utf-8") as f:
            return [json.loads(line) for line in f]


class Recorder(axl.Callback):
    def __init__(self, stop_at=None):
        self.events, self.stop_at, self.failure = [], stop_at, None

    def keep(self, run, record):
        self.events.append((record.event, record.step))
        self.last = record
        self.run = run
        return (record.event, record.step) == self.stop_at

    on_begin = on_step = on_evaluation = on_save = on_end = keep

    def on_failure(self, run, error):
        self.failure = error


class CallbackTest(Case):
    def test_every_event_in_its_order(self):
        seen, lines = Recorder(), []
        out = axl.finetune(self.config(), callbacks=[seen], record=lines.append)
        self.assertEqual(seen.events, [
            ("begin", 0), ("evaluation", 0), ("step", 1), ("step", 2), ("evaluation", 2), ("save", 2), ("step", 3),
            ("step", 4), ("evaluation", 4), ("save", 4), ("end", 4)])
        self.assertEqual(seen.last.path, out)
        self.assertEqual((seen.last.total_steps, seen.last.eta_seconds, seen.last.loss), (4, 0, None))
        self.assertGreater(seen.last.peak_rss_bytes, 1 << 20)
        self.assertEqual([(r.event, r.step) for r in lines],
                         [e for e in seen.events if e[0] in ("step", "evaluation")])
        log = self.logged()
        self.assertEqual([(r.loss, r.eval_loss) for r in lines],
                         [(line.get("loss"), line.get("eval_loss")) for line in log])
        steps = [r for r in lines if r.event == "step"]
        self.assertEqual([r.tokens for r in steps], [line["tokens"] for line in log if "loss" in line])
        self.assertIsNone(seen.failure)

    def test_stop_and_go_on(self):
        seen = Recorder(stop_at=("step", 3))
        with self.assertRaises(axl.Cancelled) as caught:
            axl.finetune(self.config(), callbacks=[seen])
        self.assertIs(seen.failure, caught.exception)
        self.assertEqual(seen.events[-2:], [("step", 3), ("save", 3)])
        tokens = seen.last.tokens
        seen = Recorder()
        axl.finetune(self.config(), callbacks=[seen], resume="auto")
        self.assertEqual(seen.events, [("begin", 3), ("step", 4), ("evaluation", 4), ("save", 4), ("end", 4)])
        self.assertEqual([line["step"] for line in self.logged() if "loss" in line], [1, 2, 3, 4])
        self.assertGreater(seen.last.tokens, tokens)

    def test_an_exception_of_a_callback_is_raised(self):
        class Broken(axl.Callback):
            def on_save(self, run, record):
                raise ZeroDivisionError(record.path)
        with self.assertRaisesRegex(ZeroDivisionError, "checkpoint-2"):
            axl.finetune(self.config(), callbacks=[Broken()])


class WandBTest(Case):
    def test_without_the_package(self):
        sys.modules["wandb"] = None
        with self.assertRaisesRegex(ImportError, r"axl\.callbacks\.WandB needs the package wandb \(pip install wandb\)"):
            axl.callbacks.WandB()

    def test_a_run(self):
        wandb = self.fake("wandb", WANDB)
        config = self.config(wandb_project="p", wandb_entity="e", wandb_run_id="r1", wandb_log_model="checkpoint")
        out = axl.finetune(config, callbacks=[axl.callbacks.WandB(entity="mine", tags=["t"])])
        (_, init), *calls = wandb.calls
        self.assertEqual({k: init[k] for k in init if k != "config"},
                         {"project": "p", "entity": "mine", "id": "r1", "resume": "allow", "tags": ["t"]})
        self.assertEqual(init["config"]["learning_rate"], 1e-3)
        self.assertEqual(calls[:2], [("define_metric", ("train/global_step",), {}),
                                     ("define_metric", ("*",), {"step_metric": "train/global_step"})])
        logs = [c[1] for c in calls if c[0] == "log"]
        for sent, line in zip(logs, self.logged()):
            self.assertEqual(sent["train/global_step"], line["step"])
            self.assertEqual(sent["train/epoch"], line["epoch"])
            for key, name in (("loss", "train/loss"), ("grad_norm", "train/grad_norm"),
                              ("learning_rate", "train/learning_rate"), ("eval_loss", "eval/loss"),
                              ("tokens", "train/num_input_tokens_seen")):
                self.assertEqual(sent.get(name), line.get(key), name)
        self.assertEqual(len(logs), len(self.logged()))
        artifacts = [c[1:] for c in calls if c[0] == "log_artifact"]
        self.assertEqual(artifacts[0], ("checkpoint-r1", [os.path.join(out, "checkpoint-2")], ["step-2"]))
        name, files, _ = artifacts[-1]
        self.assertEqual(name, "model-r1")
        self.assertIn(os.path.join(out, "adapter_model.safetensors"), files)
        self.assertTrue(all(os.path.isfile(f) for f in files))
        self.assertEqual(calls[-1], ("finish", {}))

    def test_a_run_that_fails_and_one_of_the_programs_own(self):
        wandb = self.fake("wandb", WANDB)
        with self.assertRaises(axl.Cancelled):
            axl.finetune(self.config(), callbacks=[axl.callbacks.WandB(), Recorder(stop_at=("step", 1))])
        self.assertEqual(wandb.calls[-1], ("finish", {"exit_code": 1}))
        wandb.init()
        del wandb.calls[:]
        axl.finetune(self.config(), callbacks=[axl.callbacks.WandB()])
        self.assertEqual(wandb.calls[0][0], "config.update")
        self.assertNotIn("finish", [c[0] for c in wandb.calls])


class MLflowTest(Case):
    def test_without_the_package(self):
        sys.modules["mlflow"] = None
        with self.assertRaisesRegex(ImportError, r"axl\.callbacks\.MLflow needs the package mlflow \(pip install mlflow\)"):
            axl.callbacks.MLflow()

    def test_a_run(self):
        mlflow = self.fake("mlflow", MLFLOW)
        config = self.config(mlflow_experiment_name="x", mlflow_tracking_uri="file:/t", mlflow_run_name="r",
                             hf_mlflow_log_artifacts=True)
        out = axl.finetune(config, callbacks=[axl.callbacks.MLflow()])
        calls = mlflow.calls
        self.assertEqual(calls[:3], [("set_tracking_uri", "file:/t"), ("set_experiment", "x"), ("start_run", "r")])
        params = [c[1] for c in calls if c[0] == "log_params"]
        self.assertEqual({k: v for p in params for k, v in p.items()}["datasets.0.type"], "alpaca")
        self.assertTrue(all(len(p) <= 100 for p in params))
        metrics = [c[1:] for c in calls if c[0] == "log_metrics"]
        self.assertEqual([(step[1], values.get("loss"), values.get("eval_loss")) for values, step in metrics],
                         [(line["step"], line.get("loss"), line.get("eval_loss")) for line in self.logged()])
        self.assertIn(("log_artifacts", os.path.join(out, "checkpoint-2"), ("artifact_path", "checkpoint-2")), calls)
        self.assertIn(("log_artifact", os.path.join(out, "adapter_config.json")), calls)
        self.assertEqual(calls[-1], ("end_run", "FINISHED"))

    def test_a_run_that_fails(self):
        mlflow = self.fake("mlflow", MLFLOW)
        with self.assertRaises(axl.Cancelled):
            axl.finetune(self.config(), callbacks=[axl.callbacks.MLflow(), Recorder(stop_at=("step", 1))])
        self.assertEqual(mlflow.calls[-1], ("end_run", "FAILED"))
        self.assertNotIn("log_artifacts", [c[0] for c in mlflow.calls])


if __name__ == "__main__":
    unittest.main()
