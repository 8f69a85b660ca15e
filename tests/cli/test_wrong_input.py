#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every input that can be wrong, wrong in turn: one line that says which file, where in it, what is
wrong and what would be right; status 2; and nothing written."""
import json
import os
import shutil
import struct
import unittest
import zlib

from cli_testing import (ALPACA, TINY, Case, read, read_safetensors, write_safetensors, yaml_text)

UP = "model.layers.2.mlp.up_proj.weight"


class WrongInput(Case):
    def untrained(self, *args, **changes):
        """Training ends with one line, which is returned, and leaves nothing."""
        line = self.wrong("train", self.config(**changes), "--log-level", "warning", *args)
        self.assertFalse(os.path.exists(self.path("out")), os.listdir(self.dir))
        self.assertTrue(line.startswith("axl train: ") or ": error: " in line, line)
        return line


class Config(WrongInput):
    def says(self, text, line):
        """train ends with the line; check answers it."""
        yml = self.write("run.yml", text)
        self.assertEqual(self.wrong("train", "run.yml"), line)
        self.assertEqual(os.listdir(self.dir), ["run.yml"])
        checked = self.axl("check", yml.replace(self.dir + "/", ""))
        self.assertEqual((checked.code, checked.out, checked.err), (2, line + "\n", ""))

    def changed(self, key, value):
        """The text of a good config with one more line, and that line's number."""
        text = yaml_text(self.settings(**{key: None}))
        return f"{text}{key}: {value}\n", text.count("\n") + 1

    def test_missing(self):
        for verb in ("train", "inspect", "inference"):
            self.assertEqual(self.wrong(verb, "none.yml"),
                             f"axl {verb}: cannot open none.yml: No such file or directory")
        self.assertIn("cannot open run.yml/x: Not a directory",
                      self.wrong("train", self.config() and "run.yml/x"))

    def test_another_file(self):
        """What a run reads, where the config belongs: what it is, and what would be right."""
        for name, data, what in (("data.jsonl", "{}\n", "rows of data"),
                                 ("data.json", " [{}]", "rows of data"),
                                 ("a.parquet", "PAR1", "rows of data"),
                                 ("model.safetensors", "x", "a model's weights")):
            self.write(name, data)
            for verb in "train", "inspect", "plan", "inference":
                line = self.wrong(verb, name)
                self.assertIn(f"{name} holds {what}, not a config: give a YAML file that names", line)
                self.assertTrue(line.endswith("[AXL-C0111]"), line)
            (found,) = json.loads(self.axl("check", name, "--json").out)["diagnostics"]
            self.assertEqual(found["id"], "AXL-C0111")
        self.assertIn("datasets: [{path: data.jsonl, type: alpaca}]", self.wrong("train", "data.jsonl"))
        self.good("check", self.config("run.json")) # JSON is YAML

    def test_no_yaml(self):
        for text, line in (
                ("a: [b\nc: d\n", "run.yml:2:2: error: YAML: did not find expected ',' or ']', while "
                 "parsing a flow sequence that begins at 1:4 [AXL-C0101]"),
                ("a:\n\t- b\n", "run.yml:2:1: error: YAML: a tab cannot indent; use spaces "
                 "[AXL-C0101]"),
                ("a: b: c\n", "run.yml:1:5: error: YAML: mapping values are not allowed in this "
                 "context [AXL-C0101]"),
                ("a: 'b\n", "run.yml:2:1: error: YAML: found unexpected end of stream, while "
                 "scanning a quoted scalar that begins at 1:4 [AXL-C0101]"),
                ("just a text\n", "run.yml:1:1: error: a config is a mapping of keys to values "
                 "[AXL-C0105]"),
                ("a: *b\n", "run.yml:1:4: error: no anchor of the name *b [AXL-C0106]"),
                (b"a: \xff\n", "run.yml:1:1: error: YAML: invalid leading UTF-8 octet "
                 "[AXL-C0101]"),
                (b"\x7fELF\x02\x01\x01\x00\x00", "run.yml:1:1: error: YAML: control characters are "
                 "not allowed [AXL-C0101]")):
            self.says(text, line)

    def test_empty(self):
        """All that must be there is asked for at once."""
        result = self.axl("check", self.write("run.yml", ""))
        self.assertEqual(result.code, 2)
        for key in ("base_model", "datasets", "learning_rate"):
            self.assertIn(f" error: {key}: required", result.out)

    def test_unknown_key(self):
        text, n = self.changed("learning_rte", 1)
        self.says(text, f'run.yml:{n}:1: error: learning_rte: unknown key "learning_rte"; did you '
                  'mean "learning_rate"? [AXL-C0201]')
        text, n = self.changed("zzzzzzzzzzz", 1)
        self.says(text, f'run.yml:{n}:1: error: zzzzzzzzzzz: unknown key "zzzzzzzzzzz" '
                  '[AXL-C0201]')

    def test_wrong_type(self):
        for key, value, column, what in (
                ("lora_r", "four", 9, 'expected an integer, found the text "four"'),
                ("lora_r", "4.5", 9, "expected an integer, found the number 4.5"),
                ("learning_rate", "[1]", 1, "expected a number, found a list"),
                ("lora_target_linear", "maybe", 21,
                 'expected true or false, found the text "maybe"'),
                ("datasets", "a.jsonl", 11, 'expected a list, found the text "a.jsonl"'),
                ("sequence_len", "true", 15, "expected an integer, found true")):
            text, n = self.changed(key, value)
            self.says(text, f"run.yml:{n}:{column}: error: {key}: {what} [AXL-C0202]")

    def test_out_of_range(self):
        for key, value, column, what in (
                ("lora_dropout", 1.5, 15, "must be in [0, 1), found 1.5"),
                ("sequence_len", 0, 15, "must be >= 1, found 0"),
                ("micro_batch_size", -2, 19, "must be >= 1, found -2"),
                ("learning_rate", ".inf", 16, "must be a finite number, found .inf")):
            text, n = self.changed(key, value)
            self.says(text, f"run.yml:{n}:{column}: error: {key}: {what} [AXL-C0203]")

    def test_no_such_value(self):
        text, n = self.changed("lr_scheduler", "cosin")
        result = self.axl("check", self.write("run.yml", text))
        self.assertRegex(result.out, rf"run\.yml:{n}:15: error: lr_scheduler: must be one of .*, "
                         r'found "cosin"; did you mean "cosine"\? \[AXL-C0204\]\n\Z')

    def test_device(self):
        for key, value, column in (("device", "cuda:x", 9), ("device", "cuda:0,1", 9),
                                   ("axl", "{backend: ':1'}", 16)):
            text, n = self.changed(key, value)
            found = value.split("'")[1] if "'" in value else value
            name = "axl.backend" if key == "axl" else key
            self.says(text, f"run.yml:{n}:{column}: error: {name}: must be auto, cpu, cuda, or "
                      f'cuda:1 for the second GPU, found "{found}" [AXL-C0204]')

    def test_a_device_that_is_not_there(self):
        """It is told before any data are read."""
        line = self.untrained(device="none", datasets=[{"path": "none.jsonl", "type": "alpaca"}])
        self.assertIn('there is no backend "none"', line)


class Data(WrongInput):
    def row(self, text, *args, name="d.jsonl", **changes):
        """The line for a data file of this text."""
        path = self.write(name, text)
        changes.setdefault("datasets", [{"path": name, "type": "alpaca"}])
        line = self.untrained(*args, **changes)
        self.assertEqual(self.wrong("inspect", "run.yml").replace("axl inspect", "axl train"),
                         line)
        return line.replace(path, name)

    def test_a_number_that_is_none_where_it_is_read(self):
        """A column that no one reads may hold one: Python writes it."""
        row = '{"instruction": "n", "input": "", "output": "x", "score": NaN}\n'
        self.write("d.jsonl", row * 2)
        config = self.config(datasets=[{"path": "d.jsonl", "type": "alpaca"}], max_steps=1)
        self.good("inspect", config, "-n", "0")
        self.write("d.jsonl", row + row.replace('"x"', "-Infinity"))
        self.assertIn('d.jsonl:2: "output" must be a string, not a number',
                      self.axl("inspect", config, "-n", "0").err)

    def test_missing_file(self):
        for path in ("none.jsonl", "some/hub-name"):
            line = self.untrained(datasets=[{"path": path, "type": "alpaca"}])
            self.assertIn("datasets[0].path: ", line)
            self.assertIn(path, line)

    def test_empty(self):
        for name, text in (("d.jsonl", ""), ("d.jsonl", "\n\n"), ("d.json", "[]")):
            self.assertEqual(self.row(text, name=name,
                                      datasets=[{"path": name, "type": "alpaca"}]),
                             f"axl train: {name}: there is no record")

    def test_missing_column(self):
        self.assertEqual(
            self.row('{"instruction": "a", "outputt": "b"}\n'),
            'axl train: d.jsonl: none of the 1 records has the column "output" that the type '
            "alpaca reads; the first record has: instruction, outputt")

    def test_nothing_to_train(self):
        line = self.row('{"instruction": "a", "output": ""}\n{"instruction": "b", "output": null}\n')
        self.assertEqual(line, "axl train: datasets: none of the 2 rows has a token to train on: "
                         "no response text is there")
        self.assertEqual(self.untrained(sequence_len=10), "axl train: datasets: all 711 rows are "
                         "longer than sequence_len, 10 tokens")

    def test_mixed_losses(self):
        line = self.row('{"instruction": "a", "output": ""}\n{"instruction": "b", "output": "c"}\n',
                        sequence_len=10)
        self.assertIn("none of 2 rows can be trained on: 1 are longer than sequence_len 10, 0 "
                      "shorter than 2 tokens, 1 without a trained token", line)

    def test_broken_rows(self):
        """All at once, in their order, by line and column."""
        good = '{"instruction": "a", "output": "b"}\n'
        line = self.row(good + '{"instruction": "b", "output" "c"}\n'
                        '{"instruction": 3, "output": "c"}\n[1]\n' + good + '7\n{"instruction": "a')
        self.assertEqual(
            line, "axl train: 5 of 7 records cannot be used: d.jsonl:2:31: ':' is missing after a "
            'key; 3: "instruction" must be a string, not an integer; 4: a record must be an '
            "object, not an array; 6: a record must be an object, not an integer; 7:19: a string "
            "is not closed")

    def test_many_broken_rows(self):
        line = self.row('{"instruction": ["x"], "output": "b"}\n' * 1200)
        self.assertIn("1200 of 1200 records cannot be used: d.jsonl:1: ", line)
        self.assertEqual(line.count("must be a string"), 10)
        self.assertTrue(line.endswith("; \u2026"), line)

    def test_broken_list(self):
        data = [{"path": "d.json", "type": "alpaca"}]
        line = self.row('[{"instruction": "a", "output": "b"},\n {"instruction": "a"', name="d.json",
                        datasets=data)
        self.assertEqual(line, "axl train: 1 of 2 records cannot be used: d.json:2:21: ',' or '}' "
                         "is missing")
        line = self.row('[{"instruction": "a", "output": "b"}\n {"instruction": "a"}]',
                        name="d.json", datasets=data)
        self.assertIn("d.json:2:2: ',' or ']' is missing", line)
        self.assertIn("d.json:1:1: one object over several lines, where a list of records or a "
                      "record a line is needed", self.row('{\n"a": "b"\n}', name="d.json",
                                                          datasets=data))

    def test_encoding(self):
        row = b'{"instruction": "caf\xe9", "output": "b"}'
        self.assertIn("d.jsonl:1:21: not UTF-8", self.row(row))
        self.assertIn("d.json:2:21: not UTF-8", self.row(
            b"[\n" + row + b"]", name="d.json", datasets=[{"path": "d.json", "type": "alpaca"}]))

    def test_other_entry_is_named(self):
        line = self.untrained(datasets=[{"path": ALPACA, "type": "alpaca"},
                                        {"path": "none.jsonl", "type": "alpaca"}])
        self.assertIn("datasets[1].path: ", line)

    def test_validation(self):
        self.assertIn("val_set_size takes all of the 711 rows and leaves none to train on",
                      self.untrained(val_set_size=711))
        self.assertIn("test_datasets[0].path: ", self.untrained(
            val_set_size=None, test_datasets=[{"path": "none.jsonl", "type": "alpaca"}]))

    def test_compressed(self):
        line = self.row(b"\x1f\x8b\x08\x00\x00\x00", name="d.jsonl.gz",
                        datasets=[{"path": "d.jsonl.gz", "type": "alpaca"}])
        self.assertIn("d.jsonl.gz: the gzip data ends early", line)


class Model(WrongInput):
    def setUp(self):
        super().setUp()
        shutil.copytree(TINY, self.path("m"))
        self.weights = self.path("m", "model.safetensors")
        with open(self.weights, "rb") as f:
            self.bytes = f.read()
        (n,) = struct.unpack("<Q", self.bytes[:8])
        self.header = json.loads(self.bytes[8:8 + n])

    def unread(self, text, status_of_train=True):
        """inference and train both end with the text."""
        line = self.wrong("inference", "--model", "m", "--prompt", "x")
        self.assertTrue(line.startswith("axl inference: "), line)
        self.assertEqual(line[len("axl inference: "):], text)
        if status_of_train:
            self.assertEqual(self.untrained(base_model="m"), "axl train: " + text)

    def put_header(self, header=None, raw=None):
        (n,) = struct.unpack("<Q", self.bytes[:8])
        text = json.dumps(self.header if header is None else header).encode() if raw is None else raw
        self.write("m/model.safetensors", struct.pack("<Q", len(text)) + text + self.bytes[8 + n:])

    def test_missing(self):
        shutil.rmtree(self.path("m"))
        self.assertIn("m does not exist", self.wrong("inference", "--model", "m", "--prompt", "x"))
        self.assertIn('model "m" is neither a folder nor in the Hugging Face cache',
                      self.untrained(base_model="m"))

    def test_no_weights(self):
        os.remove(self.weights)
        self.unread("m holds no model.safetensors or model.safetensors.index.json")

    def test_pickle(self):
        os.remove(self.weights)
        self.write("m/pytorch_model.bin", b"\x80\x02}q\x00.")
        self.unread("m holds pytorch_model.bin, a pickle, which can run code when it is read; "
                    "convert it to model.safetensors (transformers: save_pretrained)")

    def test_cut_short(self):
        self.write("m/model.safetensors", self.bytes[:-1])
        self.unread('m/model.safetensors is cut short: tensor "model.norm.weight" ends at byte '
                    f"{len(self.bytes)}, the file has {len(self.bytes) - 1}")
        for data in (b"", b"abc"):
            self.write("m/model.safetensors", data)
            self.unread(f"m/model.safetensors is no safetensors file: it has {len(data)} bytes")

    def test_header_longer_than_the_file(self):
        for n in (len(self.bytes) - 7, 1 << 40, (1 << 64) - 1):
            self.write("m/model.safetensors", struct.pack("<Q", n) + self.bytes[8:])
            self.unread("m/model.safetensors is no safetensors file, or cut short: its header would "
                        f"have {n} bytes, the file has {len(self.bytes)}")

    def test_header_of_another_kind(self):
        self.put_header(raw=b"{this is no JSON")
        self.unread("m/model.safetensors is no safetensors file: its header is no JSON: 1:2: a key "
                    "in quotes is missing")
        self.put_header(header=[1])
        self.unread("m/model.safetensors: the header is no JSON object")
        self.put_header(raw=b"[" * 4000)
        self.unread("m/model.safetensors is no safetensors file: its header is no JSON: 1:257: "
                    "nested too deeply")

    def test_tensors(self):
        at = self.header[UP]["data_offsets"]
        other = self.header["model.norm.weight"]["data_offsets"]
        for changes, text in (
                ({"data_offsets": [at[0], at[1] - 2]}, "its bytes do not fit its shape"),
                ({"data_offsets": [at[1], at[0]]}, "its data_offsets are not two rising numbers"),
                ({"data_offsets": [-1, at[1]]}, "its data_offsets are not two rising numbers"),
                ({"data_offsets": None}, "its data_offsets are not two rising numbers"),
                ({"shape": [1 << 62, 1 << 62]}, "its shape is too large"),
                ({"shape": "x"}, "its shape is not a list of at most 8 sizes"),
                ({"shape": [-1]}, "its shape holds something other than sizes"),
                ({"dtype": "Q4"}, "its dtype is missing or not known")):
            self.put_header({**self.header, UP: {**self.header[UP], **changes}})
            self.unread(f'm/model.safetensors: tensor "{UP}": {text}', status_of_train=False)
        self.put_header({**self.header, UP: {**self.header[UP], "dtype": "I16"}})
        self.unread(f'm/model.safetensors: tensor "{UP}" is I16; F32, BF16 and F16 are read')
        inside = {"dtype": "BF16", "shape": [1], "data_offsets": [other[0], other[0] + 2]}
        self.put_header({**self.header, UP: inside})
        self.unread(f'm/model.safetensors: the bytes of the tensors "{UP}" and "model.norm.weight" '
                    "overlap")

    def test_shape(self):
        self.put_header({**self.header, "model.norm.weight": {
            **self.header["model.norm.weight"], "shape": [2, 64]}})
        self.unread('m/model.safetensors: tensor "model.norm.weight" has shape [2, 64], config.json '
                    "wants [128]")

    def test_missing_tensor(self):
        self.put_header({k: v for k, v in self.header.items() if k != UP})
        self.unread(f'm: tensor "{UP}" is missing')

    def test_shards(self):
        os.rename(self.weights, self.path("m", "a.safetensors"))
        for index, text in (
                ({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}},
                 ': "y": cannot open m/b.safetensors: No such file or directory'),
                ({"weight_map": {"x": "../a.safetensors"}},
                 ': the value of "x" must be the name of a file beside it'),
                ({"weight_map": {"x": 3}},
                 ': the value of "x" must be the name of a file beside it'),
                ({"weight_map": {}}, ': "weight_map", from tensors to files, is missing or empty'),
                ({}, ': "weight_map", from tensors to files, is missing or empty')):
            self.write("m/model.safetensors.index.json", json.dumps(index))
            self.unread("m/model.safetensors.index.json" + text)
        self.write("m/model.safetensors.index.json", '{"weight_map": {"x": ')
        self.unread("m/model.safetensors.index.json:1:22: the text ends where a value must be")

    def test_config(self):
        config = json.loads(read(self.path("m", "config.json")))
        for changes, text in (
                ({"model_type": "mamba"},
                 ': model_type "mamba" is not supported yet; axl knows llama, mistral, ministral, '
                 'ministral3, qwen2, qwen3, phi3, gemma, gemma2, '
                 'gemma3_text'),
                ({"model_type": None}, ': "model_type" is missing'),
                ({"hidden_size": "128"}, ': "hidden_size" must be a positive integer'),
                ({"hidden_size": -1}, ': "hidden_size" must be a positive integer'),
                ({"num_key_value_heads": 3}, ": 4 heads cannot share 3 key-value heads"),
                ({"rope_parameters": {"rope_type": "spiral"}},
                 ': rope_parameters.rope_type "spiral" is not supported yet; default, linear, dynamic, '
                 'llama3, yarn and longrope are'),
                ({"hidden_act": "relu"},
                 ': hidden_act "relu" is not supported yet; silu, gelu and gelu_pytorch_tanh are'),
                ({"model_type": "gemma2", "hidden_activation": "mish"},
                 ': hidden_activation "mish" is not supported yet; silu, gelu and gelu_pytorch_tanh are'),
                ({"model_type": "gemma", "use_bidirectional_attention": True},
                 ": use_bidirectional_attention is not supported; a token sees those before it"),
                ({"model_type": "gemma3_text", "attention_dropout": 0.25},
                 ": attention_dropout is not supported; 0 drops nothing"),
                ({"model_type": "gemma2", "final_logit_softcapping": 0},
                 ': "final_logit_softcapping" must be a number above 0, or null'),
                ({"model_type": "gemma2", "query_pre_attn_scalar": -256},
                 ': "query_pre_attn_scalar" must be above 0'),
                ({"model_type": "gemma2", "sliding_window": None}, ': "sliding_window" must be a positive integer'),
                ({"model_type": "gemma3_text", "layer_types": ["full_attention"]},
                 ': "layer_types" must name each of the 4 layers'),
                ({"model_type": "gemma3_text", "attn_logit_softcapping": 50.0},
                 ": attn_logit_softcapping of a gemma3_text is not supported; its scores have none (null)"),
                ({"model_type": "gemma3_text", "rope_parameters": {"rope_type": "default"}},
                 ': rope_parameters must have "full_attention" and "sliding_attention"')):
            self.write("m/config.json", json.dumps({**config, **changes}))
            self.unread("m/config.json" + text, status_of_train=False)
        del config["vocab_size"]
        for raw, text in ((json.dumps(config), ': "vocab_size" is missing'),
                          ('{"hidden_size": ', ":1:17: the text ends where a value must be"),
                          ("", ":1:1: the text is empty"),
                          ("[]", " must be an object, not an array")):
            self.write("m/config.json", raw)
            self.unread("m/config.json" + text)

    def test_class_of_another_family(self):
        self.assertEqual(
            self.untrained(base_model="m", model_type="Qwen2ForCausalLM"),
            'axl train: model_type: Qwen2ForCausalLM, but config.json in m says "llama", which is '
            "LlamaForCausalLM")

    def test_weights_that_are_no_numbers(self):
        tensors = read_safetensors(self.weights)
        dtype, shape, data = tensors[UP]
        tensors[UP] = dtype, shape, b"\xc0\x7f" + data[2:]  # a NaN of bf16
        write_safetensors(self.weights, tensors)
        said = f'"{UP}" in m has values that are not'
        self.assertIn(f"the loss is not finite (NaN): {said}",
                      self.axl("train", self.config(base_model="m", max_steps=1)).err)
        self.assertIn(f'm/model.safetensors: tensor "{UP}" has a value that is not finite; it cannot be quantised',
                      self.axl("train", self.config(base_model="m", max_steps=1, adapter="qlora",
                                                    load_in_4bit=True)).err)

    def test_config_of_another_model(self):
        config = json.loads(read(self.path("m", "config.json")))
        self.write("m/config.json", json.dumps({**config, "num_hidden_layers": 5}))
        names = ", ".join(f'"model.layers.4.{n}.weight"' for n in (
            "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
            "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "post_attention_layernorm"))
        self.unread(f"m: 9 tensors that config.json asks for are missing: {names}")
        self.write("m/config.json", json.dumps({**config, "num_hidden_layers": 3}))
        names = ", ".join(f'"model.layers.3.{n}.weight"' for n in (
            "input_layernorm", "mlp.down_proj", "mlp.gate_proj", "mlp.up_proj", "post_attention_layernorm",
            "self_attn.k_proj", "self_attn.o_proj", "self_attn.q_proj", "self_attn.v_proj"))
        self.assertIn(f"m: the files have 9 tensors that a LlamaForCausalLM has no use for: {names}",
                      self.good("inference", "--model", "m", "--prompt", "x", "--max-new-tokens", "1").err)
        self.write("m/config.json", json.dumps({**config, "intermediate_size": 300}))
        self.unread('m/model.safetensors: tensor "model.layers.0.mlp.gate_proj.weight" has shape '
                    "[352, 128], config.json wants [300, 128]")

    def test_tokenizer(self):
        for raw, text in (('{"model": ', ":1:11: the text ends where a value must be"),
                          ("", ":1:1: the text is empty"),
                          ("{}", ": there is no model"),
                          (b'{"a": "\xff"}', " is not UTF-8"),
                          ("[]", " must be an object, not an array")):
            self.write("m/tokenizer.json", raw)
            self.unread("m/tokenizer.json" + text)
        os.remove(self.path("m", "tokenizer.json"))
        self.write("m/tokenizer.model", b"hello")
        self.unread("m/tokenizer.model: not a SentencePiece model: unknown kind of field")
        os.remove(self.path("m", "tokenizer.model"))
        self.unread("m has neither tokenizer.json nor tokenizer.model")

    def test_new_token_past_the_embedding(self):
        self.assertIn("new tokens are trained where lora_modules_to_save has embed_tokens and lm_head",
                      self.untrained(base_model="m", tokens=["<tool>"]))
        self.assertIn(
            'special_tokens.additional_special_tokens: "<tool>" is a new token with the id 768, and '
            "the model's embedding has 768 rows: with an adapter lora_modules_to_save must name",
            self.untrained(base_model="m",
                           special_tokens={"additional_special_tokens": ["<tool>"]}))

    def test_a_folder_in_a_files_place(self):
        for name, text in (("model.safetensors", "m holds no model.safetensors or "),
                           ("config.json", "cannot read m/config.json: it is not a file"),
                           ("tokenizer.json", "cannot read m/tokenizer.json: it is not a file")):
            os.rename(self.path("m", name), self.path("kept"))
            os.mkdir(self.path("m", name))
            line = self.wrong("inference", "--model", "m", "--prompt", "x")
            self.assertIn(text, line)
            os.rmdir(self.path("m", name))
            os.rename(self.path("kept"), self.path("m", name))


class Adapter(WrongInput):
    NAME = "base_model.model.model.layers.0.self_attn.q_proj.lora_"

    def setUp(self):
        super().setUp()
        self.good("train", self.config(output_dir="a", max_steps=1), "--quiet")
        self.tensors = read_safetensors(self.path("a", "adapter_model.safetensors"))

    def unread(self, text):
        line = self.wrong("inference", "--model", TINY, "--adapter", "a", "--prompt", "x")
        self.assertEqual(line, "axl inference: " + text)
        self.assertEqual(self.untrained(lora_model_dir="a"), "axl train: lora_model_dir: " + text)

    def put(self, tensors):
        write_safetensors(self.path("a", "adapter_model.safetensors"), tensors)

    def put_config(self, **changes):
        config = json.loads(read(self.path("a", "adapter_config.json")))
        config.update(changes)
        self.write("a/adapter_config.json", json.dumps(config))

    def test_other_rank(self):
        self.put_config(r=8)
        self.unread(f'a/adapter_model.safetensors: tensor "{self.NAME}A.weight" is [4, 128] of F32; '
                    "adapter_config.json and this model want [8, 128] of F32, BF16 or F16")

    def test_other_model(self):
        self.put({k: (d, [4, s[1] // 2], b[:len(b) // 2]) if "lora_A" in k else (d, s, b)
                  for k, (d, s, b) in self.tensors.items()})
        self.unread(f'a/adapter_model.safetensors: tensor "{self.NAME}A.weight" is [4, 64] of F32; '
                    "adapter_config.json and this model want [4, 128] of F32, BF16 or F16")
        self.put({k.replace("layers.3.", "layers.7."): v for k, v in self.tensors.items()})
        self.unread('a/adapter_model.safetensors: tensor "base_model.model.model.layers.7.mlp.'
                    'down_proj.lora_A.weight" fits no layer of this model')
        self.put({"x": ("F32", [1], b"\0" * 4)})
        self.unread("a/adapter_model.safetensors: it holds no LoRA tensor of this model")

    def test_half_a_pair(self):
        self.put({k: v for k, v in self.tensors.items() if k != self.NAME + "B.weight"})
        self.unread("a/adapter_model.safetensors: model.layers.0.self_attn.q_proj has one of lora_A "
                    "and lora_B without the other")

    def test_files(self):
        self.write("a/adapter_model.safetensors", b"\1" * 30)
        self.unread("a/adapter_model.safetensors is no safetensors file, or cut short: its header "
                    "would have 72340172838076673 bytes, the file has 30")
        os.remove(self.path("a", "adapter_model.safetensors"))
        self.unread("cannot open a/adapter_model.safetensors: No such file or directory")
        self.write("a/adapter_model.bin", b"\x80\x02}q\x00.")
        self.unread("a holds adapter_model.bin, a pickle, which can run code when it is read; "
                    "convert it to adapter_model.safetensors (PEFT: save_pretrained)")
        for raw, text in (("{", ":1:2: a key in quotes is missing"),
                          ("[]", " must be an object, not an array"),
                          ('{"r": 0}', ': "r" must be 1 to 4096'),
                          ('{"r": 4}', ': "target_modules" is missing')):
            self.write("a/adapter_config.json", raw)
            self.unread("a/adapter_config.json" + text)
        shutil.rmtree(self.path("a"))
        self.unread("a holds no adapter: there is no adapter_config.json")

    def test_other_kinds(self):
        for changes, text in (({"peft_type": "IA3"}, "peft_type IA3 is not supported yet"),
                              ({"peft_type": "LORA", "bias": "some"},
                               "bias must be none, all or lora_only")):
            self.put_config(**changes)
            self.unread(f"a/adapter_config.json: {text}")

    def test_an_init_that_changes_the_base(self):
        self.put_config(init_lora_weights="pissa_niter_4")
        text = "a/adapter_config.json: init_lora_weights pissa_niter_4 is not supported: "
        for verb in (("inference", "--prompt", "x"), ("merge-lora", "--out", "m")):
            self.assertIn(text, self.wrong(verb[0], "--model", TINY, "--adapter", "a", *verb[1:]))
        self.assertIn(text, self.wrong("evaluate", self.config(output_dir="a", val_set_size=5),
                                       "--quiet"))
        self.assertIn(text, self.untrained(lora_model_dir="a"))

    def test_a_layer_is_missing(self):
        self.put({k: v for k, v in self.tensors.items() if "layers.3" not in k})
        text = ("a/adapter_model.safetensors lacks the tensors of layers that its "
                "adapter_config.json names: model.layers.3.self_attn.q_proj, ")
        for verb in (("inference", "--prompt", "x"), ("merge-lora", "--out", "m")):
            self.assertIn(text, self.wrong(verb[0], "--model", TINY, "--adapter", "a", *verb[1:]))
        self.assertIn(text, self.untrained(lora_model_dir="a"))

    def test_targets(self):
        self.assertIn('lora_target_modules: "foo_proj" names no linear layer of this model; it has '
                      "q_proj, ", self.untrained(lora_target_linear=False,
                                                 lora_target_modules=["foo_proj"]))


class Output(WrongInput):
    def test_a_file_in_its_place(self):
        self.write("file", "kept")
        for path in ("file", "file/below", "file/a/b"):
            self.assertEqual(self.untrained(output_dir=path), "axl train: output_dir: cannot make "
                             f"the folder {self.path('file')}: a file has that name")
        self.assertEqual(read(self.path("file")), "kept")

    def test_where_nobody_may_write(self):
        line = self.untrained(output_dir="/proc/axl/out")
        self.assertRegex(line, r"\Aaxl train: output_dir: cannot make the folder /proc/axl: .+")

    def test_what_failed_leaves_no_folder(self):
        self.untrained(output_dir="a/b/c", base_model="none")
        self.assertFalse(os.path.exists(self.path("a")))
        os.mkdir(self.path("a"))
        self.untrained(output_dir="a/b/c", base_model="none")
        self.assertEqual(os.listdir(self.path("a")), [])
        os.mkdir(self.path("out"))
        self.wrong("train", self.config(base_model="none"))
        self.assertTrue(os.path.isdir(self.path("out")))


class Checkpoint(WrongInput):
    def setUp(self):
        super().setUp()
        self.good("train", self.config(output_dir="old", max_steps=2, save_strategy="steps",
                                       save_steps=2), "--quiet")
        os.rename(self.path("old", "checkpoint-2"), self.path("ck"))

    def unread(self, text, **changes):
        self.assertEqual(self.untrained("--resume", "ck", **changes), "axl train: " + text)

    def state(self, **changes):
        state = json.loads(read(self.path("ck", "trainer_state.json")))
        state.update(changes)
        del state["crc32"]
        text = json.dumps(state)[:-1]
        self.write("ck/trainer_state.json", f'{text},\n  "crc32": "{zlib.crc32(text.encode()):08x}"\n}}\n')

    def test_none(self):
        for path in ("none", "old"):
            self.assertEqual(self.untrained("--resume", path), f"axl train: {path} is no "
                             "checkpoint: there is no trainer_state.json in it")

    def test_of_hugging_face(self):
        self.write("ck/trainer_state.json", json.dumps({"log_history": [], "global_step": 2}))
        self.unread("ck is a checkpoint of Hugging Face's trainer: set lora_model_dir to start from its "
                    "adapter, or base_model from its weights; its optimizer state is a pickle and cannot be "
                    "read")

    def test_state(self):
        self.state(axl_checkpoint=1)
        self.assertRegex(self.untrained("--resume", "ck"), r"ck/trainer_state\.json is of checkpoint format 1, "
                         r"and this axl \(\S+\) reads format 2: go on with the axl that wrote it, or ")
        self.state(axl_checkpoint="2")
        self.assertIn("ck/trainer_state.json is not one that axl ", self.untrained("--resume", "ck"))
        self.write("ck/trainer_state.json", '{"step": 2')
        self.unread("ck/trainer_state.json:1:11: ',' or '}' is missing")

    def test_other_data(self):
        self.state(items=99999)
        self.assertIn("ck is of a run over other data or batches: the cursor is at batch ",
                      self.untrained("--resume", "ck"))

    def test_other_adapter(self):
        self.unread("ck/adapter_config.json is of rank 4, and lora_r is 8", lora_r=8)
        self.unread("ck/adapter_config.json has lora_alpha 8.0, and this run 16.0", lora_alpha=16)
        self.unread("ck/adapter_config.json has use_rslora false, and peft_use_rslora is true",
                    peft_use_rslora=True)
        self.unread("ck/adapter_config.json is of rank 4, and lora_r is 8, has use_rslora false, and "
                    "peft_use_rslora is true, has lora_alpha 8.0, and this run 16.0", lora_r=8, lora_alpha=16,
                    peft_use_rslora=True)
        targets = {"lora_target_linear": False, "lora_target_modules": ["q_proj"]}
        self.assertIn("ck/adapter_model.safetensors adapts layers that this run does not: "
                      "model.layers.0.self_attn.k_proj, ",
                      self.untrained("--resume", "ck", **targets))
        self.assertIn("ck/adapter_model.safetensors does not adapt layers that this run does: "
                      "lm_head", self.untrained("--resume", "ck", lora_target_modules=["lm_head"]))

    def test_files(self):
        for name in ("optimizer.safetensors", "adapter_model.safetensors"):
            path = self.path("ck", name)
            with open(path, "rb") as f:
                data = f.read()
            self.write(f"ck/{name}", data[:-4])
            self.assertIn(f"ck/{name} is damaged: its size or checksum ", self.untrained("--resume", "ck"))
            os.remove(path)
            self.unread(f"cannot open ck/{name}: No such file or directory")
            self.write(f"ck/{name}", data)


if __name__ == "__main__":
    unittest.main()
