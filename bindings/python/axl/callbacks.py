# SPDX-License-Identifier: Apache-2.0
"""Callbacks of a run, for axl.finetune(callbacks=[…]) and axl.Run.

    axl.finetune("qlora.yml", callbacks=[axl.callbacks.WandB(project="tuning")])

WandB and MLflow take what they are not told from the config's wandb_* and mlflow_* keys.  They need
the package that they are named after, and import it when they are made.
"""
from __future__ import annotations

import importlib
import os
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from ._run import Callback, Run, RunRecord

__all__ = ["Callback", "MLflow", "WandB"]

PARAMS_IN_ONE_CALL, PARAM_LENGTH = 100, 500  #: limits of MLflow's log_params


def _package(name: str, who: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as e:
        raise ImportError(f"axl.callbacks.{who} needs the package {name} (pip install {name}): {e}",
                          name=name) from e


def _numbers(record: RunRecord) -> Dict[str, float]:
    """The numbers of a step or an evaluation, named as transformers' trainer logs them."""
    named = {"loss": record.loss, "grad_norm": record.grad_norm,
             "learning_rate": record.learning_rate, "tokens_per_second": record.tokens_per_second,
             "eval_loss": record.eval_loss, "eval_ppl": record.eval_perplexity,
             "eval_runtime": record.eval_seconds, "epoch": record.epoch}
    if record.event == "step":
        named["num_input_tokens_seen"] = record.tokens
    return {name: value for name, value in named.items() if value is not None}


def _result_files(folder: str) -> Iterator[str]:
    """What a run wrote into output_dir itself, without its lock, checkpoints and other folders."""
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if not name.startswith(".") and os.path.isfile(path):
            yield path


class WandB(Callback):
    """Sends a run to Weights & Biases.

    project, entity, name, mode, run_id and log_model ("end", "checkpoint" or "false") come from
    wandb_project and so on where they are None; more goes to wandb.init().  A run that the program
    has begun itself is used and left open.
    """

    def __init__(self, project: Optional[str] = None, *, entity: Optional[str] = None,
                 name: Optional[str] = None, mode: Optional[str] = None,
                 run_id: Optional[str] = None, log_model: Optional[str] = None,
                 **more: Any) -> None:
        self._wandb = _package("wandb", "WandB")
        self._given = {"project": project, "entity": entity, "name": name, "mode": mode,
                       "run_id": run_id, "log_model": log_model}
        self._more = more
        self._log_model: Any = None
        self._own = False

    def on_begin(self, run: Run, record: RunRecord) -> None:
        chosen = {key: run.config.get("wandb_" + key) if value is None else value
                  for key, value in self._given.items()}
        self._log_model = chosen.pop("log_model")
        run_id = chosen.pop("run_id")
        if run_id is not None:
            chosen.update(id=run_id, resume="allow")
        config = run.config.to_dict()
        self._own = self._wandb.run is None
        if self._own:
            self._wandb.init(config=config, **{k: v for k, v in chosen.items() if v is not None},
                             **self._more)
        else:
            self._wandb.config.update(config, allow_val_change=True)
        self._wandb.define_metric("train/global_step")
        self._wandb.define_metric("*", step_metric="train/global_step")

    def _log(self, record: RunRecord) -> None:
        named = {"eval/" + k[5:] if k.startswith("eval_") else "train/" + k: v
                 for k, v in _numbers(record).items()}
        self._wandb.log({**named, "train/global_step": record.step})

    def on_step(self, run: Run, record: RunRecord) -> None:
        self._log(record)

    def on_evaluation(self, run: Run, record: RunRecord) -> None:
        self._log(record)

    def on_save(self, run: Run, record: RunRecord) -> None:
        if self._log_model == "checkpoint":
            artifact = self._wandb.Artifact(f"checkpoint-{self._wandb.run.id}", type="model",
                                            metadata={"step": record.step})
            artifact.add_dir(record.path)
            self._wandb.log_artifact(artifact, aliases=[f"step-{record.step}"])

    def on_end(self, run: Run, record: RunRecord) -> None:
        if self._log_model in ("checkpoint", "end"):
            artifact = self._wandb.Artifact(f"model-{self._wandb.run.id}", type="model",
                                            metadata={"step": record.step})
            for path in _result_files(record.path or ""):
                artifact.add_file(path)
            self._wandb.log_artifact(artifact, aliases=["final_model"])
        if self._own:
            self._wandb.finish()

    def on_failure(self, run: Run, error: BaseException) -> None:
        if self._own and self._wandb.run is not None:
            self._wandb.finish(exit_code=1)


class MLflow(Callback):
    """Sends a run to MLflow.

    experiment_name, tracking_uri and run_name come from mlflow_experiment_name and so on where they
    are None, log_artifacts (checkpoints and result) from hf_mlflow_log_artifacts.  A run that the
    program has begun itself is used and left open.
    """

    def __init__(self, experiment_name: Optional[str] = None, *,
                 tracking_uri: Optional[str] = None, run_name: Optional[str] = None,
                 log_artifacts: Optional[bool] = None) -> None:
        self._mlflow = _package("mlflow", "MLflow")
        self._given = {"experiment_name": experiment_name, "tracking_uri": tracking_uri,
                       "run_name": run_name}
        self._log_artifacts = log_artifacts
        self._own = False

    def on_begin(self, run: Run, record: RunRecord) -> None:
        chosen = {key: run.config.get("mlflow_" + key) if value is None else value
                  for key, value in self._given.items()}
        if self._log_artifacts is None:
            self._log_artifacts = bool(run.config.get("hf_mlflow_log_artifacts", False))
        if chosen["tracking_uri"]:
            self._mlflow.set_tracking_uri(chosen["tracking_uri"])
        self._own = self._mlflow.active_run() is None
        if self._own:
            if chosen["experiment_name"]:
                self._mlflow.set_experiment(chosen["experiment_name"])
            self._mlflow.start_run(run_name=chosen["run_name"])
        params = [(k, v) for k, v in _flat(run.config.to_dict()) if len(v) <= PARAM_LENGTH]
        for at in range(0, len(params), PARAMS_IN_ONE_CALL):
            self._mlflow.log_params(dict(params[at:at + PARAMS_IN_ONE_CALL]))

    def on_step(self, run: Run, record: RunRecord) -> None:
        self._mlflow.log_metrics(_numbers(record), step=record.step)

    def on_evaluation(self, run: Run, record: RunRecord) -> None:
        self._mlflow.log_metrics(_numbers(record), step=record.step)

    def on_save(self, run: Run, record: RunRecord) -> None:
        if self._log_artifacts:
            self._mlflow.log_artifacts(record.path,
                                       artifact_path=os.path.basename(record.path or ""))

    def on_end(self, run: Run, record: RunRecord) -> None:
        if self._log_artifacts:
            for path in _result_files(record.path or ""):
                self._mlflow.log_artifact(path)
        if self._own:
            self._mlflow.end_run()

    def on_failure(self, run: Run, error: BaseException) -> None:
        if self._own and self._mlflow.active_run() is not None:
            self._mlflow.end_run(status="KILLED" if isinstance(error, KeyboardInterrupt)
                                 else "FAILED")


def _flat(tree: Any, prefix: str = "") -> Iterator[Tuple[str, str]]:
    """Leaves by dotted path, as text; MLflow allows no brackets in names."""
    if isinstance(tree, Mapping):
        children = [(f"{prefix}.{key}" if prefix else str(key), v) for key, v in tree.items()]
    elif isinstance(tree, list):
        children = [(f"{prefix}.{i}", v) for i, v in enumerate(tree)]
    else:
        yield prefix, str(tree)
        return
    for name, child in children:
        yield from _flat(child, name)
