# SPDX-License-Identifier: Apache-2.0
"""The whole of a config."""
from __future__ import annotations

import ctypes
import logging
import math
import os
import weakref
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Optional, Tuple, Union

from . import _abi, _live
from ._config import Config
from ._core import Context, Handle, Progress, calls
from ._data import Dataset, Tokenizer
from ._library import lib
from ._training import Adapter, Model, Trainer, named
from ._values import came, function as a_function, instance, is_bool, options


@dataclass(frozen=True)
class RunRecord:
    """Something that happened in a run; a number that the event does not have is None.

    event is "begin", "step", "evaluation", "save" or "end"; step counts the steps done; loss is a
    mean over the tokens since the last logged step, grad_norm is before clipping; tokens and
    trained_tokens count input tokens without padding since step 1; skipped_steps had a loss or
    gradient that was not finite; seconds are since the run began, resumed or not; path is the
    folder that was written.
    """
    event: str  #: "begin", "step", "evaluation", "save", "end"
    step: int   #: steps done
    total_steps: int
    epoch: float
    loss: Optional[float]               #: a mean over the tokens since the last logged step
    grad_norm: Optional[float]          #: before clipping
    learning_rate: Optional[float]
    tokens_per_second: Optional[float]  #: input tokens without padding
    eval_loss: Optional[float]
    eval_perplexity: Optional[float]
    eval_seconds: Optional[float]
    tokens: int                         #: input tokens since step 1
    trained_tokens: int
    skipped_steps: int                  #: whose loss or gradient was not finite
    seconds: float                      #: since the run began, resumed or not
    eta_seconds: Optional[float]
    peak_rss_bytes: int
    path: Optional[str]                 #: the folder that was written


class Callback:
    """Told of a run's events, in the thread that trains; derive from it what is of use.  A true
    result or an exception stops the run after a checkpoint."""

    def on_begin(self, run: "Run", record: RunRecord) -> Any:
        """Training begins, or goes on behind record.step."""

    def on_step(self, run: "Run", record: RunRecord) -> Any:
        """A step was logged."""

    def on_evaluation(self, run: "Run", record: RunRecord) -> Any:
        """The validation split was evaluated."""

    def on_save(self, run: "Run", record: RunRecord) -> Any:
        """A checkpoint is in record.path."""

    def on_end(self, run: "Run", record: RunRecord) -> Any:
        """The result is in record.path."""

    def on_failure(self, run: "Run", error: BaseException) -> None:
        """The run was stopped or failed; the exception is raised after this."""


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


_EVENTS = {_abi.AXL_RUN_BEGIN: "begin", _abi.AXL_RUN_STEP: "step",
           _abi.AXL_RUN_EVALUATION: "evaluation", _abi.AXL_RUN_SAVE: "save",
           _abi.AXL_RUN_END: "end"}


def _number(value: float) -> Optional[float]:
    return None if value != value else value


def _record(r: Any) -> RunRecord:
    return RunRecord(
        event=_EVENTS.get(r.event, ""), step=r.step, total_steps=r.total_steps, epoch=r.epoch,
        loss=_number(r.loss), grad_norm=_number(r.grad_norm),
        learning_rate=_number(r.learning_rate), tokens_per_second=_number(r.tokens_per_second),
        eval_loss=_number(r.eval_loss), eval_perplexity=_number(r.eval_perplexity),
        eval_seconds=_number(r.eval_seconds), tokens=r.n_tokens, trained_tokens=r.n_trained,
        skipped_steps=r.n_skipped,
        seconds=r.seconds, eta_seconds=_number(r.eta_seconds), peak_rss_bytes=r.peak_rss_bytes,
        path=None if r.path is None else r.path.decode("utf-8", "surrogateescape"))


def _callbacks(given: Iterable[Callback]) -> Tuple[Callback, ...]:
    try:
        listed = tuple(given)
    except TypeError:
        raise TypeError(f"callbacks must be a list of axl.Callback, got {came(given)}") from None
    for i, callback in enumerate(listed):
        instance(callback, Callback, f"callbacks[{i}]")
    return listed


class Run(Handle):
    """Everything that a config names, loaded and checked.

    record(RunRecord) is called after each line of the log (a step or an evaluation); a true result
    or an exception stops the run after a checkpoint.  callbacks are told of every event.  resume is
    a checkpoint's folder, "auto" for the newest one, or None: as the config says.  train, and with it
    validation, are data sets of your own in place of the config's.  Each step and evaluation is
    also a record of logging.getLogger("axl"), at INFO, with RunRecord's numbers as attributes.
    """
    _type = _abi.axl_run
    _free = "axl_run_free"
    _line: Optional[_live.Live] = None

    def __init__(self, config: Config, *, record: Optional[Callable[[RunRecord], Any]] = None,
                 callbacks: Iterable[Callback] = (), resume: Any = None,
                 train: Optional[Dataset] = None, validation: Optional[Dataset] = None) -> None:
        self.config = instance(config, Config, "config")
        a_function(record, "record")
        self._callbacks = _callbacks(callbacks)
        instance(train, Dataset, "train", none=True)
        instance(validation, Dataset, "validation", none=True)
        self._kept = tuple(k for data in (train, validation) if data for k in data._kept)
        this = weakref.ref(self)  # the library's handle holds on_record, and this object the handle

        def on_record(_user: Any, pointer: Any) -> int:
            run = this()
            assert run
            return calls.inside(run._tell, _record(pointer.contents), record)

        self._record = _abi.axl_record_fn(on_record)
        self._fill(config.context, lib.axl_run_new, config, ctypes.byref(options(
            _abi.axl_run_options, record=self._record, resume=resume,
            train=None if train is None else train.pointer,
            validation=None if validation is None else validation.pointer)))

    @property
    def model(self) -> Model:
        """The run's model, for callbacks to compute with; lent while it is told of something where
        its own weights are trained."""
        return named(Model._lent(self, lib.axl_run_model(self.pointer)),
                     self.config.get("base_model"))

    @property
    def adapter(self) -> Optional[Adapter]:
        """The adapter that is trained; None where all weights are."""
        return Adapter._lent(self, lib.axl_run_adapter(self.pointer))

    @property
    def trainer(self) -> Trainer:
        """The trainer, to be read."""
        made = Trainer._lent(self, lib.axl_run_trainer(self.pointer))
        made._model = self.model
        return made

    @property
    def tokenizer(self) -> Tokenizer:
        """The run's tokenizer."""
        return Tokenizer._lent(self, lib.axl_run_tokenizer(self.pointer))

    def _about(self) -> str:
        return f"{self.trainer.steps} steps done, into {self.output_dir}"

    def _tell(self, event: RunRecord, record: Optional[Callable[[RunRecord], Any]]) -> bool:
        stop = False
        if self._line:
            self._line.hide()
        _live.log(event)
        if record and event.event in ("step", "evaluation"):
            stop = bool(record(event))
        for callback in self._callbacks:
            if event.event:
                stop = bool(getattr(callback, "on_" + event.event)(self, event)) or stop
        if self._line:
            self._line.show(event)
        return stop

    def train(self) -> str:
        """Train to the end; the folder of the result."""
        try:
            calls.run(lib.axl_run_train, self)
        except BaseException as e:
            for callback in self._callbacks:
                callback.on_failure(self, e)
            raise
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
        if context not in (None, config.context):
            raise TypeError("a Config has its context; give another to Config.open()")
        return config
    if not isinstance(config, (str, bytes, os.PathLike, Mapping)):
        raise TypeError("config must be the path of a YAML file, a mapping of its keys or an "
                        f"axl.Config, got {came(config)}")
    read: Callable[..., Config] = Config.parse if isinstance(config, Mapping) else Config.open
    made = read(config, context=context, overrides=overrides)
    own = {name: made.get("axl." + name) for name in ("threads", "isa", "onednn")}
    if context or (own["threads"], own["isa"], own["onednn"]) == (None, None, True):
        return made
    return _with_context_of_its_own(
        lambda made: read(config, context=made, overrides=overrides),
        {name: value for name, value in own.items() if value is not None})


def _with_context_of_its_own(read: Callable[[Context], Config], own: Mapping[str, Any]) -> Config:
    """A config that says what context it wants, read again with that; what there was to log of it
    was logged the first time."""
    reading = True

    def log(level: int, message: str) -> None:
        if not reading:
            logging.getLogger("axl").log(level, message)

    made = read(Context(log=log, **own))
    reading = False
    return made


_Progress = Union[None, bool, Callable[[Progress], Any]]


def finetune(config: Any, *, context: Optional[Context] = None,
             record: Optional[Callable[[RunRecord], Any]] = None,
             callbacks: Iterable[Callback] = (), resume: Any = None, progress: _Progress = None,
             **overrides: Any) -> str:
    """Train what a config says and return the folder of the result.

    config is the path of a YAML file, a mapping of its keys, or a Config; overrides lie over it:
    finetune("qlora.yml", learning_rate=1e-4, axl={"threads": 2}).  record, callbacks and resume are
    those of Run, and so is what is logged.

    On a terminal one live line of standard error tells the step, the loss, tokens a second and the
    time that is left; progress=False leaves it out.  progress may be a function instead: it is
    called with a Progress at most ten times a second, beside the context's own, and a true result
    stops the run.
    """
    if progress is None or is_bool(progress):
        watcher: Any = None if progress is not None and not progress else _live.live()
    else:
        watcher = a_function(progress, "progress")
    line = watcher if isinstance(watcher, _live.Live) else None
    try:
        with calls.watched(watcher), Run(as_config(config, context, overrides), record=record,
                                         callbacks=callbacks, resume=resume) as run:
            run._line = line
            return run.train()
    finally:
        if line:
            line.hide()


def evaluate(config: Any, *, context: Optional[Context] = None,
             **overrides: Any) -> Optional[Evaluation]:
    """The validation split's loss with what finetune() with the same arguments trained: the adapter
    in output_dir, else the one in lora_model_dir, else the base model alone (a warning says so).
    None when the config has no validation data."""
    return _evaluate(lib.axl_evaluate, as_config(config, context, overrides))
