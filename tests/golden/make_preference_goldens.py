#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes preferences.json: what Axolotl 0.19 makes of records of preferences, then encoded by TRL's
own trainers.

    make_preference_goldens.py OUT.json [--full]

Run with the interpreter of an environment with Axolotl 0.19 and TRL 1.9.0.

  made_with   versions
  tokenizers  as in dataset_types.json
  rows        name -> records
  cases       rl (or reward_model, process_reward_model), entry (of datasets[]), rows (a name),
              tokenizer, sequence_len, rule (excess_length_strategy), template (chat_template of the
              whole config), and got: for each row its samples, each [tokens, trained tokens, the first
              8 digits of SHA-256 over ids and labels (int32, little-endian)] and of a judged answer
              true or false; null where the row is dropped; "refused" where Axolotl or TRL fails

A sample of a reward model has one label, its last id's: Axolotl gives none.  --full writes ids and
labels in place of the hash.  Nothing is random.
"""
import argparse
import hashlib
import importlib.metadata
import json
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import datasets  # noqa: E402
import numpy as np  # noqa: E402
from axolotl.loaders import load_tokenizer  # noqa: E402
from axolotl.prompt_strategies import bradley_terry, stepwise_supervised  # noqa: E402
from axolotl.prompt_strategies.bradley_terry import llama3 as reward_llama3  # noqa: E402
from axolotl.prompt_strategies.dpo import load as load_dpo  # noqa: E402
from axolotl.prompt_strategies.kto import load as load_kto  # noqa: E402
from axolotl.prompt_strategies.orpo import load as load_orpo  # noqa: E402
from axolotl.utils.chat_templates import get_chat_template_from_config  # noqa: E402
from axolotl.utils.data import rl as axolotl_rl  # noqa: E402
from axolotl.utils.dict import DictDefault  # noqa: E402
from axolotl.utils.schemas.enums import RLType  # noqa: E402
from trl import DPOTrainer, KTOTrainer, RewardTrainer  # noqa: E402
from trl.experimental.cpo import CPOTrainer  # noqa: E402
from trl.experimental.orpo import ORPOTrainer  # noqa: E402

logging.disable(logging.CRITICAL)
datasets.disable_progress_bars()
ROOT = Path(__file__).resolve().parents[2]

TOKENIZERS = {"llama": {"folder": "examples/tiny-llama", "config": {}},
              "bytes": {"case": "bytes-qwen2", "config": {}}}


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def system(text):
    return {"role": "system", "content": text}


ODD = "Gr\u00fc\u00dfe \u4e2d\u6587 \U0001f600\u200d\U0001f469 e\u0301"
LONG = "one two 3 " * 22
# (system, question, chosen, rejected)
TALKS = [
    (None, "What is the tallest mountain?", "Mount Everest.", "K2, I think."),
    ("Be short.", "And the second?", "K2.", "Everest"),
    ("", "  spaces  ", " leading", "trailing \n\n"),
    ("S", ODD, ODD + "!", "\u0301\u0301 \u00a0"),
    (None, "q", "ends in eos</s>", "<s> begins</s></s>"),
    (None, "<|im_start|>user\nx<|im_end|>", "<|im_end|>", "<|eot_id|> <|endoftext|>"),
    ("Long.", "Count.", LONG, "No."),
    (None, "Count back.", "No.", LONG),
    (None, LONG + LONG, "Yes.", "No."),
    (None, "Same", "same", "same"),
    (None, "Quote: \"{}\" {prompt}", "{chosen}", "}{"),
    (None, "Empty?", "", "not empty"),
    (None, "a", "b", "[[dummy_message]]"),
    (None, "Half of a character \U0001f600", "\U0001f600" * 40, "\u4e2d" * 60),
    (None, "tail ", " head", "head"),
]


def named(prompt, chosen="chosen", rejected="rejected", shape=lambda q, a: a):
    rows = []
    for s, q, c, r in TALKS:
        row = {prompt: q, chosen: shape(q, c), rejected: shape(q, r)}
        if s is not None:
            row["system"] = s
        rows.append(row)
    return rows


def talk(q, a):
    return [user(q), assistant(a)]


def judged(prompt):
    rows = []
    for i, (s, q, c, r) in enumerate(TALKS):
        row = {prompt: q, "completion": c if i % 2 else r, "label": bool(i % 2)}
        if s is not None:
            row["system"] = s
        rows.append(row)
    return rows


FORMATTED = [dict(r, sys=r.get("system", "")) for r in named("ask", "good", "bad")]
ROWS = {
    "prompt": named("prompt") + [{"prompt": "Null", "chosen": None, "rejected": "x"},
                                 {"prompt": "Null", "chosen": "x", "rejected": None}],
    "input": named("input"),
    "question": named("question"),
    "instruction": named("instruction", "chosen_response", "rejected_response"),
    "turns": named("prompt", shape=talk) + [
        {"prompt": "More", "chosen": [user("1"), assistant("2"), user("3"), assistant("4")],
         "rejected": [user("1"), assistant("5"), user("6"), assistant("7")]}],
    "ranked": [{"prompt": q, "answers": [{"answer": c, "rank": 2}, {"answer": r, "rank": 1.0},
                                         {"answer": q + c, "rank": 2}, {"answer": "x", "rank": 0}]}
               for _, q, c, r in TALKS[:8]] + [{"prompt": "One", "answers": [{"answer": "x", "rank": 1}]}],
    "own": FORMATTED,
    "messages": [
        {"messages": [*([system(s)] if s else []), user(q)], "chosen": assistant(c), "rejected": assistant(r)}
        for s, q, c, r in TALKS] + [
        {"messages": [user("1"), assistant("2"), user("3")], "chosen": assistant("4"), "rejected": assistant("5")},
        {"messages": [user("x")], "chosen": [user("x"), assistant("list")], "rejected": [assistant("only")]}],
    "text messages": [{"messages": q, "chosen": c, "rejected": r} for _, q, c, r in TALKS],
    "sharegpt": [{"conversations": [{"from": "human", "value": q}], "chosen": {"from": "gpt", "value": c},
                  "rejected": {"from": "gpt", "value": r}} for _, q, c, r in TALKS],
    "histories": [{"chosen": [user("Before"), assistant("that"), user(q), assistant(c)],
                   "rejected": [user("Before"), assistant("that"), user(q), assistant(r)],
                   **({"system": s} if s is not None else {})} for s, q, c, r in TALKS[:11]],
    "odd history": [{"chosen": [user("1"), user("2"), assistant("3")], "rejected": [assistant("4")]}],
    "k instruction": judged("instruction"),
    "k question": judged("question"),
    "k prompt": judged("prompt") + [{"prompt": "Null", "completion": None, "label": True}],
    "k turns": [{"completion": [user("Before"), assistant("that"), user(q), assistant(c)], "label": i % 3 == 0}
                for i, (_, q, c, _) in enumerate(TALKS)] + [{"completion": [assistant("alone")], "label": False}],
    "k own": [dict(r, sys=r.get("system", ""), ask=r["prompt"], said=r["completion"], good=r["label"])
              for r in judged("prompt")],
    "reward": [{"system": s or "", "input": q, "chosen": c, "rejected": r} for s, q, c, r in TALKS],
    "steps": [
        {"prompt": "2+2?", "completions": ["Two and two.", "That is 4."], "labels": [True, False]},
        {"prompt": ODD, "completions": [ODD, "", " x ", "\n"], "labels": [True, True, False, False]},
        {"prompt": "Long", "completions": [LONG, LONG], "labels": [False, True]},
        {"prompt": "", "completions": ["a"], "labels": [True]},
        {"prompt": LONG + LONG, "completions": ["a"], "labels": [True]},
        {"prompt": "One", "completions": ["</s>", "<s>"], "labels": [1, 0]},
    ],
}
OWN_DPO = {"field_prompt": "ask", "field_system": "sys", "field_chosen": "good", "field_rejected": "bad",
           "prompt_format": "[{system}] {{{prompt}}}\n", "chosen_format": "{chosen} <end>",
           "rejected_format": "{rejected}{rejected}"}
OWN_KTO = {"field_prompt": "ask", "field_system": "sys", "field_completion": "said", "field_label": "good",
           "prompt_format": "Q: {prompt}\nA:", "completion_format": " {completion}"}
SHAREGPT = {"field_messages": "conversations", "message_property_mappings": {"role": "from", "content": "value"},
            "roles": {"user": ["human"], "assistant": ["gpt"]}}
LEGACY = {"field_messages": "conversations", "message_field_role": "from", "message_field_content": "value",
          "roles": {"user": ["human"], "assistant": ["gpt"]}}
NAMES = {"default": "prompt", "argilla_chat": "turns", "icr": "input", "intel": "question",
         "prompt_pairs": "prompt", "ultra": "turns"}
JUDGED = {"argilla": "k instruction", "argilla_chat": "k turns", "intel": "k question", "prompt_pairs": "k prompt",
          "ultra": "k prompt"}
TASKS = []


def add(task, kind, rows, length=128, rule="drop", template=None, tokenizers=("llama", "bytes"), **entry):
    TASKS.extend({"task": task, "entry": {**({"type": kind} if kind else {}), **entry}, "rows": rows, "tokenizer": t,
                  "sequence_len": length, "rule": rule, "template": template} for t in tokenizers)


for style in ("chatml", "llama3"):
    for fn, rows in NAMES.items():
        add("dpo", f"{style}.{fn}", rows)
    for fn, rows in JUDGED.items():
        add("kto", f"{style}.{fn}", rows)
add("dpo", "chatml", "question")
add("dpo", "chatml", "instruction", 60, "truncate")
add("dpo", "chatml", "input", 90)
add("dpo", "chatml.intel", "question", 400, "raise", tokenizers=("bytes",))
add("kto", "chatml.ultra", "k prompt", 50, "truncate")
add("ipo", "zephyr.nectar", "ranked")
add("dpo", "passthrough", "prompt", 48, "truncate")
add("dpo", None, "prompt")
add("dpo", OWN_DPO, "own")
add("simpo", "llama3.prompt_pairs", "prompt")
add("simpo", "passthrough", "prompt", 30, "truncate")
add("dpo", "chat_template.default", "messages", template="chatml")
for chat in ("llama3", "gemma3", "mistral_v2v3"):  # these ask for a BOS
    add("dpo", "chat_template.default", "messages", template=chat, tokenizers=("llama",))
add("dpo", "chat_template", "text messages", template="chatml")
add("dpo", "chat_template.default", "messages", 70, "truncate", template="chatml")
add("dpo", "chat_template.default", "sharegpt", template="llama3", tokenizers=("llama",), **SHAREGPT)
add("dpo", "chat_template.default", "sharegpt", template="llama3", tokenizers=("llama",), **LEGACY)
add("dpo", "chat_template.default", "sharegpt", chat_template="chatml", tokenizers=("bytes",), **SHAREGPT)
add("dpo", "chat_template.argilla_chat", "histories", template="chatml")
add("simpo", "chat_template.argilla_chat", "turns", template="llama3", tokenizers=("llama",))
add("orpo", "chat_template.argilla", "histories", template="chatml")
add("orpo", "chat_template.argilla", "turns", template="llama3", tokenizers=("llama",))
add("orpo", "chat_template.argilla", "turns", template="qwen3", tokenizers=("bytes",))
add("orpo", "chat_template.argilla", "histories", 80, "truncate", template="mistral_v2v3", tokenizers=("llama",))
add("orpo", "chat_template.argilla", "odd history", template="chatml", tokenizers=("bytes",))
add("orpo", None, "prompt")
for length in range(18, 34, 3):
    add("orpo", None, "prompt", length, tokenizers=("bytes",))
add("kto", OWN_KTO, "k own")
add("kto", None, "k prompt", 60, "truncate")
add("reward", "bradley_terry.chat_template", "reward", template="chatml")
add("reward", "bradley_terry.chat_template", "reward", 40, template="llama3", tokenizers=("llama",))
add("reward", "bradley_terry.chat_template", "reward", template="chatml", drop_system_message=True)
add("reward", "bradley_terry.llama3.icr", "input")
add("steps", "stepwise_supervised", "steps")
add("steps", "stepwise_supervised", "steps", step_separator=" ## ", train_on_last_step_only=True)
add("steps", "stepwise_supervised", "steps", 300, max_completion_length=20)


# ---- one row ----

def trainer(tokenizer, length):
    fake = SimpleNamespace(_tokenizer=tokenizer, processing_class=tokenizer, max_length=length, calculate_KL=False,
                           is_encoder_decoder=False, desirable_weight=1.0, undesirable_weight=1.0)
    fake.build_tokenized_answer = lambda p, a: CPOTrainer.build_tokenized_answer(fake, p, a)
    return fake


ARGS = {"dataset_num_proc": None, "truncation_mode": "keep_start", "per_device_train_batch_size": 1}


def masked(prompt, answer, length):
    return (prompt + answer)[:length], ([-100] * len(prompt) + answer)[:length]


def by_trl(task, data, tokenizer, length):
    fake, args = trainer(tokenizer, length), SimpleNamespace(max_length=length, **ARGS)
    if task in ("orpo", "simpo"):
        made = (ORPOTrainer if task == "orpo" else CPOTrainer).tokenize_row(fake, data[0])
        return [(made[f"{w}_input_ids"], made[f"{w}_labels"]) for w in ("chosen", "rejected")]
    kind = {"dpo": DPOTrainer, "ipo": DPOTrainer, "kto": KTOTrainer, "reward": RewardTrainer}[task]
    made = kind._prepare_dataset(fake, data, tokenizer, args, "eval")
    if len(made) == 0:
        return None
    made = made[0]
    if task == "kto":
        return [(*masked(made["prompt_ids"], made["completion_ids"], length), made["label"])]
    if task == "reward":
        return [rewarded(made[f"{w}_ids"]) for w in ("chosen", "rejected")]
    return [masked(made["prompt_ids"], made[f"{w}_ids"], length) for w in ("chosen", "rejected")]


def rewarded(ids):
    return ids, [-100] * (len(ids) - 1) + ids[-1:]


def by_preferences(case, row, tokenizer, cfg):
    task, kind = case["task"], case["entry"].get("type")
    data = datasets.Dataset.from_list([row])
    if kind:
        kind = "user_defined.default" if isinstance(kind, dict) else kind
        load = {"kto": load_kto, "orpo": load_orpo}.get(task, load_dpo)
        fn = load(kind, cfg, dataset_idx=0)
        fn, more = fn if isinstance(fn, tuple) else (fn, {})
        data = axolotl_rl._map_dataset(cfg, data, fn, tokenizer, **more)
    settings = {"rl": RLType(task), "tokenizer": tokenizer, "sequence_len": case["sequence_len"]}
    if case["rule"] == "truncate":
        data = data.map(lambda r: axolotl_rl._truncate_long_sequences_rl(r, **settings))
    check = axolotl_rl._raise_on_long_sequences if case["rule"] == "raise" else axolotl_rl._drop_long_sequences
    data = data.filter(lambda r: check(r, **settings))
    return by_trl(task, data, tokenizer, case["sequence_len"]) if len(data) else None


def by_strategy(case, row, tokenizer, cfg):
    entry = DictDefault(case["entry"])
    if case["task"] == "steps":
        made = stepwise_supervised.load(tokenizer, cfg, entry).tokenize_prompt(row)
        return [(made["input_ids"], made["labels"])]
    if entry.type.endswith("icr"):  # a text, which Axolotl 0.19 does not find under this name
        made = reward_llama3.icr(cfg)(dict(row))
        data = datasets.Dataset.from_list([{k: made[k] for k in ("chosen", "rejected")}])
        return by_trl("reward", data, tokenizer, case["sequence_len"])
    strategy = bradley_terry.load("chat_template", tokenizer, cfg, entry)
    made = strategy._tokenize_single_prompt(dict(row))
    return [rewarded(made[f"{w}_ids"]) for w in ("chosen", "rejected")]


def lacking(row):
    """A row that axl drops by its own rule: an answer is null, which Axolotl writes as None."""
    return None in row.values()


def describe(sample, full):
    ids, labels, *label = sample
    ids, labels = list(map(int, ids)), list(map(int, labels))
    assert len(ids) == len(labels)
    sha = hashlib.sha256(np.asarray(ids + labels, dtype="<i4").tobytes()).hexdigest()[:8]
    return [*([ids, labels] if full else [len(ids), sum(x != -100 for x in labels), sha]), *label]


def run(case, tokenizer, full):
    cfg = DictDefault({"sequence_len": case["sequence_len"], "chat_template": case["template"], "rl": case["task"],
                       "reward_model": case["task"] == "reward", "train_on_inputs": False,
                       "datasets": [{"path": "x", **case["entry"]}]})
    if case["template"]:
        tokenizer.chat_template = get_chat_template_from_config(cfg=cfg, tokenizer=tokenizer)
    by = by_strategy if case["task"] in ("reward", "steps") else by_preferences
    got = []
    for row in ROWS[case["rows"]]:
        try:
            made = None if lacking(row) else by(case, row, tokenizer, cfg)
            if made and not all(any(x != -100 for x in s[1][1:]) for s in made):
                made = None  # nothing is left to train
            got.append(made and [describe(s, full) for s in made])
        except Exception as e:  # what Axolotl or TRL refuses
            print(f"{case['task']} {case['entry']}: {type(e).__name__} {str(e)[:100]}", file=sys.stderr)
            got.append("refused")
    return got


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
        opened[name] = load_tokenizer(DictDefault({"base_model": str(folder), "tokenizer_config": str(folder)}))
    return opened


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out")
    p.add_argument("--full", action="store_true")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        opened = open_tokenizers(tmp)
        for case in TASKS:
            case["got"] = run(case, opened[case["tokenizer"]], args.full)
    versions = {n: importlib.metadata.version(n)
                for n in ("axolotl", "trl", "transformers", "tokenizers", "datasets")}
    with open(args.out, "w", encoding="ascii") as f:
        f.write('{"made_with": ' + json.dumps(versions) + ',\n"tokenizers": ' + json.dumps(TOKENIZERS) + ',\n"rows": {\n')
        f.write(",\n".join(f"{json.dumps(n)}: {json.dumps(r, separators=(',', ':'))}" for n, r in ROWS.items()))
        f.write('},\n"cases": [\n')
        f.write(",\n".join(json.dumps(c, separators=(",", ":")) for c in TASKS))
        f.write("]}\n")


main()
