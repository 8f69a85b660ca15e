# SPDX-License-Identifier: Apache-2.0
"""Learning-rate schedules."""
from __future__ import annotations

import ctypes
from typing import Any, Optional

from . import _abi
from ._config import Config
from ._core import calls, options
from ._library import lib

KINDS = {
    "constant": _abi.AXL_SCHEDULE_CONSTANT, "linear": _abi.AXL_SCHEDULE_LINEAR,
    "cosine": _abi.AXL_SCHEDULE_COSINE, "polynomial": _abi.AXL_SCHEDULE_POLYNOMIAL,
    "cosine_with_restarts": _abi.AXL_SCHEDULE_COSINE_WITH_RESTARTS,
    "inverse_sqrt": _abi.AXL_SCHEDULE_INVERSE_SQRT,
    "cosine_after_warmup": _abi.AXL_SCHEDULE_COSINE_AFTER_WARMUP,
    "warmup_stable_decay": _abi.AXL_SCHEDULE_WARMUP_STABLE_DECAY,
    "rex": _abi.AXL_SCHEDULE_REX, "one_cycle": _abi.AXL_SCHEDULE_ONE_CYCLE,
    "reduce_on_plateau": _abi.AXL_SCHEDULE_REDUCE_ON_PLATEAU}
SHAPES = {
    "default": _abi.AXL_SHAPE_DEFAULT, "linear": _abi.AXL_SHAPE_LINEAR,
    "cosine": _abi.AXL_SHAPE_COSINE, "1-sqrt": _abi.AXL_SHAPE_ONE_MINUS_SQRT,
    "quadratic": _abi.AXL_SHAPE_QUADRATIC}
_FIELDS = {name for name, _ in _abi.axl_schedule_options._fields_} - {"size", "kind"}


class Schedule:
    """The share of the peak rate that each step trains with: one of KINDS and the fields of
    axl_schedule_options, such as warmup_steps, total_steps and min_ratio; shapes are of SHAPES."""

    def __init__(self, kind: str = "constant", **settings: Any) -> None:
        if kind not in KINDS:
            raise ValueError(f"schedule must be one of {', '.join(KINDS)}, got {kind!r}")
        for name, value in settings.items():
            if name not in _FIELDS:
                raise TypeError(f"a schedule has no {name!r}")
            if name.endswith("_shape") and value is not None:
                if value not in SHAPES:
                    raise ValueError(f"{name} must be one of {', '.join(SHAPES)}, got {value!r}")
                settings[name] = SHAPES[value]
        self.options = options(_abi.axl_schedule_options, kind=KINDS[kind], **settings)

    @classmethod
    def from_config(cls, config: Config, total_steps: int) -> "Schedule":
        """The schedule of a config; total_steps is Loader.total_steps."""
        made = cls()
        calls.run(lib.axl_schedule_from_config, ctypes.byref(made.options), config, total_steps)
        return made

    def share(self, step: int) -> float:
        """Of the peak rate, at a step counted from 0."""
        share = ctypes.c_double()
        calls.run(lib.axl_schedule_share, ctypes.byref(self.options), step, ctypes.byref(share))
        return share.value


def as_schedule(schedule: Any, warmup_steps: Optional[int], total_steps: Optional[int]) -> Schedule:
    """A name with the two that most need, or a Schedule that has them already."""
    if not isinstance(schedule, Schedule):
        return Schedule(schedule or "constant", warmup_steps=warmup_steps, total_steps=total_steps)
    if warmup_steps is not None or total_steps is not None:
        raise TypeError("warmup_steps and total_steps belong into the Schedule")
    return schedule
