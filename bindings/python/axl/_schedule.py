# SPDX-License-Identifier: Apache-2.0
"""Learning-rate schedules."""
from __future__ import annotations

import ctypes
from typing import Any, Optional

from . import _abi
from ._config import Config
from ._core import calls
from ._library import lib
from ._values import choice, instance, options, whole

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
_FIELDS = {field[0] for field in _abi.axl_schedule_options._fields_} - {"size", "kind"}


class Schedule:
    """The share of the peak rate that each step trains with: one of KINDS and the fields of
    axl_schedule_options, such as warmup_steps, total_steps and min_ratio (a share of the peak);
    shapes are of SHAPES.  It may be copied and pickled; two are equal when all their fields are."""

    def __init__(self, kind: str = "constant", **settings: Any) -> None:
        number = choice("schedule", KINDS, kind)
        if number is None:
            raise TypeError(f"schedule must be one of {', '.join(KINDS)}, not None")
        for name, value in settings.items():
            if name not in _FIELDS:
                raise TypeError(f"a schedule has no {name!r}")
            if name.endswith("_shape"):
                settings[name] = choice(name, SHAPES, value)
        self.options = options(_abi.axl_schedule_options, kind=number, **settings)

    @classmethod
    def from_config(cls, config: Config, total_steps: int) -> "Schedule":
        """The schedule of a config; total_steps is Loader.total_steps."""
        instance(config, Config, "config")
        made = cls()
        calls.run(lib.axl_schedule_from_config, ctypes.byref(made.options), config,
                  whole(total_steps, "total_steps"))
        return made

    def __eq__(self, other: object) -> bool:
        return (bytes(self.options) == bytes(other.options) if isinstance(other, Schedule)
                else NotImplemented)

    def __hash__(self) -> int:
        return hash(bytes(self.options))

    def __repr__(self) -> str:
        usual, words = _abi.axl_schedule_options.init(), {v: k for k, v in SHAPES.items()}
        said = [repr({v: k for k, v in KINDS.items()}.get(self.options.kind, "?"))]
        for field in usual._fields_:
            name = field[0]
            value = getattr(self.options, name)
            if name in _FIELDS and value != getattr(usual, name):
                value = words.get(value, "?") if name.endswith("_shape") else value
                said.append(f"{name}={value!r}")
        return f"axl.Schedule({', '.join(said)})"

    def share(self, step: int) -> float:
        """Of the peak rate, at a step counted from 0: 0 to 1."""
        share = ctypes.c_double()
        calls.run(lib.axl_schedule_share, ctypes.byref(self.options),
                  whole(step, "step"), ctypes.byref(share))
        return share.value


def as_schedule(schedule: Any, warmup_steps: Optional[int], total_steps: Optional[int]) -> Schedule:
    """A name with the two that most need, or a Schedule that has them already."""
    if not isinstance(schedule, Schedule):
        return Schedule(schedule or "constant", warmup_steps=warmup_steps, total_steps=total_steps)
    if warmup_steps is not None or total_steps is not None:
        raise TypeError("warmup_steps and total_steps belong into the Schedule")
    return schedule
