#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the goldens of tokens that a config adds to a tokenizer, with Axolotl's own loader.

    make_new_token_goldens.py OUT_FILE
    make_new_token_goldens.py --check OUT_FILE

Writes plain ASCII, one object:

  made_with  versions of axolotl, transformers, tokenizers
  texts      the texts
  cases      name, files {name: JSON value} of a folder, of which "tokenizer.json" and
             "tokenizer.model" may be true: that of examples/tiny-llama; keys {key of a config:
             value}; ids and plain (without added special tokens), text and skip (decoded ids,
             special tokens left out in the second), lists parallel to `texts`; tokens {text: id};
             special {name: id}; size: len(tokenizer)

Needs the environment of Axolotl 0.19 (transformers 5.16).  --check opens the cases with axl's Python
binding (AXL_LIBRARY names libaxl) and saves them: transformers must read the saved folders with the
ids of the goldens.
"""

import json
import os
import shutil
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["AXOLOTL_DO_NOT_TRACK"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

HERE = os.path.dirname(os.path.abspath(__file__))
TINY = os.path.join(HERE, "..", "..", "examples", "tiny-llama")

TEXTS = [
    "",
    "Once upon a time",
    "<tool> a<tool>b </tool>c",
    " <|im_start|>user\nhi<|im_end|>\n<pad>",
    "x<s>y</s>z <new> <r0><r1> <r2>",
    "\u00e9<|im_end|>\U0001f600<tool>",
]

LLAMA = {
    "tokenizer.json": True,
    "tokenizer.model": True,
    "config.json": {"model_type": "llama"},
    "tokenizer_config.json": {
        "tokenizer_class": "LlamaTokenizer",
        "add_bos_token": True,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "legacy": False,
    },
}
MODEL = {k: v for k, v in LLAMA.items() if k != "tokenizer.json"}
LISTED = dict(
    LLAMA,
    **{
        "tokenizer_config.json": dict(
            LLAMA["tokenizer_config.json"], additional_special_tokens=["<x>", "<tool>"]
        )
    },
)


def byte_tokenizer():
    """Of single bytes and one pair, with reserved tokens to override."""
    order = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    rest = [b for b in range(256) if b not in order]
    chars = [chr(b) for b in order] + [chr(256 + i) for i in range(len(rest))]
    vocab = {c: i for i, c in enumerate(chars)}
    vocab["on"] = 256
    texts = ["<s>", "</s>", "<r0>", "<r1>", "<r2>"]
    added = [
        {"id": 257 + i, "content": t, "single_word": False, "lstrip": False, "rstrip": i == 4,
         "normalized": i == 3, "special": i != 3}
        for i, t in enumerate(texts)
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": None, "pre_tokenizer": level,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [257], "tokens": ["<s>"]}},
        },
        "decoder": level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": vocab, "merges": [["o", "n"]]},
    }


def decoder_key(added):
    return {str(a["id"]): {k: v for k, v in a.items() if k != "id"} for a in added}


BYTES = byte_tokenizer()
FAST = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>",
        "pad_token": "<r0>"}
BYTE = {"tokenizer.json": BYTES, "config.json": {"model_type": "llama"},
        "tokenizer_config.json": FAST}
DECODER = dict(BYTE, **{"tokenizer_config.json": dict(
    FAST, added_tokens_decoder=decoder_key(BYTES["added_tokens"]))})
CHAT = {"tokens": ["<|im_start|>", "<tool>", "</tool>"],
        "special_tokens": {"eos_token": "<|im_end|>", "pad_token": "<pad>"}}
EXTRA = {"special_tokens": {"additional_special_tokens": ["<|im_start|>", "<|im_end|>", "<new>"]},
         "tokens": ["<|im_end|>", "e", "Once", "on"]}

CASES = [
    ("llama_tokens", LLAMA, {"tokens": ["<tool>", "</tool>", "<tool>", "<s>"]}),
    ("llama_chat", LLAMA, CHAT),
    ("llama_extra", LLAMA, EXTRA),
    ("llama_listed", LISTED, dict(EXTRA, tokens=["<new>", "<x>", "<tool>"])),
    ("model_chat", MODEL, CHAT),
    ("model_extra", MODEL, EXTRA),
    ("byte_chat", BYTE, CHAT),
    ("byte_extra", BYTE, EXTRA),
    ("byte_override", BYTE, {"added_tokens_overrides": {"260": "<tool>", "261": "<|im_end|>"}}),
    ("byte_override_named", BYTE, dict(CHAT, added_tokens_overrides={"259": "<|im_end|>"})),
    ("decoder_override", DECODER, {"added_tokens_overrides": {"260": "<tool>", "261": "<new>"},
                                   "special_tokens": {"pad_token": "<new>"}}),
    ("decoder_chat", DECODER, CHAT),
    ("llama_override", LLAMA, {"added_tokens_overrides": {"2": "<|im_end|>"},
                               "special_tokens": {"eos_token": "<|im_end|>"}}),
]


def write_folder(folder, files):
    os.makedirs(folder)
    for name, value in files.items():
        if value is True:
            shutil.copy(os.path.join(TINY, name), folder)
        else:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                json.dump(value, f)


NAMES = ["<s>", "</s>", "<unk>", "<r0>", "<r1>", "<r2>", "<x>", "<tool>", "</tool>", "<new>", "<pad>",
         "<|im_start|>", "<|im_end|>", "on", "Once"]


def results(tokenizer):
    vocab = tokenizer.get_vocab()
    ids = [tokenizer(t).input_ids for t in TEXTS]
    return {
        "ids": ids,
        "plain": [tokenizer(t, add_special_tokens=False).input_ids for t in TEXTS],
        "text": [tokenizer.decode(i) for i in ids],
        "skip": [tokenizer.decode(i, skip_special_tokens=True) for i in ids],
        "tokens": {t: vocab[t] for t in sorted(NAMES) if t in vocab},
        "special": {n: getattr(tokenizer, n + "_id") for n in ("bos_token", "eos_token", "pad_token")},
        "size": len(tokenizer),
    }


def load(folder, keys, work):
    from axolotl.loaders.tokenizer import load_tokenizer
    from axolotl.utils.dict import DictDefault

    cfg = DictDefault(dict(keys, tokenizer_config=folder, base_model=folder, base_model_config=folder,
                           output_dir=work, adapter=None))
    return load_tokenizer(cfg)


def main():
    with tempfile.TemporaryDirectory() as work:
        made = []
        for name, files, keys in CASES:
            folder = os.path.join(work, name)
            write_folder(folder, files)
            tokenizer = load(folder, keys, os.path.join(work, name + "_out"))
            made.append(dict(name=name, files=files, keys=keys, **results(tokenizer)))
    import axolotl
    import tokenizers
    import transformers

    with open(sys.argv[1], "w", encoding="ascii") as f:
        json.dump({"made_with": {"axolotl": axolotl.__version__,
                                 "transformers": transformers.__version__,
                                 "tokenizers": tokenizers.__version__},
                   "texts": TEXTS, "cases": made}, f, separators=(",", ":"))
        f.write("\n")


def save(folder, keys, saved):
    sys.path.insert(0, os.path.join(HERE, "..", "..", "bindings", "python"))
    import axl

    named = dict(keys.get("special_tokens", {}))
    axl.Tokenizer.open(
        folder, special_tokens=named.pop("additional_special_tokens", []), **named,
        tokens=keys.get("tokens", []),
        overrides={int(k): v for k, v in keys.get("added_tokens_overrides", {}).items()},
    ).save(saved)


def check(goldens):
    from transformers import AutoTokenizer

    wrong = 0
    with open(goldens, encoding="ascii") as f:
        cases = json.load(f)["cases"]
    with tempfile.TemporaryDirectory() as work:
        for c in cases:
            folder, saved = os.path.join(work, c["name"]), os.path.join(work, c["name"] + "_saved")
            write_folder(folder, c["files"])
            os.makedirs(saved)
            save(folder, c["keys"], saved)
            shutil.copy(os.path.join(folder, "config.json"), saved)
            got = results(AutoTokenizer.from_pretrained(saved))
            if got["special"]["pad_token"] is None:  # Axolotl's loader names one when it loads
                got["special"]["pad_token"] = c["special"]["pad_token"]
            for key, value in got.items():
                if value != c[key]:
                    wrong += 1
                    print(c["name"], key, value, c[key])
    print(wrong, "differences in", len(cases), "cases")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        check(sys.argv[2])
    else:
        main()
