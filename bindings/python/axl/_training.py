# SPDX-License-Identifier: Apache-2.0
"""Model, adapter, the training step, and generating."""
from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, NoReturn, Optional
from typing import Sequence, Tuple, Union

from . import _abi
from ._config import Config
from ._core import Context, Handle, calls, context_or_default, take_buffer
from ._data import Batch, Loader, Tokenizer
from ._library import lib
from ._memory import Source, collect, collect_model, config_text, file_list
from ._schedule import Schedule, as_schedule
from ._values import came, choice, flag, floats, function as a_function, instance, ints, names
from ._values import numbers, options, path as a_path, real, string, text, utf8, view, whole

COMPUTE = {"auto": _abi.AXL_COMPUTE_AUTO, "f32": _abi.AXL_COMPUTE_F32,
           "bf16": _abi.AXL_COMPUTE_BF16, "stored": _abi.AXL_COMPUTE_STORED}
WEIGHTS = {"stored": _abi.AXL_WEIGHTS_STORED, "nf4": _abi.AXL_WEIGHTS_NF4,
           "fp4": _abi.AXL_WEIGHTS_FP4, "int8": _abi.AXL_WEIGHTS_INT8}


def model_options(backend: Optional[str], compute: str, read: bool, weights: str,
                  double_quant: bool, keep_modules: Optional[Sequence[str]],
                  name: Optional[str] = None, reinit: bool = False,
                  seed: Optional[int] = None) -> _abi.axl_model_options:
    """What the constructors of a Model have in common."""
    kept, n = names([] if keep_modules is None else keep_modules, "keep_modules")
    return options(_abi.axl_model_options, backend=backend, name=name, read=read,
                   reinit=flag(reinit, "reinit"), seed=seed,
                   compute=choice("compute", COMPUTE, compute),
                   weights=choice("weights", WEIGHTS, weights), plain_scales=1 - flag(double_quant, "double_quant"),
                   keep_modules=None if keep_modules is None else kept, n_keep_modules=n)
_PRUNE = {"magnitude": _abi.AXL_PRUNE_MAGNITUDE, "random": _abi.AXL_PRUNE_RANDOM}
_AVERAGES = {"tokens": _abi.AXL_LOSS_TOKENS, "micro_batches": _abi.AXL_LOSS_MICRO_BATCHES}


def named(made: Any, source: Any) -> Any:
    """A handle that shows in its repr the last part of the path or name that it was made from."""
    if made is not None and source:
        made._name = os.path.basename(os.path.normpath(os.fsdecode(source)))
    return made


@dataclass(frozen=True)
class ModelInfo:
    """What a model is.  n_params are the base weights, a tied head counted once, weights_bytes what
    they take in memory; sizes are numbers of elements, max_seq_len of tokens; compute is "f32" or
    "bf16"; tied_head: the output head is the embedding; weights: "stored", or how linear layers are
    quantised, "nf4", "fp4" or "int8"."""
    n_params: int
    weights_bytes: int
    n_layers: int
    hidden_size: int
    intermediate_size: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    vocab_size: int
    max_seq_len: int
    compute: str
    tied_head: bool
    weights: str


class Model(Handle):
    """A language model: its weights, frozen unless a Trainer without an adapter trains them."""
    _type = _abi.axl_model
    _free = "axl_model_free"
    _instead = "the object can be shared; another process opens it again"

    @classmethod
    def open(cls, path: Any, *, context: Optional[Context] = None, backend: Optional[str] = None,
             compute: str = "auto", read: bool = False, weights: str = "stored",
             double_quant: bool = True, keep_modules: Optional[Sequence[str]] = None,
             reinit: bool = False, seed: Optional[int] = None) -> "Model":
        """Load a folder in Hugging Face form.  compute is "auto", "f32", "bf16" or "stored", what
        the file has; read=True reads the weights into memory instead of mapping the file.  weights
        "nf4", "fp4" or "int8" quantises the linear layers while loading, but for keep_modules
        (beginnings or ends of names; None: the output head); double_quant: the scales of 4 bits,
        too.  reinit=True reads config.json alone and draws weights anew, from a seed."""
        context = context_or_default(context)
        opts = model_options(backend, compute, read, weights, double_quant, keep_modules,
                             reinit=reinit, seed=seed)
        made = cls._make(context, lib.axl_model_open, context, a_path(path), ctypes.byref(opts))
        return named(made, path)

    @classmethod
    def from_files(cls, files: Mapping[str, Any], *, context: Optional[Context] = None,
                   backend: Optional[str] = None, compute: str = "auto", read: bool = False,
                   name: Optional[str] = None, weights: str = "stored", double_quant: bool = True,
                   keep_modules: Optional[Sequence[str]] = None) -> "Model":
        """Load a folder's files by name, {"config.json": bytes, "model.safetensors": bytes}, or its
        index and shards; anything with the buffer protocol will do, an mmap too.  Weights are used
        where they lie and must not change; read=True copies them.  name is what adapters call their
        base.  The rest is as in open()."""
        context = context_or_default(context)
        opts = model_options(backend, compute, read, weights, double_quant, keep_modules, name)
        array, held = file_list(files)
        made = cls._make(context, lib.axl_model_open_files, context, array, len(array),
                         ctypes.byref(opts), kept=() if read else held)
        return named(made, name)

    @classmethod
    def from_tensors(cls, config: Union[str, bytes, Mapping[str, Any]],
                     tensors: Union[Mapping[str, Any], Callable[[str], Any]], *,
                     context: Optional[Context] = None, backend: Optional[str] = None,
                     compute: str = "auto", read: bool = False, name: Optional[str] = None,
                     weights: str = "stored", double_quant: bool = True,
                     keep_modules: Optional[Sequence[str]] = None) -> "Model":
        """Load tensors by the names that safetensors files have.  config is config.json as a text or
        a dict; tensors maps names to values, or is a function that gives the value of a name, None
        where there is none.  A value is an array of NumPy or PyTorch, anything with the buffer
        protocol and a format, or a tuple ("f32", "bf16" or "f16", shape, bytes).  The rest is as in
        from_files(); with read=True a value need not outlive the call of the function after it."""
        context, source = context_or_default(context), Source(tensors, bool(flag(read, "read")))
        opts = model_options(backend, compute, read, weights, double_quant, keep_modules, name)
        data = config_text(config)
        made = cls._make(context, lib.axl_model_open_tensors, context, data, len(data),
                         source.function, None, ctypes.byref(opts))
        made._kept = () if read else tuple(source.kept)
        return named(made, name)

    @classmethod
    def from_config(cls, config: Config) -> "Model":
        """The model that a config names."""
        instance(config, Config, "config")
        made = cls._make(config.context, lib.axl_model_from_config, config)
        return named(made, config.get("base_model"))

    def resize_embeddings(self, n_tokens: int, config: Optional[Config] = None) -> None:
        """A row for each of n_tokens, len() of a tokenizer, in the embedding and the head: as a
        config's keys say, or, without one, exactly so many where there are fewer.  Before there is
        an adapter or a trainer."""
        instance(config, Config, "config", none=True)
        calls.run(lib.axl_model_resize_embeddings, self, config, n_tokens)

    def _about(self) -> str:
        info = self.info
        return f"{info.n_layers} layers, {info.n_params:,} parameters, {info.compute}"

    @property
    def info(self) -> ModelInfo:
        """What the model is."""
        i = _abi.axl_model_info.init()
        calls.run(lib.axl_model_get_info, self, ctypes.byref(i))
        compute = {number: name for name, number in COMPUTE.items()}.get(i.compute, "?")
        weights = {number: name for name, number in WEIGHTS.items()}.get(i.weights, "?")
        return ModelInfo(i.n_params, i.weights_bytes, i.n_layers, i.hidden_size,
                         i.intermediate_size, i.n_heads, i.n_kv_heads, i.head_dim, i.vocab_size,
                         i.max_seq_len, compute, bool(i.tied_head), weights)

    def save(self, folder: Any) -> None:
        """Write a model that was trained, merged or quantised as a folder in Hugging Face form."""
        calls.run(lib.axl_model_save, self, a_path(folder, "folder"))

    def to_tensors(self) -> Tuple[Dict[str, bytes], Dict[str, Tuple[str, Tuple[int, ...], bytes]]]:
        """What save() writes: config.json and generation_config.json by name, and each tensor by its
        name as (type, shape, bytes), which from_tensors() takes."""
        return collect_model(lib.axl_model_save_tensors, self)

    def logits(self, ids: Iterable[int], adapter: Optional["Adapter"] = None) -> Any:
        """(tokens, vocab_size) f32: the logits of every token of one sequence."""
        instance(adapter, Adapter, "adapter", none=True)
        array, vocab = ints(ids), self.info.vocab_size
        out = (ctypes.c_float * (len(array) * vocab))()
        calls.run(lib.axl_model_logits, self, adapter, array, len(array), out)
        return view(out, len(array), vocab)

    def batch_logits(self, batch: Batch, adapter: Optional["Adapter"] = None, *,
                     rows: Optional[Iterable[int]] = None) -> Any:
        """(rows or tokens, vocab_size) f32: the logits of a packed batch's tokens, or of some,
        ascending."""
        instance(batch, Batch, "batch")
        instance(adapter, Adapter, "adapter", none=True)
        picked = None if rows is None else ints(rows, "rows")
        count, vocab = len(batch) if picked is None else len(picked), self.info.vocab_size
        out = (ctypes.c_float * (count * vocab))()
        calls.run(lib.axl_model_batch_logits, self, adapter, batch, picked, count, out)
        return view(out, count, vocab)

    def batch_losses(self, batch: Batch, adapter: Optional["Adapter"] = None) -> Any:
        """(tokens) f32: each label's loss at its place, 0 where nothing is trained."""
        instance(batch, Batch, "batch")
        instance(adapter, Adapter, "adapter", none=True)
        out = (ctypes.c_float * len(batch))()
        calls.run(lib.axl_model_batch_losses, self, adapter, batch, out)
        return view(out, len(batch))

    def batch_hidden(self, batch: Batch, layer: int, adapter: Optional["Adapter"] = None) -> Any:
        """(tokens, hidden_size) f32: 0 are the embeddings, l is what comes out of layer l; the last
        is before the final norm."""
        instance(batch, Batch, "batch")
        instance(adapter, Adapter, "adapter", none=True)
        hidden = self.info.hidden_size
        out = (ctypes.c_float * (len(batch) * hidden))()
        calls.run(lib.axl_model_batch_hidden, self, adapter, batch,
                  whole(layer, "layer", high=2**32 - 1), out)
        return view(out, len(batch), hidden)


class _Tensors(Handle, Mapping[str, Any]):
    """A mapping of names to (rows, cols) f32 arrays, which are copies."""
    __eq__, __hash__ = object.__eq__, object.__hash__

    def _call(self, what: str) -> Any:
        return getattr(lib, f"{self._type.__name__}_{what}")

    def _tensors(self) -> List[Tuple[str, int, int]]:
        if not hasattr(self, "_shapes"):
            self._shapes = []
            for i in range(self._call("count")(self.pointer)):
                info = _abi.axl_tensor_info.init()
                calls.run(self._call("get_tensor"), self, i, ctypes.byref(info))
                self._shapes.append((string(info.name) or "", info.rows, info.cols))
        return self._shapes

    def _find(self, name: str) -> Tuple[int, int, int]:
        for i, (known, rows, cols) in enumerate(self._tensors()):
            if known == name:
                return i, rows, cols
        raise KeyError(name)

    def __len__(self) -> int:
        return self._call("count")(self.pointer)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _, _ in self._tensors())

    def __contains__(self, name: object) -> bool:
        return any(name == known for known in self)

    def _about(self) -> str:
        numbers = sum(rows * cols for _, rows, cols in self._tensors())
        return f"{len(self)} tensors, {numbers:,} numbers"

    def keys(self) -> List[str]:  # type: ignore[override]
        """The tensors' names."""
        return list(self)

    def shape(self, name: str) -> Tuple[int, int]:
        """A tensor's rows and columns."""
        return self._find(name)[1:]

    def __getitem__(self, name: str) -> Any:
        index, rows, cols = self._find(name)
        out = (ctypes.c_float * (rows * cols))()
        calls.run(self._call("read"), self, index, out)
        return view(out, rows, cols)

    def __setitem__(self, name: str, values: Any) -> None:
        index, rows, cols = self._find(name)
        calls.run(self._call("write"), self, index, floats(values, rows, cols, name=name))

    def __delitem__(self, name: str) -> NoReturn:
        raise TypeError(f"a tensor of an axl.{type(self).__name__} cannot be deleted")


@dataclass(frozen=True)
class AdapterInfo:
    """What an adapter is; base_model_name is None where the model has none.  Where a regular
    expression names its layers, it is target_regex and there are no target_modules."""
    rank: int
    alpha: float
    dropout: float
    rslora: bool
    target_modules: Tuple[str, ...]
    base_model_name: Optional[str]
    target_regex: Optional[str]
    bias: str
    init_lora_weights: str
    lora_bias: bool
    use_dora: bool
    modules_to_save: Tuple[str, ...]
    ensure_weight_tying: bool
    trainable_token_indices: Dict[str, Tuple[int, ...]]


def token_lists(indices: Union[Sequence[int], Mapping[str, Sequence[int]], None]) -> Dict[str, Any]:
    """The fields of axl_adapter_options that PEFT's trainable_token_indices are."""
    given: Dict[str, Any] = {}
    lists = indices if isinstance(indices, Mapping) else {"embed_tokens": indices or ()}
    for name, tokens in lists.items():
        if name not in ("embed_tokens", "lm_head"):
            raise ValueError(f"trainable_token_indices: embed_tokens and lm_head have rows of tokens, "
                             f"got {name!r}")
        key = "trainable_tokens" if name == "embed_tokens" else "trainable_head_tokens"
        if tokens:
            given[f"n_{key}"] = len(tokens)
            given[key] = numbers(tokens, ctypes.c_uint32, "trainable_token_indices")
    return given


class Adapter(_Tensors):
    """A LoRA adapter: a mapping of PEFT's tensor names to (rows, cols) f32 arrays, which are
    copies; what is assigned has that shape, or is flat, row by row.

    Arguments that are None take the library's default, and are those of PEFT's LoraConfig;
    without target_modules every linear layer but the output head is adapted.  target_modules and
    exclude_modules are names, or one regular expression on whole paths as a str; rank_pattern and
    alpha_pattern map regular expressions on the end of a path to numbers;
    trainable_token_indices are tokens, or a list each for embed_tokens and lm_head.
    """
    _type = _abi.axl_adapter
    _free = "axl_adapter_free"
    _instead = "save() it and Adapter.open() that, or assign its tensors to another one's"

    def __init__(self, model: Model, *, rank: Optional[int] = None, alpha: Optional[float] = None,
                 dropout: Optional[float] = None,
                 target_modules: Union[str, Sequence[str], None] = None,
                 rslora: Optional[bool] = None, seed: Optional[int] = None,
                 exclude_modules: Union[str, Sequence[str], None] = None,
                 layers_to_transform: Optional[Sequence[int]] = None,
                 layers_pattern: Optional[Sequence[str]] = None,
                 rank_pattern: Optional[Mapping[str, int]] = None,
                 alpha_pattern: Optional[Mapping[str, float]] = None,
                 bias: Optional[str] = None, init_lora_weights: Union[bool, str, None] = None,
                 lora_bias: Optional[bool] = None, use_dora: Optional[bool] = None,
                 modules_to_save: Optional[Sequence[str]] = None,
                 ensure_weight_tying: Optional[bool] = None,
                 trainable_token_indices: Union[Sequence[int], Mapping[str, Sequence[int]],
                                                None] = None) -> None:
        instance(model, Model, "model")
        if isinstance(init_lora_weights, bool):
            init_lora_weights = "true" if init_lora_weights else "false"
        given: Dict[str, Any] = {}
        for key, value in (("target", target_modules), ("exclude", exclude_modules)):
            if isinstance(value, str):
                given[f"{key}_regex"] = value
            elif value is not None:
                given[f"{key}_modules"], given[f"n_{key}_modules"] = names(value, f"{key}_modules")
        for key, listed in (("layers_pattern", layers_pattern),
                            ("modules_to_save", modules_to_save)):
            if listed is not None:
                given[key], given[f"n_{key}"] = names(listed, key)
        for key, pattern, kind in (("rank", rank_pattern, ctypes.c_uint32),
                                   ("alpha", alpha_pattern, ctypes.c_double)):
            if pattern is not None:
                given[f"{key}_pattern"], n = names(list(pattern), f"{key}_pattern")
                given[f"n_{key}_pattern"] = n
                given[f"{key}_pattern_{key}s"] = numbers(pattern.values(), kind, f"{key}_pattern")
        if layers_to_transform is not None:
            given["n_layers_to_transform"] = len(layers_to_transform)
            given["layers_to_transform"] = numbers(layers_to_transform, ctypes.c_uint32,
                                                   "layers_to_transform")
        given.update(token_lists(trainable_token_indices))
        self._fill(model._context, lib.axl_adapter_new, model, ctypes.byref(options(
            _abi.axl_adapter_options, rank=rank, alpha=alpha, dropout=dropout, rslora=rslora,
            seed=seed, bias=bias, init_lora_weights=init_lora_weights, lora_bias=lora_bias,
            use_dora=use_dora, ensure_weight_tying=ensure_weight_tying, **given)))

    @classmethod
    def open(cls, model: Model, folder: Any) -> "Adapter":
        """An adapter from a PEFT folder."""
        instance(model, Model, "model")
        made = cls._make(model._context, lib.axl_adapter_open, model, a_path(folder, "folder"))
        return named(made, folder)

    @classmethod
    def from_files(cls, model: Model, files: Mapping[str, Any]) -> "Adapter":
        """An adapter from a PEFT folder's files by name, as to_files() gives them."""
        instance(model, Model, "model")
        array, _held = file_list(files)
        return cls._make(model._context, lib.axl_adapter_open_files, model, array, len(array))

    @classmethod
    def from_config(cls, config: Config, model: Model) -> Optional["Adapter"]:
        """The adapter of a config; None where it has none and the model's weights are trained."""
        instance(config, Config, "config")
        instance(model, Model, "model")
        return cls._make(config.context, lib.axl_adapter_from_config, config, model)

    @classmethod
    def combine(cls, adapters: Sequence["Adapter"], weights: Sequence[float],
                combination_type: Optional[str] = None) -> "Adapter":
        """One adapter of several of a model, as PEFT's add_weighted_adapter() makes it: "cat", the
        default, puts their pairs side by side, which is the weighted sum exactly; "linear" adds
        their A and their B and keeps the rank that all have."""
        if not isinstance(adapters, Sequence) or not adapters:
            raise TypeError("adapters must be a list of axl.Adapter with at least one in it")
        pointers = [instance(a, Adapter, f"adapters[{i}]").pointer for i, a in enumerate(adapters)]
        if len(weights) != len(pointers):
            raise ValueError(f"weights must have a number for each of the {len(pointers)} adapters, "
                             f"got {len(weights)}")
        array = (ctypes.POINTER(cls._type) * len(pointers))(*pointers)
        return cls._make(adapters[0]._context, lib.axl_adapter_combine, array,
                         numbers(weights, ctypes.c_double, "weights"), len(pointers),
                         None if combination_type is None
                         else text(combination_type, "combination_type"),
                         kept=[k for a in adapters for k in a._kept])

    def merge(self) -> None:
        """Add the pairs into the model's weights; Model.save() then writes a whole model."""
        calls.run(lib.axl_adapter_merge, self)

    def save_merged(self, folder: Any) -> None:
        """Write the whole model that merge() and Model.save() make, a tensor at a time; the model
        stays as it is."""
        calls.run(lib.axl_adapter_save_merged, self, a_path(folder, "folder"))

    def save(self, folder: Any) -> None:
        """Write adapter_config.json and adapter_model.safetensors."""
        calls.run(lib.axl_adapter_save, self, a_path(folder, "folder"))

    def to_files(self) -> Dict[str, bytes]:
        """The files that save() writes, by name."""
        return collect(lib.axl_adapter_save_files, self)

    @property
    def info(self) -> AdapterInfo:
        """What the adapter is."""
        i = _abi.axl_adapter_info.init()
        calls.run(lib.axl_adapter_get_info, self, ctypes.byref(i))
        whole = tuple(i.modules_to_save[k].decode() for k in range(i.n_modules_to_save))
        rows = {name: tuple(tokens[k] for k in range(n)) for name, tokens, n in (
            ("embed_tokens", i.trainable_tokens, i.n_trainable_tokens),
            ("lm_head", i.trainable_head_tokens, i.n_trainable_head_tokens)) if n}
        targets = tuple(i.target_modules[k].decode() for k in range(i.n_target_modules))
        return AdapterInfo(i.rank, i.alpha, i.dropout, bool(i.rslora), targets,
                           string(i.base_model_name), string(i.target_regex), i.bias.decode(),
                           i.init_lora_weights.decode(), bool(i.lora_bias), bool(i.use_dora),
                           whole, bool(i.ensure_weight_tying), rows)


@dataclass(frozen=True, eq=False, repr=False)
class Logits:
    """What a loss of one's own sees: the logits (n, vocab_size) f32 of some rows (n) int32 of the
    batch, where it may also leave their gradient.  Row r predicts token r + 1.  first of the total
    rows of the batch came before these.  The arrays are the library's and end with the call."""
    batch: Batch
    rows: Any
    logits: Any
    first: int
    total: int

    def __repr__(self) -> str:
        last = self.first + len(self.rows)
        return f"<axl.Logits: rows {self.first} to {last} of {self.total} of {self.batch!r}>"


def _loss_function(batch: Batch, loss: Callable[[Logits], Any]) -> Any:
    """The library's callback over one that gives the loss, or the loss and its gradient."""
    def on_rows(_user: Any, pointer: Any) -> int:
        def tell() -> None:
            p = pointer.contents
            shape = (p.n_rows, p.vocab_size)
            memory = (ctypes.c_float * (shape[0] * shape[1])).from_address(
                ctypes.addressof(p.logits.contents))
            rows = (ctypes.c_int32 * p.n_rows).from_address(ctypes.addressof(p.rows.contents))
            answer = loss(Logits(batch, view(rows, p.n_rows), view(memory, *shape), p.first,
                                 p.total))
            if isinstance(answer, tuple):
                answer, gradient = answer
                ctypes.memmove(memory, floats(gradient, *shape, name="the loss's gradient"),
                               ctypes.sizeof(memory))
            p.loss = real(answer, "the loss", nan=True)
        return calls.inside(tell)
    return _abi.axl_loss_fn(on_rows)


@dataclass(frozen=True)
class StepStats:
    """What one optimizer step did: step counts from 1, loss is the mean over the n_trained
    predictions that counted, grad_norm is before clipping, n_tokens are those of its batches."""
    step: int
    loss: float
    grad_norm: float
    learning_rate: float
    n_tokens: int
    n_trained: int


def _optimizer(lr_groups: Optional[Mapping[str, float]],
               args: Union[str, Mapping[str, Any], None], **values: Any) -> Any:
    if args is not None and not isinstance(args, str):
        if not isinstance(args, Mapping):
            raise TypeError(f"optim_args must be a str or a mapping, got {came(args)}")
        args = ",".join(f"{key}={value}" for key, value in args.items())
    if not isinstance(lr_groups or {}, Mapping):
        raise TypeError(f"lr_groups must map names to rates, got {came(lr_groups)}")
    groups = {key: real(rate, f"lr_groups[{key!r}]") for key, rate in (lr_groups or {}).items()}
    modules, n = names(groups, "lr_groups")
    return options(_abi.axl_optimizer_options, args=args, n_lr_group_modules=n,
                   lr_group_modules=modules,
                   lr_group_rates=(ctypes.c_double * n)(*groups.values()), **values)


class Trainer(_Tensors):
    """The training step of an adapter, or without one of the model's own weights; a mapping of the
    trained tensors' names to arrays.  Arguments that are None take the library's default; schedule
    is a Schedule, or a kind of one with warmup_steps and total_steps beside it; optimizer is a name
    as in a config, lr_groups maps parts of tensors' names to peak rates; loss_average is "tokens"
    or "micro_batches"; max_tokens is the largest batch, for memory that is taken at once."""
    _type = _abi.axl_trainer
    _free = "axl_trainer_free"
    _instead = "save() a checkpoint and load() it into another one"

    def __init__(self, model: Model, adapter: Optional[Adapter] = None, *,
                 learning_rate: Optional[float] = None,
                 schedule: Union[None, str, Schedule] = None,
                 warmup_steps: Optional[int] = None,
                 total_steps: Optional[int] = None, optimizer: Optional[str] = None,
                 optim_args: Union[str, Mapping[str, Any], None] = None,
                 beta1: Optional[float] = None, beta2: Optional[float] = None,
                 beta3: Optional[float] = None, epsilon: Optional[float] = None,
                 epsilon2: Optional[float] = None, weight_decay: Optional[float] = None,
                 loraplus_lr_ratio: Optional[float] = None,
                 loraplus_lr_embedding: Optional[float] = None,
                 embedding_lr: Optional[float] = None,
                 embedding_lr_scale: Optional[float] = None,
                 lr_groups: Optional[Mapping[str, float]] = None,
                 max_grad_norm: Optional[float] = None,
                 neftune_noise_alpha: Optional[float] = None,
                 label_smoothing: Optional[float] = None, relora_steps: Optional[int] = None,
                 relora_prune: Optional[str] = None, relora_prune_ratio: Optional[float] = None,
                 lisa_layers: Optional[int] = None, lisa_steps: Optional[int] = None,
                 unfrozen_parameters: Optional[Sequence[str]] = None,
                 gradient_accumulation_steps: Optional[int] = None,
                 loss_average: Optional[str] = None, checkpointing: Optional[bool] = None,
                 max_tokens: Optional[int] = None, seed: Optional[int] = None,
                 graphs: Optional[bool] = None) -> None:
        rates = as_schedule(schedule, warmup_steps, total_steps)
        if optimizer is not None:
            text(optimizer, "optimizer")
        rule = _optimizer(
            lr_groups, optim_args, name=optimizer, beta1=beta1, beta2=beta2, beta3=beta3,
            epsilon=epsilon, epsilon2=epsilon2, weight_decay=weight_decay,
            loraplus_lr_ratio=loraplus_lr_ratio, loraplus_lr_embedding=loraplus_lr_embedding,
            embedding_lr=embedding_lr, embedding_lr_scale=embedding_lr_scale,
            warmup_steps=warmup_steps)
        self._model = instance(model, Model, "model")
        instance(adapter, Adapter, "adapter", none=True)
        unfrozen, n_unfrozen = names([] if unfrozen_parameters is None else unfrozen_parameters,
                                     "unfrozen_parameters")
        self._fill(model._context, lib.axl_trainer_new, model, adapter, ctypes.byref(options(
            _abi.axl_trainer_options, learning_rate=learning_rate,
            optimizer=ctypes.pointer(rule), max_grad_norm=max_grad_norm,
            neftune_noise_alpha=neftune_noise_alpha, label_smoothing=label_smoothing,
            relora_steps=relora_steps,
            relora_prune=choice("relora_prune", _PRUNE, relora_prune),
            relora_prune_ratio=relora_prune_ratio, lisa_layers=lisa_layers, lisa_steps=lisa_steps,
            unfrozen_parameters=unfrozen, n_unfrozen_parameters=n_unfrozen,
            schedule=ctypes.pointer(rates.options), seed=seed,
            loss_average=choice("loss_average", _AVERAGES, loss_average),
            gradient_accumulation_steps=gradient_accumulation_steps, checkpointing=checkpointing,
            max_tokens=max_tokens, graphs=graphs)))

    @classmethod
    def from_config(cls, config: Config, model: Model, adapter: Optional[Adapter],
                    total_steps: int) -> "Trainer":
        """A trainer with a config's optimizer, schedule and accumulation; total_steps is
        Loader.total_steps."""
        instance(config, Config, "config")
        instance(model, Model, "model")
        instance(adapter, Adapter, "adapter", none=True)
        made = cls._make(config.context, lib.axl_trainer_from_config, config, model, adapter,
                         whole(total_steps, "total_steps"))
        made._model = model
        return made

    def forward_backward(self, batch: Batch, *, loss: Optional[Callable[[Logits], Any]] = None,
                         all_rows: bool = False, at_once: bool = False,
                         terms: Optional[int] = None) -> float:
        """Add a batch's gradients to the step's; its mean loss.

        loss(Logits) is one of your own, a sum over rows: it gives (loss, gradient), the gradient of
        the shape of the logits, or the loss alone where it left the gradient in their place.  It is
        called for some rows at a time, at_once for all; all_rows: for every token, else for those
        that predict a trained label.  The step divides by terms, by default the rows."""
        instance(batch, Batch, "batch")
        mean = ctypes.c_double()
        a_function(loss, "loss")
        if loss is None:
            calls.run(lib.axl_trainer_forward_backward, self, batch, ctypes.byref(mean))
            return mean.value
        function, memory = _loss_function(batch, loss), None
        if flag(at_once, "at_once"):
            memory = (ctypes.c_float * (len(batch) * self._model.info.vocab_size))()
        calls.run(lib.axl_trainer_forward_backward_with, self, batch, ctypes.byref(options(
            _abi.axl_loss_options, loss=function, logits=memory, terms=terms,
            all_rows=all_rows)), ctypes.byref(mean))
        return mean.value

    @property
    def ready(self) -> bool:
        """Whether a step is due."""
        return bool(lib.axl_trainer_ready(self.pointer))

    def step(self) -> StepStats:
        """Clip, move the trained weights, advance the schedule, zero the gradients."""
        s = _abi.axl_step_stats.init()
        calls.run(lib.axl_trainer_step, self, ctypes.byref(s))
        return StepStats(s.step, s.loss, s.grad_norm, s.learning_rate, s.n_tokens, s.n_trained)

    def zero_grad(self) -> None:
        """Throw away what has accumulated since the last step."""
        lib.axl_trainer_zero_grad(self.pointer)

    def set_learning_rate(self, rate: Optional[float]) -> None:
        """The rate of the next steps; None gives the schedule back."""
        calls.run(lib.axl_trainer_set_learning_rate, self,
                  -1.0 if rate is None else real(rate, "rate"))

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        return lib.axl_trainer_learning_rate(self.pointer)

    def report_metric(self, value: float) -> None:
        """Tell a reduce_on_plateau schedule an evaluation's result."""
        calls.run(lib.axl_trainer_report_metric, self,
                  real(value, "value", nan=True))

    @property
    def steps(self) -> int:
        """Optimizer steps done."""
        return lib.axl_trainer_steps(self.pointer)

    def _about(self) -> str:
        return f"step {self.steps}, {super()._about()}"

    def gradient(self, name: str) -> Any:
        """(rows, cols) f32: a tensor's gradient as the next step would use it before clipping."""
        index, rows, cols = self._find(name)
        out = (ctypes.c_float * (rows * cols))()
        calls.run(lib.axl_trainer_read_gradient, self, index, out)
        return view(out, rows, cols)

    def set_gradient(self, name: str, values: Any) -> None:
        """Set a tensor's gradient, (rows, cols) as gradient() gives it or flat: for clipping, noise
        or a sum over machines of your own before the step."""
        index, rows, cols = self._find(name)
        calls.run(lib.axl_trainer_write_gradient, self, index,
                  floats(values, rows, cols, name=f"the gradient of {name}"))

    def evaluate(self, batch: Batch) -> float:
        """The sum of a batch's loss over its trained tokens, without gradients or dropout."""
        instance(batch, Batch, "batch")
        loss = ctypes.c_double()
        calls.run(lib.axl_trainer_evaluate, self, batch, ctypes.byref(loss))
        return loss.value

    def export(self, folder: Any) -> None:
        """Write the result: the adapter, or the trained model."""
        calls.run(lib.axl_trainer_export, self, a_path(folder, "folder"))

    def save(self, folder: Any, loader: Optional[Loader] = None) -> None:
        """Write a checkpoint, whole or not at all."""
        instance(loader, Loader, "loader", none=True)
        calls.run(lib.axl_trainer_save, self, loader, a_path(folder, "folder"))

    def load(self, folder: Any, loader: Optional[Loader] = None) -> None:
        """Continue from a checkpoint."""
        instance(loader, Loader, "loader", none=True)
        calls.run(lib.axl_trainer_load, self, loader, a_path(folder, "folder"))


class Continuation(str):
    """A text that was generated, and how it ended: finish is "eos", "stop" (a stop string came) or
    "length"; n_prompt and n_new count tokens."""
    finish: str
    n_prompt: int
    n_new: int


class ContinuationIds(List[int]):
    """The ids that were generated, a list, and how it ended, as of Continuation."""
    finish: str
    n_prompt: int
    n_new: int


_FINISHES = {_abi.AXL_FINISH_EOS: "eos", _abi.AXL_FINISH_STOP: "stop",
             _abi.AXL_FINISH_LENGTH: "length"}


def _generate(function: Any, model: Model, adapter: Optional[Adapter],
              tokenizer: Optional[Tokenizer], prompt: Any,
              on_text: Optional[Callable[[str], Any]], stop: Sequence[str],
              stop_ids: Iterable[int], **values: Any) -> Tuple[bytes, Any]:
    def on_piece(_user: Any, data: int, length: int) -> int:
        def tell() -> Any:
            assert on_text
            return on_text(ctypes.string_at(data, length).decode("utf-8", "replace"))
        return calls.inside(tell)

    instance(model, Model, "model")
    instance(adapter, Adapter, "adapter", none=True)
    piece = _abi.axl_text_fn(on_piece) if a_function(on_text, "on_text") else None
    stops, n_stop = names([stop] if isinstance(stop, str) else stop, "stop")
    buffer, how = _abi.axl_buffer.init(), _abi.axl_generation.init()
    ends = ints(stop_ids)
    opts = options(_abi.axl_generate_options, text=piece, stop=stops, n_stop=n_stop,
                   stop_ids=ends, n_stop_ids=len(ends), result=ctypes.pointer(how), **values)
    calls.run(function, model, adapter, tokenizer, prompt, len(prompt), ctypes.byref(opts),
              ctypes.byref(buffer))
    return take_buffer(buffer), how


def _ended(made: Any, how: Any) -> Any:
    made.finish = _FINISHES.get(how.finish, "length")
    made.n_prompt, made.n_new = how.n_prompt, how.n_new
    return made


def generate(model: Model, tokenizer: Tokenizer, prompt: str, *,
             adapter: Optional[Adapter] = None, on_text: Optional[Callable[[str], Any]] = None,
             stop: Union[str, Sequence[str]] = (), stop_ids: Iterable[int] = (),
             max_new_tokens: Optional[int] = None,
             greedy: bool = False, temperature: Optional[float] = None,
             top_k: Optional[int] = None, top_p: Optional[float] = None,
             min_p: Optional[float] = None, repetition_penalty: Optional[float] = None,
             seed: Optional[int] = None) -> Continuation:
    """The continuation of a prompt, up to the first of the stop strings or of stop_ids.  on_text receives each new
    piece; a true result stops the call, which then raises Cancelled.  Arguments that are None take
    the library's default."""
    instance(tokenizer, Tokenizer, "tokenizer")
    data, how = _generate(
        lib.axl_generate, model, adapter, tokenizer, utf8(prompt, "prompt"), on_text, stop, stop_ids,
        max_new_tokens=max_new_tokens, greedy=greedy, temperature=temperature, top_k=top_k,
        top_p=top_p, min_p=min_p, repetition_penalty=repetition_penalty, seed=seed)
    return _ended(Continuation(data.decode("utf-8", "replace")), how)


def generate_ids(model: Model, ids: Iterable[int], *, tokenizer: Optional[Tokenizer] = None,
                 adapter: Optional[Adapter] = None,
                 on_text: Optional[Callable[[str], Any]] = None,
                 stop: Union[str, Sequence[str]] = (), stop_ids: Iterable[int] = (),
                 max_new_tokens: Optional[int] = None,
                 greedy: bool = False, temperature: Optional[float] = None,
                 top_k: Optional[int] = None, top_p: Optional[float] = None,
                 min_p: Optional[float] = None, repetition_penalty: Optional[float] = None,
                 seed: Optional[int] = None) -> ContinuationIds:
    """As generate(), from ids to ids: nothing is added to the prompt.  The tokenizer is for its EOS,
    stop strings and on_text."""
    instance(tokenizer, Tokenizer, "tokenizer", none=True)
    data, how = _generate(
        lib.axl_generate_ids, model, adapter, tokenizer, ints(ids), on_text, stop, stop_ids,
        max_new_tokens=max_new_tokens, greedy=greedy, temperature=temperature, top_k=top_k,
        top_p=top_p, min_p=min_p, repetition_penalty=repetition_penalty, seed=seed)
    return _ended(ContinuationIds(memoryview(data).cast("i")), how)
