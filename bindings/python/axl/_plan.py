# SPDX-License-Identifier: Apache-2.0
"""What a run will take, before anything large is loaded."""
from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Optional, Sequence

from . import _abi
from ._core import Context, calls, context_or_default
from ._library import lib
from ._run import as_config
from ._training import model_options
from ._values import names, options, path as a_path


@dataclass(frozen=True)
class Plan:
    """Bytes, and of a whole run its steps and seconds (0 from estimate()).  host_limit_bytes is
    what peak_rss_bytes may be, None where nothing says so; device_bytes and its limit are 0 where
    the device has no memory of its own."""
    weights_bytes: int
    activation_bytes: int
    optimizer_bytes: int
    peak_rss_bytes: int
    host_limit_bytes: Optional[int]
    device_bytes: int
    device_limit_bytes: Optional[int]
    steps: int
    tokens_per_step: int
    seconds: float


def _taken(p: Any) -> Plan:
    host, device = (None if limit == 2**64 - 1 else limit
                    for limit in (p.host_limit_bytes, p.device_limit_bytes))
    return Plan(p.weights_bytes, p.activation_bytes, p.optimizer_bytes, p.peak_rss_bytes, host,
                p.device_bytes, device, p.steps, p.tokens_per_step, p.seconds)


def plan(config: Any, *, context: Optional[Context] = None, **overrides: Any) -> Plan:
    """What finetune() with the same arguments will take.  The data is tokenised, the weights are
    not read; the time is measured on two layers of the model's shape for about a second."""
    cfg, out = as_config(config, context, overrides), _abi.axl_plan.init()
    calls.run(lib.axl_run_plan, cfg, ctypes.byref(out))
    return _taken(out)


def estimate(path: Any, max_tokens: int, *, context: Optional[Context] = None,
             backend: Optional[str] = None, compute: str = "auto", read: bool = False,
             rank: Optional[int] = None, target_modules: Optional[Sequence[str]] = None,
             dropout: Optional[float] = None, checkpointing: Optional[bool] = None,
             gradient_accumulation_steps: Optional[int] = None, weights: str = "stored",
             double_quant: bool = True, keep_modules: Optional[Sequence[str]] = None) -> Plan:
    """The memory of a loop of one's own: Model.open(path), Adapter and Trainer with these options,
    and batches of max_tokens at most."""
    targets, n = names([] if target_modules is None else target_modules, "target_modules")
    model = model_options(backend, compute, read, weights, double_quant, keep_modules)
    adapter = options(_abi.axl_adapter_options, rank=rank, dropout=dropout, target_modules=targets,
                      n_target_modules=n)
    trainer = options(_abi.axl_trainer_options, max_tokens=max_tokens, checkpointing=checkpointing,
                      gradient_accumulation_steps=gradient_accumulation_steps)
    out = _abi.axl_plan.init()
    calls.run(lib.axl_model_estimate, context_or_default(context), a_path(path), ctypes.byref(model),
              ctypes.byref(adapter), ctypes.byref(trainer), ctypes.byref(out))
    return _taken(out)
