#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes yaml_scalars.json: what PyYAML 6.0.3's safe_load reads each plain scalar as.

    python3 make_yaml_scalars.py > yaml_scalars.json

Each entry is [text, type, value]; value is a text that int() or float() reads back.  "raises" are
scalars that PyYAML cannot construct; axl reads those as text.
"""
import datetime
import json

import yaml

WORDS = """
yes Yes YES no No NO yEs y Y n N true True TRUE tRUE false False FALSE on On ON off Off OFF oFF
null Null NULL nULL ~ ~~ None none nil = <
"""
NUMBERS = """
0 -0 +0 1 -1 +1 12 007 07 08 09 010 -010 +017 0o17 0O17 0b1010 -0b11 0b2 0b 0b_ 0B1 0x1F 0xff -0xFF
0x 0x_ 0xg 0X1F 1_000 1__0 _1 1_ -1_000 +1_0 0_ 0_7 00 0_0 1,000 1e5 1E5 2e-5 2e+5 2E-5 -2e-5 1e 1e+ e5
1.0 1. -1. +1. .5 -.5 +.5 . -. +. .. 1.5e3 1.5e+3 1.5e-3 1.5E+3 1.e+3 .5e-3 .5e3 .e3 ._5 .5_ 1._ 1_0.5
1_000.000_1 1.2.3 1.0e+400 1.0e-400 .inf .Inf .INF .iNF -.inf +.inf -.Inf +.INF inf Infinity -inf .nan .NaN
.NAN .nAN -.nan +.nan nan NaN 1:30 1:30:00 -1:30 +1:30 01:30 1:60 1:5 1:05 1:3: 1:30.5 -1:30.5 01:30.5
190:20:30 190:20:30.15 1_0:30 0:30 0:30.0 1:30. 1:30.5_0 1::2 1:2:3:4 :30 9223372036854775807
9223372036854775808 -9223372036854775808 -9223372036854775809 123456789012345678901234567890
0x7fffffffffffffff 0x8000000000000000 0.1 0.30000000000000004 123456789.123456789 1e-5 3e-4 5e-06 1.0e-5
1.0e5 -1.5 +1.5 1.0f 1d 0.0 -0.0 00.5 01.5 1_.5 0x1.8p3 1/2 50% 1-2 1+2 --1 +-1 ++1
"""
OTHER = """
2001-01-01 2001-1-1 2001-12-14t21:59:43.10-05:00 12:30:45 v1.0 q_proj llama-3 TinyLlama/TinyLlama-1.1B
./out /a/b a.b a_b 7b 1b 3B fp16 bf16 auto adamw_torch alpaca:instruct <<x
"""


def read(text):
    try:
        value = yaml.safe_load("key: " + text)["key"]
    except ValueError:
        return [text, "raises", None]
    except yaml.YAMLError:
        return [text, "raises", None]
    if value is None:
        return [text, "null", None]
    if isinstance(value, bool):
        return [text, "bool", str(value).lower()]
    if isinstance(value, (int, float)):
        return [text, type(value).__name__, repr(value)]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return [text, "date", None]
    return [text, "str", value]


rows = [read(text) for text in (WORDS + NUMBERS + OTHER).split()]
rows.append(["", "null", None])
print("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]")
