# SPDX-License-Identifier: Apache-2.0
"""The Python binding, on the tiny model and data of examples/."""
import base64
import ctypes
import gc
import json
import logging
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import weakref

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "bindings", "python"))
import axl  # noqa: E402  pylint: disable=wrong-import-position
from axl import _abi, _library  # noqa: E402  pylint: disable=wrong-import-position

MODEL = os.path.join(ROOT, "examples", "tiny-llama")
ROWS = os.path.join(ROOT, "examples", "tiny-alpaca.jsonl")
IDS = [1] + [(i * 7) % 700 + 3 for i in range(199)]


def config(folder, **more):
    keys = {"base_model": MODEL, "datasets": [{"path": ROWS, "type": "alpaca"}], "adapter": "lora",
            "lora_r": 4, "lora_alpha": 8, "lora_target_modules": ["q_proj", "v_proj"],
            "sequence_len": 256, "micro_batch_size": 2, "gradient_accumulation_steps": 2,
            "num_epochs": 1, "max_steps": 3, "learning_rate": 1e-3, "bf16": False,
            "output_dir": os.path.join(folder, "out"),
            "dataset_prepared_path": os.path.join(folder, "prepared")}
    keys.update(more)
    return keys


def repeat(n):
    """A batch of n sequences."""
    return axl.Batch(IDS * n, IDS * n, cu_seqlens=range(0, len(IDS) * n + 1, len(IDS)))


def numbers(array):
    """A flat list, of NumPy's arrays and of memoryviews."""
    listed = array.tolist()
    return [x for row in listed for x in row] if listed and isinstance(listed[0], list) else listed


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="axl-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def trainer(self, context=None, **options):
        model = axl.Model.open(MODEL, context=context or axl.Context(), compute="f32")
        adapter = axl.Adapter(model, rank=4, seed=7)
        return axl.Trainer(model, adapter, learning_rate=1e-3, **options), adapter, model


class Interrupter(threading.Thread):
    """Presses Ctrl-C once after each arm(), as many times as there are waits, until stop()."""

    def __init__(self, waits):
        super().__init__(daemon=True)
        self.waits = waits
        self.armed = threading.Event()
        self.lock = threading.Lock()
        self.done = False

    def run(self):
        for wait in self.waits:
            self.armed.wait()
            time.sleep(wait)
            with self.lock:
                if self.done:
                    return
                self.armed.clear()
                os.kill(os.getpid(), signal.SIGINT)

    def stop(self):
        with self.lock:
            self.done = True


class LibraryTest(Case):
    def test_another_version_is_refused_by_name(self):
        class Fake:
            """A library of an ABI to come."""
            def __init__(self, abi, size):
                self.axl_version = lambda: b"9.8"
                self.axl_abi_version = lambda: abi
                self.axl_abi_sizeof = lambda name: size
                for function in (self.axl_version, self.axl_abi_sizeof):
                    function.restype = None
        _library.check(Fake(_abi.AXL_ABI_VERSION, 1000), "newer.so")
        for fake in Fake(7, 1000), Fake(_abi.AXL_ABI_VERSION, 16):
            with self.assertRaises(axl.LibraryError) as caught:
                _library.check(fake, "/somewhere/libaxl.so")
            for word in "9.8", axl.__version__, "/somewhere/libaxl.so", "AXL_LIBRARY":
                self.assertIn(word, str(caught.exception))

    def test_every_struct_has_the_librarys_size(self):
        for struct in _abi.STRUCTS:
            self.assertEqual(axl._lib.axl_abi_sizeof(struct.__name__.encode()),
                             ctypes.sizeof(struct), struct.__name__)

    def test_features(self):
        self.assertTrue(axl.feature("cpu"))
        self.assertFalse(axl.feature("steam"))


class ContextTest(Case):
    def test_options_reach_the_library(self):
        with axl.Context(threads=3, isa="baseline", onednn=False) as context:
            self.assertEqual(context.threads, 3)
            self.assertEqual(context.isa, "baseline")

    def test_errors_are_exceptions_of_two_kinds(self):
        with self.assertRaises(ValueError) as caught:
            axl.Context(isa="sse9")
        self.assertIsInstance(caught.exception, axl.InvalidError)
        self.assertIn("sse9", str(caught.exception))
        self.assertEqual(caught.exception.status, _abi.AXL_ERR_INVALID)
        with self.assertRaises(FileNotFoundError):
            axl.Config.open(os.path.join(self.folder, "none.yml"))

    def test_a_closed_handle_says_so(self):
        context = axl.Context()
        context.close()
        context.close()
        with self.assertRaisesRegex(ValueError, "Context is closed"):
            context.threads

    def test_nothing_stays_behind(self):
        context = axl.Context(progress=lambda p: None)
        model = axl.Model.open(MODEL, context=context)
        seen = weakref.ref(context)
        del context
        self.assertIsNotNone(seen())
        del model
        gc.collect()
        self.assertIsNone(seen())

    def test_progress_is_told_and_stops(self):
        seen = []
        axl.Model.open(MODEL, context=axl.Context(progress=seen.append))
        self.assertTrue(seen)
        self.assertEqual(seen[0].phase, "load")
        with self.assertRaises(axl.Cancelled):
            axl.Model.open(MODEL, context=axl.Context(progress=lambda p: True))

    def test_an_exception_in_a_callback_comes_out_of_the_call(self):
        def fail(progress):
            raise KeyError(progress.phase)
        with self.assertRaisesRegex(KeyError, "load"):
            axl.Model.open(MODEL, context=axl.Context(progress=fail))

    def test_the_log_goes_to_logging(self):
        keys = config(self.folder, dataset_processes=2, sample_packing_group_size=7)
        with self.assertLogs("axl", logging.WARNING) as logs:
            made = axl.Config.parse(keys)
        self.assertEqual(len(logs.records), len(made.diagnostics))
        lines = []
        axl.Config.parse(keys, context=axl.Context(log=lambda level, line: lines.append(line)))
        self.assertEqual(len(lines), len(made.diagnostics))

    def test_cancel_from_another_thread(self):
        context = axl.Context()
        trainer, _, _ = self.trainer(context)
        cancel = axl.Cancel(context)
        batch = repeat(50)
        threading.Timer(0.2, cancel.set).start()
        with self.assertRaises(axl.Cancelled):
            while True:
                trainer.forward_backward(batch)
        cancel.clear()
        self.assertGreater(trainer.forward_backward(axl.Batch(IDS, IDS)), 0)

    def test_a_loss_of_ones_own(self):
        trainer, adapter, model = self.trainer(axl.Context())
        batch, seen = axl.Batch(IDS, IDS), []

        def squares(given):
            seen.append((list(given.rows), given.first, given.total, given.batch is batch))
            flat = [x for row in given.logits.tolist() for x in row]
            return sum(x * x for x in flat), [2 * x for x in flat]

        mean = trainer.forward_backward(batch, loss=squares, terms=1)
        self.assertEqual(seen, [(list(range(len(IDS) - 1)), 0, len(IDS) - 1, True)])
        name = list(trainer)[1]
        first = trainer.gradient(name).tolist()
        self.assertTrue(any(x for row in first for x in row))
        trainer.zero_grad()
        self.assertEqual(trainer.forward_backward(batch, loss=squares, terms=1, at_once=True), mean)
        self.assertEqual(trainer.gradient(name).tolist(), first)
        with self.assertRaisesRegex(ValueError, r"the loss.s gradient must have the shape"):
            trainer.forward_backward(batch, loss=lambda given: (0.0, [1.0]))
        trainer.set_gradient(name, [[2 * x for x in row] for row in first])
        self.assertAlmostEqual(trainer.gradient(name).tolist()[0][0], 2 * first[0][0], places=6)
        logits = model.batch_logits(batch, adapter).tolist()
        self.assertAlmostEqual(model.batch_logits(batch, adapter, rows=[2]).tolist()[0][5],
                               logits[2][5], places=4)
        losses = model.batch_losses(batch, adapter).tolist()
        self.assertEqual(losses[0], 0.0)
        self.assertAlmostEqual(sum(losses), trainer.evaluate(batch), places=3)
        self.assertEqual(len(model.batch_hidden(batch, 0).tolist()), len(IDS))

    def test_a_tokenizer_encodes_many(self):
        tokenizer = axl.Tokenizer.open(MODEL, context=axl.Context(threads=2))
        texts = [f"Text {i} \0 {'é' * (i % 7)}" for i in range(500)] + ["", b"bytes"]
        self.assertEqual(tokenizer.encode_batch(texts), [tokenizer.encode(t) for t in texts])
        self.assertEqual(tokenizer.encode_batch(texts[:3], special=False),
                         [tokenizer.encode(t, special=False) for t in texts[:3]])
        self.assertEqual(tokenizer.encode_batch([]), [])
        with self.assertRaisesRegex(TypeError, "a source must be a str or bytes, got 3"):
            tokenizer.encode_batch(["a", 3])

    def test_a_tokenizer_renders_conversations(self):
        template = ("{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}\n"
                    "{% endfor %}{% if tools %}{{ tools | tojson }}{% endif %}{{ x }}"
                    "{% if add_generation_prompt %}>{% endif %}")
        files = {"chat_template.jinja": template.encode()}
        for name in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json"):
            with open(os.path.join(MODEL, name), "rb") as f:
                files[name] = f.read()
        made, said = axl.Tokenizer.from_files(files), [{"role": "user", "content": "Hi"}]
        self.assertEqual(made.apply_chat_template(said, x=3), "user: Hi</s>\n3")
        self.assertEqual(made.apply_chat_template(said, tools=[1], add_generation_prompt=True),
                         "user: Hi</s>\n[1]>")
        self.assertEqual(made.turn_end, "</s>")
        with self.assertRaises(FileNotFoundError):
            axl.Tokenizer.open(MODEL).apply_chat_template(said)

    def test_a_chat_template_renders(self):
        template = axl.Template("{% for m in messages %}{{ m['content'] }}{{ loop.index }};{% endfor %}{{ x }}{{ y | tojson }}\n")
        messages = [{"content": "Grüße 🚆"}, {"content": "\0"}]
        self.assertEqual(template.render({"messages": messages, "x": 1.0, "y": {"b": [None, "é"]}}),
                         'Grüße 🚆1;\x002;1.0{"b": [null, "é"]}')
        self.assertEqual(axl.Template("{{ strftime_now('%d %B %Y') }}").render(time=0), "01 January 1970")
        with self.assertRaisesRegex(axl.FormatError, r"mine:2: the template says: no"):
            axl.Template("\n{{ raise_exception('no') }}", name="mine").render()
        with self.assertRaisesRegex(axl.FormatError, "more than 10 steps"):
            template.render({"messages": messages * 100}, max_steps=10)
        with self.assertRaises(axl.FormatError):
            axl.Template("{% if %}")
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(FileNotFoundError):
                axl.Template.open(folder)
            with open(os.path.join(folder, "chat_template.jinja"), "w", encoding="utf-8") as f:
                f.write("{{ a }}!")
            self.assertEqual(axl.Template.open(folder).render({"a": 1}), "1!")
        chat = {"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": True}
        self.assertEqual(axl.Template.builtin("chatml").render(chat), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")

    def test_a_tokenizer_gets_new_tokens(self):
        tokenizer = axl.Tokenizer.open(MODEL, tokens=["<tool>"], special_tokens=["<|end|>"],
                                       pad_token="<pad>", overrides={0: "<none>"})
        self.assertEqual([tokenizer.id(t) for t in ("<pad>", "<tool>", "<|end|>", "<none>")],
                         [769, 770, 771, 0])  # 768: the "<unk>" that was 0
        ids = tokenizer.encode("a<tool><|end|>", special=False)
        self.assertEqual(ids[-2:], [770, 771])
        self.assertTrue(tokenizer.decode(ids, skip_special=True).endswith("<tool>"))
        with self.assertRaisesRegex(axl.Error, "300 is no added token"):
            axl.Tokenizer.open(MODEL, overrides={300: "<a>"})
        with self.assertRaises(TypeError):
            axl.Tokenizer.open(MODEL, tokens="<tool>")
        ranks = b"".join(base64.b64encode(bytes([b])) + b" %d\n" % b for b in range(256))
        tokenizer = axl.Tokenizer.from_files({"x.model": ranks}, pattern="o200k_base")
        self.assertEqual(tokenizer.encode("ab"), [97, 98])

    def test_generating_says_how_it_ended(self):
        model = axl.Model.open(MODEL, compute="f32")
        tokenizer = axl.Tokenizer.open(MODEL)
        whole = axl.generate(model, tokenizer, "Once upon", greedy=True, max_new_tokens=20)
        self.assertEqual((whole.finish, whole.n_new), ("length", 20))
        seen, cut = [], whole[5:9]
        self.assertEqual(axl.generate(model, tokenizer, "Once upon", greedy=True,
                                      stop_ids=range(model.info.vocab_size)).finish, "eos")
        text = axl.generate(model, tokenizer, "Once upon", greedy=True, max_new_tokens=20, stop=cut,
                            on_text=lambda piece: seen.append(piece))
        self.assertEqual((text, text.finish), (whole[:whole.index(cut)], "stop"))
        self.assertEqual("".join(seen), text)
        prompt = tokenizer.encode("Once upon")
        ids = axl.generate_ids(model, prompt, greedy=True, max_new_tokens=20)
        self.assertEqual((len(ids), ids.finish, ids.n_prompt), (20, "length", len(prompt)))
        self.assertEqual(tokenizer.decode([*prompt, *ids], skip_special=True), "Once upon" + whole)
        self.assertEqual(tokenizer.token(tokenizer.id("</s>")), "</s>")
        self.assertIsNone(tokenizer.token(-1))

    def test_a_run_on_samples_of_ones_own_lends_what_it_has(self):
        tokenizer = axl.Tokenizer.open(MODEL)
        ids = tokenizer.encode("The fox is yellow.")
        data = axl.Dataset.from_samples([(ids, ids)] * 4)
        keys = config(self.folder, max_steps=2, logging_steps=1)
        del keys["datasets"]
        seen = []

        def record(event):
            text = axl.generate(run.model, run.tokenizer, "The", adapter=run.adapter, greedy=True,
                                max_new_tokens=3)
            seen.append((event.event, text.n_new, run.trainer.steps))

        run = axl.Run(axl.Config.parse(keys, own_data=True), record=record, train=data,
                      validation=data)
        run.train()
        self.assertIn(("step", 3, 2), seen)
        self.assertEqual(run.evaluate().rows, 4)
        model = run.model
        run.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            model.info  # pylint: disable=pointless-statement

    def test_a_job_is_cancelled_and_reports_by_itself(self):
        seen, others = [], []
        context = axl.Context(progress=others.append)
        trainer, _, _ = self.trainer(context)
        batch, others[:] = axl.Batch(IDS, IDS), []
        job, quiet = axl.Job(context, progress=seen.append), axl.Job(context)
        with job:
            trainer.forward_backward(batch)
            with self.assertRaises(axl.BusyError):
                quiet.__enter__()
            job.cancel()
            with self.assertRaises(axl.Cancelled):
                trainer.forward_backward(batch)
        self.assertTrue(seen and all(p.job is job for p in seen))
        self.assertEqual(others, [])
        with quiet:
            trainer.forward_backward(batch)
        trainer.forward_backward(batch)
        self.assertEqual({p.job for p in others}, {quiet, None})
        job.clear()
        with job:
            trainer.forward_backward(batch)


class ConfigTest(Case):
    def test_what_it_names(self):
        (found,) = axl.Config.parse(config(self.folder, base_model="./none")).missing()
        self.assertEqual((found.key, found.severity, found.id), ("base_model", "error", "AXL-C0401"))
        self.assertEqual(axl.Config.parse(config(self.folder)).missing(), [])

    def test_the_prompt_of_its_data(self):
        made = axl.Config.parse(config(self.folder))
        self.assertTrue(made.prompt("Say", "it").endswith(
            "\n\n### Instruction:\nSay\n\n### Input:\nit\n\n### Response:\n"))
        self.assertNotIn("Input", made.prompt("Say"))

    def test_values_have_their_types(self):
        made = axl.Config.parse(config(self.folder), overrides={"learning-rate": 2e-5,
                                                                "axl": {"threads": 2}})
        self.assertEqual(made["learning_rate"], 2e-5)
        self.assertEqual(made["micro_batch_size"], 2)
        self.assertIs(made["bf16"], False)
        self.assertEqual(made["datasets[0].path"], ROWS)
        self.assertEqual(made["axl.threads"], 2)
        self.assertEqual(made["lora_target_modules"], ["q_proj", "v_proj"])
        self.assertEqual(made["datasets"][0]["type"], "alpaca")
        self.assertEqual(made.get("val_set_size"), 0)
        self.assertEqual(made.get("wandb_project", "none"), "none")
        with self.assertRaises(KeyError):
            made["wandb_project"]
        with self.assertRaises(axl.InvalidError):
            made["no_such_key"]

    def test_what_is_wrong_has_a_place(self):
        with self.assertRaises(axl.ConfigError) as caught:
            axl.Config.parse("base_model: x\nlearnin_rate: 3\n", name="bad.yml")
        found = [d for d in caught.exception.diagnostics if d.key == "learnin_rate"][0]
        self.assertEqual((found.line, found.severity, found.file), (2, "error", "bad.yml"))
        self.assertIn("learning_rate", found.message)
        self.assertTrue(str(found).startswith("bad.yml:2:"))

    def test_a_dump_parses_to_the_same(self):
        made = axl.Config.parse(config(self.folder))
        self.assertEqual(axl.Config.parse(made.to_yaml()).to_dict(), made.to_dict())
        self.assertEqual(made.to_dict(), json.loads(json.dumps(made.to_dict())))

    def test_a_value_has_a_place(self):
        made = axl.Config.parse("base_model: x\ndatasets:\n  - path: y\n    type: alpaca\n"
                                "micro_batch_size: 1\ngradient_accumulation_steps: 1\n"
                                "learning_rate: 1\nadapter: lora\nlora_r: 4\nlora_alpha: 8\n"
                                "lora_target_linear: true\noutput_dir: z\n")
        self.assertEqual(made.source("datasets[0].path")[0], 3)
        self.assertIsNone(made.source("seed"))


class DataTest(Case):
    SAMPLES = [([1, 5, 6, n + 10, 2], [-100, -100, 6, n + 10, 2]) for n in range(7)]

    def test_samples_of_ones_own(self):
        data = axl.Dataset.from_samples(self.SAMPLES)
        self.assertEqual(len(data), 7)
        self.assertEqual(data[-1].input_ids.tolist(), [1, 5, 6, 16, 2])
        self.assertEqual([s.n_trained for s in data], [3] * 7)
        self.assertEqual(data.stats.trained_tokens, 21)
        with self.assertRaises(IndexError):
            data[7]
        with self.assertRaises(ValueError):
            axl.Dataset.from_samples([([1, 2], [1])])

    def made(self, make, **more):
        """The samples of one record, by a type of one's own."""
        context = axl.Context()
        axl.register_dataset_type("my.rows", make, context=context)
        path = os.path.join(self.folder, "rows.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.write('{"q": "caf\\u00e9", "a": 3}\n')
        made = axl.Config.parse(config(self.folder, datasets=[{"path": path, "type": "my.rows"}],
                                       shuffle_merged_datasets=False, **more), context=context)
        tokenizer = axl.Tokenizer.from_config(made)
        data = axl.Dataset.from_config(made, tokenizer)
        return [(s.input_ids.tolist(), s.labels.tolist()) for s in data], tokenizer

    def test_a_type_of_ones_own(self):
        records = []
        got, tokenizer = self.made(lambda record: records.append(record) or (record["q"], "yes"))
        self.assertEqual(records, [{"q": "caf\u00e9", "a": 3}])
        asked, said = tokenizer.encode("caf\u00e9"), tokenizer.encode("yes")[1:] + [2]
        self.assertEqual(got, [(asked + said, [-100] * len(asked) + said)])
        got, _ = self.made(lambda _: [{"text": "a"}, {"text": "b", "train": True}])
        a, b = (tokenizer.encode(t, special=False) for t in "ab")
        self.assertEqual(got, [(a + b, [-100] * len(a) + b)])
        got, _ = self.made(lambda _: {"input_ids": [1, 2, 3], "labels": [-100, 2, 3]})
        self.assertEqual(got, [([1, 2, 3], [-100, 2, 3])])
        got, _ = self.made(lambda _: [{"input_ids": [1, 2]}, axl.Sample([4, 5], [-100, 5])])
        self.assertEqual(got, [([1, 2], [1, 2]), ([4, 5], [-100, 5])])
        with self.assertRaises(axl.DataError):
            self.made(lambda _: None)
        with self.assertRaisesRegex(ZeroDivisionError, "division"):
            self.made(lambda _: 1 // 0)
        with self.assertRaisesRegex(TypeError, "a list of segments, got 3"):
            self.made(lambda record: record["a"])
        with self.assertRaisesRegex(ValueError, "labels must be 2"):
            self.made(lambda _: {"input_ids": [1, 2], "labels": [1]})
        with self.assertRaisesRegex(axl.InvalidError, "is axl's own"):
            axl.register_dataset_type("alpaca", print)
        with self.assertRaisesRegex(TypeError, "make must be a function"):
            axl.register_dataset_type("x", None)

    def test_records_of_ones_own(self):
        made = axl.Config.parse(config(self.folder, datasets=[{"type": "chat_template",
                                                               "chat_template": "mistral_v1"},
                                                              {"type": "alpaca"}],
                                       shuffle_merged_datasets=False), own_data=True)
        tokenizer = axl.Tokenizer.from_config(made)
        asked = []

        def chats():
            for n in range(3):
                asked.append(n)
                yield {"messages": [{"role": "user", "content": f"{n}?"},
                                    {"role": "assistant", "content": f"caf\u00e9 {n}"}]}

        data = axl.Dataset.from_records(chats(), made, tokenizer)
        self.assertEqual((len(data), asked), (3, [0, 1, 2]))
        self.assertEqual([s.row for s in data], [0, 1, 2])
        self.assertIsNone(data[0].source)
        self.assertEqual(tokenizer.decode(data[2].input_ids.tolist(), skip_special=True).strip(),
                         "[INST] 2? [/INST] caf\u00e9 2")
        rows = ['{"instruction": "a", "output": "b"}', b'{"instruction": "c", "output": "d"}']
        self.assertEqual(len(axl.Dataset.from_records(rows, made, tokenizer, index=1)), 2)
        with self.assertRaisesRegex(ZeroDivisionError, "division"):
            axl.Dataset.from_records(({"a": 1 // n} for n in (1, 0)), made, tokenizer)
        with self.assertRaisesRegex(TypeError, "record 1 must be a dict or its JSON, got 3"):
            axl.Dataset.from_records([3], made, tokenizer)
        with self.assertRaisesRegex(TypeError, "records must be an iterable of dicts"):
            axl.Dataset.from_records({"a": 1}, made, tokenizer)
        with self.assertRaisesRegex(axl.DataError, r"datasets\[1\]: record 2:\d+: "):
            axl.Dataset.from_records([rows[0], "{"], made, tokenizer, index=1)
        with self.assertRaisesRegex(axl.InvalidError, r"there is no datasets\[2\]"):
            axl.Dataset.from_records(rows, made, tokenizer, index=2)
        with self.assertRaisesRegex(axl.InvalidError, r"datasets\[0\]\.path is not set"):
            axl.Dataset.from_config(made, tokenizer)
        self.assertEqual(made.missing(), [])
        run = axl.Run(made, train=data)
        run.train()

    def test_records_are_streamed(self):
        keys = config(self.folder, datasets=[{"type": "alpaca"}], micro_batch_size=1,
                      gradient_accumulation_steps=1, max_steps=9, save_steps=4,
                      streaming_multipack_buffer_size=2)
        made = axl.Config.parse(keys, own_data=True)
        tokenizer = axl.Tokenizer.from_config(made)
        asked = []

        def rows():
            for n in range(5):
                asked.append(n)
                yield {"instruction": f"Count {n}.", "output": f"{n} {n}"}

        def ids(loader, n):
            return [next(loader).input_ids.tolist() for _ in range(n)]

        data = axl.Dataset.stream_records(rows, made, tokenizer)
        self.assertEqual((len(data), asked), (2, [0, 1]))
        loader = axl.Loader.from_config(made, data)
        del data
        gc.collect()
        first = ids(loader, 3)
        place, rest = loader.cursor, ids(loader, 12)
        self.assertEqual(sorted(first + rest[:2]), sorted(rest[2:7]))
        for again in (rows, list(rows())):
            other = axl.Loader.from_config(
                made, axl.Dataset.stream_records(again, made, tokenizer))
            other.cursor = place
            self.assertEqual(ids(other, 12), rest)
        once = axl.Loader.from_config(made, axl.Dataset.stream_records(rows(), made, tokenizer))
        once.cursor = place
        self.assertEqual([b.input_ids.tolist() for b in once], rest[:2])
        with self.assertRaisesRegex(axl.UnsupportedError, "has no rewind"):
            once.cursor = (0, 0)
        with self.assertRaisesRegex(TypeError, "records must be an iterable of dicts, got 3"):
            axl.Dataset.stream_records(3, made, tokenizer)
        with self.assertRaisesRegex(TypeError, "records must be an iterable of dicts, got None"):
            axl.Dataset.stream_records(lambda: None, made, tokenizer)

        def breaks():
            yield from rows()
            raise KeyError("gone")

        loader = axl.Loader.from_config(made, axl.Dataset.stream_records(breaks, made, tokenizer))
        self.assertEqual(ids(loader, 4), first + rest[:1])
        with self.assertRaisesRegex(KeyError, "gone"):
            next(loader)
        self.runs_on_a_stream(keys, tokenizer, rows)

    def runs_on_a_stream(self, keys, tokenizer, rows):
        """A run that goes on from a checkpoint ends with the same weights, rewind or not."""
        made = axl.Config.parse(keys, own_data=True)

        def trained(**more):
            folder = axl.Run(made, **more).train()
            with open(os.path.join(folder, "adapter_model.safetensors"), "rb") as f:
                return f.read()

        def stream(records):
            return axl.Dataset.stream_records(records, made, tokenizer)

        whole = trained(train=stream(rows))
        resume = os.path.join(keys["output_dir"], "checkpoint-4")
        self.assertEqual(trained(train=stream(rows), resume=resume), whole)
        with self.assertRaisesRegex(axl.Error, "other data"):
            axl.Run(made, resume=resume, train=stream([{"instruction": "a", "output": "b"}, *rows()]))
        with self.assertRaisesRegex(axl.UnsupportedError, "validation data cannot be streamed"):
            axl.Run(made, train=stream(rows), validation=stream(rows))
        del keys["max_steps"]
        with self.assertRaisesRegex(axl.InvalidError, "max_steps must be set"):
            axl.Run(axl.Config.parse(keys, own_data=True), train=stream(rows))
        long = [{"instruction": f"Say {n}.", "output": f"{n}"} for n in range(7)]
        whole = trained(train=stream(iter(long)))
        with open(os.path.join(keys["output_dir"], "training_log.jsonl"), encoding="utf-8") as f:
            self.assertEqual(json.loads(f.readlines()[-1])["step"], 7)  # of 9: the records ended
        self.assertEqual(trained(train=stream(iter(long)), resume=resume), whole)

    def test_types_are_listed(self):
        types = {t["type"]: t for t in axl.dataset_types() if isinstance(t["type"], str)}
        self.assertEqual(types["gpteacher"]["styles"], ["instruct", "chat", "chatml", "phi"])
        self.assertEqual([c["name"] for c in types["orcamini"]["columns"]],
                         ["system_prompt", "question", "response"])

    def test_batches_are_their_own(self):
        loader = axl.Loader(axl.Dataset.from_samples(self.SAMPLES), micro_batch_size=2,
                            gradient_accumulation_steps=2, shuffle=False)
        self.assertEqual(loader.batches_per_epoch, 4)
        self.assertEqual(loader.total_steps, 2)
        batches = list(loader)
        self.assertEqual([b.n_seqs for b in batches], [2, 2, 2, 1])
        self.assertEqual([b.last_of_step for b in batches], [False, True, False, True])
        self.assertEqual(batches[0].input_ids.tolist(), self.SAMPLES[0][0] + self.SAMPLES[1][0])
        self.assertEqual(batches[0].cu_seqlens.tolist(), [0, 5, 10])
        self.assertEqual(batches[3].labels.tolist(), self.SAMPLES[6][1])

    def test_a_loader_goes_back_to_its_place(self):
        data = axl.Dataset.from_samples(self.SAMPLES)
        loader = axl.Loader(data, num_epochs=2)
        for _ in range(9):
            next(loader)
        place, rest = loader.cursor, [b.input_ids.tolist() for b in loader]
        again = axl.Loader(data, num_epochs=2)
        again.cursor = place
        self.assertEqual([b.input_ids.tolist() for b in again], rest)
        self.assertEqual(len(rest), 5)

    def test_a_batch_counts_what_is_trained(self):
        batch = axl.Batch([1, 2, 3, 4], [1, 2, -100, 4], cu_seqlens=[0, 1, 4])
        self.assertEqual(batch.n_trained, 1)
        with self.assertRaises(ValueError):
            axl.Batch([1], [1, 2])
        self.assertIsNone(batch.weights)
        weighted = axl.Batch([1, 2], [1, 2], weights=[0.5, 2.0])
        self.assertEqual(list(weighted.weights), [0.5, 2.0])
        with self.assertRaises(ValueError):
            axl.Batch([1, 2], [1, 2], weights=[0.5])

    def test_samples_have_roles(self):
        samples = [axl.Sample([1, 2], [1, 2], role="chosen", pair=7),
                   axl.Sample([1, 3], [1, 3], role="rejected", pair=7)]
        data = axl.Dataset.from_samples(samples)
        self.assertEqual([(s.role, s.pair) for s in data], [("chosen", 7), ("rejected", 7)])
        with self.assertRaisesRegex(axl.Error, "roles"):
            self.trainer()[0].forward_backward(next(axl.Loader(data)))
        with self.assertRaisesRegex(ValueError, "role"):
            axl.Dataset.from_samples([axl.Sample([1], [1], role="best")])

    def test_text_to_ids_and_back(self):
        tokenizer = axl.Tokenizer.open(MODEL)
        text = "Say it twice: grüße, 你好!"
        ids = tokenizer.encode(text)
        self.assertEqual(ids[0], tokenizer.bos)
        self.assertEqual(tokenizer.decode(ids, skip_special=True), text)
        self.assertEqual(tokenizer.encode(text, special=False), ids[1:])
        again, places = tokenizer.encode_with_offsets(text)
        self.assertEqual(again, ids)
        self.assertEqual(places[0], (0, 0))
        self.assertEqual(places[-1], (len(text) - 1, len(text)))
        again, places = tokenizer.encode_with_offsets(text.encode(), special=False)
        self.assertEqual(again, ids[1:])
        self.assertEqual(places[-1], (len(text.encode()) - 1, len(text.encode())))
        self.assertEqual(tokenizer.id("</s>"), tokenizer.eos)
        self.assertIsNone(tokenizer.id("no such token"))
        self.assertGreater(len(tokenizer), max(ids))

    def test_a_configs_data(self):
        made = axl.Config.parse(config(self.folder))
        tokenizer = axl.Tokenizer.from_config(made)
        data = axl.Dataset.from_config(made, tokenizer)
        self.assertEqual(data.stats.rows, len(data))
        self.assertIn("### Response:", tokenizer.decode(data[0].input_ids))
        self.assertIsNone(axl.Dataset.from_config(made, tokenizer, "validation"))
        self.assertGreater(len(next(axl.Loader.from_config(made, data))), 0)
        self.assertEqual(list(data.lengths), [len(sample) for sample in data])

    def test_data_is_prepared(self):
        made = axl.Config.parse(config(self.folder, dataset_prepared_path=None, val_set_size=3))
        tokenizer = axl.Tokenizer.from_config(made)
        train, validation, folder = axl.Dataset.prepare(made, tokenizer)
        self.assertEqual(folder, os.path.join(self.folder, "out", "prepared"))
        self.assertEqual(len(os.listdir(folder)), 1)
        self.assertEqual(len(validation), 3)
        self.assertFalse(train.stats.from_cache)
        again = axl.Dataset.prepare(made, tokenizer)
        self.assertTrue(again.train.stats.from_cache)
        self.assertEqual(list(again.train), list(train))
        made = axl.Config.parse(config(self.folder, dataset_prepared_path=__file__))
        with self.assertRaises(axl.InputOutputError):
            axl.Dataset.prepare(made, tokenizer)


class TrainingTest(Case):
    def test_logits(self):
        model = axl.Model.open(MODEL, compute="f32")
        logits = model.logits(IDS[:5])
        self.assertEqual(tuple(logits.shape), (5, model.info.vocab_size))
        self.assertTrue(all(map(math.isfinite, numbers(logits))))
        with self.assertRaises(axl.InvalidError):
            model.logits([model.info.vocab_size])

    def test_tensors_by_name(self):
        _, adapter, model = self.trainer()
        name = next(iter(adapter))
        rows, cols = adapter.shape(name)
        self.assertEqual(tuple(adapter[name].shape), (rows, cols))
        values = [[r + c / 1024 for c in range(cols)] for r in range(rows)]
        adapter[name] = values
        self.assertEqual(adapter[name].tolist(), values)
        adapter[name] = adapter[name]
        self.assertEqual(adapter[name].tolist(), values)
        with self.assertRaises(KeyError):
            adapter["lm_head"]
        with self.assertRaises(ValueError):
            adapter[name] = [1.0]
        adapter.save(os.path.join(self.folder, "a"))
        again = axl.Adapter.open(model, os.path.join(self.folder, "a"))
        self.assertEqual(again.keys(), adapter.keys())
        self.assertEqual(again[name].tolist(), values)

    def test_steps_learn_and_resume_bit_for_bit(self):
        trainer, adapter, _ = self.trainer(gradient_accumulation_steps=2)
        batch = axl.Batch(IDS, IDS)

        def steps(trainer, n):
            losses = []
            while len(losses) < n:
                trainer.forward_backward(batch)
                if trainer.ready:
                    losses.append(trainer.step().loss)
            return losses
        first = steps(trainer, 3)
        self.assertLess(first[-1], first[0])
        trainer.save(os.path.join(self.folder, "checkpoint"))
        rest = steps(trainer, 2)
        again, other, _ = self.trainer(gradient_accumulation_steps=2)
        again.load(os.path.join(self.folder, "checkpoint"))
        self.assertEqual(again.steps, 3)
        self.assertEqual(steps(again, 2), rest)
        name = adapter.keys()[1]
        self.assertEqual(adapter[name].tolist(), other[name].tolist())

    def files(self, *names):
        made = {}
        for name in names:
            with open(os.path.join(MODEL, name), "rb") as f:
                made[name] = f.read()
        return made

    def check_kinds(self, model):
        made = axl.Adapter(model, rank=2, target_modules=r".*\.[01]\.mlp\.(up|down)_proj",
                           exclude_modules=["0.mlp.up_proj"], rank_pattern={"down_proj": 4},
                           alpha_pattern={"1.*": 2.5}, init_lora_weights="orthogonal", use_dora=True)
        down = "base_model.model.model.layers.1.mlp.down_proj"
        self.assertEqual(len(made), 3 * 3)
        self.assertEqual(made[down + ".lora_A.weight"].shape[0], 4)
        self.assertIn(down + ".lora_magnitude_vector", made)
        self.assertEqual((made.info.target_modules, made.info.use_dora), ((), True))
        made = axl.Adapter(model, target_modules=["q_proj"], layers_to_transform=[1],
                           layers_pattern=["layers"], init_lora_weights=False, lora_bias=True)
        self.assertEqual((len(made), made.info.init_lora_weights), (3, "false"))
        made = axl.Adapter(model, target_modules=["q_proj"], layers_to_transform=[1],
                           modules_to_save=["embed_tokens", "model.norm"])
        self.assertIn("base_model.model.model.embed_tokens.weight", made)
        self.assertEqual((len(made), made.info.modules_to_save), (4, ("embed_tokens", "model.norm")))
        made = axl.Adapter(model, target_modules=["q_proj"], trainable_token_indices=[5, 9])
        self.assertEqual(made["base_model.model.model.embed_tokens.token_adapter."
                              "trainable_tokens_delta"].shape[0], 2)
        self.assertEqual(made.info.trainable_token_indices, {"embed_tokens": (5, 9)})
        with self.assertRaises(ValueError):
            axl.Adapter(model, trainable_token_indices={"wte": [5]})
        with self.assertRaises(axl.InvalidError):
            axl.Adapter(model, rank_pattern={"(": 4})
        with self.assertRaises((TypeError, ValueError)):
            axl.Adapter(model, layers_to_transform=["a"])

    def test_adapters_are_combined(self):
        model = axl.Model.open(MODEL, compute="f32")
        first = axl.Adapter(model, rank=2, alpha=4, target_modules=["q_proj"], seed=1,
                            init_lora_weights=False)
        second = axl.Adapter(model, rank=2, alpha=4, target_modules=["q_proj", "v_proj"], seed=2,
                             init_lora_weights=False)
        both = axl.Adapter.combine([first, second], [0.5, -2.0])
        self.assertEqual((both.info.rank, both.info.alpha, len(both)), (4, 4.0, len(second)))
        self.assertEqual(both.info.target_modules, ("q_proj", "v_proj"))
        name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
        self.assertEqual(both[name].tolist()[0], first[name].tolist()[0])  # 0.5 * 4 / 2
        self.assertEqual(both[name].tolist()[2], [-4.0 * v for v in second[name].tolist()[0]])
        half = axl.Adapter.combine((second,), (0.5,), "linear")
        self.assertEqual(half[name].tolist(), second[name].tolist())
        with self.assertRaisesRegex(axl.UnsupportedError, "svd"):
            axl.Adapter.combine([first, second], [1, 1], "svd")
        with self.assertRaisesRegex(ValueError, "a number for each of the 2"):
            axl.Adapter.combine([first, second], [1])
        for wrong in ([], first, [first, None]):
            with self.assertRaises(TypeError):
                axl.Adapter.combine(wrong, [1, 1])

    def test_everything_from_memory_and_back(self):
        context = axl.Context()
        files = self.files("config.json", "model.safetensors")
        folder = axl.Model.open(MODEL, context=context, compute="f32")
        want = numbers(folder.logits(IDS[:9]))
        model = axl.Model.from_files(files, context=context, compute="f32", name="own/base")
        self.assertEqual(numbers(model.logits(IDS[:9])), want)
        adapter = axl.Adapter(model, rank=3, alpha=6, dropout=0.25, target_modules=["q_proj"])
        self.assertEqual(adapter.info, axl.AdapterInfo(3, 6.0, 0.25, False, ("q_proj",), "own/base", None,
                                                       "none", "true", False, False, (), False, {}))
        self.check_kinds(model)
        saved = adapter.to_files()
        self.assertEqual(set(saved), {"adapter_config.json", "adapter_model.safetensors"})
        adapter.save(self.folder)
        for name, data in saved.items():
            with open(os.path.join(self.folder, name), "rb") as f:
                self.assertEqual(f.read(), data)
        again = axl.Adapter.from_files(model, saved)
        self.assertEqual(again.to_files(), saved)
        self.assertIsNone(axl.Adapter(axl.Model.from_files(files)).info.base_model_name)
        tokenizer = axl.Tokenizer.from_files(self.files("tokenizer.json", "tokenizer_config.json"))
        self.assertEqual(tokenizer.encode("The fox"), axl.Tokenizer.open(MODEL).encode("The fox"))
        self.assertIn("tokenizer.json", tokenizer.to_files())
        with self.assertRaises(axl.NotFound):
            axl.Model.from_files({"config.json": files["config.json"]})
        with self.assertRaises(TypeError):
            axl.Model.from_files({"config.json": 7})
        with self.assertRaises(TypeError):
            axl.Model.from_files(["config.json"])

    def test_memory_lives_as_long_as_what_reads_it(self):
        files = {n: bytearray(d) for n, d in self.files("config.json", "model.safetensors").items()}
        weights = files["model.safetensors"]
        adapter = axl.Adapter(axl.Model.from_files(files, compute="f32"), rank=2)
        trainer = axl.Trainer(axl.Model.from_files(files, compute="f32"), None)
        gc.collect()
        with self.assertRaises(BufferError):
            weights.append(0)
        trainer.close()
        del trainer, adapter
        gc.collect()
        weights.append(0)
        model = axl.Model.from_files(files, compute="f32", read=True)
        weights.append(0)
        self.assertTrue(math.isfinite(numbers(model.logits([1]))[0]))

    def test_tensors_by_name_make_a_model(self):
        files = self.files("config.json", "model.safetensors")
        data = files["model.safetensors"]
        begin = 8 + int.from_bytes(data[:8], "little")
        types = {"F32": "f32", "BF16": "bf16", "F16": "f16"}
        tensors = {
            name: (types[t["dtype"]], t["shape"],
                   memoryview(data)[begin + t["data_offsets"][0]:begin + t["data_offsets"][1]])
            for name, t in json.loads(data[8:begin]).items() if name != "__metadata__"}
        want = numbers(axl.Model.open(MODEL, compute="f32").logits(IDS[:9]))
        for source in tensors, tensors.get:
            for read in False, True:
                model = axl.Model.from_tensors(json.loads(files["config.json"]), source,
                                               compute="f32", read=read)
                self.assertEqual(numbers(model.logits(IDS[:9])), want)

        with self.assertRaises(axl.InvalidError):
            model.to_tensors()
        axl.Trainer(model, None).close()
        config_files, trained = model.to_tensors()
        again = axl.Model.from_tensors(config_files["config.json"], trained, compute="f32")
        model.save(self.folder)
        self.assertEqual(numbers(again.logits(IDS[:9])),
                         numbers(axl.Model.open(self.folder, compute="f32").logits(IDS[:9])))

        def broken(name):
            raise KeyError(name)
        with self.assertRaises(KeyError):
            axl.Model.from_tensors(files["config.json"], broken)
        name = next(n for n in tensors if n.endswith("q_proj.weight"))
        for wrong in (("f64", [1], b""), "text", 7, memoryview(b"12345678").cast("d")):
            with self.assertRaises((TypeError, ValueError)):
                axl.Model.from_tensors(files["config.json"], {**tensors, name: wrong})
        with self.assertRaises(axl.InvalidError):
            axl.Model.from_tensors(files["config.json"], {**tensors, name: ("f32", [2, 2], b"12")})
        with self.assertRaisesRegex(axl.FormatError, "q_proj.weight.* is missing"):
            axl.Model.from_tensors(files["config.json"], {**tensors, name: None})

    def test_gradients_evaluation_and_rates(self):
        trainer, adapter, _ = self.trainer(schedule="cosine", total_steps=10)
        batch = axl.Batch(IDS, IDS)
        loss = trainer.forward_backward(batch)
        self.assertAlmostEqual(trainer.evaluate(batch) / batch.n_trained, loss, places=5)
        self.assertGreater(max(map(abs, numbers(trainer.gradient(adapter.keys()[1])))), 0)
        trainer.set_learning_rate(0.25)
        self.assertEqual(trainer.step().learning_rate, 0.25)
        trainer.set_learning_rate(None)
        trainer.forward_backward(batch)
        trainer.zero_grad()
        with self.assertRaises(axl.InvalidError):
            trainer.step()
        with self.assertRaises(ValueError):
            self.trainer(schedule="zigzag")

    def test_schedules(self):
        rises = axl.Schedule("cosine", warmup_steps=2, total_steps=6, min_ratio=0.5,
                             warmup_shape="quadratic")
        self.assertEqual([rises.share(step) for step in (0, 1, 2, 4)], [0, 0.25, 1, 0.75])
        trainer, _, _ = self.trainer(schedule=rises)
        self.assertEqual(trainer.learning_rate, 0)
        trainer.forward_backward(axl.Batch(IDS, IDS))
        trainer.step()
        self.assertEqual(trainer.learning_rate, 0.25e-3)
        trainer, _, _ = self.trainer(schedule=axl.Schedule(
            "reduce_on_plateau", patience=0, factor=0.5))
        for metric, rate in ((2, 1e-3), (1, 1e-3), (1, 0.5e-3), (0.5, 0.5e-3)):
            trainer.report_metric(metric)
            self.assertEqual(trainer.learning_rate, rate)
        with self.assertRaises(TypeError):
            axl.Schedule("cosine", warm_up=3)
        with self.assertRaises(TypeError):
            self.trainer(schedule=rises, total_steps=3)
        with self.assertRaises(axl.InvalidError):
            axl.Schedule("linear").share(1)

    def test_optimizers(self):
        batch = axl.Batch(IDS, IDS)
        for options in ({"optimizer": "adamw_8bit", "beta2": 0.99, "loraplus_lr_ratio": 16.0},
                        {"optimizer": "sgd", "optim_args": {"momentum": 0.9, "nesterov": True}},
                        {"optimizer": "schedule_free_adamw", "optim_args": "r=0.5"},
                        {"lr_groups": {"q_proj": 1e-4, "lora_B": 1e-5}, "weight_decay": 0.1}):
            trainer, _, _ = self.trainer(**options)
            before = trainer.evaluate(batch)
            for _ in range(3):
                trainer.forward_backward(batch)
                trainer.step()
            self.assertNotEqual(trainer.evaluate(batch), before, options)
        with self.assertRaisesRegex(axl.Error, "\"adam\" is not supported"):
            self.trainer(optimizer="adam")
        with self.assertRaisesRegex(axl.Error, "sgd takes momentum, dampening, nesterov"):
            self.trainer(optimizer="sgd", optim_args="alpha=1")

    def test_merging(self):
        trainer, adapter, model = self.trainer()
        for _ in range(3):
            trainer.forward_backward(axl.Batch(IDS, IDS))
            trainer.step()
        with self.assertRaisesRegex(axl.BusyError, "an adapter of the model"):
            adapter.merge()
        trainer.close()
        wanted = numbers(model.logits(IDS, adapter))
        adapter.save_merged(os.path.join(self.folder, "streamed"))
        streamed = axl.Model.open(os.path.join(self.folder, "streamed"), compute="f32")
        for x, y in zip(numbers(streamed.logits(IDS)), wanted):
            self.assertAlmostEqual(x, y, delta=0.1)  # rounded to the base's bf16
        adapter.merge()
        for x, y in zip(numbers(model.logits(IDS)), wanted):
            self.assertAlmostEqual(x, y, places=4)
        model.save(os.path.join(self.folder, "merged"))
        saved = axl.Model.open(os.path.join(self.folder, "merged"), compute="stored")
        self.assertEqual(saved.info.compute, "bf16")  # the dtype of the base

    def test_weights_of_few_bits(self):
        plain = axl.Model.open(MODEL, compute="f32")
        for weights in ("nf4", "fp4", "int8"):
            model = axl.Model.open(MODEL, compute="f32", weights=weights)
            self.assertEqual(model.info.weights, weights)
            self.assertLess(model.info.weights_bytes, plain.info.weights_bytes)
            model.save(os.path.join(self.folder, weights))
            again = axl.Model.open(os.path.join(self.folder, weights), compute="f32")
            self.assertEqual(numbers(again.logits(IDS)), numbers(model.logits(IDS)))
        kept = axl.Model.open(MODEL, weights="nf4", double_quant=False, keep_modules=["_proj"])
        self.assertEqual(kept.info.weights_bytes, axl.Model.open(MODEL).info.weights_bytes)

    def test_some_weights_of_a_random_model(self):
        model = axl.Model.open(MODEL, compute="f32", reinit=True, seed=5)
        first = model.logits(IDS[:5]).tolist()
        again = axl.Model.open(MODEL, compute="f32", reinit=True, seed=5)
        other = axl.Model.open(MODEL, compute="f32", reinit=True, seed=6)
        self.assertEqual(again.logits(IDS[:5]).tolist(), first)
        self.assertNotEqual(other.logits(IDS[:5]).tolist(), first)
        model = axl.Model.open(MODEL, compute="f32")
        names = ["model.layers.1.mlp", "model.norm.weight[:8]"]
        trainer = axl.Trainer(model, learning_rate=1e-3, unfrozen_parameters=names)
        self.assertEqual(len(trainer), 4)
        norm = numbers(trainer["model.norm.weight"])
        trainer.forward_backward(axl.Batch(IDS, IDS))
        trainer.step()
        moved = [a != b for a, b in zip(norm, numbers(trainer["model.norm.weight"]))]
        self.assertEqual(moved, [True] * 8 + [False] * (len(norm) - 8))
        with self.assertRaisesRegex(TypeError, "unfrozen_parameters must be a list of str"):
            axl.Trainer(again, unfrozen_parameters="lm_head")
        with self.assertRaisesRegex(axl.InvalidError, "no parameter's name begins"):
            axl.Trainer(again, unfrozen_parameters=["nothing"])

    def test_full_fine_tuning(self):
        model = axl.Model.open(MODEL, compute="f32")
        with self.assertRaisesRegex(axl.Error, "was not trained"):
            model.save(os.path.join(self.folder, "no"))
        trainer = axl.Trainer(model, learning_rate=1e-2)
        name, batch = "model.norm.weight", axl.Batch(IDS, IDS)
        self.assertEqual(trainer.shape(name), (1, model.info.hidden_size))
        before, loss = trainer[name].tolist(), trainer.evaluate(batch)
        for _ in range(3):
            trainer.forward_backward(batch)
            self.assertTrue(any(trainer.gradient(name).tolist()[0]))
            trainer.step()
        self.assertNotEqual(trainer[name].tolist(), before)
        self.assertLess(trainer.evaluate(batch), loss)
        with self.assertRaisesRegex(axl.BusyError, "being trained"):
            model.logits(IDS)
        trainer.export(os.path.join(self.folder, "one"))
        trainer.close()
        model.save(os.path.join(self.folder, "two"))
        logits = model.logits(IDS).tolist()
        one, two = (axl.Model.open(os.path.join(self.folder, folder), compute="f32").logits(IDS)
                    for folder in ("one", "two"))
        self.assertTrue(one.tolist() == two.tolist())
        far = max(abs(a - b) for row, other in zip(one.tolist(), logits)
                  for a, b in zip(row, other))
        self.assertLess(far, 0.1)  # the files have the base's bf16

    def test_control_c_leaves_the_trainer_as_before(self):
        trainer, adapter, _ = self.trainer()
        fresh, _, _ = self.trainer()
        batch, name = axl.Batch(IDS, IDS), adapter.keys()[1]
        start, n = time.monotonic(), 50
        fresh.forward_backward(repeat(n))
        fresh.zero_grad()
        long = repeat(int(n * 0.8 / (time.monotonic() - start)) + 1)
        trainer.forward_backward(batch)
        fresh.forward_backward(batch)
        handler = signal.getsignal(signal.SIGINT)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        with self.assertRaises(KeyboardInterrupt):
            trainer.forward_backward(long)
        self.assertIs(signal.getsignal(signal.SIGINT), handler)
        self.assertEqual(trainer.gradient(name).tolist(), fresh.gradient(name).tolist())
        self.assertEqual(trainer.step(), fresh.step())

    def test_control_c_in_a_loop_goes_on_bit_for_bit(self):
        """Wherever it comes: in a call, between two, in the loader, in the step."""
        samples = [(IDS[:n], IDS[:n]) for n in range(20, 60)]
        steps = 25 if "AXL_TEST_LONG" in os.environ else 10

        def loop(interrupter):
            context = axl.Context()
            model = axl.Model.open(MODEL, context=context, compute="f32")
            adapter = axl.Adapter(model, rank=4, seed=7, dropout=0.1)
            trainer = axl.Trainer(model, adapter, learning_rate=1e-2, gradient_accumulation_steps=2)
            loader = axl.Loader(axl.Dataset.from_samples(samples, context=context),
                                gradient_accumulation_steps=2, sample_packing=True,
                                sequence_len=200, max_steps=steps)
            places, losses, caught = {0: loader.cursor}, {}, 0
            interrupter.start()
            while not interrupter.done:
                try:
                    interrupter.armed.set()
                    for batch in loader:
                        trainer.forward_backward(batch)
                        if trainer.ready:
                            places[trainer.steps + 1] = loader.cursor
                            done = trainer.step()
                            losses[done.step] = done.loss
                    interrupter.stop()
                except KeyboardInterrupt:
                    caught += 1
                    trainer.zero_grad()
                    loader.cursor = places[trainer.steps]
            self.assertEqual(trainer.steps, steps)
            return {name: adapter[name].tolist() for name in adapter}, losses, caught

        whole, losses, caught = loop(Interrupter([]))
        self.assertEqual(caught, 0)
        waits = [0.002 * (i % 7) + 0.0007 * (i % 11) for i in range(steps)]
        again, others, caught = loop(Interrupter(waits))
        self.assertGreater(caught, 3)
        self.assertEqual(again, whole)
        self.assertEqual({k: losses[k] for k in others}, others)  # one may be lost, not changed

    def test_a_hosts_own_signal_handler_is_kept(self):
        trainer, _, _ = self.trainer()
        seen = []
        old = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
        self.addCleanup(signal.signal, signal.SIGUSR1, old)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        stop = time.monotonic() + 0.3
        while time.monotonic() < stop:
            trainer.forward_backward(repeat(20))
        self.assertEqual(seen, [signal.SIGUSR1])

    def test_generate(self):
        model = axl.Model.open(MODEL, compute="f32")
        tokenizer, pieces = axl.Tokenizer.open(MODEL), []
        text = axl.generate(model, tokenizer, "Say", max_new_tokens=8, greedy=True,
                            on_text=pieces.append)
        self.assertEqual("".join(pieces), text)
        with self.assertRaises(ZeroDivisionError):
            axl.generate(model, tokenizer, "Say", on_text=lambda piece: 1 / 0)


class RunTest(Case):
    def test_finetune_is_the_whole_run(self):
        records = []
        out = axl.finetune(config(self.folder), record=records.append, max_steps=2)
        self.assertTrue(os.path.isfile(os.path.join(out, "adapter_model.safetensors")))
        self.assertEqual([r.step for r in records], [1, 2])
        self.assertIsNone(records[0].eval_loss)
        with open(os.path.join(out, "training_log.jsonl"), encoding="utf-8") as f:
            logged = [json.loads(line)["loss"] for line in f]
        self.assertEqual(logged, [r.loss for r in records])

    def test_a_record_can_stop_and_auto_goes_on(self):
        def stop(record):
            raise StopAsyncIteration(record.step)
        keys = config(self.folder)
        with self.assertRaises(StopAsyncIteration):
            axl.finetune(keys, record=stop)
        records = []
        axl.finetune(keys, record=records.append, resume="auto")
        self.assertEqual([r.step for r in records], [2, 3])

    def test_evaluation(self):
        with axl.Run(axl.Config.parse(config(self.folder, val_set_size=0.1))) as run:
            result = run.evaluate()
        self.assertGreater(result.loss, 0)
        self.assertGreater(result.tokens, result.rows)
        with axl.Run(axl.Config.parse(config(self.folder))) as run:
            self.assertIsNone(run.evaluate())


class ExampleTest(Case):
    def start(self, **more):
        """The config of a run, the example at work on it, and its folder."""
        path = os.path.join(self.folder, "run.yml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config(self.folder, **more), f)
        env = dict(os.environ, PYTHONPATH=os.path.join(ROOT, "bindings", "python"))
        by_hand = os.path.join(self.folder, "by-hand")
        example = subprocess.Popen(
            [sys.executable, os.path.join(ROOT, "examples", "finetune.py"), path,
             "output_dir=" + by_hand], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        return path, example, by_hand

    def check_same(self, by_hand, path):
        tensors = []
        for folder in by_hand, axl.finetune(path):
            with open(os.path.join(folder, "adapter_model.safetensors"), "rb") as f:
                tensors.append(f.read())
        self.assertEqual(tensors[0], tensors[1])

    def test_the_loop_by_hand_does_what_the_run_does(self):
        path, example, by_hand = self.start()
        said, complaint = example.communicate()
        self.assertEqual(example.returncode, 0, complaint)
        self.assertIn("step 3 of 3: loss", said)
        self.check_same(by_hand, path)

    def test_control_c_writes_a_checkpoint_and_the_loop_goes_on(self):
        keys = {"max_steps": 24, "lora_dropout": 0.1, "sample_packing": True}
        for _ in range(5):  # on a busy machine it may be over before it is told to stop
            path, example, by_hand = self.start(**keys)
            while "step 10" not in example.stdout.readline():
                self.assertIsNone(example.poll())
            example.send_signal(signal.SIGINT)
            _, complaint = example.communicate()
            if example.returncode != 0:
                break
        self.assertEqual(example.returncode, 130, complaint)
        self.assertRegex(complaint, r"stopped after step \d\d; the same command goes on")
        self.assertTrue(os.path.isdir(os.path.join(by_hand, "checkpoint")))
        path, example, by_hand = self.start(**keys)
        said, complaint = example.communicate()
        self.assertEqual(example.returncode, 0, complaint)
        self.assertIn("goes on after step", said)
        self.assertFalse(os.path.exists(os.path.join(by_hand, "checkpoint")))
        self.check_same(by_hand, path)


if __name__ == "__main__":
    unittest.main()
