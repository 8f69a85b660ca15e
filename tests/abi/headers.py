# SPDX-License-Identifier: Apache-2.0
"""Reads axl's public headers, which are regular enough for regular expressions."""
import os
import re
from dataclasses import dataclass, field


@dataclass
class Variable:
    """A parameter or a struct's field; callback is set for one written as a function pointer."""
    name: str
    type: str
    callback: "Function" = None


@dataclass
class Function:
    name: str
    returns: str
    params: list
    doc: str = ""
    header: str = ""
    exported: bool = False


@dataclass
class Struct:
    name: str
    fields: list
    doc: str = ""


@dataclass
class Enum:
    name: str  # "" for a nameless one
    values: list  # (name, number)
    doc: str = ""


@dataclass
class Headers:
    names: list = field(default_factory=list)
    handles: list = field(default_factory=list)
    structs: list = field(default_factory=list)
    enums: list = field(default_factory=list)
    callbacks: list = field(default_factory=list)
    functions: list = field(default_factory=list)
    inits: dict = field(default_factory=dict)      # struct name -> list of initialisers as text
    constants: dict = field(default_factory=dict)  # number or text macros


def reachable(root):
    """The headers that axl.h includes, itself last, each after those that it includes."""
    order = []

    def visit(name):
        if name in order:
            return
        with open(os.path.join(root, "include", "axl", name), encoding="utf-8") as f:
            for other in re.findall(r"^#include <axl/(\w+\.h)>", f.read(), re.M):
                visit(other)
        order.append(name)
    visit("axl.h")
    return order


def everything(root):
    """All header names, axl.h last."""
    names = sorted(n for n in os.listdir(os.path.join(root, "include", "axl")) if n.endswith(".h"))
    return [n for n in names if n != "axl.h"] + ["axl.h"]


def split_list(text):
    """Splits at the commas outside of parentheses."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "({") - (c in ")}")
        if c == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [p.strip() for p in parts + [text[start:]] if p.strip()]


def parse_variable(text):
    text = " ".join(text.split())
    m = re.match(r"^(.*?)\(\*(\w+)\)\((.*)\)$", text)
    if m:
        function = Function("", m.group(1).strip(), parse_params(m.group(3)))
        return Variable(m.group(2), "callback", function)
    m = re.match(r"^(.*?)(\w+)$", text)
    return Variable(m.group(2), tidy_type(m.group(1)))


def parse_params(text):
    return [] if text.strip() in ("", "void") else [parse_variable(p) for p in split_list(text)]


def tidy_type(text):
    """One spelling: 'const char *', 'axl_context **'."""
    text = re.sub(r"\s*\*\s*", "*", " ".join(text.split()))
    return re.sub(r"(\w)\*", r"\1 *", text).replace("*const*", "*const *").strip()


def parse_enum(body):
    values, last = [], -1
    for item in split_list(body):
        name, _, number = (p.strip() for p in item.partition("="))
        last = int(number, 0) if number else last + 1
        values.append((name, last))
    return values


COMMENT = re.compile(r"/\*.*?\*/", re.S)
ITEM = re.compile(r"""
    (?P<doc>/\*\*(?!/)(?:(?!\*/).)*\*/)\s*(?=typedef|AXL_API|enum)
  | (?P<comment>/\*.*?\*/)
  | typedef\s+struct\s+(?P<handle>\w+)\s+\w+\s*;
  | typedef\s+struct\s+\w+\s*\{(?P<struct>.*?)\}\s*(?P<struct_name>\w+)\s*;
  | (?:typedef\s+)?enum(?:\s+\w+)?\s*\{(?P<enum>.*?)\}\s*(?P<enum_name>\w*)\s*;
  | typedef\s+(?P<cb_returns>[^;(]*?)\(\*(?P<cb_name>\w+)\)\s*\((?P<cb_params>[^;]*?)\)\s*;
  | AXL_API\s+(?P<attributes>(?:AXL_\w+(?:\([^)]*\))?\s+)*)(?P<returns>[\w\s\*]*?)
    (?P<function>\baxl_\w+)\s*\((?P<params>[^;]*?)\)\s*;
""", re.S | re.X)


def parse(root, names):
    out = Headers(names=list(names))
    for name in names:
        with open(os.path.join(root, "include", "axl", name), encoding="utf-8") as f:
            text = f.read()
        parse_text(out, name, text)
    return out


def parse_macros(out, text):
    for m in re.finditer(r"^#define (AXL_\w+)[ \t]+((?:.*\\\n)*.*)$", text, re.M):
        value = " ".join(COMMENT.sub("", m.group(2)).replace("\\\n", " ").split())
        init = re.match(r"^\{ sizeof\((\w+)\), (.*) \}$", value)
        if init:
            out.inits[init.group(1)] = split_list(init.group(2))
        elif re.match(r'^(\(?-?\d+u?\)?|".*")$', value):
            out.constants[m.group(1)] = value


def parse_text(out, header, text):
    parse_macros(out, text)
    doc = ""
    for m in ITEM.finditer(text):
        if m.group("doc"):
            doc = m.group("doc")
            continue
        if m.group("comment"):
            continue
        if m.group("handle"):
            if m.group("handle") not in out.handles:
                out.handles.append(m.group("handle"))
        elif m.group("struct_name"):
            body = COMMENT.sub("", m.group("struct"))
            fields = [parse_variable(f) for f in body.split(";") if f.strip()]
            out.structs.append(Struct(m.group("struct_name"), fields, doc))
        elif m.group("enum") is not None:
            body = COMMENT.sub("", m.group("enum"))
            out.enums.append(Enum(m.group("enum_name"), parse_enum(body), doc))
        elif m.group("cb_name"):
            out.callbacks.append(Function(m.group("cb_name"), tidy_type(m.group("cb_returns")),
                                          parse_params(m.group("cb_params")), doc))
        else:
            out.functions.append(Function(m.group("function"), tidy_type(m.group("returns")),
                                          parse_params(m.group("params")), doc, header, True))
        doc = ""
