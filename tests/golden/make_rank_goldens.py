#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the goldens of rank files (tiktoken) and of tekken.json (mistral-common).

    make_rank_goldens.py OUT_FILE

Writes plain ASCII, one object:

  made_with  versions of tiktoken, mistral_common, transformers
  tokens     a small vocabulary in base64 by rank, trained here: the bytes, then merges
  texts      the texts
  ranks      {name of a pattern: list of ids of each text}, of tiktoken without special tokens
  tekken     name, file: a tekken.json but for its vocab, which is `tokens` with more behind it where
             vocab_more says so; with (BOS and EOS: the config key tokenizer_use_mistral_common),
             auto (AutoTokenizer: BOS), plain, text and skip (decoded `with` ids), parallel to
             `texts`; special {name: id}; size
  folder     a rank file as a folder's tokenizer.model: config (tokenizer_config.json), ids, plain,
             text, skip, tokens {text: id}

Needs the environment of Axolotl 0.19.
"""

import base64
import collections
import json
import os
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["AXOLOTL_DO_NOT_TRACK"] = "1"

import regex  # noqa: E402
import tiktoken  # noqa: E402
from tiktoken_ext import openai_public  # noqa: E402

TRAINING = """The quick brown fox jumps over the lazy dog. Don't they've we'll it's I'm you'd are're
Once upon a time there was a tokenizer that read every file it was given, and it gave ids back.
int main(void) { return printf("hello, world\\n") == 13 ? 0 : 1; }  /* 1234567890 2025-11-29 */
CamelCase HTTPServer XMLHttpRequest getElementById snake_case SCREAMING_CASE
Die Stra\u00dfe ist gro\u00df; l'\u00e9t\u00e9 fran\u00e7ais; \u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!
\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8 \u4e2d\u6587 \ud55c\uad6d\uc5b4
\t\tindent\n\n\n    four spaces\r\n  crlf\r\n
"""
TEXTS = [
    "",
    " ",
    "   ",
    "a",
    "Once upon a time there was a tokenizer.",
    "Don't DON'T we'LL it'S they'Ve I\u2019m 'd '\u017f 'K '\u212a 're're",
    "CamelCase HTTPServer getElementById SCREAMING_CASE iPhone15Pro \u01c5\u01c6\u01c4 \u02b0a",
    "1 12 123 1234 12345 1234567890 \u0663\u0664\u0665\u0666 \u00bd\u00b2\u2167 3.14e-10",
    "trailing   ",
    "trailing \n  \n ",
    "a\n\nb\r\n\r\n  c\t\td \n",
    "\n \r \u0085\u2028 \u00a0\u3000x",
    "e\u0301 a\u0308\u0323o \u0915\u094d\u0937\u093f \u0e01\u0e33 n\u0303/a\u0300/",
    "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3067\u3059\u3002\u4e2d\u6587\uff0c\ud55c\uad6d\uc5b4",
    "\U0001f600\U0001f469\u200d\U0001f4bb \U0001d400\U0001d7ce \U00010400\U00010428",
    "http://example.com/a/b?c=d&e=[1,2]//\n/// --->\r\n<s>[INST]<|endoftext|>[/INST]</s>",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u041c\u0418\u0420! \u0391\u03b2\u0393 \u0531\u0561",
    "\x00\x01\x7f\u00ad\u200b\ufeff\ufffd\ue000",
    "            deep indentation\n\tmixed \t tabs",
]

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]*[{LOWER}]+|[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]+[{LOWER}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def patterns():
    """tiktoken's own where it has one, without its files."""
    taken = {}

    def no_file(*args, **kwargs):
        return {bytes([b]): b for b in range(256)}

    openai_public.load_tiktoken_bpe = no_file
    openai_public.data_gym_to_mergeable_bpe_ranks = no_file
    for name in ("gpt2", "r50k_base", "p50k_base", "cl100k_base", "o200k_base"):
        taken[name] = openai_public.ENCODING_CONSTRUCTORS[name]()["pat_str"]
    taken["llama3"] = LLAMA3
    taken["qwen2"] = LLAMA3.replace("{1,3}", "")  # Qwen/Qwen-7B, tokenization_qwen.py
    taken["tekken"] = TEKKEN
    return taken


def train(count):
    words = collections.Counter()
    for word in regex.findall(TEKKEN, TRAINING * 2 + TRAINING.lower()):
        words[tuple(bytes([b]) for b in word.encode())] += 1
    tokens = [bytes([b]) for b in range(256)]
    while len(tokens) < count:
        pairs = collections.Counter()
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        best = max(pairs, key=lambda p: (pairs[p], p))
        tokens.append(best[0] + best[1])
        merged = collections.Counter()
        for word, n in words.items():
            made, i = [], 0
            while i < len(word):
                if word[i : i + 2] == best:
                    made.append(best[0] + best[1])
                    i += 2
                else:
                    made.append(word[i])
                    i += 1
            merged[tuple(made)] += n
        words = merged
    return tokens


def special(texts):
    return [{"rank": i, "token_str": t, "is_control": True} for i, t in enumerate(texts)]


NAMES = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
         "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]",
         "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
         "[TOOL_CONTENT]", "[ARGS]", "[CALL_ID]"]


def tekken_cases(size):
    def config(version, n_special, vocab):
        return {"pattern": TEKKEN, "num_vocab_tokens": size, "default_vocab_size": vocab,
                "default_num_special_tokens": n_special, "version": version}

    return [
        {"name": "v11", "file": {"config": config("v11", 30, 30 + size),
                                 "special_tokens": special(NAMES), "version": 1, "type": "Tekken"}},
        {"name": "v3_cut", "vocab_more": 5,
         "file": {"config": config("v3", 32, 32 + size)}},
    ]


def vocab_of(tokens):
    return [{"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": None}
            for i, t in enumerate(tokens)]


def more(count):
    return [b"\xff\xfe" + bytes([65 + i]) for i in range(count)]


def tekken_results(case, tokens, work):
    from axolotl.utils.mistral import HFMistralTokenizer
    from transformers import AutoTokenizer

    folder = os.path.join(work, case["name"])
    os.makedirs(folder)
    path = os.path.join(folder, "tekken.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(dict(case["file"], vocab=vocab_of(tokens + more(case.get("vocab_more", 0)))), f)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
        json.dump({"model_type": "mistral"}, f)
    own, auto = HFMistralTokenizer.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert type(auto).__name__ == "MistralCommonBackend"
    ids = [own(t).input_ids for t in TEXTS]
    return dict(
        case,
        **{
            "with": ids,
            "auto": [auto(t).input_ids for t in TEXTS],
            "plain": [own(t, add_special_tokens=False).input_ids for t in TEXTS],
            "text": [own.decode(i) for i in ids],
            "skip": [own.decode(i, skip_special_tokens=True) for i in ids],
            "special": {n: getattr(own, n + "_id")
                        for n in ("bos_token", "eos_token", "pad_token")},
            "size": len(own),
        },
    )


FOLDER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<|begin_of_text|>",
    "eos_token": "<|end_of_text|>",
    "extra_special_tokens": ["<|begin_of_text|>", "<|end_of_text|>", "<s>", "[INST]"],
}


def folder_results(tokens, work):
    from transformers import AutoTokenizer

    folder = os.path.join(work, "folder")
    os.makedirs(folder)
    with open(os.path.join(folder, "tokenizer.model"), "wb") as f:
        for i, t in enumerate(tokens):
            f.write(base64.b64encode(t) + b" %d\n" % i)
    for name, value in (("config.json", {"model_type": "llama"}),
                        ("tokenizer_config.json", FOLDER_CONFIG)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            json.dump(value, f)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    vocab, ids = tokenizer.get_vocab(), [tokenizer(t).input_ids for t in TEXTS]
    return {
        "config": FOLDER_CONFIG,
        "class": type(tokenizer).__name__,
        "ids": ids,
        "plain": [tokenizer(t, add_special_tokens=False).input_ids for t in TEXTS],
        "text": [tokenizer.decode(i) for i in ids],
        "skip": [tokenizer.decode(i, skip_special_tokens=True) for i in ids],
        "tokens": {t: vocab[t] for t in FOLDER_CONFIG["extra_special_tokens"]},
    }


def main():
    tokens = train(420)
    ranks = {t: i for i, t in enumerate(tokens)}
    made = {}
    for name, pattern in patterns().items():
        encoding = tiktoken.Encoding(name="golden", pat_str=pattern, mergeable_ranks=ranks,
                                     special_tokens={})
        made[name] = [encoding.encode_ordinary(t) for t in TEXTS]
    with tempfile.TemporaryDirectory() as work:
        tekken = [tekken_results(c, tokens, work) for c in tekken_cases(len(tokens))]
        folder = folder_results(tokens, work)
    import mistral_common
    import transformers

    with open(sys.argv[1], "w", encoding="ascii") as f:
        json.dump({"made_with": {"tiktoken": tiktoken.__version__,
                                 "mistral_common": mistral_common.__version__,
                                 "transformers": transformers.__version__},
                   "tokens": [base64.b64encode(t).decode() for t in tokens], "texts": TEXTS,
                   "ranks": made, "tekken": tekken, "folder": folder}, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
