# SPDX-License-Identifier: Apache-2.0
"""Finds and loads libaxl, and checks that it is the one that this package was written for."""
from __future__ import annotations

import ctypes
import ctypes.util
import os
import sysconfig
from typing import Any, Iterator

from . import _abi

SONAME = f"libaxl.so.{_abi.AXL_ABI_VERSION}"


class LibraryError(ImportError):
    """libaxl was not found, or is not the one that this package needs."""


def candidates() -> Iterator[str]:
    """Where to look, best first; a path without a slash is the system loader's to find."""
    chosen = os.environ.get("AXL_LIBRARY")
    if chosen:
        yield chosen
        return
    here = os.path.dirname(os.path.abspath(__file__))
    yield os.path.join(here, SONAME)
    source = os.path.dirname(os.path.dirname(os.path.dirname(here)))
    if os.path.isfile(os.path.join(source, "pkgconfig", "axl.map")):
        yield os.path.join(source, "build", SONAME)
    folder = here
    while folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
        if os.path.basename(folder) in ("lib", "lib64"):
            yield os.path.join(folder, sysconfig.get_config_var("MULTIARCH") or "", SONAME)
            yield os.path.join(folder, SONAME)
    yield SONAME
    found = ctypes.util.find_library("axl")
    if found:
        yield found


def load() -> ctypes.CDLL:
    tried = []
    for path in candidates():
        if os.sep in path and not os.path.exists(path):
            tried.append(f"{path}: no such file")
            continue
        try:
            library = ctypes.CDLL(path)
        except OSError as e:
            tried.append(str(e))
            continue
        check(library, path)
        return library
    raise LibraryError(f"cannot load {SONAME}; install libaxl or set AXL_LIBRARY to its path\n    "
                       + "\n    ".join(tried))


def check(library: ctypes.CDLL, path: str) -> None:
    """Refuses a library of another ABI, or an older one whose structs end before ours do."""
    library.axl_version.restype = ctypes.c_char_p
    library.axl_abi_sizeof.restype = ctypes.c_size_t
    version = library.axl_version().decode()
    abi = library.axl_abi_version()
    wrong = None
    if abi != _abi.AXL_ABI_VERSION:
        wrong = f"its ABI is {abi}"
    for struct in _abi.STRUCTS:
        size = library.axl_abi_sizeof(struct.__name__.encode())
        if not wrong and size < ctypes.sizeof(struct):
            wrong = f"its {struct.__name__} has {size} bytes of {ctypes.sizeof(struct)}"
    if wrong:
        raise LibraryError(
            f"{path} is axl {version}, this package needs axl {_abi.AXL_VERSION} "
            f"(ABI {_abi.AXL_ABI_VERSION}): {wrong}; install the two in one version, or set "
            "AXL_LIBRARY to the path of the right library")


class Functions:
    """The library's functions with their types; each is looked up at its first use."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def __getattr__(self, name: str) -> Any:
        result, arguments = _abi.FUNCTIONS[name]
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise LibraryError(f"the loaded libaxl {self.axl_version().decode()} has no {name}(); "
                               f"this package needs {_abi.AXL_VERSION}") from None
        function.restype, function.argtypes = result, arguments
        setattr(self, name, function)
        return function


lib = Functions(load())
