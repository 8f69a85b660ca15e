# SPDX-License-Identifier: Apache-2.0
"""What the tests of the tool share: running it, a folder per case, configs, safetensors.

AXL_TOOL is the program, AXL_SOURCE_DIR the source tree.  Files are read and written as UTF-8
whatever the locale says.
"""
import fcntl
import json
import os
import pty
import shutil
import struct
import subprocess
import tempfile
import termios
import unittest

SOURCE = os.path.abspath(os.environ.get("AXL_SOURCE_DIR", os.path.join(
    os.path.dirname(__file__), "..", "..")))
TOOL = os.path.abspath(os.environ.get("AXL_TOOL", os.path.join(
    SOURCE, "build", "examples", "axl", "axl")))
SHARED = os.path.abspath(os.environ.get("AXL_SHARED_DIR", os.path.join(SOURCE, "..", "shared")))
TINY = os.path.join(SOURCE, "examples", "tiny-llama")
ALPACA = os.path.join(SOURCE, "examples", "tiny-alpaca.jsonl")

# Set in the suite slow, where a test does all that it can rather than what is quick.
LONG = "AXL_TEST_LONG" in os.environ

NO_HUB = {"HF_HUB_OFFLINE": "1", "NO_COLOR": "1"}


def environment(changes=None):
    return {**os.environ, **NO_HUB, **(changes or {})}


class Result:
    def __init__(self, done):
        self.code = done.returncode
        self.raw = done.stdout or b""
        self.out = self.raw.decode("utf-8")
        self.err = done.stderr.decode("utf-8")
        self.errors = self.err.splitlines()

    def __str__(self):
        return f"status {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def shared(*parts):
    """A path in the folder of shared test data; skips the case where it is not there."""
    path = os.path.join(SHARED, *parts)
    if not os.path.exists(path):
        raise unittest.SkipTest(f"no shared test data: {path}")
    return path


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def read_json_lines(path):
    return [json.loads(line) for line in read(path).splitlines()]


def yaml_text(value):
    """JSON is YAML."""
    return "".join(f"{k}: {json.dumps(v)}\n" for k, v in value.items())


def read_safetensors(path):
    """{name: (dtype, shape, bytes)} of a safetensors file."""
    with open(path, "rb") as f:
        data = f.read()
    (n,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + n])
    body = data[8 + n:]
    return {k: (v["dtype"], v["shape"], body[v["data_offsets"][0]:v["data_offsets"][1]])
            for k, v in header.items() if k != "__metadata__"}


def write_safetensors(path, tensors):
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + body)


class Case(unittest.TestCase):
    """A case in a temporary folder of its own, where the tool runs too."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="axl-cli-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, data):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode("utf-8"))
        return path

    def rows(self, name, rows):
        return self.write(name, "".join(json.dumps(r) + "\n" for r in rows))

    def settings(self, **changes):
        """A short run of the tiny model; None takes a key away."""
        keys = {
            "base_model": TINY,
            "datasets": [{"path": ALPACA, "type": "alpaca"}],
            "val_set_size": 0,
            "output_dir": self.path("out"),
            "adapter": "lora", "lora_r": 4, "lora_alpha": 8, "lora_target_linear": True,
            "sequence_len": 128,
            "micro_batch_size": 2, "gradient_accumulation_steps": 1, "max_steps": 3,
            "optimizer": "adamw_torch", "learning_rate": 0.001, "lr_scheduler": "cosine",
            "logging_steps": 1, "save_strategy": "no", "bf16": False,
        }
        keys.update(changes)
        return {k: v for k, v in keys.items() if v is not None}

    def config(self, name="run.yml", **changes):
        return self.write(name, yaml_text(self.settings(**changes)))

    def axl(self, *args, stdin=b"", stdout=subprocess.PIPE, env=None, timeout=120, cwd=None):
        done = subprocess.run([TOOL, *map(str, args)], input=stdin, stdout=stdout,
                              stderr=subprocess.PIPE, cwd=cwd or self.dir, env=environment(env),
                              timeout=timeout, check=False)
        return Result(done)

    def good(self, *args, **how):
        """Runs the tool; it must end with 0."""
        result = self.axl(*args, **how)
        self.assertEqual(result.code, 0, f"axl {args}: {result}")
        return result

    def wrong(self, *args, code=2, **how):
        """Runs the tool; it must end with `code`, no answer and one line, which is returned."""
        result = self.axl(*args, **how)
        self.assertEqual(result.code, code, f"axl {args}: {result}")
        self.assertEqual(result.out, "", f"axl {args}: {result}")
        self.assertEqual(len(result.errors), 1, f"axl {args}: {result}")
        return result.errors[0]

    def terminal(self, *args, env=None, columns=0):
        """Runs the tool on a terminal (of unknown width unless told) and returns what it shows there; it must end
        with 0."""
        main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with subprocess.Popen([TOOL, *map(str, args)], stdin=side, stdout=side, stderr=side,
                              cwd=self.dir, env=environment({"TERM": "xterm", **(env or {})})) as tool:
            os.close(side)
            shown = b""
            try:
                while piece := os.read(main, 65536):
                    shown += piece
            except OSError: # how Linux says that the other side is closed
                pass
            os.close(main)
            self.assertEqual(tool.wait(timeout=120), 0, shown)
        return shown.decode("utf-8")

    def adapter(self, out="out"):
        with open(self.path(out, "adapter_model.safetensors"), "rb") as f:
            return f.read()
