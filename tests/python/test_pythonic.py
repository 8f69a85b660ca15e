# SPDX-License-Identifier: Apache-2.0
"""What people who know Python expect of the binding: its types, operators, arrays, texts and lines."""
import array
import copy
import fcntl
import inspect
import logging
import os
import pickle
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import unittest
from collections.abc import Mapping, Sequence
from unittest import mock

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "bindings", "python"))
import axl  # noqa: E402  pylint: disable=wrong-import-position
from axl import _abi, _live, _values  # noqa: E402  pylint: disable=wrong-import-position

try:
    import numpy
except ImportError:
    numpy = None

MODEL = os.path.join(ROOT, "examples", "tiny-llama")
ROWS = os.path.join(ROOT, "examples", "tiny-alpaca.jsonl")
SAMPLES = [([1, 5, 6, n + 10, 2], [-100, -100, 6, n + 10, 2]) for n in range(7)]


def keys(folder, **more):
    made = {"base_model": MODEL, "datasets": [{"path": ROWS, "type": "alpaca"}], "adapter": "lora",
            "lora_r": 2, "lora_alpha": 4, "lora_target_modules": ["q_proj"], "sequence_len": 128,
            "micro_batch_size": 1, "gradient_accumulation_steps": 1, "max_steps": 3,
            "logging_steps": 1, "learning_rate": 1e-3, "bf16": False,
            "output_dir": os.path.join(folder, "out")}
    return {**made, **more}


class Case(unittest.TestCase):
    """The parts that most tests look at, made once."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="axl-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.config = axl.Config.parse(keys(cls.folder))
        cls.model = axl.Model.open(MODEL, compute="f32")
        cls.tokenizer = axl.Tokenizer.open(MODEL)
        cls.data = axl.Dataset.from_samples(SAMPLES)
        cls.adapter = axl.Adapter(cls.model, rank=2, target_modules=["q_proj"])
        cls.trainer = axl.Trainer(cls.model, cls.adapter)
        cls.batch = axl.Batch([1, 5, 6, 2], [1, 5, 6, 2])

    def handles(self):
        """One of each class over a handle."""
        return [self.config, self.model, self.tokenizer, self.data, self.adapter, self.trainer,
                axl.Loader(self.data), axl.Context(), axl.Cancel(axl.Context()), axl.Job()]

    def refuses(self, kind, pattern, function, *arguments, **named):
        with self.assertRaisesRegex(kind, pattern) as caught:
            function(*arguments, **named)
        self.assertNotIn("\n", str(caught.exception))
        self.assertIs(type(caught.exception), kind)


class SurfaceTest(Case):
    def members(self):
        """Names and objects of all that is public."""
        for name in axl.__all__:
            public = getattr(axl, name)
            yield "axl." + name, public
            inner = vars(public) if inspect.ismodule(public) else (
                {n: getattr(public, n) for n in dir(public)} if inspect.isclass(public) else {})
            for member in inner:
                if not member.startswith("_") and (
                        inspect.isclass(public) or member in public.__all__):
                    yield f"axl.{name}.{member}", inspect.getattr_static(public, member)

    def test_everything_public_is_described(self):
        for name, public in self.members():
            public = getattr(public, "__func__", public)
            if callable(public) or isinstance(public, property):
                self.assertTrue(inspect.getdoc(public), name)
        self.assertTrue(axl.callbacks.WandB.on_begin.__doc__ or axl.Callback.on_begin.__doc__)

    def test_every_function_has_its_types(self):
        for name, public in self.members():
            public = public.fget if isinstance(public, property) else getattr(
                public, "__func__", public)
            if inspect.isfunction(public) and public.__module__.startswith("axl"):
                signature = inspect.signature(public)
                self.assertIsNot(signature.return_annotation, signature.empty, name)
                for parameter in list(signature.parameters.values()):
                    if parameter.name not in ("self", "cls"):
                        self.assertIsNot(parameter.annotation, parameter.empty, name)
        self.assertTrue(os.path.isfile(os.path.join(os.path.dirname(axl.__file__), "py.typed")))

    def test_the_installed_package_is_whole(self):
        folder = os.path.dirname(axl.__file__)
        with open(os.path.join(os.path.dirname(folder), "meson.build"), encoding="utf-8") as f:
            listed = f.read()
        for name in os.listdir(folder):
            if name.endswith(".py") or name == "py.typed":
                self.assertIn(f"'axl/{name}'", listed)

    def test_repr_says_what_it_is(self):
        run = axl.Run(axl.Config.parse(keys(self.folder)))
        shown = {
            self.config: r"<axl\.Config: \d+ keys>",
            self.model: r"<axl\.Model tiny-llama: 4 layers, 836,736 parameters, f32>",
            self.tokenizer: r"<axl\.Tokenizer: 768 tokens>",
            self.data: r"<axl\.Dataset: 7 samples, 35 tokens, 21 of them trained>",
            self.adapter: r"<axl\.Adapter: 8 tensors, [\d,]+ numbers>",
            self.trainer: r"<axl\.Trainer: step \d, 8 tensors, [\d,]+ numbers>",
            axl.Loader(self.data): r"<axl\.Loader: epoch 0, batch 0 of \d>",
            axl.Context(threads=2, isa="baseline"): r"<axl\.Context: 2 threads, baseline>",
            axl.Job(): r"<axl\.Job>", run: r"<axl\.Run: 0 steps done, into .*out>",
            run.model: r"<axl\.Model tiny-llama: 4 .*>"}
        for made, pattern in shown.items():
            self.assertRegex(repr(made), f"^{pattern}$")
        model = run.model
        run.close()
        self.assertEqual(repr(run), "<axl.Run: closed>")
        self.assertEqual(repr(model), "<axl.Model tiny-llama: closed>")
        self.assertEqual(repr(self.batch), "<axl.Batch: 4 tokens in 1 sequence, 3 trained>")
        self.assertEqual(repr(axl.Sample([1, 2], [1, 2], role="chosen", pair=3)),
                         "<axl.Sample: 2 tokens, 0 trained, chosen of pair 3>")
        schedule = axl.Schedule("cosine", total_steps=9, warmup_shape="quadratic")
        self.assertEqual(eval(repr(schedule)), schedule)  # pylint: disable=eval-used
        seen = []
        self.trainer.forward_backward(self.batch, loss=lambda l: (seen.append(repr(l)), 0)[1])
        self.trainer.zero_grad()
        self.assertRegex(seen[0], r"^<axl\.Logits: rows 0 to 3 of 3 of <axl\.Batch: .*>>$")
        for made in self.handles():
            self.assertNotIn("\n", repr(made))


class ProtocolTest(Case):
    def test_handles_are_themselves_and_are_not_copied(self):
        for made in self.handles():
            self.assertEqual(made, made)
            self.assertNotEqual(made, object())
            self.assertIn(made, {made})
            for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
                self.refuses(TypeError, rf"^an axl\.{type(made).__name__} cannot be copied or "
                             r"pickled: \w+", attempt, made)

    def test_with_and_close(self):
        for made in self.handles()[6:]:
            with made:
                self.assertFalse(made.closed)
            made.close()
            self.assertTrue(made.closed)
            self.assertRegex(repr(made), "closed>$")
            self.refuses(ValueError, "closed", made.__enter__)

    def test_values_are_copied_pickled_and_compared(self):
        loader = axl.Loader(self.data, micro_batch_size=2)
        weighted = axl.Batch([1, 2], [1, 2], weights=[0.5, 2], cu_seqlens=[0, 1, 2])
        values = [self.data[2], axl.Sample([1], [1], "x", 3), next(loader), self.batch, weighted,
                  axl.Schedule("linear", total_steps=3), loader.cursor, self.data.stats,
                  self.model.info]
        for value in values:
            for other in (copy.copy(value), copy.deepcopy(value),
                          pickle.loads(pickle.dumps(value))):
                self.assertEqual(other, value)
                self.assertIs(type(other), type(value))
        self.assertEqual(self.trainer.evaluate(copy.copy(self.batch)),
                         self.trainer.evaluate(self.batch))
        for one, other in (values[0], values[1]), (values[3], values[4]), (
                values[5], axl.Schedule("linear", total_steps=4)):
            self.assertNotEqual(one, other)
        self.assertNotEqual(self.batch, 3)
        error = pickle.loads(pickle.dumps(axl.NotFound("no such file")))
        self.assertEqual((str(error), error.status), ("no such file", _abi.AXL_ERR_NOT_FOUND))

    def test_a_dataset_is_a_sequence(self):
        self.assertIsInstance(self.data, Sequence)
        self.assertEqual(self.data[1:3], [self.data[1], self.data[2]])
        self.assertEqual(self.data[::-3], [self.data[6], self.data[3], self.data[0]])
        self.assertEqual(list(reversed(self.data))[0], self.data[-1])
        self.assertIn(self.data[3], self.data)
        self.assertEqual(self.data.index(self.data[3]), 3)
        self.assertNotIn(axl.Sample([9], [9]), self.data)
        self.assertTrue(self.data)
        self.assertEqual(len(axl.Dataset.from_samples(self.data[2:4])), 2)
        self.refuses(IndexError, "no sample 7 in a Dataset of 7", lambda: self.data[7])
        for index in "0", 1.0, None:
            self.refuses(TypeError, "an integer or a slice", lambda i: self.data[i], index)

    def test_mappings(self):
        for tensors in self.adapter, self.trainer:
            self.assertIsInstance(tensors, Mapping)
            name = tensors.keys()[0]
            self.assertIn(name, tensors)
            self.assertNotIn("x", tensors)
            self.assertNotIn(0, tensors)
            self.assertEqual(len(tensors), len(list(tensors)))
            self.assertIsNone(tensors.get("x"))
            self.assertEqual([n for n, _ in tensors.items()], tensors.keys())
            self.assertEqual(tuple(next(iter(tensors.values())).shape), tensors.shape(name))
            self.refuses(KeyError, "lm_head", lambda t: t["lm_head"], tensors)
            with self.assertRaises(TypeError):
                del tensors[name]

    def test_a_config_is_a_mapping(self):
        self.assertIsInstance(self.config, Mapping)
        self.assertEqual(dict(self.config), self.config.to_dict())
        self.assertEqual(len(self.config), len(list(self.config)))
        for key in "learning_rate", "datasets", "datasets[0].path":
            self.assertIn(key, self.config)
        for key in "wandb_project", "no_such_key", "datasets[3].path", 3, None:
            self.assertNotIn(key, self.config)
        again = axl.Config.parse(self.config, overrides={"seed": 7})
        self.assertEqual((again["seed"], again["lora_r"]), (7, 2))
        self.refuses(TypeError, "key must be a str, got 3", self.config.get, 3)
        self.refuses(KeyError, "wandb_project", lambda: self.config["wandb_project"])

    def test_a_tokenizer_knows_its_tokens(self):
        self.assertIn("</s>", self.tokenizer)
        self.assertNotIn("no such token", self.tokenizer)
        self.assertNotIn(2, self.tokenizer)

    def test_a_batch_is_no_sequence(self):
        with self.assertRaises(TypeError):
            iter(self.batch)  # pylint: disable=not-an-iterable


class ContextTest(Case):
    def test_what_is_made_without_a_context_shares_one(self):
        shared = axl.default_context()
        for made in self.config, self.model, self.tokenizer, self.data, axl.Cancel():
            self.assertIs(made._context, shared)
        own = axl.Context()
        self.assertIsNot(axl.Tokenizer.open(MODEL, context=own)._context, shared)
        axl.set_default_context(own)
        try:
            self.assertIs(axl.Tokenizer.open(MODEL)._context, own)
        finally:
            axl.set_default_context(shared)
        self.refuses(TypeError, "context must be an axl.Context, got 3", axl.set_default_context, 3)
        self.refuses(TypeError, "context must be an axl.Context, got 'x'", axl.Tokenizer.open,
                     MODEL, context="x")

    def test_a_closed_one_is_replaced(self):
        shared = axl.default_context()
        try:
            axl.set_default_context(axl.Context(threads=2, isa="baseline"))
            axl.default_context().close()
            self.assertEqual((axl.default_context().threads, axl.default_context().isa),
                             (2, "baseline"))
            axl.set_default_context(None)
            self.assertIsNot(axl.default_context(), shared)
        finally:
            axl.set_default_context(shared)

    def test_threads_ask_for_it_at_once(self):
        shared, seen = axl.default_context(), []
        try:
            axl.set_default_context(None)
            ask = [threading.Thread(target=lambda: seen.append(axl.default_context()))
                   for _ in range(8)]
            for thread in ask:
                thread.start()
            for thread in ask:
                thread.join()
            self.assertEqual(len(set(seen)), 1)
        finally:
            axl.set_default_context(shared)

    def test_a_forks_child_makes_its_own(self):
        self.model.logits([1, 2, 3])  # the pool has begun
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            said = b"failed"
            try:
                try:
                    self.model.logits([1])
                except axl.ForkedError:
                    axl.Model.open(MODEL, compute="f32").logits([1, 2, 3])
                    said = repr(self.model).encode()
            finally:
                os.write(write, said)
                os._exit(0)
        os.waitpid(child, 0)
        self.assertIn(b"parent process", os.read(read, 1000))
        os.close(read)
        os.close(write)

    def test_a_config_says_what_context_it_wants(self):
        with self.assertLogs("axl", logging.WARNING) as logs:
            made = axl._run.as_config(
                keys(self.folder), None, {"axl": {"threads": 2, "isa": "baseline"},
                                          "dataset_num_proc": 2})
        self.assertEqual((made.context.threads, made.context.isa), (2, "baseline"))
        self.assertEqual(len(logs.records), 1, logs.output)
        self.assertIs(axl._run.as_config(keys(self.folder), None, {}).context,
                      axl.default_context())


class WrongTypeTest(Case):
    def test_ids(self):
        for take, name in ((self.tokenizer.decode, "ids"), (self.model.logits, "ids"),
                           (axl.Batch, "input_ids"),
                           (lambda ids: axl.generate_ids(self.model, ids), "ids")):
            self.refuses(TypeError, rf"^{name}\[1\] must be an integer, got 1\.0 \(float\)$", take,
                         [1, 1.0])
            self.refuses(TypeError, rf"^{name}\[0\] must be an integer, got True", take, [True])
            for wrong in "abc", b"abc", None, 5, {1: 2}, {1}:
                self.refuses(TypeError, f"^{name} must be a list or an array of integers, got ",
                             take, wrong)
            self.refuses(TypeError, rf"^{name}\[0\] must be an integer, got \[1\]", take, [[1]])
            self.refuses(TypeError, f"^{name} must be integers, got an array", take,
                         array.array("d", [1]))
            self.refuses(ValueError, rf"^{name} must be flat, got .*\(1, 1\)", take,
                         memoryview(array.array("i", [1])).cast("B").cast("i", (1, 1)))
            for wrong in 2**31, -2**31 - 1, 2**64:
                self.refuses(ValueError, rf"^{name}\[0\] must be -2147483648 to 2147483647, "
                             f"got {wrong}$", take, [wrong])
        for right in (range(3), iter([0, 1, 2]), (0, 1, 2), array.array("q", [0, 1, 2]),
                      memoryview(array.array("i", [0, 9, 1, 9, 2]))[::2]):
            self.assertEqual(list(_values.ints(right)), [0, 1, 2])
        self.assertEqual(len(_values.ints([])), 0)
        self.refuses(TypeError, "id must be an integer, got 1.0", self.tokenizer.token, 1.0)

    def test_tensors(self):
        name = self.adapter.keys()[0]
        rows, cols = self.adapter.shape(name)
        self.assertNotEqual(rows, cols)
        flat = [float(i) for i in range(rows * cols)]
        nested = [flat[i * cols:(i + 1) * cols] for i in range(rows)]
        turned = [[row[i] for row in nested] for i in range(cols)]
        self.trainer.forward_backward(self.batch)
        for write, read in ((self.adapter.__setitem__, self.adapter.__getitem__),
                            (self.trainer.set_gradient, self.trainer.gradient)):
            for right in nested, flat, array.array("f", flat), array.array("d", flat):
                write(name, [0] * len(flat))
                write(name, right)
                self.assertEqual(read(name).tolist(), nested)
            for wrong in turned, flat[1:], [flat], [], [[]]:
                self.refuses(ValueError, rf"{name} must have the shape \({rows}, {cols}\), got the "
                             r"shape \(", write, name, wrong)
            self.refuses(ValueError, r"\[1\] has 1 numbers, .*\[0\] has 2", write, name, [[1, 2], [1]])
            for wrong in None, "abc", 3, {}:
                self.refuses(TypeError, f"{name} must be a list or an array of numbers", write, name,
                             wrong)
            for wrong in [True, *flat[1:]], ["1", *flat[1:]], [None, *flat[1:]]:
                self.refuses(TypeError, r"\[0\] must be a number", write, name, wrong)
        self.trainer.zero_grad()

    def test_options(self):
        def adapter(**given):
            return axl.Adapter(self.model, **given)

        def trainer(**given):
            return axl.Trainer(self.model, self.adapter, **given)
        for make, name, wrong in (
                (adapter, "rank", 2.0), (adapter, "rank", True), (adapter, "rank", "8"),
                (trainer, "max_tokens", 1.5), (trainer, "seed", "x"), (trainer, "seed", b"1"),
                (axl.Context, "threads", 1.0), (axl.Context, "log_level", "INFO")):
            self.refuses(TypeError, f"^{name} must be an integer, got ", make, **{name: wrong})
        for make, name, wrong in (
                (adapter, "rank", -1), (adapter, "rank", 2**32 + 8), (trainer, "max_tokens", -1),
                (trainer, "seed", 2**64), (axl.Context, "threads", -1),
                (trainer, "warmup_steps", -1)):
            self.refuses(ValueError, f"^{name} must be 0 to [0-9]+, got {wrong}$", make,
                         **{name: wrong})
        for make, name, wrong in (
                (adapter, "alpha", "8"), (adapter, "dropout", b"0"),
                (trainer, "learning_rate", "1e-4"), (trainer, "learning_rate", [1e-4]),
                (trainer, "weight_decay", True)):
            self.refuses(TypeError, f"^{name} must be a number, got ", make, **{name: wrong})
        for make, name in (adapter, "dropout"), (trainer, "learning_rate"), (trainer, "beta1"):
            self.refuses(ValueError, f"^{name} must be a number, got nan$", make,
                         **{name: float("nan")})
        for make, name in ((adapter, "rslora"), (trainer, "checkpointing"),
                           (axl.Context, "onednn"), (axl.Context, "allow_network")):
            self.refuses(TypeError, f"^{name} must be True or False, got 'no'", make, **{name: "no"})
        for make, name, wrong in ((adapter, "layers_pattern", "layers"),
                                  (adapter, "target_modules", 3)):
            self.refuses(TypeError, f"^{name} must be a list of str, got ", make, **{name: wrong})
        self.refuses(TypeError, r"^target_modules\[0\] must be a str, got b'q_proj'", adapter,
                     target_modules=[b"q_proj"])
        for make, name in (trainer, "optimizer"), (axl.Context, "isa"), (axl.Context, "hub_token"):
            self.refuses(TypeError, f"^{name} must be a str, got b'x'", make, **{name: b"x"})
        for name in "log", "progress":
            self.refuses(TypeError, f"^{name} must be a function, got 3", axl.Context, **{name: 3})

    def test_objects_of_another_class(self):
        for name, function, arguments in (
                ("model", axl.Adapter, [self.tokenizer]), ("model", axl.Trainer, [None]),
                ("adapter", axl.Trainer, [self.model, self.model]),
                ("adapter", self.model.logits, [[1], self.model]),
                ("batch", self.model.batch_logits, [[1]]),
                ("batch", self.trainer.forward_backward, [None]),
                ("batch", self.trainer.evaluate, [[1, 2]]), ("dataset", axl.Loader, [SAMPLES]),
                ("tokenizer", axl.generate, [self.model, MODEL, "x"]),
                ("config", axl.Model.from_config, [keys(self.folder)]),
                ("config", axl.Run, [keys(self.folder)]),
                ("tokenizer", axl.Dataset.from_config, [self.config, self.model]),
                ("loader", self.trainer.save, [self.folder, self.data]),
                ("context", axl.Job, [self.model])):
            self.refuses(TypeError, f"^{name} must be an axl\\.[A-Z][a-z]+, got ", function, *arguments)
        self.refuses(TypeError, "made by its class methods", axl.Tokenizer)

    def test_texts_and_paths(self):
        for wrong in None, b"x", 3:
            self.refuses(TypeError, "^prompt must be a str", axl.generate, self.model,
                         self.tokenizer, wrong)
        self.refuses(TypeError, "^token must be a str, got b'x'", self.tokenizer.id, b"x")
        self.refuses(TypeError, "^source must be a str or bytes, got None", self.tokenizer.encode, None)
        self.refuses(TypeError, "^stop must be a list of str, got b'x'", axl.generate, self.model,
                     self.tokenizer, "x", stop=b"x")
        text = axl.generate(self.model, self.tokenizer, "x", stop="e", greedy=True, max_new_tokens=9)
        self.assertNotIn("e", text)
        for wrong in None, 3, [MODEL]:
            self.refuses(TypeError, "^path must be a path", axl.Model.open, wrong)
            self.refuses(TypeError, "^config must be the path of a YAML file", axl.finetune, wrong)
        self.refuses(ValueError, "^path has a NUL inside", axl.Model.open, MODEL + "\0x")
        self.refuses(ValueError, "^token has a NUL inside", self.tokenizer.id, "</s>\0")
        self.assertEqual(self.tokenizer.encode(b"The"), self.tokenizer.encode("The"))
        self.assertNotEqual(self.tokenizer.encode("The\0 fox"), self.tokenizer.encode("The"))

    def test_data(self):
        self.refuses(TypeError, r"^sample 1: labels\[0\] must be an integer, got 1\.5",
                     axl.Dataset.from_samples, [([1], [1]), ([1], [1.5])])
        self.refuses(TypeError, "^sample 0 must be an axl.Sample or a pair", axl.Dataset.from_samples,
                     [3])
        self.refuses(TypeError, "^samples must be a list", axl.Dataset.from_samples, 3)
        self.refuses(ValueError, "^part must be 0 to 4294967295, got -1$", axl.Dataset.from_samples,
                     [axl.Sample([1], [1], part=-1)])
        self.refuses(TypeError, r"^weights\[0\] must be a number, got 'a'", axl.Batch, [1], [1],
                     weights=["a"])
        self.refuses(ValueError, r"^weights must have 1 numbers, got the shape \(2,\)", axl.Batch, [1],
                     [1], weights=[1, 2])
        self.refuses(TypeError, "^last_of_step must be True or False", axl.Batch, [1], [1],
                     last_of_step="no")
        loader = axl.Loader(self.data)
        for wrong in 3, (1,), None:
            self.refuses(TypeError, "^cursor must be", setattr, loader, "cursor", wrong)
        self.refuses(ValueError, "^batch must be 0 to", setattr, loader, "cursor", (0, -1))

    def test_runs(self):
        for wrong, pattern in ((axl.Callback(), "^callbacks must be a list"),
                               ([axl.Callback], r"^callbacks\[0\] must be an axl.Callback")):
            self.refuses(TypeError, pattern, axl.finetune, keys(self.folder), callbacks=wrong)
        self.refuses(TypeError, "^resume must be a path", axl.finetune, keys(self.folder), resume=True)
        self.refuses(TypeError, "^progress must be a function", axl.finetune, keys(self.folder),
                     progress="no")
        with self.assertRaisesRegex(axl.ConfigError, "no_such_key"):
            axl.finetune(keys(self.folder), no_such_key=3)
        self.refuses(TypeError, "^learning_rate has a value that a config cannot have", axl.finetune,
                     keys(self.folder), learning_rate={1})
        self.refuses(TypeError, "^overrides must map", axl.Config.parse, keys(self.folder),
                     overrides="seed=1")


ARRAYS = """
import sys
if sys.argv[1] == "no":
    sys.modules["numpy"] = None
sys.path.insert(0, sys.argv[2])
import axl, pickle
model = axl.Model.open(sys.argv[3], compute="f32")
adapter = axl.Adapter(model, rank=2)
trainer = axl.Trainer(model, adapter)
data = axl.Dataset.from_samples([([1, 5, 6], [1, 5, 6])])
batch = axl.Batch([1, 5, 6], [1, 5, 6], positions=[0, 1, 2], weights=[1, 1, 2])
name = adapter.keys()[0]
seen = []
trainer.forward_backward(batch, loss=lambda l: (seen.extend([l.rows, l.logits]), (0, l.logits))[1])
ids = [data[0].input_ids, data[0].labels, axl.Sample([1], [1]).input_ids, batch.input_ids,
       batch.labels, batch.positions, batch.cu_seqlens, next(axl.Loader(data)).input_ids, seen[0]]
numbers = [batch.weights, adapter[name], trainer[name], trainer.gradient(name), seen[1],
           model.logits([1, 5]), model.batch_logits(batch), model.batch_losses(batch),
           model.batch_hidden(batch, 0)]
for arrays, code in (ids, "i"), (numbers, "f"):
    for a in arrays:
        print(type(a).__module__, type(a).__name__, memoryview(a).format == code and a.ndim)
assert axl.Batch([], []).input_ids.tolist() == []
assert pickle.loads(pickle.dumps(data[0])) == data[0]
assert type(axl.Tokenizer.open(sys.argv[3]).encode("x")) is list
assert isinstance(axl.generate_ids(model, [1], max_new_tokens=1), list)
adapter[name] = adapter[name]
trainer.set_gradient(name, trainer.gradient(name))
assert axl.Batch(batch.input_ids, batch.labels, batch.cu_seqlens).n_trained == 2
"""


class ArrayTest(Case):
    def arrays(self, wanted):
        done = subprocess.run(
            [sys.executable, "-c", ARRAYS, wanted, os.path.dirname(os.path.dirname(axl.__file__)),
             MODEL], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    SHAPES = [1] * 9 + [1, 2, 2, 2, 2, 2, 2, 1, 2]

    def test_without_numpy(self):
        self.assertEqual(self.arrays("no"), [f"builtins memoryview {n}" for n in self.SHAPES])

    @unittest.skipUnless(numpy, "NumPy is not installed")
    def test_with_numpy(self):
        self.assertEqual(self.arrays("yes"), [f"numpy ndarray {n}" for n in self.SHAPES])

    @unittest.skipUnless(numpy, "NumPy is not installed")
    def test_numpys_types(self):
        ids = numpy.array([1, 5, 6])
        wanted = self.model.logits([1, 5, 6]).tolist()
        for kind in "int8", "uint16", "int32", "int64", "uint64", ">i4":
            self.assertEqual(self.model.logits(ids.astype(kind)).tolist(), wanted)
        self.assertEqual(self.model.logits(list(ids)).tolist(), wanted)
        self.assertEqual(self.model.logits(numpy.repeat(ids, 2)[::2]).tolist(), wanted)
        for kind in "float16", "float32", "float64", "bool", "complex64":
            self.refuses(TypeError, "^ids must be integers, got an array of " + kind,
                         self.model.logits, ids.astype(kind))
        self.refuses(ValueError, r"^ids must be flat, got an array of shape \(1, 3\)",
                     self.model.logits, ids[None])
        self.refuses(ValueError, r"^ids\[0\] must be -2", self.model.logits, ids + 2**32)
        self.refuses(TypeError, r"^ids\[0\] must be an integer", self.model.logits,
                     [numpy.float64(1)])
        self.refuses(TypeError, r"^ids\[0\] must be an integer", self.model.logits, [numpy.True_])
        name = self.adapter.keys()[0]
        shape = self.adapter.shape(name)
        values = numpy.arange(shape[0] * shape[1], dtype="float64").reshape(shape)
        for right in (values, values.astype("float16"), values.astype("int64"),
                      numpy.asfortranarray(values.astype("float32")), list(values), values.ravel()):
            self.adapter[name] = numpy.zeros(shape)
            self.adapter[name] = right
            self.assertEqual(self.adapter[name].tolist(), right.tolist() if (
                hasattr(right, "tolist") and right.ndim == 2) else values.tolist())
        for wrong in values.T, values[None], values.reshape(1, -1), values[:, 1:]:
            self.refuses(ValueError, "must have the shape", self.adapter.__setitem__, name, wrong)
        self.refuses(TypeError, "must be numbers, got an array of bool", self.adapter.__setitem__,
                     name, values > 0)
        made = axl.Adapter(self.model, rank=numpy.int64(2), rslora=numpy.bool_(True),
                           dropout=numpy.float32(0.5))
        self.assertEqual(made.shape(name), shape)
        config = axl.Config.parse(keys(self.folder), overrides={
            "lora_r": numpy.int64(4), "learning_rate": numpy.float64(0.5)})
        self.assertEqual((config["lora_r"], config["learning_rate"]), (4, 0.5))


class ProgressTest(Case):
    def terminal(self, function, columns=60, term="xterm"):
        """What a function writes to standard error, where that is a terminal; \\r\\n is \\n."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        said = []

        def read():
            while True:
                try:
                    said.append(os.read(master, 4096))
                except OSError:  # the other end is closed
                    return
        reader = threading.Thread(target=read)
        reader.start()
        try:
            with open(slave, "w", encoding="utf-8") as stream, mock.patch.dict(
                    os.environ, TERM=term), mock.patch.object(sys, "stderr", stream):
                function(stream)
        finally:
            reader.join()
            os.close(master)
        return b"".join(said).decode().replace("\r\n", "\n")

    def train(self, stream=None, **more):
        return axl.finetune(keys(self.folder), **more)

    def test_a_live_line_on_a_terminal(self):
        for columns in 60, 24:
            said = self.terminal(self.train, columns=columns)
            lines = said.split("\r\x1b[K")
            self.assertEqual((lines[0], lines[-1]), ("", ""))  # taken away at the end
            self.assertTrue(all(len(line) < columns for line in lines))
            self.assertIn("step 0/3", lines)
            self.assertNotIn("\n", said)
            wanted = r"^step 1/3  loss \d\.\d+  \d+k? tokens/s  ETA \d+s$"
            if columns == 60:
                self.assertTrue([line for line in lines if re.match(wanted, line)], lines)

    def test_nothing_elsewhere(self):
        for more, term in (({}, "dumb"), ({}, ""), ({"progress": False}, "xterm")):
            self.assertEqual(self.terminal(lambda s, m=more: self.train(**m), term=term), "")
        with tempfile.TemporaryFile("w+") as plain, mock.patch.object(sys, "stderr", plain):
            self.train()
            self.assertEqual(plain.tell(), 0)
        with mock.patch.object(sys, "stderr", None):
            self.train()

    def test_what_is_logged_stands_above_the_line(self):
        def logged(stream):
            handler = logging.StreamHandler(stream)
            logger = logging.getLogger("axl")
            logger.addHandler(handler)
            logger.setLevel(logging.INFO)
            try:
                self.train()
            finally:
                logger.removeHandler(handler)
                logger.setLevel(logging.NOTSET)
        said = self.terminal(logged)
        kept = [line.rpartition("\x1b[K")[2] for line in said.split("\n")[:-1]]
        self.assertEqual([line.split()[1] for line in kept if line.startswith("step")],
                         ["1/3", "2/3", "3/3"])
        self.assertTrue([line for line in kept if line.startswith("saved ")], kept)
        for line in kept:  # none stands behind what the live line said
            self.assertNotRegex(line, r"ETA|^(load|tokenize|save|evaluate) \d")

    def test_steps_are_records_with_numbers(self):
        told = []
        with self.assertLogs("axl", logging.INFO) as logs:
            self.train(record=told.append, val_set_size=4)
        made = [r for r in logs.records if hasattr(r, "event")]
        self.assertEqual([(r.event, r.step, r.total_steps) for r in made],
                         [(r.event, r.step, r.total_steps) for r in told])
        first = next(r for r in made if r.event == "step")
        record = next(r for r in told if r.event == "step")
        self.assertEqual((first.levelno, first.loss, first.grad_norm, first.learning_rate),
                         (logging.INFO, record.loss, record.grad_norm, record.learning_rate))
        self.assertFalse(hasattr(first, "eval_loss"))
        self.assertRegex(first.getMessage(), r"^step 1/3  epoch 0\.00  loss \d\.\d{4}  grad_norm ")
        last = [r for r in made if r.event == "evaluation"][-1]
        self.assertRegex(last.getMessage(), r"eval_loss \d\.\d{4}  perplexity ")

    def test_a_function_is_told_and_stops(self):
        seen, others = [], []
        self.train(progress=seen.append, context=axl.Context(progress=others.append))
        self.assertIn("train", [p.phase for p in seen])
        self.assertEqual(seen, others)
        job = axl.Job()
        with job:
            axl.finetune(keys(self.folder), progress=seen.append)
        self.assertIs(seen[-1].job, job)
        with self.assertRaises(axl.Cancelled):
            self.train(progress=lambda p: p.phase == "train")

        def fail(progress):
            raise ZeroDivisionError(progress.phase)
        with self.assertRaisesRegex(ZeroDivisionError, "tokenize|load"):
            self.train(progress=fail)
        self.model.logits([1])  # nothing is told any more

    def test_durations(self):
        self.assertEqual([_live.duration(s) for s in (-1, 0.4, 59.6, 3599, 7261, float("inf"))],
                         ["0s", "0s", "1m00s", "59m59s", "2h01m", "0s"])

    def test_a_terminal_that_goes_away(self):
        class Gone:
            """Fails as a closed one does."""
            def isatty(self):
                """It was one."""
                return True

            def write(self, what):
                """No more."""
                raise OSError(5, "Input/output error")
        with mock.patch.dict(os.environ, TERM="xterm"), mock.patch.object(sys, "stderr", Gone()):
            self.train()


if __name__ == "__main__":
    unittest.main()
