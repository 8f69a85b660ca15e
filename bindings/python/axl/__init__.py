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

Tokenizer.encode() and generate_ids() give lists of ids.  All else that holds numbers (Sample, Batch,
tensors, gradients, logits, losses, hidden states) has arrays: NumPy's where it is installed, else
memoryviews, int32 or float32 and of the shape that is said.  What is given may be a list, an array of
any integers where ids are wanted, of any numbers where floats are; no float and no bool is an id.  A
wrong type is a TypeError, a wrong value or shape a ValueError.

What is made without a context shares default_context().  Handles (Model, Dataset, Trainer, …) are
equal when they are the same, and are never copied or pickled; Sample, Batch, Schedule and what
functions give back are plain values.  Messages and steps go to logging.getLogger("axl").

Ctrl-C ends a long call with KeyboardInterrupt and leaves its handle as before, or, where the call
was just ending, as after it.
"""
from . import callbacks
from ._config import Config, Diagnostic
from ._core import (
    AbiError, BusyError, Cancel, Cancelled, ConfigError, Context, DataError, DeviceError, Error,
    ForkedError, FormatError, InputOutputError, InvalidError, Job, NotFound, NumericError,
    OutOfMemory, Progress, UnsupportedError, default_context, set_default_context)
from ._data import (
    IGNORE, Batch, Cursor, Dataset, DatasetStats, Loader, Prepared, Sample, Template, Tokenizer,
    dataset_types, register_dataset_type)
from ._library import LibraryError, lib as _lib
from ._plan import Plan, estimate, plan
from ._run import Callback, Evaluation, Run, RunRecord, evaluate, finetune
from ._schedule import Schedule
from ._sweep import SweepRun, sweep
from ._training import (
    Adapter, AdapterInfo, Continuation, ContinuationIds, Logits, Model, ModelInfo, StepStats,
    Trainer, generate, generate_ids)
from ._values import text as _text

__version__: str = _lib.axl_version().decode()  #: the library's


def feature(name: str) -> bool:
    """Whether the library has "onednn", "curl", "lz4", "zstd", or a backend such as "cpu"."""
    return bool(_lib.axl_feature_supported(_text(name, "name")))


__all__ = [
    "AbiError", "Adapter", "AdapterInfo", "Batch", "BusyError", "Callback", "Cancel", "Cancelled", "Config",
    "ConfigError", "Context", "Continuation",
    "ContinuationIds", "Cursor", "DataError", "Dataset", "DatasetStats", "DeviceError",
    "Diagnostic", "Error", "Evaluation", "ForkedError", "FormatError", "IGNORE",
    "InputOutputError", "InvalidError", "Job", "LibraryError", "Loader", "Logits",
    "Model", "ModelInfo", "NotFound",
    "NumericError", "OutOfMemory", "Plan", "Prepared", "Progress", "Run", "RunRecord", "Sample", "Schedule",
    "StepStats", "SweepRun", "Template", "Tokenizer", "Trainer", "UnsupportedError", "callbacks",
    "dataset_types", "default_context", "estimate", "evaluate", "feature", "finetune", "generate", "generate_ids",
    "plan", "register_dataset_type", "set_default_context", "sweep"]
