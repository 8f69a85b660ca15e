# SPDX-License-Identifier: Apache-2.0
"""The combinations of a sweep."""
from __future__ import annotations

import ctypes
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from . import _abi
from ._config import as_json
from ._core import Context, Handle, calls, context_or_default
from ._library import lib
from ._values import path as a_path, string


class SweepRun(NamedTuple):
    """One combination: its folder's name, and overrides for Config.open() and finetune()."""
    name: str
    overrides: Dict[str, str]


class _Sweep(Handle):
    _type = _abi.axl_sweep
    _free = "axl_sweep_free"

    def runs(self) -> List[SweepRun]:
        """All of them."""
        made, run = [], _abi.axl_sweep_run.init()
        for i in range(lib.axl_sweep_count(self.pointer)):
            calls.run(lib.axl_sweep_get, self, i, ctypes.byref(run))
            lines = [string(run.overrides[k]) or "" for k in range(run.n_overrides)]
            made.append(SweepRun(string(run.name) or "", dict(x.split("=", 1) for x in lines)))
        return made


def sweep(source: Any, *, context: Optional[Context] = None) -> List[SweepRun]:
    """The runs of a sweep, in Axolotl's form and order: source is the path of a YAML file, or a
    mapping of keys to lists of values, with values that belong together under "_".

        for run in axl.sweep("sweep.yml"):
            axl.finetune("lora.yml", output_dir=f"out/{run.name}", **run.overrides)
    """
    context = context_or_default(context)
    if isinstance(source, Mapping):
        data = as_json(dict(source), "source").encode()
        with _Sweep._make(context, lib.axl_sweep_parse, context, data, len(data), None) as made:
            return made.runs()
    with _Sweep._make(context, lib.axl_sweep_open, context, a_path(source, "source")) as made:
        return made.runs()
