# SPDX-License-Identifier: Apache-2.0
"""From text to batches."""
from __future__ import annotations

import ctypes
import itertools
import json
import operator
import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional
from typing import Sequence, Tuple, Union, overload

from . import _abi
from ._config import Config
from ._core import Context, Handle, calls, check, context_or_default, take_buffer
from ._library import lib
from ._memory import collect, file_list
from ._values import came, flag, floats, instance, ints, names, options, path as a_path, same
from ._values import string, text, utf8, view, whole

IGNORE = _abi.AXL_LABEL_IGNORE  #: the label of a token that is not trained
_SPLITS = {"train": _abi.AXL_SPLIT_TRAIN, "validation": _abi.AXL_SPLIT_VALIDATION}
_ROLES = ("plain", "chosen", "rejected", "desirable", "undesirable", "steps")  # by axl_role


def _split(name: str) -> int:
    if not isinstance(name, str) or name not in _SPLITS:
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
    _instead = "the object can be shared; another process makes it again from its text"

    def __init__(self, source: str, *, name: Optional[str] = None,
                 context: Optional[Context] = None) -> None:
        """Of its text; errors call it by the name."""
        context = context_or_default(context)
        data = utf8(source, "source")
        self._fill(context, lib.axl_template_new, context, data, len(data),
                   None if name is None else text(name, "name"))

    @classmethod
    def open(cls, path: Any, *, context: Optional[Context] = None) -> "Template":
        """The chat template of a model folder, with its special tokens as variables, or a file."""
        context = context_or_default(context)
        return cls._make(context, lib.axl_template_open, context, a_path(path))

    @classmethod
    def builtin(cls, name: str, *, context: Optional[Context] = None) -> "Template":
        """One that axl brings, by the name that a config's chat_template gives it."""
        context = context_or_default(context)
        return cls._make(context, lib.axl_template_open_builtin, context, text(name, "name"))

    def render(self, variables: Optional[Mapping[str, Any]] = None, *, time: Optional[int] = None,
               max_steps: Optional[int] = None, max_output: Optional[int] = None,
               max_memory: Optional[int] = None, max_depth: Optional[int] = None) -> str:
        """The text for these variables, which must be what JSON can hold.  time: what strftime_now
        writes, in seconds since 1970; the rest bounds what the template may take."""
        data = json.dumps(dict(variables or {}), allow_nan=False).encode()
        opts = options(_abi.axl_template_options, time=time, max_steps=max_steps,
                       max_output=max_output, max_memory=max_memory, max_depth=max_depth)
        buffer = _abi.axl_buffer.init()
        calls.run(lib.axl_template_render, self, data, len(data), ctypes.byref(opts),
                  ctypes.byref(buffer))
        return take_buffer(buffer).decode("utf-8", "replace")


def _tokenizer_options(tokens: Sequence[str], special_tokens: Sequence[str],
                       overrides: Optional[Mapping[int, str]], **values: Any) -> Any:
    """With the lists, which live as long as the struct."""
    renamed = dict(overrides or {})
    added, n_added = names(tokens, "tokens")
    special, n_special = names(special_tokens, "special_tokens")
    texts, n_texts = names(list(renamed.values()), "overrides")
    made = options(
        _abi.axl_tokenizer_options, tokens=added, n_tokens=n_added, special_tokens=special,
        n_special_tokens=n_special, override_texts=texts, n_overrides=n_texts, **values)
    made.override_ids = ints(list(renamed), "overrides")
    return made


class Tokenizer(Handle):
    """Text to token ids and back.  Immutable; several threads may use one.

    len() is its vocabulary, `in` tells of a token's exact text.
    """
    _type = _abi.axl_tokenizer
    _free = "axl_tokenizer_free"
    _instead = "the object can be shared; another process opens it again or gets it from save()"

    @classmethod
    def open(cls, path: Any, *, context: Optional[Context] = None, type: Optional[str] = None,
             bos_token: Optional[str] = None, eos_token: Optional[str] = None,
             unk_token: Optional[str] = None, pad_token: Optional[str] = None,
             legacy: Optional[bool] = None, tokens: Sequence[str] = (),
             special_tokens: Sequence[str] = (),
             overrides: Optional[Mapping[int, str]] = None, pattern: Optional[str] = None,
             mistral_common: Optional[bool] = None) -> "Tokenizer":
        """The tokenizer of a model folder, or a bare SentencePiece file; the arguments lie over
        what its files say.  A text that is not in the vocabulary is a new token; overrides are
        other texts for added tokens by id; pattern names how the words of a rank file are cut;
        mistral_common takes tekken.json."""
        context = context_or_default(context)
        opts = _tokenizer_options(
            tokens, special_tokens, overrides, type=type, bos_token=bos_token, eos_token=eos_token,
            unk_token=unk_token, pad_token=pad_token, legacy=legacy, pattern=pattern,
            mistral_common=mistral_common)
        return cls._make(context, lib.axl_tokenizer_open, context, a_path(path),
                         ctypes.byref(opts))

    @classmethod
    def from_files(cls, files: Mapping[str, Any], *, context: Optional[Context] = None,
                   type: Optional[str] = None, bos_token: Optional[str] = None,
                   eos_token: Optional[str] = None, unk_token: Optional[str] = None,
                   pad_token: Optional[str] = None,
                   legacy: Optional[bool] = None, tokens: Sequence[str] = (),
                   special_tokens: Sequence[str] = (),
                   overrides: Optional[Mapping[int, str]] = None, pattern: Optional[str] = None,
             mistral_common: Optional[bool] = None) -> "Tokenizer":
        """The tokenizer of a folder's files by name, {"tokenizer.json": bytes, …}, or of one
        SentencePiece file, whose name ends in .model."""
        context = context_or_default(context)
        opts = _tokenizer_options(
            tokens, special_tokens, overrides, type=type, bos_token=bos_token, eos_token=eos_token,
            unk_token=unk_token, pad_token=pad_token, legacy=legacy, pattern=pattern,
            mistral_common=mistral_common)
        array, _held = file_list(files)
        return cls._make(context, lib.axl_tokenizer_open_files, context, array, len(array),
                         ctypes.byref(opts))

    @classmethod
    def from_config(cls, config: Config) -> "Tokenizer":
        """The tokenizer that a config describes."""
        instance(config, Config, "config")
        return cls._make(config.context, lib.axl_tokenizer_from_config, config)

    def encode(self, source: Union[str, bytes], *, special: bool = True) -> List[int]:
        """The ids of a text, a list; special=False adds no BOS or EOS.  bytes are UTF-8."""
        if not isinstance(source, (str, bytes)):
            raise TypeError(f"source must be a str or bytes, got {came(source)}")
        data = source.encode("utf-8", "replace") if isinstance(source, str) else source
        buffer = _abi.axl_buffer.init()
        calls.run(lib.axl_tokenizer_encode, self, data, len(data),
                  0 if flag(special, "special") else _abi.AXL_TOKENIZE_NO_SPECIAL,
                  ctypes.byref(buffer))
        return memoryview(take_buffer(buffer)).cast("i").tolist()

    def apply_chat_template(self, messages: Sequence[Mapping[str, Any]], *,
                            tools: Optional[Sequence[Any]] = None,
                            add_generation_prompt: bool = False, time: Optional[int] = None,
                            **variables: Any) -> str:
        """A conversation as text, by the tokenizer's chat template; encode(…, special=False) makes
        ids of it.  Further arguments are variables of the template."""
        given = {"messages": list(messages), "add_generation_prompt":
                 bool(flag(add_generation_prompt, "add_generation_prompt")), **variables}
        if tools is not None:
            given["tools"] = list(tools)
        data = json.dumps(given, allow_nan=False).encode()
        opts = options(_abi.axl_template_options, time=time)
        buffer = _abi.axl_buffer.init()
        calls.run(lib.axl_tokenizer_apply_chat_template, self, data, len(data), ctypes.byref(opts),
                  ctypes.byref(buffer))
        return take_buffer(buffer).decode("utf-8", "replace")

    @property
    def turn_end(self) -> Optional[str]:
        """What the chat template writes behind an assistant's message; None: nothing."""
        buffer = _abi.axl_buffer.init()
        if calls.run(lib.axl_tokenizer_get_turn_end, self, ctypes.byref(buffer)) == _abi.AXL_END:
            return None
        return take_buffer(buffer).decode("utf-8", "replace")

    def encode_batch(self, sources: Iterable[Union[str, bytes]], *,
                     special: bool = True) -> List[List[int]]:
        """As encode() of each text, on all threads of the context."""
        data = []
        for source in sources:
            if not isinstance(source, (str, bytes)):
                raise TypeError(f"a source must be a str or bytes, got {came(source)}")
            data.append(source.encode("utf-8", "replace") if isinstance(source, str) else source)
        texts = (ctypes.c_char_p * len(data))(*data)
        lengths = (ctypes.c_size_t * len(data))(*map(len, data))
        ids, ends = _abi.axl_buffer.init(), _abi.axl_buffer.init()
        calls.run(lib.axl_tokenizer_encode_batch, self, texts, lengths, len(data),
                  0 if flag(special, "special") else _abi.AXL_TOKENIZE_NO_SPECIAL,
                  ctypes.byref(ids), ctypes.byref(ends))
        flat = memoryview(take_buffer(ids)).cast("i")
        stops = memoryview(take_buffer(ends)).cast("Q").tolist()
        return [flat[a:b].tolist() for a, b in zip([0] + stops, stops)]

    def encode_with_offsets(self, source: Union[str, bytes], *, special: bool = True
                            ) -> Tuple[List[int], List[Tuple[int, int]]]:
        """The ids of a text, and of each the (begin, end) of what it stands for: characters of a
        str, bytes of bytes.  Tokens put around the text have (0, 0)."""
        if not isinstance(source, (str, bytes)):
            raise TypeError(f"source must be a str or bytes, got {came(source)}")
        data = source.encode("utf-8", "replace") if isinstance(source, str) else source
        ids, places = _abi.axl_buffer.init(), _abi.axl_buffer.init()
        calls.run(lib.axl_tokenizer_encode_with_offsets, self, data, len(data),
                  0 if flag(special, "special") else _abi.AXL_TOKENIZE_NO_SPECIAL,
                  ctypes.byref(ids), ctypes.byref(places))
        ends = memoryview(take_buffer(places)).cast("I").tolist()
        if isinstance(source, str) and len(source) != len(data):
            before = list(itertools.accumulate(((byte & 0xC0) != 0x80 for byte in data),
                                               initial=0))
            ends = [before[end] for end in ends]
        return memoryview(take_buffer(ids)).cast("i").tolist(), list(zip(ends[::2], ends[1::2]))

    def decode(self, ids: Iterable[int], *, skip_special: bool = False) -> str:
        """The text of ids."""
        array, buffer = ints(ids), _abi.axl_buffer.init()
        calls.run(lib.axl_tokenizer_decode, self, array, len(array),
                  _abi.AXL_DECODE_SKIP_SPECIAL if flag(skip_special, "skip_special") else 0,
                  ctypes.byref(buffer))
        return take_buffer(buffer).decode("utf-8", "replace")

    def id(self, token: str) -> Optional[int]:
        """The id of a token by its exact text, for example "</s>"."""
        return _id(lib.axl_tokenizer_id(self.pointer, text(token, "token")))

    def token(self, id: int) -> Optional[str]:  # pylint: disable=redefined-builtin
        """A token's own text, with the marks of its model ("\u2581the"); None where there is none."""
        buffer = _abi.axl_buffer.init()
        if calls.run(lib.axl_tokenizer_get_token, self, whole(id, "id", -2**31, 2**31 - 1),
                     ctypes.byref(buffer)) == _abi.AXL_END:
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

    def __contains__(self, token: object) -> bool:
        return isinstance(token, str) and self.id(token) is not None

    def _about(self) -> str:
        return f"{len(self):,} tokens"

    def save(self, folder: Any) -> None:
        """Write the tokenizer's files into an existing folder."""
        calls.run(lib.axl_tokenizer_save, self, a_path(folder, "folder"))

    def to_files(self) -> Dict[str, bytes]:
        """The files that save() writes, by name."""
        return collect(lib.axl_tokenizer_save_files, self)


def _id(value: int) -> Optional[int]:
    return None if value < 0 else value


@dataclass(frozen=True, eq=False, repr=False)
class Sample:
    """One sample: input_ids and labels are (tokens) int32, whatever they were given as.  labels[i]
    is the label of input_ids[i], not shifted, or IGNORE.

    It may be copied and pickled; two are equal when all they hold is.  role is "plain", "chosen" or
    "rejected" of a pair, "desirable" or "undesirable", or "steps", whose labels are 1 or 0 where a
    step ends that is right or wrong; source, row and part say where it is from: the file, its
    record, and which of the samples of that record.  n_trained counts the labels that
    train a prediction, 0 in samples that are not of a Dataset.
    """
    input_ids: Any
    labels: Any
    source: Optional[str] = None
    row: int = 0
    part: int = 0
    n_trained: int = 0
    role: str = "plain"
    pair: int = 0

    def __post_init__(self) -> None:
        for name in ("input_ids", "labels"):
            array = ints(getattr(self, name), name)
            object.__setattr__(self, name, view(array, len(array)))
        if len(self.input_ids) != len(self.labels):
            raise ValueError(f"{len(self.input_ids)} ids, {len(self.labels)} labels")
        _role(self.role)

    def _rest(self) -> Tuple[Any, ...]:
        return self.source, self.row, self.part, self.n_trained, self.role, self.pair

    def __len__(self) -> int:
        return len(self.input_ids)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sample):
            return NotImplemented
        return (self._rest() == other._rest() and same(self.input_ids, other.input_ids)
                and same(self.labels, other.labels))

    def __reduce__(self) -> Any:
        return Sample, (self.input_ids.tolist(), self.labels.tolist(), *self._rest())

    def __repr__(self) -> str:
        pair = f" of pair {self.pair}" if self.role in ("chosen", "rejected") else ""
        role = "" if self.role == "plain" else f", {self.role}{pair}"
        source = "" if self.source is None else f", row {self.row} of {self.source}"
        return f"<axl.Sample: {len(self)} tokens, {self.n_trained} trained{role}{source}>"


@dataclass(frozen=True)
class DatasetStats:
    """What became of the rows that were read: counts of samples, and of their tokens.  rows were
    kept of rows_read, tokens are in those, trained_tokens have a label; from_cache: a prepared file
    was used."""
    rows_read: int
    rows: int
    tokens: int
    trained_tokens: int
    dropped_too_long: int
    dropped_too_short: int
    dropped_no_trained: int
    from_cache: bool
    dropped_duplicates: int = 0


def _sample(given: Any, place: int) -> Sample:
    """A Sample, or one made of a pair of ids and labels."""
    if isinstance(given, Sample):
        return given
    parts = [] if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable) else (
        list(given))
    if len(parts) < 2:
        raise TypeError(f"sample {place} must be an axl.Sample or a pair of ids and labels, "
                        f"got {came(given)}")
    try:
        return Sample(*parts)
    except (TypeError, ValueError) as e:
        raise type(e)(f"sample {place}: {e}") from None


def _copied(pointer: Any, n: int) -> Any:
    """A copy of the library's array; None where there is none."""
    return (pointer._type_ * n).from_buffer_copy(
        ctypes.string_at(pointer, 4 * n)) if pointer else None


def _put_sample(draft: Any, made: Any) -> None:
    given, labels = (made["input_ids"], made.get("labels")) if isinstance(made, Mapping) else (
        made.input_ids, made.labels)
    ids = ints(given, "input_ids")
    kept = None if labels is None else ints(labels, "labels")
    if kept is not None and len(kept) != len(ids):
        raise ValueError(f"labels must be {len(ids)}, as input_ids, got {len(kept)}")
    check(lib.axl_draft_put_ids(draft, ids, kept, len(ids)))


def _put_text(draft: Any, part: int, value: Any, name: str) -> None:
    data = utf8("" if value is None else value, name)
    check(lib.axl_draft_put_text(draft, part, data, len(data)))


def _is_sample(made: Any) -> bool:
    return isinstance(made, Sample) or (isinstance(made, Mapping) and "input_ids" in made)


def _put_made(draft: Any, made: Any) -> None:
    """What the function of a type gave."""
    if made is None:
        return
    if _is_sample(made):
        _put_sample(draft, made)
        return
    if isinstance(made, (str, bytes, Mapping)) or not isinstance(made, Iterable):
        raise TypeError("make must give ids and labels, a pair of texts, or a list of segments, "
                        f"got {came(made)}")
    parts = list(made)
    if len(parts) == 2 and all(p is None or isinstance(p, str) for p in parts):
        _put_text(draft, _abi.AXL_TEXT_PROMPT, parts[0], "the prompt")
        _put_text(draft, _abi.AXL_TEXT_RESPONSE, parts[1], "the response")
        return
    for i, part in enumerate(parts):
        if _is_sample(part):
            _put_sample(draft, part)
            check(lib.axl_draft_end_sample(draft))
        elif isinstance(part, Mapping) and "text" in part:
            trained = _abi.AXL_TEXT_TRAINED if part.get("train") else _abi.AXL_TEXT_MASKED
            _put_text(draft, trained, part["text"], f"the text of segment {i}")
        else:
            raise TypeError(f'part {i} of what make gave must have "input_ids" or "text", '
                            f"got {came(part)}")


def register_dataset_type(name: str, make: Callable[[Dict[str, Any]], Any], *,
                          version: Optional[str] = None,
                          context: Optional[Context] = None) -> None:
    """Let configs name a data set type of one's own.

    make(record) is called with each record, a dict, and gives what is trained: a Sample or a
    mapping of input_ids and labels (None or missing: all are trained); a pair of texts, the prompt
    and the response, which get BOS and EOS; a list of segments {"text": …, "train": …}, to whose
    texts nothing is added; a list of samples, where one record gives several; or None.  What it
    raises comes out of the call that reads the data.

    Configs that name the type are to be opened with the same context, and after it.  Prepared data
    is kept where a version is given, which is to change when make does.
    """
    context = context_or_default(context)
    if not callable(make):
        raise TypeError(f"make must be a function, got {came(make)}")

    def on_record(_user: Any, draft: Any, record: int, length: int) -> int:
        return calls.inside(
            lambda: _put_made(draft, make(json.loads(ctypes.string_at(record, length)))))

    told = _abi.axl_dataset_type_fn(on_record)
    calls.run(lib.axl_dataset_register_type, context, text(name, "name"),
              None if version is None else text(version, "version"), told, None)
    context._callbacks += (told,)  # the library calls it as long as the context lives


def dataset_types(*, context: Optional[Context] = None) -> List[Dict[str, Any]]:
    """The data set types that a config may name: type (None: where it says none), styles, columns
    (name, key, optional), keys and trained of each."""
    buffer = _abi.axl_buffer.init()
    calls.run(lib.axl_dataset_describe_types, context_or_default(context), 1,
              ctypes.byref(buffer))
    return json.loads(take_buffer(buffer))


class _Feed:
    """An iterable of records as the library asks for them; the bytes of one are kept until the
    next.  begin() gives an iterator at the first record."""

    def __init__(self, begin: Callable[[], Iterator[Any]]) -> None:
        self._begin = begin
        self._records: Optional[Iterator[Any]] = None
        self._count, self._held = 0, b""
        self.function = _abi.axl_next_record_fn(self._on_next)
        self.rewind = _abi.axl_rewind_records_fn(self._on_rewind)

    def _next(self) -> bool:
        if self._records is None:
            self._records = self._begin()
        try:
            record = next(self._records)
        except StopIteration:
            return False
        if isinstance(record, Mapping):
            record = json.dumps(dict(record), allow_nan=False)
        if not isinstance(record, (str, bytes)):
            raise TypeError(f"record {self._count + 1} must be a dict or its JSON, "
                            f"got {came(record)}")
        self._held = record if isinstance(record, bytes) else record.encode("utf-8", "replace")
        self._count += 1
        return True

    def _on_next(self, _user: Any, record: Any, length: Any) -> int:
        more = False

        def ask() -> None:
            nonlocal more
            more = self._next()

        if calls.inside(ask):
            return -1
        if not more:
            return _abi.AXL_END
        record[0], length[0] = self._held, len(self._held)
        return 0

    def _on_rewind(self, _user: Any) -> int:
        def again() -> None:
            self._count, self._records = 0, self._begin()
        return calls.inside(again)


def _iterator(records: Any) -> Iterator[Any]:
    if isinstance(records, (str, bytes, Mapping)) or not isinstance(records, Iterable):
        raise TypeError(f"records must be an iterable of dicts, got {came(records)}")
    return iter(records)


class Dataset(Handle, Sequence[Sample]):
    """Tokenised samples: a sequence of Sample, whose slices are lists.  Immutable; several threads
    may read one."""
    _type = _abi.axl_dataset
    _free = "axl_dataset_free"
    _instead = "the object can be shared; list() of it can be pickled, for Dataset.from_samples()"

    @classmethod
    def from_config(cls, config: Config, tokenizer: Tokenizer,
                    split: str = "train") -> Optional["Dataset"]:
        """The data that a config names; None when it has no validation data."""
        instance(config, Config, "config")
        instance(tokenizer, Tokenizer, "tokenizer")
        return cls._make(config.context, lib.axl_dataset_from_config, config, tokenizer,
                         _split(split))

    @classmethod
    def prepare(cls, config: Config, tokenizer: Tokenizer) -> "Prepared":
        """Both splits of a config's data, kept in the folder where training with it will look."""
        instance(config, Config, "config")
        instance(tokenizer, Tokenizer, "tokenizer")
        folder, rest = _abi.axl_buffer.init(), cls.__new__(cls)
        rest._context, rest._pointer = config.context, ctypes.POINTER(cls._type)()
        train = cls._make(config.context, lib.axl_dataset_prepare, ctypes.byref(rest._pointer),
                          config, tokenizer, ctypes.byref(folder))
        return Prepared(train, rest if rest._pointer else None, os.fsdecode(take_buffer(folder)))

    @classmethod
    def from_samples(cls, samples: Iterable[Union[Sample, Tuple[Sequence[int], Sequence[int]]]], *,
                     context: Optional[Context] = None) -> "Dataset":
        """Samples of one's own: Sample objects or pairs of ids and labels."""
        context = context_or_default(context)
        kept, listed = [], []
        if not isinstance(samples, Iterable):
            raise TypeError(f"samples must be a list of axl.Sample, got {came(samples)}")
        for i, given in enumerate(samples):
            sample = _sample(given, i)
            arrays = ints(sample.input_ids), ints(sample.labels)
            kept.append(arrays)
            listed.append(options(
                _abi.axl_sample, input_ids=arrays[0], labels=arrays[1], length=len(sample),
                source=sample.source, row=sample.row, part=sample.part, role=_role(sample.role),
                pair=sample.pair))
        array = (_abi.axl_sample * len(listed))(*listed)
        return cls._make(context, lib.axl_dataset_from_samples, context, array, len(listed))

    @classmethod
    def from_records(cls, records: Iterable[Union[Mapping[str, Any], str, bytes]], config: Config,
                     tokenizer: Tokenizer, *, index: int = 0) -> "Dataset":
        """Records of one's own, dicts or JSON texts, rendered and tokenised as datasets[index] of a
        config says: type, columns, chat template and so on; its path is not looked at, and may be
        missing where the config was opened with own_data=True.  The length rules, shuffling and
        dataset_exact_deduplication hold as for files; no validation rows are taken.

        A generator is asked record by record; what it raises comes out of this call.
        """
        instance(config, Config, "config")
        instance(tokenizer, Tokenizer, "tokenizer")
        given = _iterator(records)
        feed = _Feed(lambda: given)
        return cls._make(config.context, lib.axl_dataset_from_records, config, tokenizer,
                         whole(index, "index", 0, 2**32 - 1), feed.function, None)

    @classmethod
    def stream_records(cls, records: Union[Iterable[Union[Mapping[str, Any], str, bytes]],
                                           Callable[[], Iterable[Any]]],
                       config: Config, tokenizer: Tokenizer, *, index: int = 0) -> "Dataset":
        """Records of one's own that are read while they are trained, in bounded memory: the data
        set is the rows of the first streaming_multipack_buffer_size of them, and its Loader asks
        for the next ones when it comes to them.  They are what datasets[index] of a config says, or
        pretraining_dataset[index] where that is set.

        records is a function that gives an iterable of all records, in the same order each time, or
        an object that can be iterated over again, such as a list: after the last record the first
        follows, without an end, and a Loader can go to any place.  An iterator or a generator comes
        once: the Loader ends with it, and can go on (a new process passes over what was trained)
        but not back, which raises UnsupportedError.

        What the records raise comes out of the call that asks for them: this one, a Loader's, a
        Run's.
        """
        instance(config, Config, "config")
        instance(tokenizer, Tokenizer, "tokenizer")
        made = callable(records) and not isinstance(records, Iterable)
        once = not made and _iterator(records) is records
        feed = _Feed(lambda: _iterator(records() if made else records))  # type: ignore[operator]
        source = options(_abi.axl_record_source, next=feed.function,
                         rewind=None if once else feed.rewind)
        return cls._make(config.context, lib.axl_dataset_stream_records, config, tokenizer,
                         whole(index, "index", 0, 2**32 - 1), ctypes.byref(source), kept=(feed,))

    def __len__(self) -> int:
        return lib.axl_dataset_count(self.pointer)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> List[Sample]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[Sample, List[Sample]]:
        n = len(self)
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(n))]
        try:
            place = operator.index(index)
        except TypeError:
            raise TypeError(f"a Dataset's index must be an integer or a slice, got {came(index)}"
                            ) from None
        if not -n <= place < n:
            raise IndexError(f"no sample {place} in a Dataset of {n}")
        s = _abi.axl_sample.init()
        calls.run(lib.axl_dataset_get_sample, self, place % n, ctypes.byref(s))
        ids, labels = (_copied(p, s.length) or (ctypes.c_int32 * 0)()
                       for p in (s.input_ids, s.labels))
        return Sample(ids, labels, string(s.source), s.row, s.part, s.n_trained, _ROLES[s.role],
                      s.pair)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def _about(self) -> str:
        stats = self.stats
        return (f"{len(self):,} samples, {stats.tokens:,} tokens, "
                f"{stats.trained_tokens:,} of them trained")

    @property
    def lengths(self) -> Sequence[int]:
        """The samples' lengths in tokens."""
        n = len(self)
        lengths = (ctypes.c_uint32 * n)()
        calls.run(lib.axl_dataset_get_lengths, self, lengths, n)
        return memoryview(lengths).cast("B").cast("I")

    @property
    def stats(self) -> DatasetStats:
        """What became of the rows."""
        s = _abi.axl_dataset_stats.init()
        calls.run(lib.axl_dataset_get_stats, self, ctypes.byref(s))
        return DatasetStats(s.rows_read, s.rows, s.tokens, s.trained_tokens, s.dropped_too_long,
                            s.dropped_too_short, s.dropped_no_trained, bool(s.from_cache),
                            s.dropped_duplicates)


class Prepared(NamedTuple):
    """What Dataset.prepare() made, and where it is kept; validation is None where there is none."""
    train: Dataset
    validation: Optional[Dataset]
    folder: str


class Batch:
    """Sequences one behind another, without padding; its arrays are its own.

    Sequence s is tokens cu_seqlens[s] to cu_seqlens[s + 1]; without cu_seqlens there is one.
    weights are factors of each label's loss; without labels a batch is for logits alone.  It may be
    copied and pickled; two are equal when all they hold is.
    """

    def __init__(self, input_ids: Iterable[int], labels: Optional[Iterable[int]] = None,
                 cu_seqlens: Optional[Iterable[int]] = None,
                 positions: Optional[Iterable[int]] = None, last_of_step: bool = False,
                 weights: Optional[Sequence[float]] = None) -> None:
        ids = ints(input_ids, "input_ids")
        targets = None if labels is None else ints(labels, "labels")
        if targets is not None and len(ids) != len(targets):
            raise ValueError(f"{len(ids)} ids, {len(targets)} labels")
        starts = ints([0, len(ids)] if cu_seqlens is None else cu_seqlens, "cu_seqlens")
        places = None if positions is None else ints(positions, "positions")
        if places is not None and len(places) != len(ids):
            raise ValueError(f"{len(ids)} ids, {len(places)} positions")
        factors = None if weights is None else floats(weights, len(ids), name="weights")
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
            last_of_step=last_of_step, **more)
        self._as_parameter_ = ctypes.byref(self._struct)

    @classmethod
    def _copy(cls, b: Any) -> "Batch":
        """The library's batch, which lives until the loader's next one."""
        made = cls.__new__(cls)
        made._set(_copied(b.input_ids, b.n_tokens), _copied(b.labels, b.n_tokens),
                  _copied(b.cu_seqlens, b.n_seqs + 1), _copied(b.positions, b.n_tokens),
                  b.n_trained, bool(b.last_of_step), weights=_copied(b.weights, b.n_tokens),
                  roles=_copied(b.roles, b.n_seqs), pairs=_copied(b.pairs, b.n_seqs))
        return made

    def _values(self) -> Tuple[Any, ...]:
        """All it holds, arrays as bytes."""
        more = (self._more.get(name) for name in ("weights", "roles", "pairs"))
        return (*(None if a is None else bytes(a) for a in (*self._arrays, *more)),
                self.n_trained, self.last_of_step)

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Batch) else NotImplemented

    def __reduce__(self) -> Any:
        return _batch, self._values()

    def __repr__(self) -> str:
        return (f"<axl.Batch: {len(self)} tokens in {self.n_seqs} "
                f"sequence{'' if self.n_seqs == 1 else 's'}, {self.n_trained} trained>")

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


def _batch(ids: bytes, labels: Any, starts: Any, positions: Any, weights: Any, roles: Any,
           pairs: Any, n_trained: int, last_of_step: bool) -> Batch:
    """A Batch of what Batch._values() gave."""
    def array(kind: Any, data: Optional[bytes]) -> Any:
        return None if data is None else (kind * (len(data) // 4)).from_buffer_copy(data)
    made = Batch.__new__(Batch)
    ints32 = [array(ctypes.c_int32, data) for data in (ids, labels, starts, positions)]
    made._set(ints32[0], ints32[1], ints32[2], ints32[3], n_trained, last_of_step,
              weights=array(ctypes.c_float, weights),
              roles=array(ctypes.c_uint32, roles), pairs=array(ctypes.c_uint32, pairs))
    return made


class Cursor(NamedTuple):
    """Where a loader stands: epochs done, and batches of this epoch that were given."""
    epoch: int
    batch: int


class Loader(Handle):
    """An iterator over the batches of all epochs, the Dataset's samples in another order each.

    micro_batch_size counts a batch's sequences, with sample_packing its bins of sequence_len
    tokens; gradient_accumulation_steps a step's batches.  group_by_length puts samples of similar
    length near each other, without packing.  It ends after num_epochs, which may be a
    fraction, or max_steps optimizer steps.  Arguments that are None take the library's default.
    """
    _type = _abi.axl_loader
    _free = "axl_loader_free"
    _instead = "make another Loader and give it the cursor of this one"

    def __init__(self, dataset: Dataset, *, micro_batch_size: Optional[int] = None,
                 gradient_accumulation_steps: Optional[int] = None,
                 sequence_len: Optional[int] = None, sample_packing: Optional[bool] = None,
                 shuffle: Optional[bool] = None, real_batches: Optional[bool] = None,
                 keep_order: Optional[bool] = None, num_epochs: Optional[float] = None,
                 max_steps: Optional[int] = None, seed: Optional[int] = None,
                 group_by_length: Optional[bool] = None) -> None:
        instance(dataset, Dataset, "dataset")
        self._fill(dataset._context, lib.axl_loader_new, dataset, ctypes.byref(options(
            _abi.axl_loader_options, micro_batch_size=micro_batch_size,
            gradient_accumulation_steps=gradient_accumulation_steps, sequence_len=sequence_len,
            sample_packing=sample_packing, shuffle=shuffle, real_batches=real_batches,
            keep_order=keep_order, num_epochs=num_epochs, max_steps=max_steps, seed=seed,
            group_by_length=group_by_length)))

    @classmethod
    def from_config(cls, config: Config, dataset: Dataset, split: str = "train") -> "Loader":
        """A loader as a config says."""
        instance(config, Config, "config")
        instance(dataset, Dataset, "dataset")
        return cls._make(config.context, lib.axl_loader_from_config, config, dataset,
                         _split(split))

    def __iter__(self) -> "Loader":
        return self

    def __next__(self) -> Batch:
        b = _abi.axl_batch.init()
        if calls.run(lib.axl_loader_next, self, ctypes.byref(b)) == _abi.AXL_END:
            raise StopIteration
        return Batch._copy(b)

    def _about(self) -> str:
        epoch, batch = self.cursor
        return f"epoch {epoch}, batch {batch} of {self.batches_per_epoch}"

    @property
    def batches_per_epoch(self) -> int:
        """The batches of the current epoch."""
        return lib.axl_loader_batches_per_epoch(self.pointer)

    @property
    def total_steps(self) -> int:
        """The optimizer steps until the end; 0 when it never comes."""
        steps = ctypes.c_uint64()
        calls.run(lib.axl_loader_get_total_steps, self, ctypes.byref(steps))
        return steps.value

    @property
    def fill(self) -> float:
        """How full the bins of the current epoch are, a share of 1; 1 without packing."""
        return lib.axl_loader_fill(self.pointer)

    @property
    def cursor(self) -> Cursor:
        """Where the loader stands; assign one to go there."""
        c = _abi.axl_loader_cursor.init()
        calls.run(lib.axl_loader_get_cursor, self, ctypes.byref(c))
        return Cursor(c.epoch, c.batch)

    @cursor.setter
    def cursor(self, place: Tuple[int, int]) -> None:
        try:
            epoch, batch = place
        except (TypeError, ValueError):
            raise TypeError(f"cursor must be an axl.Cursor or a pair of epoch and batch, "
                            f"got {came(place)}") from None
        c = options(_abi.axl_loader_cursor, epoch=epoch, batch=batch)
        calls.run(lib.axl_loader_set_cursor, self, ctypes.byref(c))
