# SPDX-License-Identifier: Apache-2.0
"""Bytes of Python objects as the library takes files and tensors, and files as it hands them out.

The library uses weights where they lie, so what is given stays exported (a bytearray cannot be
resized) as long as an object lives whose handle may read it; see Handle._fill().
"""
from __future__ import annotations

import ctypes
import json
from typing import Any, Callable, Dict, List, Mapping, Tuple, Union

from . import _abi
from ._core import calls

TYPES = {"f32": _abi.AXL_TENSOR_F32, "bf16": _abi.AXL_TENSOR_BF16, "f16": _abi.AXL_TENSOR_F16}
_FORMATS = {"f": "f32", "e": "f16"}  # codes of the module struct
_NAMES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


class _PyBuffer(ctypes.Structure):
    """Py_buffer of Python's C API."""
    _fields_ = [
        ("buf", ctypes.c_void_p), ("obj", ctypes.py_object), ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t), ("readonly", ctypes.c_int), ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p), ("shape", ctypes.c_void_p), ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p), ("internal", ctypes.c_void_p)]


_get = ctypes.pythonapi.PyObject_GetBuffer
_get.argtypes = [ctypes.py_object, ctypes.POINTER(_PyBuffer), ctypes.c_int]
_release = ctypes.pythonapi.PyBuffer_Release
_release.argtypes, _release.restype = [ctypes.POINTER(_PyBuffer)], None


class Borrowed:
    """The contiguous bytes of anything with the buffer protocol, held until the object is gone."""

    def __init__(self, data: Any, name: str) -> None:
        self._held = _PyBuffer()
        try:
            _get(data, ctypes.byref(self._held), 0)
        except (TypeError, BufferError):
            self._held.buf = None
            raise TypeError(f"{name} must be contiguous bytes, not {type(data).__name__}") from None
        self.address, self.length = self._held.buf, self._held.len

    def __del__(self) -> None:
        if self._held.buf:
            _release(ctypes.byref(self._held))


def file_list(files: Mapping[str, Any]) -> Tuple[Any, List[Any]]:
    """The library's list of files, and what to keep as long as it may read them."""
    if not isinstance(files, Mapping):
        raise TypeError(f"files must map names to bytes, not {type(files).__name__}")
    array, kept = (_abi.axl_file * len(files))(), []
    for to, (name, data) in zip(array, files.items()):
        held = Borrowed(data, name)
        to.size, to.name = ctypes.sizeof(to), name.encode("utf-8", "surrogateescape")
        to.data, to.length = held.address, held.length
        kept.append(held)
    return array, kept


def _file_function(made: Dict[str, bytes]) -> Any:
    def on_file(_user: Any, pointer: Any) -> int:
        def tell() -> None:
            file = pointer.contents
            made[file.name.decode("utf-8", "surrogateescape")] = ctypes.string_at(
                file.data, file.length)
        return calls.inside(tell)
    return _abi.axl_file_fn(on_file)


def collect(function: Callable[..., Any], handle: Any) -> Dict[str, bytes]:
    """The files that a call hands out."""
    made: Dict[str, bytes] = {}
    calls.run(function, handle, _file_function(made), None)
    return made


def _torch(value: Any, name: str) -> Tuple[str, Tuple[int, ...], Any, int, int]:
    value = value.detach().cpu().contiguous()
    kind = _NAMES.get(str(value.dtype).rpartition(".")[2])
    if kind is None:
        raise TypeError(f"{name} must be float32, bfloat16 or float16, not {value.dtype}")
    return (kind, tuple(value.shape), value, value.data_ptr(),
            value.numel() * value.element_size())


def _tensor(value: Any, name: str) -> Tuple[str, Tuple[int, ...], Any, int, int]:
    """A tensor's type, shape, what to keep of it, address and bytes."""
    if isinstance(value, tuple):
        kind, shape, data = value
        if kind not in TYPES:
            raise ValueError(f"{name}: the type must be one of {', '.join(TYPES)}, got {kind!r}")
        held = Borrowed(data, name)
        return kind, tuple(shape), held, held.address, held.length
    if hasattr(value, "data_ptr"):
        return _torch(value, name)
    if hasattr(value, "__array_interface__"):  # NumPy's, whose bfloat16 knows no buffer protocol
        import numpy  # pylint: disable=import-outside-toplevel
        value = numpy.require(value, requirements="C")
        array = _NAMES.get(value.dtype.name) if value.dtype.isnative else None
        if array is None:
            raise TypeError(f"{name} must be float32, bfloat16 or float16, not {value.dtype}")
        return array, value.shape, value, value.__array_interface__["data"][0], value.nbytes
    seen = memoryview(value)
    array = _FORMATS.get(seen.format.lstrip("@=<"))
    if array is None:
        raise TypeError(f"{name} must be float32 or float16, not of the format {seen.format!r}")
    held = Borrowed(value, name)
    return array, seen.shape, held, held.address, held.length


class Source:
    """The library's callback over tensors by name; `kept` is what it may read afterwards."""

    def __init__(self, tensors: Union[Mapping[str, Any], Callable[[str], Any]],
                 read: bool) -> None:
        get = tensors if callable(tensors) else tensors.get
        self.kept: List[Any] = []

        def on_tensor(_user: Any, name: bytes, out: Any) -> int:
            found: List[bool] = []

            def tell() -> None:
                known = name.decode()
                value = get(known)
                if value is None:
                    return
                found.append(True)
                kind, shape, held, address, length = _tensor(value, known)
                sizes = (ctypes.c_uint64 * len(shape))(*shape)
                if read:
                    self.kept.clear()  # the one before is copied by now
                self.kept.append((held, sizes))
                to = out.contents
                to.data, to.length, to.type = address, length, TYPES[kind]
                to.shape, to.n_dims = ctypes.cast(sizes, ctypes.POINTER(ctypes.c_uint64)), len(shape)
            if calls.inside(tell):
                return _abi.AXL_ERR_CANCELLED
            return _abi.AXL_OK if found else _abi.AXL_END
        self.function = _abi.axl_tensor_fn(on_tensor)


def collect_model(function: Callable[..., Any], handle: Any) -> Tuple[Dict[str, bytes], Dict[str, Any]]:
    """The files and tensors that a call hands out, those as tuples that _tensor() takes."""
    files: Dict[str, bytes] = {}
    tensors: Dict[str, Any] = {}
    kinds = {number: kind for kind, number in TYPES.items()}

    def on_tensor(_user: Any, name: bytes, pointer: Any) -> int:
        def tell() -> None:
            t = pointer.contents
            tensors[name.decode()] = (kinds[t.type], tuple(t.shape[:t.n_dims]),
                                      ctypes.string_at(t.data, t.length))
        return calls.inside(tell)
    calls.run(function, handle, _file_function(files), _abi.axl_tensor_out_fn(on_tensor), None)
    return files, tensors


def config_text(config: Union[str, bytes, Mapping[str, Any]]) -> bytes:
    """The bytes of config.json."""
    if isinstance(config, Mapping):
        config = json.dumps(config)
    return config.encode() if isinstance(config, str) else config
