# SPDX-License-Identifier: Apache-2.0
"""Configs and what is wrong with them."""
from __future__ import annotations

import ctypes
import json
import os
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple, Union

from . import _abi
from ._core import ConfigError, Context, Handle, InvalidError, calls, check, context_or_default
from ._core import take_buffer
from ._library import lib
from ._values import came, options, path as a_path, string, text, utf8


@dataclass(frozen=True)
class Diagnostic:
    """One thing to say about a config.  line and column are 1-based, None for a missing key or a
    value from an override; str() is "FILE:LINE:COL: error: KEY: message [ID]"."""
    id: str
    severity: str
    file: str
    line: Optional[int]
    column: Optional[int]
    key: Optional[str]
    message: str
    text: str

    def __str__(self) -> str:
        return self.text


def _diagnostics(pointer: Any) -> List[Diagnostic]:
    found = []
    for i in range(lib.axl_diagnostics_count(pointer)):
        d = _abi.axl_diagnostic.init()
        check(lib.axl_diagnostics_get(pointer, i, ctypes.byref(d)))
        found.append(Diagnostic(
            string(d.id) or "", "error" if d.severity == _abi.AXL_SEVERITY_ERROR else "warning",
            string(d.file) or "", d.line or None, d.column or None, string(d.key),
            string(d.message) or "", string(d.text) or ""))
    return found


def as_json(value: Any, name: str) -> str:
    """A value of a config as YAML, of which JSON is a part."""
    def plain(other: Any) -> Any:
        if isinstance(other, os.PathLike):
            return os.fspath(other)
        if isinstance(other, Mapping):
            return dict(other)
        if hasattr(other, "tolist"):
            return other.tolist()
        raise TypeError(f"{name} has a value that a config cannot have: {came(other)}")
    return json.dumps(value, default=plain)


def _overrides(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """"key=value" for each; a mapping names the keys below its own."""
    if not isinstance(values, Mapping):
        raise TypeError(f"overrides must map keys to values, got {came(values)}")
    for key, value in values.items():
        utf8(key, "a key of the overrides")
        path = f"{prefix}.{key}" if prefix else key
        if isinstance(value, Mapping):
            yield from _overrides(value, path)
        elif isinstance(value, str):
            yield f"{path}={value}"
        else:
            yield f"{path}={as_json(value, path)}"


class Config(Handle, Mapping[str, Any]):
    """One YAML file or text, checked, with its defaults filled in.  Immutable; several threads may
    use one.

    A mapping of the keys that have a value, where a dotted path finds one below:
    cfg["learning_rate"], cfg["datasets[0].path"].  A key that no config has is an InvalidError.
    Two configs are equal when they are the same object; compare to_dict() for more.
    """
    _instead = "write to_yaml(), and Config.parse() that"
    __eq__, __hash__ = object.__eq__, object.__hash__
    _type = _abi.axl_config
    _free = "axl_config_free"
    #: warnings (and nothing else, for errors raise ConfigError, which has its own list)
    diagnostics: List[Diagnostic]

    @classmethod
    def open(cls, path: Any, *, context: Optional[Context] = None, base_dir: Any = None,
             overrides: Optional[Mapping[str, Any]] = None, own_data: bool = False) -> "Config":
        """Read a file, or a folder that holds one YAML file.  Relative paths in it start from
        base_dir, by default the current folder; overrides lie over the YAML.  own_data: Run is given
        data sets of yours, and `datasets` may be missing."""
        return cls._read(context, base_dir, overrides, own_data, lib.axl_config_open,
                         a_path(path))

    @classmethod
    def parse(cls, source: Union[str, bytes, Mapping[str, Any]], *,
              context: Optional[Context] = None, name: str = "config", base_dir: Any = None,
              overrides: Optional[Mapping[str, Any]] = None, own_data: bool = False) -> "Config":
        """Read a YAML text, or a mapping of keys to values."""
        data = as_json(dict(source), "source") if isinstance(source, Mapping) else source
        data = data if isinstance(data, bytes) else utf8(data, "source")
        return cls._read(context, base_dir, overrides, own_data, lib.axl_config_parse, data,
                         len(data), text(name, "name"))

    @classmethod
    def _read(cls, context: Optional[Context], base_dir: Any,
              overrides: Optional[Mapping[str, Any]], own_data: bool, function: Any,
              *what: Any) -> "Config":
        context = context_or_default(context)
        lines = [text(o, "overrides") for o in _overrides({} if overrides is None else overrides)]
        listed = ctypes.POINTER(_abi.axl_diagnostics)()
        opts = options(_abi.axl_config_options, base_dir=base_dir,
                       overrides=(ctypes.c_char_p * len(lines))(*lines), n_overrides=len(lines),
                       own_data=own_data, diagnostics=ctypes.pointer(listed))
        try:
            made = cls._make(context, function, context, *what, ctypes.byref(opts))
        except ConfigError as e:
            e.diagnostics = _diagnostics(listed)
            raise
        else:
            made.diagnostics = _diagnostics(listed)
            made._name = os.path.basename(what[0].decode("utf-8", "replace")) if (
                function is lib.axl_config_open) else ""
            return made
        finally:
            lib.axl_diagnostics_free(listed)

    @property
    def context(self) -> Context:
        """The context that the config was made with."""
        assert self._context
        return self._context

    def get(self, key: str, default: Any = None) -> Any:
        """The effective value of a key as bool, int, float, str, list or dict; default where it has
        none."""
        name = text(key, "key")
        kinds: Tuple[Tuple[Any, Any, Any], ...] = ((lib.axl_config_get_bool, ctypes.c_int, bool),
                        (lib.axl_config_get_int, ctypes.c_int64, int),
                        (lib.axl_config_get_double, ctypes.c_double, float),
                        (lib.axl_config_get_string, ctypes.c_char_p, string))
        for function, kind, convert in kinds:
            out = kind()
            try:
                if calls.run(function, self, name, ctypes.byref(out)) == _abi.AXL_END:
                    return default
                return convert(out.value)
            except InvalidError:
                last = kind is ctypes.c_char_p
                if last and not self._is_nested(key):
                    raise
        return _lookup(self.to_dict(), key)

    def _is_nested(self, key: str) -> bool:
        count = ctypes.c_size_t()
        return lib.axl_config_get_count(self.pointer, text(key), ctypes.byref(count)) == _abi.AXL_OK

    def __getitem__(self, key: str) -> Any:
        missing = object()
        value = self.get(key, missing)
        if value is missing:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        missing = object()
        try:
            return isinstance(key, str) and self.get(key, missing) is not missing
        except InvalidError:  # no config has it
            return False

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    def __len__(self) -> int:
        return len(self.to_dict())

    def _about(self) -> str:
        return f"{len(self)} keys"

    def source(self, key: str) -> Optional[Tuple[int, int]]:
        """Line and column of a key in the YAML; None for a default or an override."""
        line, column = ctypes.c_uint32(), ctypes.c_uint32()
        calls.run(lib.axl_config_get_source, self, text(key, "key"), ctypes.byref(line),
                  ctypes.byref(column))
        return (line.value, column.value) if line.value else None

    def missing(self) -> List[Diagnostic]:
        """What the config names and is not there, or by its name cannot be what it should be: each
        an error at its key.  Files and folders are looked at and not opened, and a name that can be
        one on the Hub is not sought."""
        listed = ctypes.POINTER(_abi.axl_diagnostics)()
        try:
            calls.run(lib.axl_run_check, self, ctypes.byref(listed))
            return []
        except ConfigError:
            return _diagnostics(listed)
        finally:
            lib.axl_diagnostics_free(listed)

    def prompt(self, instruction: str, input: str = "") -> str:  # pylint: disable=redefined-builtin
        """The text that training puts before an answer, of the config's first data set: what to
        give generate() for an instruction, and what it is about."""
        buffer = _abi.axl_buffer.init()
        calls.run(lib.axl_dataset_prompt, None, self, text(instruction, "instruction"),
                  text(input, "input"), ctypes.byref(buffer))
        return take_buffer(buffer).decode()

    def _dump(self, form: int) -> str:
        buffer = _abi.axl_buffer.init()
        calls.run(lib.axl_config_dump, self, form, ctypes.byref(buffer))
        return take_buffer(buffer).decode()

    def to_yaml(self) -> str:
        """The effective config; parsing it gives an equal one."""
        return self._dump(_abi.AXL_CONFIG_YAML)

    def to_dict(self) -> Dict[str, Any]:
        """The effective config."""
        return json.loads(self._dump(_abi.AXL_CONFIG_JSON))


def _lookup(tree: Any, key: str) -> Any:
    for part in key.replace("[", ".[").split("."):
        tree = tree[int(part[1:-1])] if part.startswith("[") else tree[part.replace("-", "_")]
    return tree
