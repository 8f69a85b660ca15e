# SPDX-License-Identifier: Apache-2.0
"""The whole of a config."""
from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from typing import Any, Callable, Mapping, NamedTuple, Optional

from . import _abi
from ._config import Config
from ._core import Context, Handle, calls, options, text
from ._library import lib


@dataclass(frozen=True)
class RunRecord:
    """One line of training_log.jsonl as it comes; of a step eval_loss and eval_perplexity are None,
    of an evaluation the step's own."""
    step: int
    total_steps: int
    epoch: float
    loss: Optional[float]
    grad_norm: Optional[float]
    learning_rate: Optional[float]
    tokens_per_second: Optional[float]
    eval_loss: Optional[float]
    eval_perplexity: Optional[float]


class Evaluation(NamedTuple):
    """The validation split's loss, a mean over its trained tokens."""
    loss: float
    rows: int
    tokens: int

    @property
    def perplexity(self) -> float:
        """exp(loss); infinite where that is too large."""
        return math.exp(self.loss) if self.loss < 709 else math.inf


def _evaluate(function: Any, subject: Any) -> Optional[Evaluation]:
    e = _abi.axl_evaluation.init()
    status = calls.run(function, subject, ctypes.byref(e))
    return None if status == _abi.AXL_END else Evaluation(e.loss, e.rows, e.tokens)


def _number(value: float) -> Optional[float]:
    return None if value != value else value


class Run(Handle):
    """Everything that a config names, loaded and checked.

    record(RunRecord) is called after each line of the log; a true result or an exception stops the
    run after a checkpoint.  resume is a checkpoint's folder, "auto" for the newest one, or None:
    as the config says.
    """
    _type = _abi.axl_run
    _free = "axl_run_free"

    def __init__(self, config: Config, *, record: Optional[Callable[[RunRecord], Any]] = None,
                 resume: Any = None) -> None:
        def on_record(_user: Any, pointer: Any) -> int:
            def tell():
                r = pointer.contents
                return record(RunRecord(
                    r.step, r.total_steps, r.epoch, *map(_number, (
                        r.loss, r.grad_norm, r.learning_rate, r.tokens_per_second, r.eval_loss,
                        r.eval_perplexity))))
            return calls.inside(tell)

        self._record = _abi.axl_record_fn(on_record) if record else None
        self._fill(config.context, lib.axl_run_new, config, ctypes.byref(options(
            _abi.axl_run_options, record=self._record, resume=text(resume))))

    def train(self) -> str:
        """Train to the end; the folder of the result."""
        calls.run(lib.axl_run_train, self)
        return self.output_dir

    def evaluate(self) -> Optional[Evaluation]:
        """The validation split's loss; None when there is no such data."""
        return _evaluate(lib.axl_run_evaluate, self)

    @property
    def output_dir(self) -> str:
        """Where the result is."""
        return lib.axl_run_output_dir(self.pointer).decode("utf-8", "surrogateescape")


def as_config(config: Any, context: Optional[Context], overrides: Mapping[str, Any]) -> Config:
    """A Config from the path of a YAML file, a mapping of its keys, or a Config."""
    if isinstance(config, Config):
        if overrides:
            raise TypeError("a Config is complete; give the overrides to Config.open()")
        return config
    if isinstance(config, Mapping):
        return Config.parse(config, context=context, overrides=overrides)
    return Config.open(config, context=context, overrides=overrides)


def finetune(config: Any, *, context: Optional[Context] = None,
             record: Optional[Callable[[RunRecord], Any]] = None, resume: Any = None,
             **overrides: Any) -> str:
    """Train what a config says and return the folder of the result.

    config is the path of a YAML file, a mapping of its keys, or a Config; overrides lie over it:
    finetune("qlora.yml", learning_rate=1e-4, axl={"threads": 2}).
    """
    with Run(as_config(config, context, overrides), record=record, resume=resume) as run:
        return run.train()


def evaluate(config: Any, *, context: Optional[Context] = None,
             **overrides: Any) -> Optional[Evaluation]:
    """The validation split's loss with what finetune() with the same arguments trained: the adapter
    in output_dir, else the one in lora_model_dir, else the base model alone (a warning says so).
    None when the config has no validation data."""
    return _evaluate(lib.axl_evaluate, as_config(config, context, overrides))
