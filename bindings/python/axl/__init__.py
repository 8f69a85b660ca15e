# SPDX-License-Identifier: Apache-2.0
"""axl: one YAML file describes a fine-tuning run; this turns it into a LoRA adapter.

    axl.finetune("qlora.yml")

or piece by piece, with a loop of one's own (examples/finetune.py):

    config = axl.Config.open("qlora.yml")
    tokenizer = axl.Tokenizer.from_config(config)
    data = axl.Dataset.from_config(config, tokenizer)
    loader = axl.Loader.from_config(config, data)
    model = axl.Model.from_config(config)
    adapter = axl.Adapter.from_config(config, model)
    trainer = axl.Trainer.from_config(config, model, adapter, loader.total_steps)
    for batch in loader:
        trainer.forward_backward(batch)
        if trainer.ready:
            print(trainer.step())
    trainer.export("out")

Arrays are NumPy's where it is installed, else memoryviews.  Ctrl-C ends a long call with
KeyboardInterrupt and leaves its handle as before, or, where the call was just ending, as after it.
"""
from . import callbacks
from ._config import Config, Diagnostic
from ._core import (
    AbiError, BusyError, Cancel, Cancelled, ConfigError, Context, DataError, DeviceError, Error,
    ForkedError, FormatError, InputOutputError, InvalidError, Job, NotFound, NumericError,
    OutOfMemory, Progress, UnsupportedError)
from ._data import IGNORE, Batch, Cursor, Dataset, DatasetStats, Loader, Sample, Template, Tokenizer
from ._library import LibraryError, lib as _lib
from ._plan import Plan, estimate, plan
from ._run import Callback, Evaluation, Run, RunRecord, evaluate, finetune
from ._schedule import Schedule
from ._sweep import SweepRun, sweep
from ._training import (
    Adapter, Continuation, ContinuationIds, Logits, Model, ModelInfo, StepStats, Trainer, generate,
    generate_ids)

__version__: str = _lib.axl_version().decode()  #: the library's


def feature(name: str) -> bool:
    """Whether the library has "onednn", "curl", or a backend such as "cpu"."""
    return bool(_lib.axl_feature_supported(name.encode()))


__all__ = [
    "AbiError", "Adapter", "Batch", "BusyError", "Callback", "Cancel", "Cancelled", "Config",
    "ConfigError", "Context", "Continuation",
    "ContinuationIds", "Cursor", "DataError", "Dataset", "DatasetStats", "DeviceError",
    "Diagnostic", "Error", "Evaluation", "ForkedError", "FormatError", "IGNORE",
    "InputOutputError", "InvalidError", "Job", "LibraryError", "Loader", "Logits", "Model", "ModelInfo", "NotFound",
    "NumericError", "OutOfMemory", "Plan", "Progress", "Run", "RunRecord", "Sample", "Schedule",
    "StepStats", "SweepRun", "Template", "Tokenizer", "Trainer", "UnsupportedError", "callbacks", "estimate",
    "evaluate", "feature", "finetune", "generate", "generate_ids", "plan", "sweep"]
