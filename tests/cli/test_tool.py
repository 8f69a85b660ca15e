#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tool's surface: help, options and overrides, where output goes, exit statuses, and the verbs
that train nothing: version, check, inspect, tokenize."""
import json
import os
import re
import unittest

from cli_testing import ALPACA, SOURCE, TINY, Case, read, read_json_lines, yaml_text

VERBS = ["train", "preprocess", "check", "inspect", "plan", "evaluate", "inference", "merge-lora",
         "quantize", "export", "tokenize", "render", "config-schema", "version"]


class Help(Case):
    def listed(self):
        return re.findall(r"^  ([a-z-]+)", self.good("--help").out, re.M)

    def test_overview(self):
        overview = self.good("--help")
        self.assertEqual(overview.err, "")
        for verb in ("train", "check", "inspect", "inference", "tokenize", "version"):
            self.assertIn(verb, self.listed())
        for other in ("-h", "help"):
            self.assertEqual(self.good(other).out, overview.out)

    def test_no_verb(self):
        result = self.axl()
        self.assertEqual(result.code, 2)
        self.assertEqual(result.out, "")
        self.assertEqual(result.err, self.good("--help").out)

    def test_verbs(self):
        for verb in self.listed():
            helped = self.good(verb, "--help")
            self.assertTrue(helped.out.startswith(f"axl {verb}"), helped.out)
            self.assertEqual(helped.err, "")
            self.assertEqual(self.good(verb, "-h").out, helped.out)
            self.assertEqual(self.good("help", verb).out, helped.out)

    def test_verbs_to_come(self):
        listed = self.listed()
        for verb in VERBS:
            if verb not in listed:
                line = self.wrong(verb, "run.yml")
                self.assertIn(verb, line)
                self.assertIn("does not exist yet", line)

    def test_unknown_verb(self):
        self.assertEqual(self.wrong("trian", "x.yml"),
                         'axl: unknown verb "trian"; axl --help lists the verbs')
        self.assertEqual(self.wrong("help", "trian"),
                         'axl: unknown verb "trian"; axl --help lists the verbs')


class Version(Case):
    def test_text(self):
        self.assertRegex(self.good("version").out, r"\Aaxl [0-9]+\.[0-9]+\.[0-9]+ \(ABI [0-9]+\)\n")
        self.assertEqual(self.good("--version").out, self.good("version").out)

    def test_json(self):
        about = json.loads(self.good("version", "--json").out)
        for key in ("version", "abi", "backends", "isa", "libraries"):
            self.assertIn(key, about)
        self.assertRegex(about["version"], r"\A[0-9]+\.[0-9]+\.[0-9]+\Z")
        self.assertIsInstance(about["abi"], int)
        self.assertIn("cpu", about["backends"])


class Options(Case):
    """The command line itself; check --effective --json shows what became of it."""

    def effective(self, *args):
        return json.loads(self.good("check", self.config(), "--effective", "--json", *args).out)[
            "effective"]

    def test_forms(self):
        self.write("x.jsonl", "{}")
        for args in (["--learning-rate", "0.5"], ["--learning_rate", "0.5"],
                     ["--learning-rate=0.5"], ["--learning_rate=5e-1"]):
            self.assertEqual(self.effective(*args)["learning_rate"], 0.5, args)
        self.assertIs(self.effective("--no-lora-target-linear", "--lora-target-modules",
                                     "[q_proj]")["lora_target_linear"], False)
        self.assertIs(self.effective("--no_bf16")["bf16"], False)
        self.assertIs(self.effective("--bf16")["bf16"], True)
        self.assertEqual(self.effective("--datasets[0].path", "x.jsonl")["datasets"][0]["path"],
                         "x.jsonl")
        self.assertEqual(self.effective("--datasets[1].path=x.jsonl", "--datasets[1].type=alpaca")
                         ["datasets"][1]["path"], "x.jsonl")
        self.assertEqual(self.effective("--weight-decay", "0.1", "--weight-decay", "0.2")
                         ["weight_decay"], 0.2)
        self.assertEqual(self.effective("--axl.threads", "1")["axl"]["threads"], 1)
        self.assertEqual(self.effective("--output-dir", "-")["output_dir"], "-")

    def test_no_key_takes_no_value(self):
        result = self.good("check", "--no-bf16", self.config(), "--effective", "--json")
        self.assertIs(json.loads(result.out)["effective"]["bf16"], False)

    def test_own_option_wins(self):
        """--seed of inference is not the config's seed, --adapter is a folder there."""
        line = self.wrong("inference", self.config(), "--prompt", "x", "--adapter", "nowhere")
        self.assertIn("nowhere", line)

    def test_launcher(self):
        result = self.good("check", self.config(), "--launcher", "accelerate", "--", "--n", "2")
        self.assertEqual(result.out, "")
        self.assertEqual(len(result.errors), 2, result)
        self.assertIn("warning: --launcher", result.errors[0])
        self.assertIn("warning: arguments after --", result.errors[1])
        quiet = self.good("check", self.config(), "--launcher=torchrun", "--quiet", "--", "x")
        self.assertEqual(quiet.out + quiet.err, "")
        self.assertEqual(self.good("check", self.config(), "--").err, "")
        self.assertEqual(self.wrong("check", self.config(), "--launcher"),
                         "axl check: --launcher: needs a value")

    def test_folder_as_config(self):
        os.mkdir(self.path("one"))
        self.config("one/run.yaml")
        self.write("one/notes.txt", "no config")
        self.assertEqual(self.good("check", "one").out, "")
        self.config("one/other.yml")
        self.assertIn("one holds 2 YAML files; name one", self.wrong("inspect", "one"))
        os.mkdir(self.path("none"))
        self.assertIn("none holds no .yml or .yaml file", self.wrong("inspect", "none"))

    def test_wrong_options(self):
        yml = self.config()
        for args, line in (
                (["check"], "axl check: a config file is needed, or a folder that holds one"),
                (["train"], "axl train: a config file is needed, or a folder that holds one"),
                (["inspect"], "axl inspect: a config file is needed, or a folder that holds one"),
                (["check", yml, "b.yml"], "axl check: b.yml: one argument too many"),
                (["train", yml, "b.yml"], "axl train: b.yml: one argument too many"),
                (["inspect", yml, "b.yml"], "axl inspect: b.yml: one argument too many"),
                (["version", "x"], "axl version: x: one argument too many"),
                (["version", "--x"], "axl version: --x: this verb has no such option"),
                (["check", yml, "-x"], "axl check: -x: this verb has no such option"),
                (["check", yml, "--json=1"], "axl check: --json: takes no value"),
                (["check", yml, "--log-level"], "axl check: --log-level: needs a value"),
                (["check", yml, "--log-level", "loud"],
                 "axl check: --log-level: must be error, warning, info or debug"),
                (["check", yml, "--=1"], "axl check: --: a key is missing"),
                (["inspect", yml, "-n", "x"],
                 "axl inspect: -n: must be a number of rows, 0 for all"),
                (["inspect", yml, "-n", "-1"],
                 "axl inspect: -n: must be a number of rows, 0 for all"),
                (["inspect", yml, "--split", "test"],
                 "axl inspect: --split: must be train or validation"),
                (["tokenize"],
                 "axl tokenize: --model is needed: a model's folder, or a .model file"),
                (["tokenize", "--model", TINY, "a", "b"],
                 "axl tokenize: b: one argument too many"),
                (["tokenize", "--model", TINY, "--foo"],
                 "axl tokenize: --foo: this verb has no such option")):
            self.assertEqual(self.wrong(*args), line)


class Check(Case):
    def test_good(self):
        yml = self.config()
        result = self.good("check", yml)
        self.assertEqual(result.out + result.err, "")
        self.assertEqual(json.loads(self.good("check", yml, "--json").out),
                         {"ok": True, "diagnostics": []})

    def test_opens_nothing(self):
        """What may be on the Hub is not sought, and files that are there may hold anything."""
        self.good("check", self.config(base_model="no/such-model",
                                       datasets=[{"path": "some/data", "type": "alpaca",
                                                  "data_files": ["part.jsonl"]}]))
        for name in ("m/config.json", "m/model.safetensors", "m/tokenizer.json", "rows.jsonl"):
            self.write(name, "nonsense")
        self.good("check", self.config(base_model="m", datasets=[{"path": "rows.jsonl",
                                                                  "type": "alpaca"}]))

    def missing(self, lines, *args):
        """What `check` says of a config whose keys are lines of YAML over the usual ones: a
        {(key, line, column): (id, message)}."""
        keys = {line.split(":")[0] for line in lines}
        usual = {k: v for k, v in self.settings().items() if k not in keys}
        self.write("run.yml", "\n".join(lines) + "\n" + yaml_text(usual))
        result = self.axl("check", "run.yml", "--json", *args)
        self.assertEqual(result.err, "")
        found = json.loads(result.out)["diagnostics"]
        self.assertEqual(result.code, 2 if found else 0)
        return {(d["key"], d["line"], d["column"]): (d["id"][-4:], d["message"]) for d in found}

    def test_missing(self):
        self.assertEqual(
            self.missing(["base_model: ./none", "lora_model_dir: adapter",
                          "resume_from_checkpoint: out/checkpoint-1", "tokenizer_config: /no/tok",
                          "datasets:", "  - path: a.jsonl", "    type: alpaca",
                          "  - {type: alpaca, path: .,", "     data_files: [run.yml, no.jsonl]}",
                          "test_datasets: [{path: /b.json, type: alpaca}]"]),
            {("base_model", 1, 1): ("0401", "no such folder: ./none"),
             ("lora_model_dir", 2, 1): ("0401", "no such folder: adapter"),
             ("resume_from_checkpoint", 3, 1): ("0401", "no such folder: out/checkpoint-1"),
             ("tokenizer_config", 4, 1): ("0401", "no such file or folder: /no/tok"),
             ("datasets[0].path", 6, 5): ("0401", "no such file or folder: a.jsonl"),
             ("datasets[1].data_files[1]", 9, 28): ("0401", "no such file or folder: ./no.jsonl"),
             ("test_datasets[0].path", 10, 18): ("0401", "no such file or folder: /b.json")})

    def test_endings(self):
        for name in ("a.arrow.gz", "b.arrow.gz", "c.jsonl.xz", "tok.json"):
            self.write(name, "")
        found = self.missing(["datasets:", "  - {path: a.arrow.gz, type: alpaca}",
                              "  - {path: ., data_files: b.arrow.gz, type: alpaca}",
                              "  - {path: c.jsonl.xz, type: alpaca}", "tokenizer_config: tok.json"])
        self.assertEqual({k: v[0] for k, v in found.items()},
                         {("datasets[0].path", 2, 6): "0402",
                          ("datasets[1].data_files[0]", 3, 27): "0402",
                          ("datasets[2].path", 4, 6): "0402", ("tokenizer_config", 5, 1): "0402"})
        self.assertIn("arrow files are read as they are", found["datasets[0].path", 2, 6][1])

    def test_splits(self):
        self.write("a.jsonl", "{}\n")
        found = self.missing(["datasets:", "  - {path: a.jsonl, type: alpaca, split: 'train['}",
                              "  - {path: gs://b/c, type: alpaca}",
                              "  - {path: a.jsonl, type: alpaca, split: test}",
                              "  - {path: a.jsonl, type: alpaca, split: 'train[-9%:]'}"])
        self.assertEqual({k: v[0] for k, v in found.items()},
                         {("datasets[0].split", 2, 35): "0204", ("datasets[1].path", 3, 6): "0402",
                          ("datasets[2].split", 4, 35): "0407"})

    def test_folders(self):
        """Each kind by its own number; a base model's folder may lack several things."""
        for name in ("file", "bin/config.json", "bin/pytorch_model.bin", "bin/tokenizer.json",
                     "notes/notes.orc", "half/adapter_config.json"):
            self.write(name, "")
        for lines, want in (
                (["base_model: notes"], ["0404", "0405", "0406"]),
                (["base_model: bin"], ["0402"]),
                (["base_model: file"], ["0403"]),
                (["lora_model_dir: half"], ["0408"]),
                (["lora_model_dir: notes"], ["0408"]),
                (["lora_model_dir: file"], ["0403"]),
                (["resume_from_checkpoint: notes"], ["0409"]),
                (["tokenizer_config: notes"], ["0406"]),
                (["datasets: [{path: notes, type: alpaca}]"], ["0407"]),
                (["output_dir: file"], ["0403"]),
                (["dataset_prepared_path: file"], ["0403"]),
                (["resume_from_checkpoint: auto"], [])):
            self.missing(lines)
            said = json.loads(self.axl("check", "run.yml", "--json").out)["diagnostics"]
            self.assertEqual([d["id"][-4:] for d in said], want, lines)
            self.assertEqual({(d["line"], d["key"]) for d in said},
                             {(1, d["key"]) for d in said})

    def test_missing_beside_warnings(self):
        """In the order of the file, as text and with what a command line gave."""
        self.write("run.yml", "deepspeed: zero.json\nbase_model: ./none\nresume_from_checkpoint: c\n"
                   + yaml_text(self.settings(base_model=None)))
        result = self.axl("check", "run.yml", "--lora-model-dir", "x.safetensors", "--effective")
        self.assertEqual(result.code, 2)
        lines = result.out.splitlines()
        self.assertTrue(lines[0].startswith("run.yml:1:1: warning: deepspeed: "), lines[0])
        self.assertEqual(lines[1:4], [
            "run.yml:2:1: error: base_model: no such folder: ./none [AXL-C0401]",
            "run.yml:3:1: error: resume_from_checkpoint: no such folder: c [AXL-C0401]",
            "run.yml: error: lora_model_dir: no such folder: x.safetensors (given as an override) "
            "[AXL-C0401]"])
        self.assertIn("lora_r: 4", lines)

    def test_examples_that_ship(self):
        """From the root, as their comments say; what axl cannot do of one is said at its head."""
        for name in sorted(os.listdir(os.path.join(SOURCE, "examples"))):
            if name.endswith(".yml"):
                result = self.good("check", os.path.join("examples", name), cwd=SOURCE)
                self.assertNotIn("error", result.out)

    def test_text(self):
        """FILE:LINE:COL: severity: KEY: text [id], on standard output, in the file's order."""
        text = yaml_text(self.settings(learning_rate=None))
        self.write("run.yml", "learning_rte: 1\nlora_dropout: 2\ndeepspeed: zero.json\n" + text)
        result = self.axl("check", "run.yml")
        self.assertEqual(result.code, 2)
        self.assertEqual(result.err, "")
        lines = result.out.splitlines()
        self.assertEqual(lines[0], 'run.yml:1:1: error: learning_rte: unknown key "learning_rte"; '
                         'did you mean "learning_rate"? [AXL-C0201]')
        self.assertEqual(lines[1], "run.yml:2:15: error: lora_dropout: must be in [0, 1), found 2 "
                         "[AXL-C0203]")
        self.assertTrue(lines[2].startswith("run.yml:3:1: warning: deepspeed: "), lines[2])
        self.assertEqual(lines[3], "run.yml: error: learning_rate: required [AXL-C0205]")
        self.assertEqual(len(lines), 4)

    def test_json(self):
        text = yaml_text(self.settings(learning_rate=None, lora_r=None))
        self.write("run.yml", "datasets_: 1\ndeepspeed: zero.json\n" + text)
        result = self.axl("check", "run.yml", "--json", "--lora-r", "four", "--effective")
        self.assertEqual(result.code, 2)
        answer = json.loads(result.out)
        self.assertIs(answer["ok"], False)
        self.assertNotIn("effective", answer)
        found = {d["key"]: d for d in answer["diagnostics"]}
        for d in answer["diagnostics"]:
            self.assertEqual(set(d), {"id", "severity", "file", "line", "column", "key",
                                      "message"})
            self.assertRegex(d["id"], r"\AAXL-C[0-9]{4}\Z")
            self.assertIn(d["severity"], ("error", "warning"))
            self.assertEqual(d["file"], "run.yml")
        self.assertEqual((found["datasets_"]["line"], found["datasets_"]["column"]), (1, 1))
        self.assertEqual(found["datasets_"]["severity"], "error")
        self.assertEqual((found["deepspeed"]["line"], found["deepspeed"]["column"]), (2, 1))
        self.assertEqual(found["deepspeed"]["severity"], "warning")
        for key in ("learning_rate", "lora_r"): # missing; from the command line
            self.assertIsNone(found[key]["line"])
            self.assertIsNone(found[key]["column"])
        self.assertIn("override", found["lora_r"]["message"])

    def test_warning_is_no_error(self):
        result = self.good("check", self.config(deepspeed="zero.json"), "--json")
        answer = json.loads(result.out)
        self.assertIs(answer["ok"], True)
        self.assertEqual([d["severity"] for d in answer["diagnostics"]], ["warning"])

    def test_nested_key(self):
        yml = self.write("run.yml", yaml_text(self.settings(datasets=None)) +
                         "datasets:\n  - path: a.jsonl\n    tpye: alpaca\n    type: alpaca\n")
        answer = json.loads(self.axl("check", yml, "--json").out)
        (d,) = answer["diagnostics"]
        self.assertEqual((d["key"], d["column"]), ("datasets[0].tpye", 5))
        self.assertIn('did you mean "type"', d["message"])

    def test_effective(self):
        """What it prints is a config that means the same."""
        yml = self.config()
        text = self.good("check", yml, "--effective").out
        whole = json.loads(self.good("check", yml, "--effective", "--json").out)["effective"]
        self.assertEqual(whole["lora_r"], 4)
        self.assertEqual(whole["seed"], 42)
        again = self.write("effective.yml", text)
        self.assertEqual(self.good("check", again, "--effective").out, text)
        self.assertEqual(json.loads(self.good("check", again, "--effective", "--json").out),
                         {"ok": True, "diagnostics": [], "effective": whole})

    def test_unreadable(self):
        result = self.axl("check", "none.yml", "--json")
        self.assertEqual(result.code, 2)
        (d,) = json.loads(result.out)["diagnostics"]
        self.assertEqual((d["id"], d["file"], d["line"], d["key"]),
                         ("AXL-C0100", "none.yml", None, None))

    def test_any_locale(self):
        yml = self.config(learning_rate=0.0025)
        said = self.good("check", yml, "--effective", "--json").out
        for name in ("C", "de_DE.UTF-8", "tr_TR.UTF-8", "ps_AF.UTF-8"):
            self.assertEqual(self.good("check", yml, "--effective", "--json",
                                       env={"LC_ALL": name}).out, said)


class Inspect(Case):
    def rows_of(self, *args, **changes):
        lines = self.good("inspect", self.config(**changes), "--json", *args).out.splitlines()
        return [json.loads(line) for line in lines]

    def test_json(self):
        data = read_json_lines(ALPACA)
        rows = self.rows_of("-n", "0")
        self.assertEqual(len(rows), len(data))
        self.assertEqual(sorted(r["row"] for r in rows), list(range(len(data))))
        self.assertNotEqual([r["row"] for r in rows], list(range(len(data))))
        for row in rows:
            self.assertEqual(row["source"], ALPACA)
            self.assertEqual(len(row["input_ids"]), len(row["labels"]))
            self.assertNotIn("part", row)
            trained = [i for i, label in enumerate(row["labels"]) if label != -100]
            # the response with its EOS, and nothing else; labels are not shifted
            self.assertEqual(trained, list(range(trained[0], len(row["labels"]))))
            self.assertTrue(all(row["labels"][i] == row["input_ids"][i] for i in trained))
            self.assertEqual(row["input_ids"][0], 1)
            self.assertEqual(row["input_ids"][-1], 2)

    def test_ids_are_the_prompt_and_the_response(self):
        text = ("Below is an instruction that describes a task. Write a response that "
                "appropriately completes the request.\n\n### Instruction:\nHow much is 6 plus 3?"
                "\n\n### Response:\n")
        ids = json.loads(self.good("tokenize", "--model", TINY, "-", stdin=text.encode()).out)
        (row,) = [r for r in self.rows_of("-n", "0") if r["row"] == 0]
        self.assertEqual(row["input_ids"][:len(ids)], ids)
        self.assertEqual(row["labels"][:len(ids)], [-100] * len(ids))

    def test_number_of_rows(self):
        self.assertEqual(len(self.rows_of()), 5)
        self.assertEqual(len(self.rows_of("-n", "2")), 2)
        self.assertEqual(len(self.rows_of("-n", "100000")), 711)
        self.assertEqual(self.rows_of("-n", "2"), self.rows_of()[:2])
        self.assertEqual(self.rows_of(shuffle_merged_datasets=False)[3]["row"], 3)

    def test_warns_once_of_what_entries_share(self):
        self.rows("chat.jsonl", [{"messages": [{"role": "user", "content": "a"},
                                               {"role": "assistant", "content": "b"}]}])
        entry = {"path": self.path("chat.jsonl"), "type": "chat_template"}
        keys = {"chat_template": "chatml", "datasets": [entry, entry], "test_datasets": [entry],
                "val_set_size": None}
        ends = "the chat template does not write \"</s>\""
        for verb in (["inspect", "--json"], ["preprocess", "--json"]):
            said = self.good(verb[0], self.config(**keys), *verb[1:]).err
            self.assertEqual(said.count(ends), 1, said)
        named = {"eot_tokens": ["<|a|>", "<|a|>", "<|b|>"], **keys}
        self.assertEqual([line.count("is not in the chat template")
                          for line in self.good("inspect", self.config(**named)).errors], [1, 1])

    def test_split(self):
        train = self.rows_of("-n", "0", val_set_size=0.1)
        valid = self.rows_of("-n", "0", "--split", "validation", val_set_size=0.1)
        self.assertEqual(len(valid), 72) # the share rounded up
        self.assertEqual(len(train) + len(valid), 711)
        self.assertFalse({r["row"] for r in train} & {r["row"] for r in valid})
        self.assertEqual(train, self.rows_of("-n", "0", "--split=train", val_set_size=0.1))
        self.assertEqual(self.wrong("inspect", self.config(), "--split", "validation"),
                         "axl inspect: the config has no validation data")

    def test_before_packing(self):
        self.assertEqual(self.rows_of(sample_packing=True), self.rows_of())

    def test_dropped_rows(self):
        rows = [{"instruction": "a", "output": "b"}, {"instruction": "c", "output": ""},
                {"instruction": "d"}, {"instruction": "e " * 200, "output": "f"},
                {"instruction": "g", "input": None, "output": "h"}]
        shown = self.rows_of("-n", "0", datasets=[{"path": self.rows("d.jsonl", rows),
                                                   "type": "alpaca"}])
        self.assertEqual(sorted(r["row"] for r in shown), [0, 4])

    def preferences(self, rl, records, kind, **changes):
        path = self.rows("preferences.jsonl", records)
        return self.config(rl=rl, datasets=[{"path": path, "type": kind}], shuffle_merged_datasets=False, **changes)

    def test_pairs(self):
        records = [{"question": "2+2?", "chosen": "4", "rejected": "5"}, {"question": "?", "chosen": "a", "rejected": "b"}]
        yml = self.preferences("dpo", records, "chatml.intel")
        rows = [json.loads(line) for line in self.good("inspect", yml, "--json", "-n", "1").out.splitlines()]
        self.assertEqual([sorted(r) for r in rows], [["chosen_input_ids", "chosen_labels", "rejected_input_ids",
                                                      "rejected_labels", "row", "source"]])
        prompt = json.loads(self.good("tokenize", "--model", TINY, "-", stdin=(
            b"<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n")).out)
        for which in ("chosen", "rejected"):
            ids, labels = rows[0][f"{which}_input_ids"], rows[0][f"{which}_labels"]
            self.assertEqual(ids[:len(prompt)], prompt)
            self.assertEqual(labels, [-100] * len(prompt) + ids[len(prompt):])
            self.assertEqual(ids[-1], 2)
        self.assertNotEqual(rows[0]["chosen_input_ids"], rows[0]["rejected_input_ids"])
        text = self.good("inspect", yml).out
        self.assertIn("row 0 (chosen): ", text)
        self.assertIn("\u00ab5<|im_end|></s>\u00bb\n--- ", text)

    def test_a_pair_is_one_row_of_the_figures(self):
        records = [{"question": "?", "chosen": "a " * n, "rejected": "b"} for n in (1, 40, 400)]
        yml = self.preferences("dpo", records, "chatml.intel", dataset_prepared_path=self.path("prepared"))
        figures = json.loads(self.good("preprocess", yml, "--json").out)
        self.assertEqual([figures["rows_read"], figures["rows"], figures["dropped"]["too_long"]], [3, 2, 1])
        self.assertEqual(sum(bar["rows"] for bar in figures["length_histogram"]), 2)
        self.assertIsNone(figures["steps"])
        self.assertIn("rows       2 of 3 read, each chosen and rejected", self.good("preprocess", yml).out)
        self.good("inspect", yml, "--html", self.path("page.html"), "-n", "1")
        page = read(self.path("page.html"))
        self.assertIn("<b>2</b><small>pairs in this split</small>", page)
        self.assertEqual(page.count("<article>"), 2)

    def test_judged_answers(self):
        records = [{"prompt": "p", "completion": c, "label": label} for c, label in (("good", True), ("bad", False))]
        yml = self.preferences("kto", records, "llama3.ultra")
        rows = [json.loads(line) for line in self.good("inspect", yml, "--json").out.splitlines()]
        self.assertEqual([sorted(r) for r in rows], 2 * [["completion_input_ids", "completion_labels", "label", "row",
                                                          "source"]])
        self.assertEqual([r["label"] for r in rows], [True, False])
        self.assertIn("row 1 (undesirable): ", self.good("inspect", yml).out)

    def test_preferences_are_not_trained(self):
        yml = self.preferences("dpo", [{"prompt": "p", "chosen": "c", "rejected": "r"}], None, output_dir="out")
        for verb in ("train", "plan", "evaluate"):
            self.assertEqual(self.wrong(verb, yml), f"axl {verb}: rl: dpo: training with preferences does not exist "
                                                    "yet, only its data can be read")
        self.assertFalse(os.path.exists(os.path.join(self.dir, "out")))
        said = self.good("check", yml).out
        self.assertIn("warning: rl: the data can be inspected; training with preferences does not exist yet "
                      "[AXL-C0215]", said)

    def test_text(self):
        text = self.good("inspect", self.config(shuffle_merged_datasets=False), "-n", "1").out
        self.assertIn("### Instruction:\nHow much is 6 plus 3?\n", text)
        self.assertIn("\u00ab 6 plus 3 is 9.</s>\u00bb", text)
        self.assertIn("row 0", text)
        self.assertNotIn("\033", text)

    def test_color(self):
        args = ["inspect", self.config(), "-n", "1"]
        self.assertIn("\033[32m", self.terminal(*args, env={"NO_COLOR": ""}))
        self.assertNotIn("\033[3", self.terminal(*args, env={"NO_COLOR": "1"}))

    def test_types(self):
        text = self.good("inspect", "--types").out
        self.assertIn("alpaca[:instruct|chat|chatml|phi]\n    reads instruction, input?, output; "
                      "trains output\n", text)
        types = json.loads(self.good("inspect", "--types", "--json").out)
        self.assertEqual(types[0]["type"], "alpaca")
        self.assertIn(("chatml.intel", "rl: kto"), [(t["type"], t["with"]) for t in types if t["type"] != {}])
        self.assertIn({"name": "text", "key": "field", "optional": False},
                      [c for t in types for c in t["columns"]])

    def test_answer_that_cannot_be_written(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "wb") as full:
            result = self.axl("inspect", self.config(), stdout=full)
        self.assertEqual(result.code, 1)
        self.assertEqual(len(result.errors), 1)
        self.assertIn("cannot write to standard output", result.err)


class Tokenize(Case):
    def ids(self, *args, **how):
        return [json.loads(line) for line in self.good("tokenize", *args, **how).out.splitlines()]

    def test_text(self):
        hello = self.write("hello.txt", "hello world")
        (ids,) = self.ids("--model", TINY, hello)
        self.assertEqual(ids[0], 1) # BOS
        self.assertEqual(self.ids("--model", TINY, hello, "--no-special"), [ids[1:]])
        for args in (["-"], []):
            self.assertEqual(self.ids("--model", TINY, *args, stdin=b"hello world"), [ids])
        (other,) = self.ids("--model", TINY, stdin=b"hello world\n")
        self.assertEqual(other[:-1], ids) # the text as it is, its line break too

    def test_bare_file(self):
        text = "The fox in Veldania.\n\nna\u00efve  caf\u00e9".encode()
        self.assertEqual(self.ids("--model", os.path.join(TINY, "tokenizer.model"), stdin=text),
                         self.ids("--model", TINY, stdin=text))

    def test_empty(self):
        self.assertEqual(self.ids("--model", TINY, stdin=b""), [[1]])
        self.assertEqual(self.ids("--model", TINY, "--no-special", stdin=b""), [[]])

    def test_jsonl(self):
        texts = ["hello world", "", "a\nb\t\"\\/", "na\u00efve", "\U0001F600", "\u0000"]
        wanted = [self.ids("--model", TINY, stdin=t.encode())[0] for t in texts]
        for ascii_only in (True, False):
            lines = "".join(json.dumps(t, ensure_ascii=ascii_only) + "\n" for t in texts)
            self.assertEqual(self.ids("--model", TINY, "--jsonl", stdin=lines.encode()), wanted)

    def test_wrong_line(self):
        lines = self.write("l.jsonl", '"a"\nb\n')
        result = self.axl("tokenize", "--model", TINY, "--jsonl", lines)
        self.assertEqual(result.code, 2)
        self.assertEqual(len(result.out.splitlines()), 1)
        self.assertIn("l.jsonl:2: not a JSON string", result.err)
        self.assertEqual(len(result.errors), 1)

    def test_wrong_input(self):
        for args, text in ((["--model", TINY, "none.txt"], "cannot open none.txt"),
                           (["--model", TINY, self.dir], f"cannot read {self.dir}: Is a directory"),
                           (["--model", "none"], "none does not exist"),
                           (["--model", self.dir], "neither tokenizer.json nor tokenizer.model"),
                           (["--model", ALPACA], "not a SentencePiece model")):
            self.assertIn(text, self.wrong("tokenize", *args))


class Streams(Case):
    """The answer on standard output, all else on standard error."""

    def test_warnings_of_other_verbs(self):
        yml = self.config(deepspeed="zero.json")
        loud = self.good("inspect", yml, "--json")
        self.assertEqual(len(loud.errors), 1)
        self.assertRegex(loud.err, r"\Awarning: .*run\.yml:[0-9]+:1: deepspeed: no effect")
        self.assertEqual(self.good("inspect", yml, "--json", "--quiet").err, "")
        self.assertEqual(self.good("inspect", yml, "--json", "--log-level", "error").err, "")
        for line in loud.out.splitlines():
            json.loads(line)

    def test_nothing_is_written_beside(self):
        self.good("tokenize", "--model", TINY, stdin=b"x")
        self.good("check", self.config())
        self.assertEqual(os.listdir(self.dir), ["run.yml"])
        self.assertNotIn("\r", read(self.path("run.yml")))


if __name__ == "__main__":
    unittest.main()
