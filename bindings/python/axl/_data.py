# SPDX-License-Identifier: Apache-2.0
"""From text to batches."""
from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from . import _abi
from ._config import Config
from ._core import Context, Handle, calls, floats, ints, options, string, take_buffer, text, view
from ._library import lib

IGNORE = _abi.AXL_LABEL_IGNORE  #: the label of a token that is not trained
_SPLITS = {"train": _abi.AXL_SPLIT_TRAIN, "validation": _abi.AXL_SPLIT_VALIDATION}
_ROLES = ("plain", "chosen", "rejected", "desirable", "undesirable")  # by axl_role


def _split(name: str) -> int:
    if name not in _SPLITS:
        raise ValueError(f'split must be "train" or "validation", got {name!r}')
    return _SPLITS[name]


def _role(name: str) -> int:
    if name not in _ROLES:
        raise ValueError(f"role must be one of {', '.join(_ROLES)}, got {name!r}")
    return _ROLES.index(name)


class Template(Handle):
    """A chat template: Jinja, with the text that transformers makes of it.  Immutable; several
    threads may use one."""
    _type = _abi.axl_template
    _free = "axl_template_free"

    def __init__(self, source: str, *, name: Optional[str] = None,
                 context: Optional[Context] = None) -> None:
        """Of its text; errors call it by the name."""
        context = context or Context()
        data = source.encode("utf-8", "replace")
        self._fill(context, lib.axl_template_new, context, data, len(data), text(name))

    @classmethod
    def open(cls, path: Any, *, context: Optional[Context] = None) -> "Template":
        """The chat template of a model folder, with its special tokens as variables, or a file."""
        context = context or Context()
        return cls._make(context, lib.axl_template_open, context, text(path))

    def render(self, variables: Optional[Mapping[str, Any]] = None, *, time: Optional[int] = None,
               max_steps: Optional[int] = None, max_output: Optional[int] = None,
               max_memory: Optional[int] = None, max_depth: Optional[int] = None) -> str:
        """The text for these variables, which must be what JSON can hold.  time: what strftime_now
        writes, in seconds since 1970; the rest bounds what the template may take."""
        data = json.dumps(variables or {}, allow_nan=False).encode()
        opts = options(_abi.axl_template_options, time=time, max_steps=max_steps,
                       max_output=max_output, max_memory=max_memory, max_depth=max_depth)
        buffer = _abi.axl_buffer.init()
        calls.run(lib.axl_template_render, self, data, len(data), ctypes.byref(opts),
                  ctypes.byref(buffer))
        return take_buffer(buffer).decode("utf-8", "replace")


class Tokenizer(Handle):
    """Text to token ids and back.  Immutable; several threads may use one."""
    _type = _abi.axl_tokenizer
    _free = "axl_tokenizer_free"

    @classmethod
    def open(cls, path: Any, *, context: Optional[Context] = None, type: Optional[str] = None,
             bos_token: Optional[str] = None, eos_token: Optional[str] = None,
             unk_token: Optional[str] = None, pad_token: Optional[str] = None,
             legacy: Optional[bool] = None) -> "Tokenizer":
        """The tokenizer of a model folder, or a bare SentencePiece file; the arguments lie over
        what its files say."""
        context = context or Context()
        opts = options(_abi.axl_tokenizer_options, type=type, bos_token=bos_token,
                       eos_token=eos_token, unk_token=unk_token, pad_token=pad_token,
                       legacy=None if legacy is None else int(legacy))
        return cls._make(context, lib.axl_tokenizer_open, context, text(path), ctypes.byref(opts))

    @classmethod
    def from_config(cls, config: Config) -> "Tokenizer":
        """The tokenizer that a config describes."""
        return cls._make(config.context, lib.axl_tokenizer_from_config, config)

    def encode(self, source: Union[str, bytes], *, special: bool = True) -> List[int]:
        """The ids of a text; special=False adds no BOS or EOS."""
        data = source.encode("utf-8", "replace") if isinstance(source, str) else source
        buffer = _abi.axl_buffer.init()
        calls.run(lib.axl_tokenizer_encode, self, data, len(data),
                  0 if special else _abi.AXL_TOKENIZE_NO_SPECIAL, ctypes.byref(buffer))
        return list(memoryview(take_buffer(buffer)).cast("i"))

    def decode(self, ids: Iterable[int], *, skip_special: bool = False) -> str:
        """The text of ids."""
        array, buffer = ints(ids), _abi.axl_buffer.init()
        calls.run(lib.axl_tokenizer_decode, self, array, len(array),
                  _abi.AXL_DECODE_SKIP_SPECIAL if skip_special else 0, ctypes.byref(buffer))
        return take_buffer(buffer).decode("utf-8", "replace")

    def id(self, token: str) -> Optional[int]:
        """The id of a token by its exact text, for example "</s>"."""
        return _id(lib.axl_tokenizer_id(self.pointer, text(token)))

    def token(self, id: int) -> Optional[str]:  # pylint: disable=redefined-builtin
        """A token's own text, with the marks of its model ("\u2581the"); None where there is none."""
        buffer = _abi.axl_buffer.init()
        if calls.run(lib.axl_tokenizer_token, self, id, ctypes.byref(buffer)) == _abi.AXL_END:
            return None
        return take_buffer(buffer).decode("utf-8", "replace")

    @property
    def bos(self) -> Optional[int]:
        """The begin-of-sequence id."""
        return _id(lib.axl_tokenizer_bos(self.pointer))

    @property
    def eos(self) -> Optional[int]:
        """The end-of-sequence id."""
        return _id(lib.axl_tokenizer_eos(self.pointer))

    @property
    def pad(self) -> Optional[int]:
        """The padding id."""
        return _id(lib.axl_tokenizer_pad(self.pointer))

    def __len__(self) -> int:
        """One more than the largest id."""
        return lib.axl_tokenizer_vocab_size(self.pointer)

    def save(self, folder: Any) -> None:
        """Write the tokenizer's files into an existing folder."""
        calls.run(lib.axl_tokenizer_save, self, text(folder))


def _id(value: int) -> Optional[int]:
    return None if value < 0 else value


@dataclass(frozen=True)
class Sample:
    """One sample.  labels[i] is the label of input_ids[i], not shifted, or IGNORE."""
    input_ids: Sequence[int]
    labels: Sequence[int]
    source: Optional[str] = None
    row: int = 0
    part: int = 0
    n_trained: int = 0
    role: str = "plain"  # "chosen" and "rejected" of a pair, "desirable", "undesirable"
    pair: int = 0

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True)
class DatasetStats:
    """What became of the rows that were read."""
    rows_read: int
    rows: int
    tokens: int
    trained_tokens: int
    dropped_too_long: int
    dropped_too_short: int
    dropped_no_trained: int
    from_cache: bool


class Dataset(Handle):
    """Tokenised samples: a sequence of Sample.  Immutable; several threads may read one."""
    _type = _abi.axl_dataset
    _free = "axl_dataset_free"

    @classmethod
    def from_config(cls, config: Config, tokenizer: Tokenizer,
                    split: str = "train") -> Optional["Dataset"]:
        """The data that a config names; None when it has no validation data."""
        return cls._make(config.context, lib.axl_dataset_from_config, config, tokenizer,
                         _split(split))

    @classmethod
    def from_samples(cls, samples: Iterable[Union[Sample, Tuple[Sequence[int], Sequence[int]]]], *,
                     context: Optional[Context] = None) -> "Dataset":
        """Samples of one's own: Sample objects or pairs of ids and labels."""
        context = context or Context()
        kept, listed = [], []
        for sample in samples:
            if not isinstance(sample, Sample):
                sample = Sample(*sample)
            ids, labels = ints(sample.input_ids), ints(sample.labels)
            if len(ids) != len(labels):
                raise ValueError(f"sample {len(listed)}: {len(ids)} ids, {len(labels)} labels")
            kept += [ids, labels]
            listed.append(options(_abi.axl_sample, input_ids=ids, labels=labels, length=len(ids),
                                  source=text(sample.source), row=sample.row, part=sample.part,
                                  role=_role(sample.role), pair=sample.pair))
        array = (_abi.axl_sample * len(listed))(*listed)
        return cls._make(context, lib.axl_dataset_from_samples, context, array, len(listed))

    def __len__(self) -> int:
        return lib.axl_dataset_count(self.pointer)

    def __getitem__(self, index: int) -> Sample:
        n = len(self)
        if not -n <= index < n:
            raise IndexError(index)
        s = _abi.axl_sample.init()
        calls.run(lib.axl_dataset_sample, self, index % n, ctypes.byref(s))
        return Sample(s.input_ids[:s.length], s.labels[:s.length], string(s.source), s.row, s.part,
                      s.n_trained, _ROLES[s.role], s.pair)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    @property
    def stats(self) -> DatasetStats:
        """What became of the rows."""
        s = _abi.axl_dataset_stats.init()
        calls.run(lib.axl_dataset_get_stats, self, ctypes.byref(s))
        return DatasetStats(s.rows_read, s.rows, s.tokens, s.trained_tokens, s.dropped_too_long,
                            s.dropped_too_short, s.dropped_no_trained, bool(s.from_cache))


class Batch:
    """Sequences one behind another, without padding; its arrays are its own.

    Sequence s is tokens cu_seqlens[s] to cu_seqlens[s + 1]; without cu_seqlens there is one.
    weights are factors of each label's loss; without labels a batch is for logits alone.
    """

    def __init__(self, input_ids: Iterable[int], labels: Optional[Iterable[int]] = None,
                 cu_seqlens: Optional[Iterable[int]] = None,
                 positions: Optional[Iterable[int]] = None, last_of_step: bool = False,
                 weights: Optional[Sequence[float]] = None) -> None:
        ids, targets = ints(input_ids), None if labels is None else ints(labels)
        if targets is not None and len(ids) != len(targets):
            raise ValueError(f"{len(ids)} ids, {len(targets)} labels")
        starts = ints([0, len(ids)] if cu_seqlens is None else cu_seqlens)
        places = None if positions is None else ints(positions)
        if places is not None and len(places) != len(ids):
            raise ValueError(f"{len(ids)} ids, {len(places)} positions")
        factors = None if weights is None else floats(weights, len(ids))
        firsts = set(starts)
        trained = sum(t != IGNORE and i not in firsts for i, t in enumerate(targets or ()))
        self._set(ids, targets, starts, places, trained, last_of_step, weights=factors)

    def _set(self, ids: Any, labels: Any, starts: Any, positions: Any, n_trained: int,
             last_of_step: bool, **more: Any) -> None:
        self._arrays = (ids, labels, starts, positions)
        self._more = more  # weights, roles and pairs
        self._struct = options(
            _abi.axl_batch, input_ids=ids, labels=labels, positions=positions, cu_seqlens=starts,
            n_tokens=len(ids), n_seqs=max(0, len(starts) - 1), n_trained=n_trained,
            last_of_step=int(last_of_step), **more)
        self._as_parameter_ = ctypes.byref(self._struct)

    @classmethod
    def _copy(cls, b: Any) -> "Batch":
        """The library's batch, which lives until the loader's next one."""
        def copy(pointer: Any, n: int) -> Any:
            return (pointer._type_ * n).from_buffer_copy(
                ctypes.string_at(pointer, 4 * n)) if pointer else None
        made = cls.__new__(cls)
        made._set(copy(b.input_ids, b.n_tokens), copy(b.labels, b.n_tokens),
                  copy(b.cu_seqlens, b.n_seqs + 1), copy(b.positions, b.n_tokens), b.n_trained,
                  bool(b.last_of_step), weights=copy(b.weights, b.n_tokens),
                  roles=copy(b.roles, b.n_seqs), pairs=copy(b.pairs, b.n_seqs))
        return made

    @property
    def input_ids(self) -> Any:
        """(n_tokens) int32."""
        return view(self._arrays[0], len(self))

    @property
    def labels(self) -> Any:
        """(n_tokens) int32, not shifted; None where there are none."""
        return None if self._arrays[1] is None else view(self._arrays[1], len(self))

    @property
    def cu_seqlens(self) -> Any:
        """(n_seqs + 1) int32: where the sequences start, and the end."""
        return view(self._arrays[2], len(self._arrays[2]))

    @property
    def positions(self) -> Any:
        """(n_tokens) int32, or None: from 0 in each sequence."""
        return None if self._arrays[3] is None else view(self._arrays[3], len(self))

    @property
    def weights(self) -> Any:
        """(n_tokens) float32 factors of each label's loss, or None: all 1."""
        factors = self._more.get("weights")
        return None if factors is None else view(factors, len(self))

    @property
    def n_seqs(self) -> int:
        """The number of sequences."""
        return self._struct.n_seqs

    @property
    def n_trained(self) -> int:
        """The predictions that count."""
        return self._struct.n_trained

    @property
    def last_of_step(self) -> bool:
        """Whether an optimizer step is due after this batch."""
        return bool(self._struct.last_of_step)

    def __len__(self) -> int:
        """The number of tokens."""
        return self._struct.n_tokens


class Cursor(NamedTuple):
    """Where a loader stands: epochs done, and batches of this epoch."""
    epoch: int
    batch: int


class Loader(Handle):
    """An iterator over the batches of all epochs.  Arguments that are None take the library's
    default."""
    _type = _abi.axl_loader
    _free = "axl_loader_free"

    def __init__(self, dataset: Dataset, *, micro_batch_size: Optional[int] = None,
                 gradient_accumulation_steps: Optional[int] = None,
                 sequence_len: Optional[int] = None, sample_packing: Optional[bool] = None,
                 shuffle: Optional[bool] = None, real_batches: Optional[bool] = None,
                 keep_order: Optional[bool] = None, num_epochs: Optional[float] = None,
                 max_steps: Optional[int] = None, seed: Optional[int] = None) -> None:
        self._fill(dataset._context, lib.axl_loader_new, dataset, ctypes.byref(options(
            _abi.axl_loader_options, micro_batch_size=micro_batch_size,
            gradient_accumulation_steps=gradient_accumulation_steps, sequence_len=sequence_len,
            sample_packing=sample_packing, shuffle=shuffle, real_batches=real_batches,
            keep_order=keep_order, num_epochs=num_epochs, max_steps=max_steps, seed=seed)))

    @classmethod
    def from_config(cls, config: Config, dataset: Dataset, split: str = "train") -> "Loader":
        """A loader as a config says."""
        return cls._make(config.context, lib.axl_loader_from_config, config, dataset,
                         _split(split))

    def __iter__(self) -> "Loader":
        return self

    def __next__(self) -> Batch:
        b = _abi.axl_batch.init()
        if calls.run(lib.axl_loader_next, self, ctypes.byref(b)) == _abi.AXL_END:
            raise StopIteration
        return Batch._copy(b)

    @property
    def batches_per_epoch(self) -> int:
        """The batches of the current epoch."""
        return lib.axl_loader_batches_per_epoch(self.pointer)

    @property
    def total_steps(self) -> int:
        """The optimizer steps until the end; 0 when it never comes."""
        steps = ctypes.c_uint64()
        calls.run(lib.axl_loader_total_steps, self, ctypes.byref(steps))
        return steps.value

    @property
    def fill(self) -> float:
        """How full the bins of the current epoch are; 1 without packing."""
        return lib.axl_loader_fill(self.pointer)

    @property
    def cursor(self) -> Cursor:
        """Where the loader stands; assign one to go there."""
        c = _abi.axl_loader_cursor.init()
        calls.run(lib.axl_loader_get_cursor, self, ctypes.byref(c))
        return Cursor(c.epoch, c.batch)

    @cursor.setter
    def cursor(self, place: Tuple[int, int]) -> None:
        c = options(_abi.axl_loader_cursor, epoch=place[0], batch=place[1])
        calls.run(lib.axl_loader_set_cursor, self, ctypes.byref(c))
