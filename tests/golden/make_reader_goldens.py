#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_reader_goldens.py: small data files and the records that Hugging Face's datasets (texts) and
pyarrow (parquet) read from them, into readers/.

    python3 make_reader_goldens.py

texts.jsonl: a line {"format", "text", "records"} each; records is null where datasets fails.
*.parquet, and parquet.jsonl.gz, as *.arrow and arrow.jsonl.gz, with a line {"file", "records"} each; what Python has
for dates, times and decimals stands there as str() of it.
Needs datasets 4.8, pyarrow 26 and pandas 2.3.
"""
import datetime
import decimal
import gzip
import json
import os
import random
import tempfile

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

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
    "a,b\n1e308,1e-300\n", "a,b\nx,y", "a,b\r\nx,y\r\n\r\n", "a,b\r\r\nx,y\r\n",
    "a,b\n1.5,10000000000000000000\n100000000000000000000,1.5\n",
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


# ---- parquet ----

WORDS = "the quick brown fox jumps over a lazy dog while ünïcödé 漢字 and 😀 look on".split()
RANDOM = random.Random(7)


def sometimes(make, n, share=0.2):
    return [None if RANDOM.random() < share else make(i) for i in range(n)]


def sentence(_=0):
    return " ".join(RANDOM.choice(WORDS) for _ in range(RANDOM.randrange(9)))


def message(i):
    return {"role": RANDOM.choice(["system", "user", "assistant"]), "content": sentence(i)}


def alpaca(n):
    return pa.table({"instruction": [sentence() for _ in range(n)], "input": sometimes(sentence, n),
                     "output": [f"{i} {sentence()}" for i in range(n)]})


def numbers(n):
    return pa.table({
        "i8": pa.array(sometimes(lambda i: i % 256 - 128, n), pa.int8()),
        "i16": pa.array([(-1) ** i * i * 300 for i in range(n)], pa.int16()),
        "i32": pa.array([RANDOM.randrange(-2**31, 2**31) for _ in range(n)], pa.int32()),
        "i64": pa.array(sometimes(lambda i: RANDOM.randrange(-2**63, 2**63), n), pa.int64()),
        "near": pa.array([1000 + i * 3 + i % 5 for i in range(n)], pa.int64()),
        "u8": pa.array([i % 256 for i in range(n)], pa.uint8()),
        "u32": pa.array([RANDOM.randrange(2**32) for _ in range(n)], pa.uint32()),
        "u64": pa.array([RANDOM.randrange(2**64) for _ in range(n)], pa.uint64()),
        "f16": pa.array([struct_half(i) for i in range(n)], pa.float16()),
        "f32": pa.array(sometimes(lambda i: i / 7, n), pa.float32()),
        "f64": pa.array([i * 0.1 - 3 for i in range(n)], pa.float64()),
        "yes": pa.array(sometimes(lambda i: i % 3 == 0, n), pa.bool_()),
        "none": pa.array([None] * n, pa.null()),
    })


def struct_half(i):
    import numpy  # pyarrow's half floats are NumPy's
    return numpy.float16([0.0, -0.0, 1.5, -2.0, 3e-5, 65504.0, 0.1, 1e-4][i % 8])


def times(n):
    day, moment = datetime.date(1969, 12, 30), datetime.datetime(1969, 12, 31, 23, 59, 58, 999000)
    step = datetime.timedelta(days=397, seconds=3661, microseconds=250)
    clock = [datetime.time(i % 24, i * 7 % 60, i * 11 % 60, i % 4 * 1000) for i in range(n)]
    return pa.table({
        "date": pa.array(sometimes(lambda i: day + datetime.timedelta(days=i * 397), n), pa.date32()),
        "s": pa.array([moment.replace(microsecond=0) + datetime.timedelta(seconds=i) for i in range(n)], pa.timestamp("s")),
        "ms": pa.array([moment + datetime.timedelta(milliseconds=i) for i in range(n)], pa.timestamp("ms")),
        "us": pa.array([moment + step * i for i in range(n)], pa.timestamp("us", "UTC")),
        "ns": pa.array([i * 1234567891011 for i in range(n)], pa.timestamp("ns")),
        "clock_ms": pa.array(clock, pa.time32("ms")),
        "clock_us": pa.array(clock, pa.time64("us")),
        "small": pa.array([decimal.Decimal(i - 5).scaleb(-2) for i in range(n)], pa.decimal128(7, 2)),
        "tiny": pa.array(sometimes(lambda i: decimal.Decimal(i).scaleb(-9), n), pa.decimal128(12, 9)),
        "large": pa.array([decimal.Decimal(10**37 - 1 - i) * (-1) ** i for i in range(n)], pa.decimal128(38, 0)),
        "huge": pa.array([decimal.Decimal(10**60 + i).scaleb(-5) for i in range(n)], pa.decimal256(70, 5)),
    })


MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def nested(n):
    deep = pa.list_(pa.list_(pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))])))
    return pa.table({
        "messages": pa.array([[message(i) for i in range(RANDOM.randrange(1, 5))] for _ in range(n)], MESSAGES),
        "maybe": pa.array(sometimes(lambda i: sometimes(message, i % 4), n), MESSAGES),
        "ids": pa.array(sometimes(lambda i: sometimes(lambda k: k * i, i % 6), n), pa.list_(pa.int64())),
        "deep": pa.array(sometimes(lambda i: sometimes(lambda j: sometimes(
            lambda k: {"a": k, "b": sometimes(sentence, k)}, j), i % 4), n), deep),
        "about": pa.array(sometimes(lambda i: {"source": None if i % 3 else "web", "more": {"n": i, "tags": ["x"] * (i % 3)}},
                                    n)),
        "map": pa.array(sometimes(lambda i: [(f"k{k}", k) for k in range(i % 3)], n), pa.map_(pa.string(), pa.int32())),
        "large": pa.array([["é"] * (i % 2) for i in range(n)], pa.large_list(pa.large_string())),
        "fixed": pa.array(sometimes(lambda i: [i, None], n), pa.list_(pa.int16(), 2)),
    })


def words(n):
    return pa.table({"word": pa.array([RANDOM.choice(WORDS) for _ in range(n)]).dictionary_encode(),
                     "prefix": [f"prefix/of/all/{i // 3:05}/{i % 3}" for i in range(n)],
                     "bytes": pa.array([b"\xff\0"] * n, pa.binary())})


def one_row():
    return pa.table({"a": [1], "b": [[]], "c": ["é\0"]})


def typed(kinds, table):
    """column_encoding: what of the table each encoding can do."""
    return {f.name: kinds[str(f.type)] for f in table.schema if str(f.type) in kinds}


def parquet_files():
    split = {t: "BYTE_STREAM_SPLIT" for t in ("int32", "int64", "float", "double", "halffloat", "uint32", "uint64")}
    delta = {t: "DELTA_BINARY_PACKED" for t in ("int8", "int16", "int32", "int64", "uint8", "uint32", "uint64")}
    flat = numbers(45)
    texts = words(60)
    yield "alpaca", alpaca(40), {}
    yield "alpaca-v2", alpaca(40), {"data_page_version": "2.0"}
    for codec in ("none", "gzip", "zstd", "lz4"):
        yield f"alpaca-{codec}", alpaca(25), {"compression": codec}
    yield "alpaca-v2-zstd", alpaca(40), {"compression": "zstd", "data_page_version": "2.0"}
    yield "alpaca-v2-none", alpaca(20), {"compression": "none", "data_page_version": "2.0"}
    yield "alpaca-plain", alpaca(40), {"use_dictionary": False}
    yield "groups", alpaca(45), {"row_group_size": 7, "write_statistics": False, "compression": "gzip"}
    yield "pages", alpaca(200), {"row_group_size": 90, "data_page_size": 100, "write_batch_size": 10, "compression": "zstd"}
    yield "dictionary-falls-back", alpaca(130), {"dictionary_pagesize_limit": 500, "write_batch_size": 16,
                                                "compression": "zstd", "data_page_size": 700}
    yield "numbers", flat, {}
    yield "numbers-1.0", flat, {"version": "1.0", "compression": "none"}
    yield "numbers-plain-v2", flat, {"use_dictionary": False, "data_page_version": "2.0", "compression": "zstd"}
    yield "numbers-split", flat, {"use_dictionary": False, "column_encoding": typed(split, flat)}
    yield "numbers-delta", flat, {"use_dictionary": False, "column_encoding": typed(delta, flat), "compression": "lz4"}
    far = sometimes(lambda i: RANDOM.randrange(-2**63, 2**63) if i % 90 == 0 else i, 700)
    long = pa.table({"near": pa.array([i * i % 1000 - 500 for i in range(700)], pa.int32()),
                     "far": pa.array(far, pa.int64())})
    yield "delta-long", long, {"use_dictionary": False, "column_encoding": typed(delta, long), "compression": "zstd"}
    yield "times", times(30), {}
    yield "times-delta", times(20), {"use_dictionary": False, "column_encoding": {"us": "DELTA_BINARY_PACKED",
                                     "large": "DELTA_BYTE_ARRAY", "small": "BYTE_STREAM_SPLIT"}, "compression": "zstd"}
    yield "times-int96", times(10).select(["us", "ns"]), {"use_deprecated_int96_timestamps": True}
    yield "texts-delta-length", texts, {"use_dictionary": False, "store_schema": False,
                                        "column_encoding": {"word": "DELTA_LENGTH_BYTE_ARRAY",
                                                            "prefix": "DELTA_LENGTH_BYTE_ARRAY"}}
    yield "texts-delta", texts, {"use_dictionary": False, "store_schema": False, "data_page_version": "2.0",
                                 "column_encoding": {"word": "DELTA_BYTE_ARRAY", "prefix": "DELTA_BYTE_ARRAY"}}
    yield "texts-dictionary", texts, {"use_dictionary": ["word"], "store_schema": False}
    booleans = pa.table({"yes": pa.array(sometimes(lambda i: i % 30 < 20, 200), pa.bool_())})
    yield "booleans-v2", booleans, {"data_page_version": "2.0"}
    yield "booleans-runs", booleans, {"use_dictionary": False, "column_encoding": {"yes": "RLE"}}
    yield "nested", nested(40), {"compression": "zstd"}
    yield "nested-v2", nested(30), {"data_page_version": "2.0", "compression": "snappy"}
    yield "nested-pages", nested(80), {"data_page_size": 60, "write_batch_size": 5, "row_group_size": 33, "compression": "zstd"}
    yield "nested-old-names", nested(12), {"use_compliant_nested_type": False, "use_dictionary": False, "compression": "gzip"}
    yield "required", pa.table([pa.array([1, 2, 3]), pa.array([["a"], [], ["b", "c"]])], schema=pa.schema([
        pa.field("n", pa.int64(), nullable=False),
        pa.field("l", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False)])), {}
    yield "empty", alpaca(0), {}
    yield "one-row", one_row(), {}
    yield "brotli", one_row(), {"compression": "brotli"}


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, tuple):
        return {"key": value[0], "value": value[1]}
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def write_parquet():
    with gzip.GzipFile(os.path.join(HERE, "parquet.jsonl.gz"), "wb", mtime=0) as f:
        for name, table, options in parquet_files():
            path = os.path.join(HERE, name + ".parquet")
            pq.write_table(table, path, **options)
            read = pq.read_table(path)
            read = read.drop_columns([c.name for c in read.schema if pa.types.is_binary(c.type)])
            rows = None if options.get("compression") == "brotli" else [plain(row) for row in read.to_pylist()]
            f.write((json.dumps({"file": name + ".parquet", "records": rows}) + "\n").encode())


# ---- arrow ----

def arrow_types(n):
    """What parquet's tables do not have."""
    zone = datetime.datetime(2024, 5, 6, 7, 8, 9)
    return pa.table({
        "view": pa.array(sometimes(lambda i: "x" * i + "é", n), pa.string_view()),
        "wide": pa.array(sometimes(sentence, n), pa.large_string()),
        "s": pa.array([zone + datetime.timedelta(seconds=i) for i in range(n)], pa.timestamp("s", "UTC")),
        "clock_s": pa.array([datetime.time(i % 24, i, 2) for i in range(n)], pa.time32("s")),
        "date_ms": pa.array([zone.date() + datetime.timedelta(days=i) for i in range(n)], pa.date64()),
        "d32": pa.array([decimal.Decimal(i - 3).scaleb(-2) for i in range(n)], pa.decimal32(6, 2)),
        "d64": pa.array([decimal.Decimal(3 - i).scaleb(-4) for i in range(n)], pa.decimal64(12, 4)),
        "lists": pa.array(sometimes(lambda i: [sentence()] * (i % 3), n), pa.large_list(pa.string())),
        "fixed": pa.array(sometimes(lambda i: [i / 2, None, -1.5], n), pa.list_(pa.float32(), 3)),
        "no": pa.array([False] * n), "empty": pa.array([[]] * n, pa.list_(pa.null())),
    })


def left_out(n):
    """Columns that hold bytes or what no record can have, between two that are read."""
    union = pa.UnionArray.from_sparse(pa.array([i % 2 for i in range(n)], pa.int8()),
                                      [pa.array(range(n)), pa.array(["u"] * n)])
    dense = pa.UnionArray.from_dense(pa.array([0] * n, pa.int8()), pa.array(range(n), pa.int32()), [pa.array(range(n))])
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([1, n], pa.int32()), pa.array(["r", "s"]))
    return pa.table({"a": pa.array(range(n)), "bytes": pa.array([b"\xff"] * n), "fixed": pa.array([b"ab"] * n, pa.binary(2)),
                     "bytes_view": pa.array([b"\xff" * 20] * n, pa.binary_view()), "union": union, "dense": dense,
                     "span": pa.array([datetime.timedelta(1)] * n), "runs": runs,
                     "list_view": pa.array([[1]] * n, pa.list_view(pa.int8())),
                     "in": pa.array([{"x": b"\0", "y": i} for i in range(n)]), "z": pa.array(["z"] * n)})


LEFT_OUT = ["bytes", "fixed", "bytes_view", "union", "dense", "span", "runs", "list_view"]


def dictionaries(n):
    words_of = pa.array([RANDOM.choice(WORDS) for _ in range(n)]).dictionary_encode()
    return pa.table({"word": words_of, "small": words_of.cast(pa.dictionary(pa.int8(), pa.large_string())),
                     "n": pa.array(sometimes(lambda i: i % 4 * 1000, n)).dictionary_encode(),
                     "in": pa.StructArray.from_arrays([words_of], ["w"])})


def arrow_files():
    """name, table, rows of a batch, options, whether it is a stream."""
    for codec in (None, "lz4", "zstd"):
        yield f"arrow-alpaca-{codec}", alpaca(20), 7, {"compression": codec}, False
        yield f"arrow-stream-{codec}", alpaca(12), 5, {"compression": codec}, True
    yield "arrow-one-batch", alpaca(6), None, {}, True
    yield "arrow-numbers", numbers(20), None, {}, False
    yield "arrow-numbers-batches", numbers(19), 3, {"compression": "zstd"}, True
    yield "arrow-times", times(14), 5, {}, False
    yield "arrow-nested", nested(15), None, {}, False
    yield "arrow-nested-batches", nested(18), 4, {"compression": "lz4"}, True
    yield "arrow-sliced", nested(30).slice(7, 9), None, {}, False
    yield "arrow-types", arrow_types(16), 6, {}, False
    yield "arrow-types-zstd", arrow_types(16), 6, {"compression": "zstd"}, True
    yield "arrow-dictionaries", dictionaries(20), 6, {}, False
    yield "arrow-dictionaries-deltas", pa.concat_tables(
        [pa.table({"w": pa.array(v).dictionary_encode()}) for v in (["a", "b"], ["a", "b", "c"], ["c", "d", None])]), None, {
            "emit_dictionary_deltas": True}, True
    yield "arrow-dictionaries-replaced", pa.concat_tables(
        [pa.table({"w": pa.array(v).dictionary_encode()}) for v in (["a", "b"], ["x", "a"], ["c"])]), None, {}, True
    yield "arrow-left-out", left_out(5), None, {}, False
    yield "arrow-v4", alpaca(4), None, {"metadata_version": pa.ipc.MetadataVersion.V4}, False
    yield "arrow-legacy", alpaca(5), 2, {"use_legacy_format": True, "metadata_version": pa.ipc.MetadataVersion.V4}, True
    yield "arrow-empty", alpaca(0), None, {}, False
    yield "arrow-no-batch", alpaca(0), 0, {}, True
    yield "arrow-one-row", one_row(), None, {}, False


def write_arrow_file(path, table, rows, options, stream):
    legacy = options.pop("use_legacy_format", False)
    options = pa.ipc.IpcWriteOptions(**options)
    if legacy:
        options.use_legacy_format = True
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(path, table.schema, options=options) as writer:
        if rows != 0:
            writer.write_table(table, max_chunksize=rows)


def without_bytes(value):
    if isinstance(value, dict):
        return {k: without_bytes(v) for k, v in value.items() if not isinstance(v, bytes)}
    return value


def write_arrow():
    RANDOM.seed(11)
    with gzip.GzipFile(os.path.join(HERE, "arrow.jsonl.gz"), "wb", mtime=0) as f:
        for name, table, rows, options, stream in arrow_files():
            path = os.path.join(HERE, name + ".arrow")
            write_arrow_file(path, table, rows, options, stream)
            names = [c for c in table.column_names if name != "arrow-left-out" or c not in LEFT_OUT]
            records = [plain(without_bytes(row)) for row in table.select(names).to_pylist()]
            f.write((json.dumps({"file": name + ".arrow", "records": records}) + "\n").encode())


if __name__ == "__main__":
    datasets.disable_progress_bars()
    os.makedirs(HERE, exist_ok=True)
    write_texts()
    write_parquet()
    write_arrow()
