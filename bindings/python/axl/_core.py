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

import contextlib
import ctypes
import logging
import os
import signal
import threading
import weakref
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, NoReturn, Optional, Sequence

from . import _abi
from ._library import lib
from ._values import flag, function as a_function, instance, options, string, whole


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


def _stand_in(call: _Call, handler: Callable[..., Any]) -> Callable[..., None]:
    def run(number: int, frame: Any) -> None:
        try:
            handler(number, frame)
        except BaseException as e:  # pylint: disable=broad-except
            call.keep(e)
    return run


class _Calls(threading.local):
    """The calls that each thread is in, innermost last."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: List[_Call] = []
        # Told of the thread's progress, whoever else is.
        self.watchers: List[Callable[["Progress"], Any]] = []

    @contextlib.contextmanager
    def watched(self, watcher: Optional[Callable[["Progress"], Any]]) -> Iterator[None]:
        """For a time, this thread's calls tell watcher too; a true result stops the call."""
        if watcher is None:
            yield
            return
        self.watchers.append(watcher)
        try:
            yield
        finally:
            self.watchers.remove(watcher)

    def make_room(self) -> None:
        """Before a message is logged: a watcher that shows a live line takes it away."""
        for watcher in self.watchers:
            getattr(watcher, "hide", bool)()

    def run(self, function: Callable[..., Any], *arguments: Any) -> int:
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

    def inside(self, function: Callable[..., Any], *arguments: Any) -> int:
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
    """What every class over a library's handle has: close(), `with`, and release at the end.

    Handles are equal when they are the same object.  One cannot be copied or pickled.
    """
    _type: Any = None
    _free = ""
    _instead = "make another one"  #: of copying or pickling
    _owner: Optional["Handle"] = None  #: whose handle it is, where it is borrowed
    _name = ""  #: what it was made from
    _kept: Tuple[Any, ...] = ()  #: memory that the library may read as long as the handle is there

    def __init__(self) -> None:
        raise TypeError(f"an axl.{type(self).__name__} is made by its class methods, see "
                        f"help(axl.{type(self).__name__})")

    @classmethod
    def _make(cls, context: Optional["Context"], function: Callable[..., Any], *arguments: Any,
              kept: Sequence[Any] = ()) -> Any:
        """A new object over the handle that function(&out, …) gives; None at AXL_END."""
        made = cls.__new__(cls)
        made._kept = tuple(kept)
        made._fill(context, function, *arguments)
        return made if made._pointer else None

    def _fill(self, context: Optional["Context"], function: Callable[..., Any],
              *arguments: Any) -> None:
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
        if self.closed:
            raise ValueError(f"the {type(self).__name__} is closed")
        return self._pointer

    @property
    def closed(self) -> bool:
        """Whether close() was called, on it or on what lent it."""
        return (not getattr(self, "_pointer", None)
                or (self._owner is not None and self._owner.closed))

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
        self.pointer  # a closed one is refused  pylint: disable=pointless-statement
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"an axl.{type(self).__name__} cannot be copied or pickled: "
                        f"{self._instead}")

    def _about(self) -> str:
        """What the object is, for its repr."""
        return ""

    def __repr__(self) -> str:
        try:
            about = "closed" if self.closed else self._about()
        except (Error, ValueError) as e:  # busy, or of the process before a fork
            about = str(e)
        head = " ".join(filter(None, (f"axl.{type(self).__name__}", self._name)))
        return f"<{head}: {about}>" if about else f"<{head}>"

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:  # the interpreter may be going down  pylint: disable=broad-except
            pass


@dataclass(frozen=True)
class Progress:
    """How far a long call is: `done` of `total` units, bytes in the phase "download"; `total` is 0
    when not known, `job` None where the call is no job's."""
    phase: str
    done: int
    total: int
    job: Optional["Job"] = None


# Every live job by its handle's address: a report has no more than that.
_jobs: Any = weakref.WeakValueDictionary()


def _progress_function(progress: Optional[Callable[[Progress], Any]]) -> Any:
    """The library's callback, which also runs pending signal handlers, as every callback does."""
    def on_progress(_user: Any, p: Any) -> int:
        def tell() -> bool:
            seen = p.contents
            job = _jobs.get(ctypes.cast(seen.job, ctypes.c_void_p).value)
            report = Progress(string(seen.phase) or "", seen.done, seen.total, job)
            answers = [bool(tell(report)) for tell in (progress, *calls.watchers) if tell]
            return any(answers)
        return calls.inside(tell if progress or calls.watchers else bool)
    return _abi.axl_progress_fn(on_progress)


_LOG_LEVELS = {
    _abi.AXL_LOG_ERROR: logging.ERROR, _abi.AXL_LOG_WARNING: logging.WARNING,
    _abi.AXL_LOG_INFO: logging.INFO, _abi.AXL_LOG_DEBUG: logging.DEBUG}


class Context(Handle):
    """Allocator, log, threads and progress; every other handle is made from one.

    Whatever is made without a context shares default_context().  threads is how many work on a
    call, 0 for as many as the process may use; log_level is one of logging's; isa is "baseline",
    "avx2", "avx512", "avx512_bf16" or "amx", None for the best; hub_cache and hub_token are the
    Hub's folder and token, None for those of its environment variables, used where allow_network
    is true.

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
        self._settings: Dict[str, Any] = dict(
            threads=threads, log=log, log_level=log_level, progress=progress,
            allow_network=allow_network, isa=isa, onednn=onednn, plugin_dir=plugin_dir,
            hub_cache=hub_cache, hub_token=hub_token)
        told = a_function(log, "log") or logging.getLogger("axl").log
        whole(log_level, "log_level")

        def on_log(_user: Any, level: int, message: bytes) -> None:
            def say() -> None:
                calls.make_room()
                told(_LOG_LEVELS.get(level, logging.INFO), string(message) or "")
            calls.inside(say)

        level = max((l for l, python in _LOG_LEVELS.items() if python >= log_level),
                    default=_abi.AXL_LOG_ERROR)
        # Kept here: the library calls them as long as a handle of this context lives.
        self._callbacks = (_abi.axl_log_fn(on_log), _progress_function(
            a_function(progress, "progress")))
        self._fill(None, lib.axl_context_new, ctypes.byref(options(
            _abi.axl_context_options, threads=threads, log=self._callbacks[0], log_level=level,
            progress=self._callbacks[1], allow_network=allow_network, isa=isa,
            no_onednn=1 - flag(onednn, "onednn"), plugin_dir=plugin_dir, hub_cache=hub_cache,
            hub_token=hub_token)))

    def _about(self) -> str:
        return f"{self.threads} threads, {self.isa}"

    @property
    def threads(self) -> int:
        """The threads that work on this context's calls, the caller's included."""
        return lib.axl_context_threads(self.pointer)

    @property
    def isa(self) -> str:
        """The instruction set that the CPU kernels use."""
        return lib.axl_context_isa(self.pointer).decode()


class _Default:
    """The context of what is made without one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.context: Optional[Context] = None
        self.settings: Dict[str, Any] = {}

    def get(self) -> Context:
        with self.lock:
            if self.context is None or self.context.closed:
                self.context = Context(**self.settings)
            return self.context

    def set(self, context: Optional[Context]) -> None:
        with self.lock:
            self.context = context
            self.settings = {} if context is None else context._settings

    def forked(self) -> None:
        """In a child the parent's context is no use, and another thread may have had the lock."""
        self.lock, self.context = threading.Lock(), None


_default = _Default()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_default.forked)


def default_context() -> Context:
    """The context that everything made without one shares, made when it is first asked for, and
    anew with the same settings where it was closed or the process is a fork's child."""
    return _default.get()


def set_default_context(context: Optional[Context]) -> None:
    """Let what is made from now on without a context share this one; None: a new one with the
    defaults.  What was made before keeps its context."""
    _default.set(instance(context, Context, "context", none=True))


def context_or_default(context: Optional[Context]) -> Context:
    """The context that a caller gave, or the one for those who gave none."""
    if context is None:
        return default_context()
    return instance(context, Context, "context")


class Cancel(Handle):
    """A flag that stops every long call on a context; raised from any thread.

    A later Cancel of the same context takes the earlier one's place.  Without a context it is of
    default_context(), and stops all that shares it.
    """
    _type = _abi.axl_cancel
    _free = "axl_cancel_free"

    def __init__(self, context: Optional[Context] = None) -> None:
        context = context_or_default(context)
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

    def __init__(self, context: Optional[Context] = None, *,
                 progress: Optional[Callable[[Progress], Any]] = None) -> None:
        context = context_or_default(context)
        self._callback = _progress_function(progress) if a_function(progress, "progress") else None
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
