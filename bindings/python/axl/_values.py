# SPDX-License-Identifier: Apache-2.0
"""Arguments on their way into the library, arrays on their way out.

ctypes wraps an integer that is too large, cuts a text at a NUL and takes a pointer for what it is
told it is; so everything that a caller gives is looked at here first.  What has the wrong type is a
TypeError, what is out of range or of the wrong shape a ValueError, each with the argument's name,
what came and what is right.
"""
from __future__ import annotations

import ctypes
import functools
import operator
import os
import reprlib
from array import array
from typing import AbstractSet, Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

_INTEGERS = "bBhHiIlLqQ"  # codes of the module struct
_SHOWN = 60  # characters of what came


def came(value: Any) -> str:
    """What came, short enough for an error's one line."""
    if value is None:
        return "None"
    said = " ".join(reprlib.repr(value).split())
    return f"{said[:_SHOWN]} ({type(value).__name__})"


def is_bool(value: Any) -> bool:
    """Whether it is a bool of Python's or of NumPy's, of either of its versions."""
    return type(value).__name__ in ("bool", "bool_")


def whole(value: Any, name: str, low: int = 0, high: int = 2**64 - 1) -> int:
    """An integer: no float, whatever its value, and no bool."""
    try:
        if is_bool(value):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {came(value)}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} must be {low} to {high}, got {number}")
    return number


def real(value: Any, name: str, nan: bool = False) -> float:
    """A number, which is not NaN."""
    try:
        if is_bool(value) or isinstance(value, (str, bytes)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {came(value)}") from None
    except OverflowError:
        raise ValueError(f"{name} is too large: {came(value)}") from None
    if number != number and not nan:
        raise ValueError(f"{name} must be a number, got nan")
    return number


def flag(value: Any, name: str) -> int:
    """0 or 1; a text is neither, whatever it says."""
    if is_bool(value) or (type(value) is int and value in (0, 1)):
        return int(value)
    raise TypeError(f"{name} must be True or False, got {came(value)}")


class Encoded(bytes):
    """A text as the library takes it, without a NUL inside."""


def _terminated(data: bytes, name: str) -> Encoded:
    if b"\0" in data:
        raise ValueError(f"{name} has a NUL inside: {came(data)}")
    return Encoded(data)


def utf8(value: Any, name: str) -> bytes:
    """The bytes of a str, for functions that take them with their length."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {came(value)}")
    return value.encode("utf-8", "surrogateescape")


def text(value: Any, name: str = "text") -> Encoded:
    """What a `const char *` argument takes, of a str."""
    return _terminated(utf8(value, name), name)


def path(value: Any, name: str = "path") -> Encoded:
    """What a `const char *` argument takes, of a str, bytes or os.PathLike that names a file."""
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise TypeError(f"{name} must be a path (a str or os.PathLike), got {came(value)}")
    named = os.fspath(value)
    return _terminated(named if isinstance(named, bytes) else utf8(named, name), name)


def string(value: Optional[bytes]) -> Optional[str]:
    """A text of the library's."""
    return None if value is None else value.decode("utf-8", "replace")


def function(value: Any, name: str) -> Any:
    """Something to call, or None."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be a function, got {came(value)}")
    return value


def instance(value: Any, kind: type, name: str, none: bool = False) -> Any:
    """An object of a class of this package, or where none is true None."""
    if not isinstance(value, kind) and not (none and value is None):
        raise TypeError(f"{name} must be an axl.{kind.__name__}, got {came(value)}")
    return value


def choice(name: str, choices: Mapping[str, int], value: Optional[str]) -> Optional[int]:
    """The number of a word, or ValueError naming the words; None for None."""
    if value is None:
        return None
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
    return choices[value]


# ---- structs ----

# Fields of options structs that are uint32_t or int32_t and mean yes or no, and those of paths.
_FLAGS = frozenset((
    "all_rows", "allow_network", "checkpointing", "ensure_weight_tying", "from_cache", "greater_is_better", "greedy",
    "group_by_length", "keep_order", "last_of_step", "legacy", "lora_bias", "no_onednn", "own_data", "read",
    "real_batches", "rslora", "sample_packing", "shuffle", "three_phases", "threshold_absolute",
    "use_dora"))
_PATHS = frozenset(("base_dir", "hub_cache", "plugin_dir", "resume", "source"))
_RANGES = {ctypes.c_uint32: (0, 2**32 - 1), ctypes.c_int32: (-2**31, 2**31 - 1),
           ctypes.c_uint64: (0, 2**64 - 1), ctypes.c_int64: (-2**63, 2**63 - 1),
           ctypes.c_size_t: (0, 2**64 - 1)}


def _field(kind: Any, name: str, value: Any) -> Any:
    """A value as a struct's field of this type takes it."""
    if kind is ctypes.c_char_p:
        if isinstance(value, Encoded):
            return value
        return path(value, name) if name in _PATHS else text(value, name)
    if name in _FLAGS:
        return flag(value, name)
    if kind is ctypes.c_double:
        return real(value, name)
    return whole(value, name, *_RANGES[kind]) if kind in _RANGES else value


@functools.lru_cache(maxsize=None)
def _kinds(struct: Any) -> Dict[str, Any]:
    return dict(struct._fields_)


def options(struct: Any, **values: Any) -> Any:
    """An options struct with its defaults, and over them the values that are not None."""
    made, kinds = struct.init(), _kinds(struct)
    for name, value in values.items():
        if value is not None:
            setattr(made, name, _field(kinds[name], name, value))
    return made


def names(values: Any, name: str = "names") -> Tuple[Any, int]:
    """A `const char *const *` and its length.  One str is no list of them."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list of str, got {came(values)}")
    encoded = [text(v, f"{name}[{i}]") for i, v in enumerate(values)]
    made = (ctypes.c_char_p * len(encoded))(*encoded)
    return ctypes.cast(made, ctypes.POINTER(ctypes.c_char_p)), len(encoded)


def numbers(values: Iterable[Any], kind: Any, name: str) -> Any:
    """A C array of ctypes.c_double, or of integers of that kind."""
    made = [real(v, name) if kind is ctypes.c_double else whole(v, name, *_RANGES[kind])
            for v in values]
    return ctypes.cast((kind * len(made))(*made), ctypes.POINTER(kind))


# ---- arrays ----

def _buffer(values: Any) -> Tuple[str, Tuple[int, ...], Optional[bytes]]:
    """Element code and shape of an array, no code for other things; and its bytes where they are as
    the library takes them: int32 or float32, little-endian as the machine is."""
    try:
        seen = memoryview(values)
        given = seen.format.lstrip("<=@")
        code = given.lstrip(">!")
        return code, seen.shape or (), seen.tobytes() if given in ("i", "f") else None
    except (TypeError, ValueError, NotImplementedError, BufferError):
        return "", (), None


def _listed(values: Any, name: str, of: str) -> List[Any]:
    """The elements of a sequence, an iterator or an array."""
    try:
        if isinstance(values, (str, bytes, bytearray, Mapping, AbstractSet)):
            raise TypeError
        elements = iter(values.tolist() if hasattr(values, "tolist") else values)
    except TypeError:
        raise TypeError(f"{name} must be a list or an array of {of}, got {came(values)}") from None
    return list(elements)


def _packed(code: str, listed: List[Any], kinds: AbstractSet[type],
            convert: Callable[[int, Any], Any]) -> Any:
    """A ctypes array of the elements; convert(place, element) is for those that need a look."""
    try:
        if not set(map(type, listed)) <= kinds:
            raise OverflowError
        packed = array(code, listed)
    except OverflowError:
        packed = array(code, [convert(i, v) for i, v in enumerate(listed)])
    return _copied(code, len(listed), packed)


def _copied(code: str, count: int, data: Any) -> Any:
    kind = ctypes.c_int32 if code == "i" else ctypes.c_float
    return (kind * count).from_buffer_copy(data)


def ints(values: Any, name: str = "ids") -> Any:
    """A ctypes array of int32 with a copy of the values, a flat sequence or array of integers."""
    code, shape, data = _buffer(values)
    if code and not isinstance(values, (bytes, bytearray)):
        if code not in _INTEGERS:
            kind = getattr(values, "dtype", code)
            raise TypeError(f"{name} must be integers, got an array of {kind}")
        if len(shape) != 1:
            raise ValueError(f"{name} must be flat, got an array of shape {shape}")
        if code == "i" and data is not None:
            return _copied(code, shape[0], data)
    return _packed("i", _listed(values, name, "integers"), {int},
                   lambda i, v: whole(v, f"{name}[{i}]", -2**31, 2**31 - 1))


def floats(values: Any, *shape: int, name: str = "values") -> Any:
    """A ctypes array of float with a copy of the values: of this shape, or flat, row by row."""
    count = functools.reduce(operator.mul, shape, 1)
    values = _as_numpys(values)
    code, found, data = _buffer(values)
    if code and not isinstance(values, (bytes, bytearray)):
        if code not in _INTEGERS + "efd":
            raise TypeError(f"{name} must be numbers, got an array of "
                            f"{getattr(values, 'dtype', code)}")
        _fits(name, found, shape, count)
        if code != "f" or data is None:
            data = numpy().asarray(values, dtype="float32").tobytes() if numpy() else None
        if data is not None:
            return _copied("f", count, data)
    flat, found = _flat(values, name)
    _fits(name, found, shape, count)
    return _packed("f", flat, {int, float}, lambda i, v: real(v, f"{name}[{i}]", nan=True))


def _as_numpys(values: Any) -> Any:
    """An array of another package as NumPy's, which is much faster than element by element."""
    try:
        return numpy().asarray(values) if numpy() and hasattr(values, "__array__") else values
    except (TypeError, ValueError, RuntimeError):  # with a dtype or on a device that NumPy has not
        return values


def _flat(values: Any, name: str) -> Tuple[List[Any], Tuple[int, ...]]:
    """The elements of a sequence, or of one of rows, and its shape."""
    rows = _listed(values, name, "numbers")
    first = rows[0] if rows else 0.0
    if isinstance(first, str) or not getattr(first, "ndim", hasattr(first, "__len__")):
        return rows, (len(rows),)
    parts = [_listed(row, f"{name}[{i}]", "numbers") for i, row in enumerate(rows)]
    width = len(parts[0])
    for i, part in enumerate(parts):
        if len(part) != width:
            raise ValueError(f"{name}[{i}] has {len(part)} numbers, {name}[0] has {width}")
    return [x for part in parts for x in part], (len(parts), width)


def _fits(name: str, found: Tuple[int, ...], shape: Tuple[int, ...], count: int) -> None:
    if found not in (shape, (count,)):
        wanted = f"{count} numbers" if len(shape) == 1 else f"the shape {shape}"
        raise ValueError(f"{name} must have {wanted}, got the shape {found}")


@functools.lru_cache(maxsize=None)
def numpy() -> Any:
    """NumPy, or None where it is not installed."""
    try:
        import numpy as module  # type: ignore  # pylint: disable=import-outside-toplevel
        return module
    except ImportError:
        return None


def view(values: Any, *shape: int) -> Any:
    """A view of a ctypes array that keeps it alive: of NumPy where that is installed, else a
    memoryview."""
    code = values._type_._type_
    if numpy():
        return numpy().frombuffer(values, dtype=code).reshape(shape)
    flat = memoryview(values).cast("B").cast(code) if len(values) else memoryview(array(code))
    return flat if len(shape) == 1 or 0 in shape else flat.cast("B").cast(code, shape)


def same(one: Any, other: Any) -> bool:
    """Whether two arrays, of which either may be missing, hold the same."""
    if one is None or other is None:
        return one is other
    return bytes(one) == bytes(other)
