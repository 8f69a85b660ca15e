# SPDX-License-Identifier: Apache-2.0
"""Errors, the context, and how a call into the library is made.

Three things happen around a call that may last.  An exception in a callback is kept, the callback
asks the library to stop, and the exception is raised once the call is back.  A signal's Python
handler cannot run while C code has the thread, so the progress callback, which the library calls
ten times a second and which every context has, is where pending handlers run; for the time of the
call a stand-in takes each handler's place and keeps what it raises, since an exception at the entry
of a ctypes callback would be lost.  And the interpreter's lock is free meanwhile.
"""
from __future__ import annotations

import ctypes
import logging
import signal
import threading
import weakref
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Optional, Sequence, Tuple

from . import _abi
from ._library import lib


class Error(Exception):
    """A call failed; `status` is the library's code, the text its one line."""
    status = _abi.AXL_ERR_INTERNAL

    def __init__(self, message: str, status: Optional[int] = None) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status


class OutOfMemory(Error, MemoryError):
    """A host allocation failed."""
    status = _abi.AXL_ERR_NOMEM


class InvalidError(Error, ValueError):
    """A bad argument or option value."""
    status = _abi.AXL_ERR_INVALID


class AbiError(Error):
    """An options struct or plugin of another version."""
    status = _abi.AXL_ERR_ABI


class BusyError(Error):
    """The handle is in use."""
    status = _abi.AXL_ERR_BUSY


class Cancelled(Error):
    """A Cancel was raised, or a callback asked to stop."""
    status = _abi.AXL_ERR_CANCELLED


class ConfigError(Error, ValueError):
    """The YAML is wrong; `diagnostics` name file, line, column and key."""
    status = _abi.AXL_ERR_CONFIG
    diagnostics: Sequence[Any] = ()


class NotFound(Error, FileNotFoundError):
    """A file, model or named thing does not exist."""
    status = _abi.AXL_ERR_NOT_FOUND


class InputOutputError(Error, OSError):
    """Reading or writing failed."""
    status = _abi.AXL_ERR_IO


class FormatError(Error, ValueError):
    """A file is not what its format says."""
    status = _abi.AXL_ERR_FORMAT


class DataError(Error, ValueError):
    """Data rows cannot be trained on."""
    status = _abi.AXL_ERR_DATA


class UnsupportedError(Error, NotImplementedError):
    """Known, but not done by this build."""
    status = _abi.AXL_ERR_UNSUPPORTED


class NumericError(Error, ArithmeticError):
    """A loss or gradient is not finite."""
    status = _abi.AXL_ERR_NUMERIC


class DeviceError(Error):
    """The backend or its device failed."""
    status = _abi.AXL_ERR_DEVICE


class ForkedError(Error):
    """The handle was made before a fork, by the parent."""
    status = _abi.AXL_ERR_FORKED


_ERRORS = {cls.status: cls for cls in (
    OutOfMemory, InvalidError, AbiError, BusyError, Cancelled, ConfigError, NotFound,
    InputOutputError, FormatError, DataError, UnsupportedError, NumericError, DeviceError,
    ForkedError)}


def error(status: int) -> Error:
    """The calling thread's last failure as an exception."""
    message = (lib.axl_last_error() or b"").decode("utf-8", "replace")
    name = lib.axl_status_name(status).decode()
    return _ERRORS.get(status, Error)(message or name, status)


def check(status: int) -> int:
    if status < 0:
        raise error(status)
    return status


def text(value: Any) -> Optional[bytes]:
    """What a `const char *` argument takes; paths are fine."""
    if value is None or isinstance(value, bytes):
        return value
    if hasattr(value, "__fspath__"):
        value = value.__fspath__()
        return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
    return value.encode("utf-8", "surrogateescape")


def string(value: Optional[bytes]) -> Optional[str]:
    return None if value is None else value.decode("utf-8", "replace")


def options(struct: Any, **values: Any) -> Any:
    """An options struct with its defaults, and over them the values that are not None."""
    made = struct.init()
    for name, value in values.items():
        if value is not None:
            setattr(made, name, text(value) if isinstance(value, str) else value)
    return made


def take_buffer(buffer: Any) -> bytes:
    """The bytes of an axl_buffer, which is emptied."""
    data = ctypes.string_at(buffer.data, buffer.length) if buffer.length else b""
    lib.axl_buffer_free(ctypes.byref(buffer))
    return data


class _Call:
    """A call in progress: the first exception of its callbacks and signal handlers."""
    __slots__ = ("raised", "guarded")

    def __init__(self) -> None:
        self.raised: Optional[BaseException] = None
        self.guarded = False

    def keep(self, e: BaseException) -> None:
        if self.raised is None:
            self.raised = e


# SIGINT gets its stand-in first and its handler back last: an interrupt on the way finds the rest done.
_SIGNALS = tuple(sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
                        key=lambda number: (number != signal.SIGINT, number)))


def _stand_in(call: _Call, handler: Callable) -> Callable:
    def run(number, frame):
        try:
            handler(number, frame)
        except BaseException as e:  # pylint: disable=broad-except
            call.keep(e)
    return run


class _Calls(threading.local):
    """The calls that each thread is in, innermost last."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list = []

    def run(self, function: Callable, *arguments: Any) -> int:
        """A call that may last."""
        call, replaced = _Call(), []
        guard = (threading.current_thread() is threading.main_thread()
                 and not any(c.guarded for c in self.stack))
        try:
            self.stack.append(call)
            if guard:
                call.guarded = True
                for number in _SIGNALS:
                    handler = signal.getsignal(number)
                    if callable(handler):
                        stand_in = _stand_in(call, handler)
                        replaced.append((number, handler, stand_in))
                        signal.signal(number, stand_in)
            status = function(*(a.pointer if isinstance(a, Handle) else a for a in arguments))
        finally:
            if self.stack and self.stack[-1] is call:
                self.stack.pop()
            for number, handler, stand_in in reversed(replaced):
                if signal.getsignal(number) is stand_in:
                    signal.signal(number, handler)
        if call.raised is not None:
            raise call.raised
        return check(status)

    def inside(self, function: Callable, *arguments: Any) -> int:
        """A callback's body: 0 to go on, 1 to stop."""
        stop = False
        try:
            stop = bool(function(*arguments))
        except BaseException as e:  # pylint: disable=broad-except
            if not self.stack:
                raise
            self.stack[-1].keep(e)
        return int(stop or any(call.raised is not None for call in self.stack))


calls = _Calls()


class Handle:
    """What every class over a library's handle has: close(), `with`, and release at the end."""
    _type: Any = None
    _free = ""
    _owner: Optional["Handle"] = None  #: whose handle it is, where it is borrowed
    _kept: Tuple[Any, ...] = ()  #: memory that the library may read as long as the handle is there

    def __init__(self) -> None:
        raise TypeError(f"use the class methods of {type(self).__name__}")

    @classmethod
    def _make(cls, context: Optional["Context"], function: Callable, *arguments: Any,
              kept: Sequence[Any] = ()) -> Any:
        """A new object over the handle that function(&out, …) gives; None at AXL_END."""
        made = cls.__new__(cls)
        made._kept = tuple(kept)
        made._fill(context, function, *arguments)
        return made if made._pointer else None

    def _fill(self, context: Optional["Context"], function: Callable, *arguments: Any) -> None:
        """The context stays referenced, for its callbacks must outlive the handle, and so does the
        memory of what it is made from, whose handles the library may hold longer than Python."""
        self._context = context
        self._kept += tuple(k for a in arguments if isinstance(a, Handle) for k in a._kept)
        self._pointer = ctypes.POINTER(self._type)()
        try:
            calls.run(function, ctypes.byref(self._pointer), *arguments)
        except BaseException:
            self.close()
            raise

    @property
    def pointer(self) -> Any:
        """The library's handle, for calls of one's own; borrowed."""
        if not getattr(self, "_pointer", None) or (self._owner and not self._owner._pointer):
            raise ValueError(f"the {type(self).__name__} is closed")
        return self._pointer

    @classmethod
    def _lent(cls, owner: "Handle", pointer: Any) -> Any:
        """An object over a handle that another one owns and keeps; None where there is none."""
        if not pointer:
            return None
        made = cls.__new__(cls)
        made._context, made._owner, made._pointer = owner._context, owner, pointer
        return made

    def close(self) -> None:
        """Drop the reference; the object cannot be used any more."""
        pointer, self._pointer = getattr(self, "_pointer", None), None
        if pointer and self._owner is None:
            getattr(lib, self._free)(pointer)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:  # the interpreter may be going down  pylint: disable=broad-except
            pass


@dataclass(frozen=True)
class Progress:
    """How far a long call is; `total` is 0 when not known, `job` None where the call is no job's."""
    phase: str
    done: int
    total: int
    job: Optional["Job"] = None


# Every live job by its handle's address: a report has no more than that.
_jobs: Any = weakref.WeakValueDictionary()


def _progress_function(progress: Optional[Callable[[Progress], Any]]) -> Any:
    """The library's callback, which also runs pending signal handlers, as every callback does."""
    def on_progress(_user, p):
        def tell():
            seen = p.contents
            job = _jobs.get(ctypes.cast(seen.job, ctypes.c_void_p).value)
            return progress(Progress(string(seen.phase), seen.done, seen.total, job))
        return calls.inside(tell if progress else bool)
    return _abi.axl_progress_fn(on_progress)


_LOG_LEVELS = {
    _abi.AXL_LOG_ERROR: logging.ERROR, _abi.AXL_LOG_WARNING: logging.WARNING,
    _abi.AXL_LOG_INFO: logging.INFO, _abi.AXL_LOG_DEBUG: logging.DEBUG}


class Context(Handle):
    """Allocator, log, threads and progress; every other handle is made from one.

    log(level, message) receives the library's messages, with the levels of the module logging;
    None sends them to logging.getLogger("axl").  progress(Progress) is called at most ten times a
    second in long calls; a true result stops the call, which then raises Cancelled, and so does an
    exception, which comes out of the call.
    """
    _type = _abi.axl_context
    _free = "axl_context_free"

    def __init__(self, *, threads: int = 0,
                 log: Optional[Callable[[int, str], Any]] = None,
                 log_level: int = logging.INFO,
                 progress: Optional[Callable[[Progress], Any]] = None,
                 allow_network: bool = False, isa: Optional[str] = None, onednn: bool = True,
                 plugin_dir: Any = None, hub_cache: Any = None,
                 hub_token: Optional[str] = None) -> None:
        log = log or logging.getLogger("axl").log

        def on_log(_user, level, message):
            calls.inside(lambda: log(_LOG_LEVELS.get(level, logging.INFO), string(message)) and None)

        level = max((l for l, python in _LOG_LEVELS.items() if python >= log_level),
                    default=_abi.AXL_LOG_ERROR)
        # Kept here: the library calls them as long as a handle of this context lives.
        self._callbacks = (_abi.axl_log_fn(on_log), _progress_function(progress))
        self._fill(None, lib.axl_context_new, ctypes.byref(options(
            _abi.axl_context_options, threads=threads, log=self._callbacks[0], log_level=level,
            progress=self._callbacks[1], allow_network=int(allow_network), isa=isa,
            no_onednn=int(not onednn), plugin_dir=text(plugin_dir), hub_cache=text(hub_cache),
            hub_token=hub_token)))

    @property
    def threads(self) -> int:
        """The threads that work on this context's calls, the caller's included."""
        return lib.axl_context_threads(self.pointer)

    @property
    def isa(self) -> str:
        """The instruction set that the CPU kernels use."""
        return lib.axl_context_isa(self.pointer).decode()


class Cancel(Handle):
    """A flag that stops every long call on a context; raised from any thread.

    A later Cancel of the same context takes the earlier one's place.
    """
    _type = _abi.axl_cancel
    _free = "axl_cancel_free"

    def __init__(self, context: Context) -> None:
        self._fill(context, lib.axl_cancel_new, context)

    def set(self) -> None:
        """Calls in progress raise Cancelled soon, later ones at once, until clear()."""
        lib.axl_cancel_raise(self.pointer)

    def clear(self) -> None:
        """Lower the flag."""
        lib.axl_cancel_clear(self.pointer)


class Job(Handle):
    """What is cancelled, and reports its progress, by itself, beside others on one context or model.

        job = axl.Job(context)
        with job:
            axl.Run(config).train()     # on another thread: job.cancel()

    Every call that a thread makes within the `with` is the job's; a thread is in one job at a time,
    several threads may be in one.  progress(Progress) is called instead of the context's.
    """
    _type = _abi.axl_job
    _free = "axl_job_free"

    def __init__(self, context: Context, *,
                 progress: Optional[Callable[[Progress], Any]] = None) -> None:
        self._callback = _progress_function(progress) if progress else None
        self._fill(context, lib.axl_job_new, context, ctypes.byref(options(
            _abi.axl_job_options, progress=self._callback)))
        _jobs[ctypes.cast(self.pointer, ctypes.c_void_p).value] = self

    def __enter__(self) -> "Job":
        check(lib.axl_job_enter(self.pointer))
        return self

    def __exit__(self, *_: Any) -> None:
        lib.axl_job_leave()

    def cancel(self) -> None:
        """The job's calls in progress raise Cancelled soon, later ones at once, until clear()."""
        lib.axl_job_cancel(self.pointer)

    def clear(self) -> None:
        """Let the job's calls run again."""
        lib.axl_job_clear(self.pointer)


# ---- arrays ----

def ints(values: Iterable[int]) -> Any:
    """A ctypes array of int32 with a copy of the values."""
    try:
        view = memoryview(values).cast("B")  # type: ignore[arg-type]
        if memoryview(values).format in ("i", "<i", "=i"):  # type: ignore[arg-type]
            return (ctypes.c_int32 * (len(view) // 4)).from_buffer_copy(view)
    except (TypeError, ValueError):
        pass
    listed = [int(v) for v in values]
    return (ctypes.c_int32 * len(listed))(*listed)


def floats(values: Any, count: int) -> Any:
    """A ctypes array of float with a copy of the values, which may be nested."""
    try:
        view = memoryview(values)
        if view.format in ("f", "<f", "=f") and view.nbytes == 4 * count:
            return (ctypes.c_float * count).from_buffer_copy(view.cast("B"))
    except (TypeError, ValueError):
        pass
    listed: list = []

    def flatten(item: Any) -> None:
        if hasattr(item, "__iter__") or hasattr(item, "tolist"):
            item = item.tolist() if hasattr(item, "tolist") else item
            for inner in item if isinstance(item, Iterable) else [item]:
                flatten(inner)
        else:
            listed.append(float(item))
    flatten(values)
    if len(listed) != count:
        raise ValueError(f"{len(listed)} values for a tensor of {count}")
    return (ctypes.c_float * count)(*listed)


def _numpy() -> Any:
    try:
        import numpy  # pylint: disable=import-outside-toplevel
        return numpy
    except ImportError:
        return None


def view(array: Any, *shape: int) -> Any:
    """A view of a ctypes array that keeps it alive: of NumPy where that is installed, else a
    memoryview."""
    code = array._type_._type_
    numpy = _numpy()
    if numpy:
        return numpy.frombuffer(array, dtype=code).reshape(shape)
    flat = memoryview(array).cast("B").cast(code)
    return flat if len(shape) == 1 or 0 in shape else flat.cast("B").cast(code, shape)


def names(values: Sequence[str]) -> Tuple[Any, int]:
    """A `const char *const *` and its length."""
    array = (ctypes.c_char_p * len(values))(*[text(v) for v in values])
    return ctypes.cast(array, ctypes.POINTER(ctypes.c_char_p)), len(values)
