#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_row_orders.py: which rows Axolotl trains and validates on, in which order, into row_orders.json.

    python3 make_row_orders.py

files: the texts of data files.  type: what "own" stands for.  cases: a line {"config", "train", "validation"} each:
keys of a config, and the rows that axolotl.utils.data.sft makes of them (null where there are none; "train" is null
where it fails).  A row is the text of its bytes.  The step from a record to ids is replaced by that of a tokenizer of bytes
with <s> and </s> around a prompt `instruction` and a response `output`; everything else is Axolotl's own.
slices: [split, rows, [[from, to], …]] of datasets.ReadInstruction, null where it fails.
groups: [lengths, samples a step, [index, …]] of transformers' LengthGroupedSampler, its random order being 0, 1, 2, ….
Needs Axolotl 0.19.0, datasets 4.8.4 and transformers 5.16.1.
"""
import json
import logging
import os
import random
import tempfile

import datasets
import torch
from axolotl.utils.data import sft
from axolotl.utils.dict import DictDefault
from transformers.trainer_pt_utils import get_length_grouped_indices

HERE = os.path.dirname(os.path.abspath(__file__))
RANDOM = random.Random(3)
TYPE = {"field_instruction": "instruction", "field_output": "output", "format": "{instruction}",
        "no_input_format": "{instruction}"}


def records(first, n):
    """Rows with lengths from 4 on, some of them twice."""
    rows = [{"instruction": "." * RANDOM.randrange(9), "output": f"{first}{i}"} for i in range(n)]
    for i in range(n // 5):
        rows[RANDOM.randrange(n)] = rows[i]
    return rows


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def csv(rows):
    return "instruction,output\n" + "".join(f'"{r["instruction"]}",{r["output"]}\n' for r in rows)


FILES = {"a.jsonl": lines(records("a", 23)), "b.json": json.dumps(records("b", 9)), "c.csv": csv(records("c", 14)),
         "d/train-0.jsonl": lines(records("d", 7)), "d/train-1.jsonl": lines(records("e", 6)),
         "d/test.jsonl": lines(records("t", 8)), "d/validation.jsonl": lines(records("v", 5)),
         "one.jsonl": lines(records("o", 1))}

A, B, C, D = ({"path": p, "type": TYPE} for p in ("a.jsonl", "b.json", "c.csv", "d"))
STAY = {"shuffle_merged_datasets": False}
SPLITS = ("train", "train[:5]", "train[-4:]", "train[3:9]", "train[10%:60%]", "train[:1%]", "train[-30%:]",
          "train[:3]+train[5:8]", "train[20:]+train[:2]", "train[:50%](closest)", "train[40:]", "train[7:7]",
          "train[:0]+train[2:4]", "nosuch", "train+test", "train[:120%]", "train[]", "train[: 3]")


def entry(of, **more):
    return {**of, **more}


def cases():
    yield {"datasets": [A]}
    for seed in (0, 7, 2**31):
        yield {"datasets": [A], "seed": seed}
    for split in SPLITS:
        yield {"datasets": [entry(A, split=split)], **STAY}
        yield {"datasets": [entry(D, split=split)], **STAY}
    yield {"datasets": [entry(D, split="all")], **STAY}
    yield {"datasets": [entry(D, split="train+test[:3]+validation"), C], "seed": 9}
    for shards, index in ((2, 0), (2, 1), (3, 2), (5, 4), (23, 22), (30, 3), (30, 25), (4, 4)):
        yield {"datasets": [entry(A, shards=shards, shards_idx=index)], **STAY}
    yield {"datasets": [entry(A, shards=4)]}
    yield {"datasets": [entry(A, shards=4, shards_idx=1, split="train[5:]"), entry(D, shards=2, shards_idx=1)], "seed": 5}
    for n in (1, 2, 3, 7, 40):
        yield {"datasets": [entry(A, preprocess_shards=n)], **STAY}
        yield {"datasets": [entry(A, preprocess_shards=n)]}
    yield {"datasets": [entry(A, preprocess_shards=3)], "curriculum_sampling": True}
    yield {"datasets": [entry(A, preprocess_shards=3), B], "shuffle_before_merging_datasets": True, **STAY}
    yield {"datasets": [entry(A, preprocess_shards=3, shards=2)], **STAY}
    for before in (False, True):
        for after in (False, True):
            for curriculum in (False, True):
                how = {"shuffle_before_merging_datasets": before, "shuffle_merged_datasets": after,
                       "curriculum_sampling": curriculum}
                yield {"datasets": [A], **how}
                yield {"datasets": [A, B, C], "seed": 11, **how}
    for how in ("drop", "truncate", "raise", "DROP"):
        yield {"datasets": [A, B], "excess_length_strategy": how, "sequence_len": 9}
        yield {"datasets": [A, B], "excess_length_strategy": how, "sequence_len": 9, "min_sample_len": 6}
        yield {"datasets": [A, B], "excess_length_strategy": how, "min_sample_len": 7}
    yield {"datasets": [A], "dataset_exact_deduplication": True, **STAY}
    yield {"datasets": [A, A, C], "dataset_exact_deduplication": True}
    yield {"datasets": [A, C], "dataset_exact_deduplication": True, "val_set_size": 0.2, "sequence_len": 11}
    yield {"datasets": [A, B], "dataset_exact_deduplication": True, "excess_length_strategy": "truncate",
           "sequence_len": 9, "val_set_size": 3}
    for size in (0.01, 0.1, 0.25, 0.999, 2, 22, 23, 30):
        yield {"datasets": [A], "val_set_size": size}
    yield {"datasets": [A], "test_datasets": [B]}
    yield {"datasets": [D], "test_datasets": [D], "seed": 3}
    yield {"datasets": [D], "test_datasets": [entry(D, split="validation[:3]"), entry(A, split="train[-5:]")]}
    yield {"datasets": [A], "test_datasets": [entry(D, split="train")], "dataset_exact_deduplication": True}
    yield {"datasets": [A, B], "test_datasets": [C], **STAY, "shuffle_before_merging_datasets": True}
    for how, most in (("drop", 6), ("drop", 9), ("drop", 40), ("truncate", 6), ("truncate", 9), ("truncate", 40),
                      ("raise", 40)):
        yield {"datasets": [A], "test_datasets": [C], "excess_length_strategy": how, "sequence_len": 13,
               "eval_sequence_len": most}
    yield {"datasets": [A], "val_set_size": 4, "sequence_len": 13, "eval_sequence_len": 6}
    for num, index in ((2, 0), (3, 1), (5, 4), (3, 3)):
        yield {"datasets": [A], "dataset_shard_num": num, "dataset_shard_idx": index}
        yield {"datasets": [A, C], "dataset_shard_num": num, "dataset_shard_idx": index, "val_set_size": 0.3}
        yield {"datasets": [A], "test_datasets": [C], "dataset_shard_num": num, "dataset_shard_idx": index}
    yield {"datasets": [A], "dataset_shard_num": 3}
    yield {"datasets": [{"path": "one.jsonl", "type": TYPE}]}
    yield {"datasets": [{"path": ".", "data_files": ["b.json", "a.jsonl"], "split": "train[4:12]", "type": TYPE}]}
    yield {"datasets": [{"path": ".", "data_files": "b.json", "split": "train", "type": TYPE}], "seed": 1}


def wrap(dataset_config, tokenizer, cfg, dataset_base_type, dataset, dataset_prompt_style, processor):
    def ids_of(row):
        prompt, answer = (list(row[k].encode()) if row[k] else [] for k in ("instruction", "output"))
        ids = [256, *prompt, *answer, 257]
        return {"input_ids": ids, "attention_mask": [1] * len(ids),
                "labels": [-100] * (1 + len(prompt)) + ids[1 + len(prompt):]}
    return dataset.map(ids_of, remove_columns=dataset.column_names), None


def texts(dataset):
    """Rows with a trained token: others are left out of both sides."""
    if dataset is None:
        return None
    return ["".join(map(chr, (i for i in row["input_ids"] if i < 256))) for row in dataset
            if any(label != -100 for label in row["labels"][1:])]


def run(config):
    with tempfile.TemporaryDirectory() as prepared:
        cfg = DictDefault({"seed": 42, "sequence_len": 64, "val_set_size": 0, "shuffle_merged_datasets": True,
                           "dataset_prepared_path": prepared, "is_preprocess": True, **config})
        tokenizer = type("Tokenizer", (), {"name_or_path": "bytes"})
        try:
            train, validation, _ = sft._load_and_prepare_datasets(tokenizer, cfg, split="train")
            if cfg.test_datasets:
                _, validation, _ = sft._load_and_prepare_datasets(tokenizer, cfg, split="test")
            return {"config": short(config), "train": texts(train), "validation": texts(validation)}
        except Exception as error:  # of many kinds
            return {"config": short(config), "train": None, "validation": None,
                "error": str(error).splitlines()[0][:60]}


def short(config):
    return json.loads(json.dumps(config).replace(json.dumps(TYPE), '"own"'))


def slices():
    for spec in SPLITS + ("train[2:1]", "train[33%:67%]", "train[:-1%]", "train[-1%:]", "train[:1_0]",
                          "train[5%:5]", "train[101%:]", "train[:10%](pct1_dropremainder)", "train[-100%:]",
                          "train[:](closest)", "train[1:2](x)",
                          "train.part[:2]", "train[:2", "+train", "train +  train[1:]", "train[ -1:]", ""):
        for rows in (1, 3, 50, 99, 100, 150, 237, 1005):
            try:
                parts = datasets.ReadInstruction.from_spec(spec).to_absolute({"train": rows, "train.part": rows})
                yield [spec, rows, [[p.from_, p.to] for p in parts]]
            except Exception:
                yield [spec, rows, None]


def groups():
    torch.randperm = lambda n, generator: torch.arange(n)
    for n, items in ((1, 1), (7, 2), (8, 2), (30, 4), (31, 3), (40, 50), (130, 1), (260, 1)):
        lengths = [RANDOM.randrange(1, 40) for _ in range(n)]
        yield [lengths, items, get_length_grouped_indices(lengths, items)]


if __name__ == "__main__":
    datasets.disable_progress_bars()
    logging.disable(logging.CRITICAL)
    sft.get_dataset_wrapper = wrap
    sft.save_preprocessed_dataset = lambda *unused: None
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HF_HUB_OFFLINE"] = "1"
        os.chdir(folder)
        for name, text in FILES.items():
            os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
            with open(name, "w", encoding="utf-8") as f:
                f.write(text)
        made = [run(config) for config in cases()]
        os.chdir(HERE)
    with open("row_orders.json", "w", encoding="utf-8") as f:
        f.write('{"files": ' + json.dumps(FILES) + ',\n"type": ' + json.dumps(TYPE) + ',\n"slices": [\n' +
                ",\n".join(map(json.dumps, slices())) + '],\n"groups": [\n' + ",\n".join(map(json.dumps, groups())) +
                '],\n"cases": [\n' + ",\n".join(map(json.dumps, made)) + "]}\n")
