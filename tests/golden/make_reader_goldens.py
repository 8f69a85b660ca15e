#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_reader_goldens.py: small data files and the records that Hugging Face's datasets (texts) and
pyarrow (parquet) read from them, into readers/.

    python3 make_reader_goldens.py

texts.jsonl: a line {"format", "text", "records"} each; records is null where datasets fails.
Needs datasets 4.8, pyarrow 26 and pandas 2.3.
"""
import json
import os
import tempfile

import datasets

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "readers")

CSV = [
    "a,b\n1,x\n2,y\n", "a,b\n1,x\n,y\n", "a,b\n1.0,x\n2,y\n", "a,b\n1e3,x\n-.5,\n", "a,b\n 1 , x \n+2,y\n",
    "a,b\nTrue,TRUE\nfalse,\n", "a,b\ntrue,1\n0,2\n", "a,b\nNA,NULL\nnan,None\n", "a,b\n012,x\n3,y\n",
    "a,b\n99999999999999999999,x\n3,y\n", "a,b\n9223372036854775808,x\n3,y\n",
    "a,b\n9223372036854775808,x\n-3,y\n", "a,b\ninf,x\n-Infinity,y\n+INF,z\n", 'a,b\n"5",""\n6,"x"\n',
    'a,b\n"x ""q"" y","l1\nl2\r\nl3"\r\nu,v\r\n', "\ufeffa,b\n1,2\n", '\ufeff"a",b\n1,2\n', 'a,b\nx"y,"z"w\n',
    "a,b\n\n1,2\n  \n3,4\n\t\n", 'a,b\n  q,2\n  "r",4\n', "a,b\rx,y\rz,w", "a,a,,\n1,2,3,4\n", 'a,b\n"x,y\n', "",
    "\n\n", "a\n1\n\n2\n", 'a\n""\nx\n', 'a b,"c,d"\n1,2\n', "a,b\n1_000,0x10\n2,3\n", 'a,b\n"1,000",1e400\n2,3\n',
    "a,b\n1d3,1E+2\n2,3\n", "a,b\n0.1,1e-5\n2.5,3\n", "a,b\nx,y\n1,\n", "a,b\n,\n,\n", "a,b\n2024-01-02,x\n",
    "a,b\nx\0y,z\n", "1,2\n3,4\n", "a.1,a,a\n1,2,3\n", 'a,b\n"x"  ,y\n', "a,b\n-,1.\n+,.5\n", "a,b\n-0,1.\n0,.5\n",
    "\n  \na,b\n1,2\n", "a,b\n1,\x1a\n", "a,b\n\v1,\f2\n", "a\n.\n", "a\n5.\n1e\n", "a\n5.\n1e+\n", "a\n1 2\n",
    "a\nInfinity\n1\n", "a\ninfinity\n1\n", "a\nnAn\n1\n", "a,b\n#N/A,n/a\n<NA>,-nan\nx,1\n", "a,b\nna,N/a\n",
    "instruction,input,output\n\"Say \"\"hé\"\".\",,\"é,\nüß 漢字\"\n", 'a,b\n"",""\n"a""",""""\n', "a,b\n'x','y'\n",
    "a,b\n1,x,\n", "a,b\n1,2\n4,5,6\n", "a,b\nx\\,y\n", 'a,b\n"x\\"",y\n', "a\tb\n1\t2\n", "a;b\n1;2\n",
    "a,b\n18446744073709551615,x\n", "a,b\n18446744073709551616,x\n", "a,b\n00000000000000000000001,x\n",
    "a,b\n1e308,1e-300\n", "a,b\nx,y", "a,b\r\nx,y\r\n\r\n", "a,b\r\r\nx,y\r\n", "a,b\n1.5,10000000000000000000\n100000000000000000000,1.5\n",
    "a,b\n99999999999999999999,x\n1.5,-99999999999999999999\n", "a,b\n# c,d\n",
]
TEXT = ["a\nb\n", "a\r\nb\r\n\r\nc", "a\rb\n\n\nc\n\n", "\ufeffa\n", "a\fb\x1cc\u2028d\n", "\n", "x  \n\ty\n", "a\r",
        "a\r\n", "\r\n\r\n", "\r\r\n", "é\0b\nNA"]


def read(kind, text):
    """What the loader gives of a file; None where it fails or gives what a row too long makes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "f." + kind)
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(text)
        try:
            rows = list(datasets.load_dataset(kind, data_files=path, split="train", cache_dir=folder))
        except Exception:  # of many kinds
            return None
    return None if rows and "__index_level_0__" in rows[0] else rows


def write_texts():
    with open(os.path.join(HERE, "texts.jsonl"), "w", encoding="utf-8") as f:
        for kind, texts in (("csv", CSV), ("text", TEXT)):
            for text in texts:
                f.write(json.dumps({"format": kind, "text": text, "records": read(kind, text)}) + "\n")


if __name__ == "__main__":
    datasets.disable_progress_bars()
    os.makedirs(HERE, exist_ok=True)
    write_texts()
