#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the goldens of the data set types with Axolotl's own tokenising strategies.

    make_dataset_type_goldens.py OUT.json [--full]

Writes one object:

  made_with   versions of axolotl, transformers, datasets
  tokenizers  name -> folder below the source tree, or case of tokenizer/byte_level_goldens.json, and
              config: what its tokenizer_config.json has beside what is written there
  rows        name -> list of records
  cases       entry (of datasets[]), rows (a name), tokenizer, train_on_inputs, sequence_len, and
              got: for each record "refused" (Axolotl raises an error), null (it has no response
              text, so that axl drops it: see no_response), or its samples, each [length, trained, sha256], ten digits
              over the ids and then the labels as int32 little-endian; with --full [ids, labels]

trained counts the labels that are not -100.  What Axolotl does with a missing or null column is an
error or the text "None"; axl reads it as empty, so that records lack optional columns alone.
"""
import argparse
import hashlib
import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["AXOLOTL_DO_NOT_TRACK"] = "1"

import datasets  # noqa: E402
import numpy as np  # noqa: E402
from axolotl.loaders import load_tokenizer  # noqa: E402
from axolotl.utils.data import wrappers  # noqa: E402
from axolotl.utils.dict import DictDefault  # noqa: E402

datasets.disable_progress_bars()
ROOT = Path(__file__).resolve().parents[2]
TOKENIZERS = {
    "llama": {"folder": "examples/tiny-llama", "config": {}},
    "bytes": {"case": "bytes-qwen2", "config": {}},
    "pad_right": {"folder": "examples/tiny-llama", "config": {"pad_token": "<unk>", "padding_side": "right"}},
    "pad_left": {"folder": "examples/tiny-llama", "config": {"pad_token": "<unk>"}},
}
# train_on_inputs and sequence_len
SETTINGS = {"llama": ((False, 2048), (True, 40)), "bytes": ((True, 2048), (False, 40)),
            "pad_right": ((False, 512),), "pad_left": ((False, 512),)}

HARD = "naïve café — Ünïcode 日本語 \U0001f600 {x} {{y}} %s"
SPECIAL = "a </s> b<s>c <|endoftext|>d <unk>"
LONG = "One two three four five six seven eight nine ten, and so on until it is long. " * 2
TEXTS = ["Say it.", HARD, SPECIAL, LONG, "  two spaces, line\nbreaks\n\n and\ttabs ", "x"]


def rows_of(columns, answer, optional=(), kinds=None):
    """Every column with every text, turned; then optional ones empty and missing; then an empty answer."""
    columns = list(columns)
    rows = []
    for i in range(len(TEXTS)):
        rows.append({c: TEXTS[(i + k) % len(TEXTS)] for k, c in enumerate(columns)})
    for c in optional:
        rows.append({**rows[0], c: ""})
        rows.append({k: v for k, v in rows[1].items() if k != c})
    if answer:
        rows.append({**rows[0], answer: ""})
        rows.append({**rows[0], answer: " "})
    return rows


CHOICES = [
    {"question": "Which?", "choices": ["one", "two \"2\"", HARD], "solution": "one"},
    {"question": HARD, "choices": [], "solution": "none"},
    {"question": "Which?", "choices": ["one"], "solution": "", "explanation": "because"},
    {"question": "Which?", "choices": ["", "b"], "explanation": "because " + SPECIAL},
]
SCORES = {"refusal": 10, "prescriptive_bias": 9, "creativity": 7, "comprehensiveness": 0}


def critique(text, better):
    return {name: {"explanation": text, "improvements": better} for name in SCORES}


YAML_TEXTS = [
    "plain", "", "two words", "it's", "a: b", "a:b", "a #b", "a#b", "#b", "- a", "-a", "-", "?", "? a", ":", ": a",
    "yes", "No", "null", "~", "true", "1", "1.5", "1e5", "1.0e+5", "0x1f", "0o7", "017", "1_000", "1:30", "=", "<<",
    "2001-01-01", "2001-01-01 10:00:00", ".inf", ".nan", ".5", "5.", "+1", "trailing ", " leading", "a\nb", "a\n\nb\n",
    "\na", "a\tb", "\ttab", "\"quoted\"", "'single'", "it's \"both\"", "back\\slash", "[a]", "{a}", "a, b", "a]", "&a",
    "*a", "!a", "|a", ">a", "%a", "@a", "`a", "café", "日本", "\U0001f600", "\u0007bell", "\u00a0nbsp", "\u0085nel",
    "\u2028ls", "\ufeffbom", "---", "--- a", "...", "... a", "a\n--- b", "x" * 100, "word " * 30, "it's " * 30,
    "two  spaces  " * 12, "é " * 60, "line of text\n" * 3, "a: " * 40, " ".join(["long"] * 40) + "\nmore it's\n  indented",
    "\\" * 90, "\u0000nul", "\u007fdel", "tab\there: and more", "end:", "end#", "a\r\nb", "a\rb", "!", "&", "*",
]
ACR = [
    {"instruction": "Why?", "answer": "So.", "scores": SCORES, "critiques": critique("It's fine: really.", "None"),
     "revision": "So, since."},
    {"instruction": HARD, "answer": SPECIAL, "scores": {"a": None, "b": True, "c": 1.5, "d": -3, "e": 1e20, "f": 1e-7,
                                                        "g": False, "h": 10.0},
     "critiques": {"z": [], "y": {}, "list": ["a", ["b", ["c"], {"d": 1}], {"e": 1, "f": [1, 2]}, [], {}]},
     "revision": HARD},
    {"instruction": "Strings", "answer": "?", "scores": "plain", "critiques": {"list": YAML_TEXTS}, "revision": "r"},
    {"instruction": "Keys", "answer": "?", "scores": [1, 2],
     "critiques": {t: {t: t, "n": i} for i, t in enumerate(YAML_TEXTS)}, "revision": "r"},
    {"instruction": "Roots", "answer": "?", "scores": 3, "critiques": "a: b", "revision": "r"},
    {"instruction": "Deep", "answer": "?", "scores": [], "critiques": {"a" * 130: {"b" * 125: 1, "c" * 40 + " d" * 50: 2}},
     "revision": "r"},
    {"instruction": "Deep", "answer": "?", "scores": {},
     "critiques": {"a": {"b": {"c": {"d": {"e": ["word " * 40, "it's: " * 30, "é " * 40]}}}}}, "revision": "r"},
]
for _t in YAML_TEXTS:
    ACR.append({"instruction": "q", "answer": "a", "scores": _t, "critiques": [_t, [_t]], "revision": "r"})

SEGMENTS = [
    {"segments": [{"label": False, "text": "<s>Ask: "}, {"label": True, "text": "Answer</s>\n"}]},
    {"segments": [{"label": True, "text": HARD}, {"label": False, "text": ""}, {"label": False, "text": SPECIAL},
                  {"label": True, "text": " " + LONG}]},
    {"segments": [{"label": 1, "text": "a"}, {"label": 0, "text": "b"}, {"label": None, "text": "c"}]},
    {"segments": [{"label": False, "text": "nothing is trained"}]},
    {"segments": []},
]
PYGMALION = [
    {"conversations": [{"role": "system", "value": " Kind.\n<START>"}, {"role": "human", "value": "Hi "},
                       {"role": "bot", "value": "\u00a0Ho\u2003"}, {"role": "human", "value": HARD},
                       {"role": "bot", "value": SPECIAL}]},
    {"conversations": [{"role": "human", "value": ""}, {"role": "bot", "value": ""}, {"role": "bot", "value": LONG}]},
    {"conversations": [{"role": "human", "value": LONG}, {"role": "system", "value": "\n<START>\n<START>"},
                       {"role": "bot", "value": "</s>"}]},
    {"conversations": [{"role": "human", "value": "nobody answers"}]},
    {"conversations": []},
]
LLAMA2 = [
    {"conversations": [{"from": "human", "value": " Who? "}, {"from": "gpt", "value": " Me.\n"}]},
    {"conversations": [{"from": "system", "value": " Kind "}, {"from": "human", "value": HARD},
                       {"from": "gpt", "value": "So."}, {"from": "human", "value": "And?"},
                       {"from": "gpt", "value": SPECIAL}]},
    {"conversations": [{"from": "gpt", "value": "First"}, {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"},
                       {"from": "human", "value": "cut off"}]},
    {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}, {"from": "human", "value": "B"},
                       {"from": "gpt", "value": "C"}, {"from": "human", "value": "D"}, {"from": "gpt", "value": "E"}]},
    {"conversations": [{"from": "human", "value": "[/INST] inside"}, {"from": "gpt", "value": "A </s><s> b"}]},
    {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": ""}, {"from": "human", "value": "R"},
                       {"from": "gpt", "value": "S"}]},
    {"conversations": [{"from": "human", "value": ""}, {"from": "gpt", "value": "A"}, {"from": "human", "value": "R"},
                       {"from": "gpt", "value": "S"}]},
    {"conversations": [{"from": "human", "value": "Q"}]},
    {"conversations": [{"from": "human", "value": "Q"}, {"from": "human", "value": "R"}, {"from": "gpt", "value": "S"}]},
    {"conversations": [{"from": "human", "value": LONG * 4}, {"from": "gpt", "value": LONG * 14}]},
]
MESSAGES = [
    {"messages": [{"role": "system", "content": "Be"}, {"role": "user", "content": HARD},
                  {"role": "assistant", "content": "So " + SPECIAL}, {"role": "tool", "content": "t"},
                  {"role": "ipython", "content": "i"}]},
    {"messages": [{"role": "human", "content": ""}, {"role": "gpt", "content": ""}]},
    {"messages": [{"role": "user", "content": "  a "}, {"role": "assistant", "content": "b\n"},
                  {"role": "user", "content": LONG}, {"role": "assistant", "content": LONG}]},
    {"messages": [{"role": "user", "content": "nobody answers"}]},
]
SHAREGPT = [
    {"talk": [{"from": "human", "value": "a", "weight": 1}, {"from": "gpt", "value": "b", "weight": 0},
              {"from": "gpt", "value": "c", "weight": 1}, {"from": "gpt", "value": "d", "weight": 2}]},
]
def part(kind, value, weight=1, newline=False):
    return {"type": kind, "value": value, "weight": weight, "has_newline": newline}


PARTS = [
    {"messages": [{"role": "user", "content": [part("text", "a"), part("text", " b", 0)]},
                  {"role": "assistant", "content": [part("text", "Think", 0), part("text", "er. "),
                                                    part("text", "ab" + HARD, 1, True), part("text", "n\n", 1, True)]}]},
    {"messages": [{"role": "assistant", "content": [part("text", "calling\n"), part("tool_call", '{"f": 1}'),
                                                    part("tool_call", "x\n", 0)]},
                  {"role": "tool", "content": [part("tool_response", "caf\u00e9")]}]},
]

ROWS = {
    "alpaca": rows_of(["instruction", "input", "output"], "output", ["input"]),
    "gpteacher": rows_of(["instruction", "input", "response"], "response", ["input"]),
    "oasst": rows_of(["INSTRUCTION", "RESPONSE"], "RESPONSE"),
    "jeopardy": rows_of(["question", "category", "answer"], "answer"),
    "choice": CHOICES,
    "tldr": rows_of(["article", "summary"], "summary"),
    "qa": rows_of(["question", "answer"], "answer"),
    "camel": rows_of(["message_1", "message_2"], "message_2"),
    "system": rows_of(["system", "instruction", "input", "output"], "output", ["input"])
    + [{"system": "", "instruction": "i", "input": "n", "output": "o"}],
    "orca": rows_of(["system_prompt", "question", "response"], "response")
    + [{"system_prompt": "", "question": "q", "response": "r"}],
    "context": rows_of(["article", "question", "answer"], "answer"),
    "context404": rows_of(["article", "unanswerable_question"], None),
    "context2": rows_of(["context", "question", "answer"], "answer"),
    "revision": rows_of(["instruction", "revision"], "revision"),
    "acr": ACR,
    "reflection": rows_of(["instruction", "input", "output", "reflection", "corrected"], "output", ["input"])
    + [{"instruction": "i", "input": "n", "output": "o", "reflection": "", "corrected": "c"}],
    "metharme": rows_of(["prompt", "generation"], "generation")
    + [{"prompt": "", "generation": "g"}, {"prompt": "p", "generation": "</s>"}, {"prompt": "p</s>", "generation": "g</s>"},
       {"prompt": "p", "generation": "g<|endoftext|>"}],
    "completion": rows_of(["text"], "text") + [{"text": LONG * 30}],
    "segments": SEGMENTS,
    "pygmalion": PYGMALION,
    "llama2": LLAMA2,
    "messages": MESSAGES,
    "sharegpt": SHAREGPT,
    "parts": PARTS,
    "own": rows_of(["s", "q", "i", "a"], "a", ["i", "s"]),
    "none": [{"x": 1}],
}
OWN = {"field_system": "s", "field_instruction": "q", "field_input": "i", "field_output": "a", "system_prompt": "Be.",
       "system_format": "<{system}>", "format": "{{Q}} {instruction}+{input}\n", "no_input_format": "{instruction}=\n"}

STYLES = ("", ":instruct", ":chat", ":chatml", ":phi")
ENTRIES = (
    [(f"alpaca{s}", "alpaca") for s in STYLES] + [(f"gpteacher{s}", "gpteacher") for s in ("", ":phi")]
    + [(f"oasst{s}", "oasst") for s in ("", ":chatml")] + [(f"jeopardy{s}", "jeopardy") for s in ("", ":chat")]
    + [(f"explainchoice{s}", "choice") for s in STYLES] + [(f"concisechoice{s}", "choice") for s in ("", ":phi")]
    + [(f"summarizetldr{s}", "tldr") for s in ("", ":phi")]
    + [(f"reflection{s}", "reflection") for s in ("", ":instruct", ":chat")]
    + [("alpaca_chat", "alpaca"), ({"type": "alpaca_chat", "conversation": "chatml"}, "alpaca"),
       ("alpaca_chat.load", "alpaca"), ("alpaca_chat.load_concise", "alpaca"), ("alpaca_chat.load_qa", "qa"),
       ("alpaca_chat.load_camel_ai", "camel"), ("alpaca_chat.load_no_prompt", "alpaca"),
       ("alpaca_instruct", "alpaca"), ("alpaca_instruct.load", "alpaca"), ("alpaca_instruct.load_no_prompt", "alpaca"),
       ("alpaca_w_system", "system"), ("alpaca_w_system.load", "system"), ("alpaca_w_system.load_chat", "system"),
       ("alpaca_w_system.load_instruct", "system"), ("alpaca_w_system.load_open_orca", "orca"),
       ("alpaca_w_system.load_open_orca_chatml", "orca"), ("orcamini", "orca"), ("orcamini.load", "orca"),
       ("context_qa", "context"), ("context_qa.load", "context"), ("context_qa.load_404", "context404"),
       ("context_qa.load_v2", "context2"), ("creative_acr.load_answer", "revision"),
       ("creative_acr.load_critique", "acr"), ("creative_acr.load_revise", "acr"), ("metharme", "metharme"),
       ("completion", "completion"), ("input_output", "segments"), ("pygmalion", "pygmalion"),
       ("llama2_chat", "llama2"), ("messages", "messages"), ({"type": "messages", "chat_template": "llama3"}, "messages"),
       ({"type": "messages", "field_messages": "talk"}, "sharegpt"),
       ({"type": "messages", "field_messages": "talk", "message_field_training": "weight",
         "message_property_mappings": {"role": "from", "content": "value"}}, "sharegpt"),
       ("messages", "parts"), ({"type": OWN}, "own"),
       ({"type": "_synthetic", "length": 3, "sequence_length": 9, "min_input_id": 5, "max_input_id": 300, "seed": 42}, "none"),
       ({"type": "_synthetic", "length": 2, "seed": 7}, "none")]
)
ANSWERS = {"alpaca": "output", "gpteacher": "response", "oasst": "RESPONSE", "jeopardy": "answer", "tldr": "summary",
           "qa": "answer", "camel": "message_2", "system": "output", "orca": "response", "context": "answer",
           "context2": "answer", "revision": "revision", "metharme": "generation", "own": "a"}


def no_response(name, row):
    """Rows that axl drops by its own rule: without response text nothing is to be learned."""
    if name == "reflection":
        return not (row["output"] and row["reflection"] and row["corrected"])
    if name == "choice":
        return not (row["solution"] if "solution" in row else row["explanation"])
    return name in ANSWERS and not row[ANSWERS[name]]


def open_tokenizers(tmp):
    goldens = json.loads((ROOT / "tests/golden/tokenizer/byte_level_goldens.json").read_text())
    opened = {}
    for name, where in TOKENIZERS.items():
        folder = Path(tmp) / name
        if "folder" in where:
            shutil.copytree(ROOT / where["folder"], folder, ignore=shutil.ignore_patterns("*.safetensors"))
        else:
            folder.mkdir()
            (case,) = [c for c in goldens["cases"] if c["name"] == where["case"]]
            for file, value in case["write"].items():
                (folder / file).write_text(json.dumps(value))
        config = folder / "tokenizer_config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), **where["config"]}))
        opened[name] = load_tokenizer(DictDefault({"base_model": str(folder), "tokenizer_config": str(folder)}))
    return opened


def sha(values):
    return hashlib.sha256(np.asarray(values, dtype="<i4").tobytes()).hexdigest()[:10]


def describe(ids, labels, full):
    ids, labels = list(map(int, ids)), list(map(int, labels))
    if len(ids) != len(labels):
        return None
    if full:
        return [ids, labels]
    return [len(ids), sum(x != -100 for x in labels), sha(ids + labels)]


def samples_of(strategy, row):
    if hasattr(strategy, "wrap_dataset"):
        made = strategy.wrap_dataset(datasets.Dataset.from_list([row]), process_count=1)
        return [(r["input_ids"], r["labels"]) for r in made]
    if strategy.supports_batched:
        made = strategy.tokenize_prompt({k: [v] for k, v in row.items()})
        return list(zip(made.get("input_ids", []), made.get("labels", [])))
    made = strategy.tokenize_prompt(row)
    return [(made["input_ids"], made["labels"] if made["input_ids"] else [])]


def run(entry, name, tokenizer, train_on_inputs, sequence_len, full):
    cfg = DictDefault({"train_on_inputs": train_on_inputs, "sequence_len": sequence_len})
    kind = entry["type"] if isinstance(entry["type"], str) else None
    base, _, style = (kind or "").partition(":")
    wrapped = {}
    wrappers.wrap_dataset_for_tokenized_prompt = lambda strategy, data, **kw: wrapped.setdefault("it", strategy)
    wrappers._handle_loaded_strategy = lambda strategy, data, kw: (wrapped.setdefault("it", strategy), None)
    wrappers.get_dataset_wrapper(DictDefault({"path": "x", **entry}), tokenizer, cfg, base,
                                 datasets.Dataset.from_list([{"x": 1}]), style or None)
    got = []
    for row in ROWS[name]:
        if no_response(name, row):
            got.append(None)
            continue
        try:
            made = [describe(*s, full) for s in samples_of(wrapped["it"], row)]
            got.append("refused" if None in made else made)
        except Exception as e:  # what Axolotl refuses
            print(f"{entry} {name}: {type(e).__name__} {str(e)[:100]}", file=sys.stderr)
            got.append("refused")
    return got


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out")
    p.add_argument("--full", action="store_true")
    args = p.parse_args()
    cases = []
    with tempfile.TemporaryDirectory() as tmp:
        for tok_name, tok in open_tokenizers(tmp).items():
            for entry, name in ENTRIES:
                entry = entry if isinstance(entry, dict) else {"type": entry}
                for on_inputs, length in SETTINGS[tok_name]:
                    if tok_name.startswith("pad") and name != "llama2":
                        continue
                    if name == "none" and on_inputs:
                        continue
                    if name == "acr" and tok_name == "llama":
                        continue
                    if name == "acr":
                        length = 16384
                    cases.append({"entry": entry, "rows": name, "tokenizer": tok_name,
                                  "train_on_inputs": on_inputs, "sequence_len": length,
                                  "got": run(entry, name, tok, on_inputs, length, args.full)})
    versions = {n: importlib.metadata.version(n) for n in ("axolotl", "transformers", "tokenizers", "datasets")}
    with open(args.out, "w", encoding="ascii") as f:
        f.write('{"made_with": ' + json.dumps(versions) + ',\n"tokenizers": ' + json.dumps(TOKENIZERS) + ',\n"rows": {\n')
        f.write(",\n".join(f"{json.dumps(n)}: {json.dumps(r, separators=(',', ':'))}" for n, r in ROWS.items()))
        f.write('},\n"cases": [\n')
        f.write(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
        f.write("]}\n")


main()
