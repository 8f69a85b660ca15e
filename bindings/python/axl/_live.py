# SPDX-License-Identifier: Apache-2.0
"""What a run says while it trains: records of the logger "axl", and on a terminal one live line.

The line is taken away before anything else is said, and is cut to the width that the terminal has
then, since a wrapped line cannot be taken back.
"""
from __future__ import annotations

import dataclasses
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Optional

from ._core import Progress

if TYPE_CHECKING:
    from ._run import RunRecord

_CLEAR = "\r\x1b[K"
_USUAL_WIDTH = 80
_LOGGED = ("step", "evaluation")


def duration(seconds: float) -> str:
    """Such as 7s, 2m05s and 3h20m."""
    s = int(seconds + 0.5) if 0 < seconds < 1e9 else 0
    if s >= 3600:
        return f"{s // 3600}h{s // 60 % 60:02}m"
    return f"{s // 60}m{s % 60:02}s" if s >= 60 else f"{s}s"


def line_of(record: "RunRecord") -> str:
    """A step or an evaluation as one line."""
    head = f"step {record.step}/{record.total_steps}  epoch {record.epoch:.2f}"
    shown = (("loss", record.loss, ".4f"), ("grad_norm", record.grad_norm, ".3f"),
             ("lr", record.learning_rate, ".3e"), ("eval_loss", record.eval_loss, ".4f"),
             ("perplexity", record.eval_perplexity, ".3f"))
    numbers = [f"  {name} {value:{form}}" for name, value, form in shown if value is not None]
    return head + "".join(numbers)


def log(record: "RunRecord") -> None:
    """One record of the logger "axl" at INFO for a logged step or an evaluation; its numbers are
    attributes with the names of RunRecord's."""
    logger = logging.getLogger("axl")
    if record.event in _LOGGED and logger.isEnabledFor(logging.INFO):
        logger.info(line_of(record), extra={
            name: value for name, value in dataclasses.asdict(record).items() if value is not None})


class Live:
    """The line under what a run says."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._shown = False
        self._pace: Optional["RunRecord"] = None
        self._at = 0.0  # when the pace was told

    def hide(self) -> None:
        """Before anything else is said."""
        if self._shown:
            self._write(_CLEAR)
        self._shown = False

    def show(self, record: "RunRecord") -> None:
        """After an event of the run, when others have been told of it."""
        if record.event in ("begin", "step"):
            self._pace, self._at = record, time.monotonic()
        if record.event == "end" or record.step >= record.total_steps > 0:
            self._pace = None
        else:
            self._draw_pace()

    def __call__(self, progress: Progress) -> None:
        """How far a call is.  In a batch of training the pace is shown: its time goes on."""
        if progress.phase == "train":
            self._draw_pace()
        elif progress.total and progress.done >= progress.total:
            self.hide()
        elif progress.total:
            unit, name = (10**6, " MB") if progress.phase == "download" else (1, "")
            done, total = progress.done // unit, -(-progress.total // unit)
            self._draw(f"{progress.phase} {done}/{total}{name}")

    def _draw_pace(self) -> None:
        r = self._pace
        if r is None:
            return
        said = f"step {r.step}/{r.total_steps}"
        if r.loss is not None:
            said += f"  loss {r.loss:.4g}"
        if r.tokens_per_second is not None:
            rate = r.tokens_per_second
            said += f"  {rate:.0f} tokens/s" if rate < 99999.5 else f"  {rate / 1000:.0f}k tokens/s"
        if r.eta_seconds is not None:
            said += f"  ETA {duration(r.eta_seconds - (time.monotonic() - self._at))}"
        self._draw(said)

    def _draw(self, said: str) -> None:
        # The last column stays free: some terminals wrap when it is written.
        self._write(_CLEAR + said[:self._width() - 1])
        self._shown = True

    def _width(self) -> int:
        try:
            return max(os.get_terminal_size(self._stream.fileno()).columns, 0) or _USUAL_WIDTH
        except (OSError, ValueError, AttributeError):
            return _USUAL_WIDTH

    def _write(self, what: str) -> None:
        """A terminal that has gone away does not end the run."""
        if self._stream is None:
            return
        try:
            self._stream.write(what)
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None


def live() -> Optional[Live]:
    """The live line of standard error, None where that is no terminal that can take a line back."""
    stream = sys.stderr
    try:
        terminal = stream is not None and stream.isatty()
    except (AttributeError, ValueError):  # replaced by the program, or closed
        terminal = False
    return Live(stream) if terminal and os.environ.get("TERM", "dumb") not in ("", "dumb") else None
