#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the goldens of byte-level tokenizers with transformers' AutoTokenizer.

    make_byte_level_goldens.py SHARED_DIR OUT_DIR

Trains a small byte-level BPE on the texts below (tokenizers, no randomness) and writes
OUT_DIR/byte_level_goldens.json in the form that make_tokenizer_goldens.py describes: the same
vocabulary as a folder of GPT2Tokenizer, of Qwen2Tokenizer, and as PreTrainedTokenizerFast with the
pre-tokenizers that Llama-3, SmolLM2 and others write into their files.  `bare` is Llama-3's rank file
as tiktoken runs it, with and without BOS.
"""
import json
import os
import random
import sys
import tempfile

from make_tokenizer_goldens import (
    Pool, data_results, data_texts, flagged, hard_texts, open_case, text_results)
import tiktoken
import tiktoken.load
import tokenizers
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
LLAMA3 = (r"(?i:" + CONTRACTIONS + r")|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
GPT2 = CONTRACTIONS + r"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

TRAINING = [
    "The quick brown fox jumps over the lazy dog. It's what we've seen, and they'll see it too.",
    "I'm sure you're right; he'd have said so. Don't they know? We can't tell them that.",
    "In 2024 there were 1234567 people, 3.14159 of whom paid 99.95 for 12 things.",
    "def main(argc, argv):\n    for i in range(10):\n        print(i, argv[i])\n    return 0\n",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. Ça va très bien, déjà vu.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. 中文字符和日本語のテキスト。",
    "<html>\n\t<body class=\"x\">Hello, world!</body>\r\n</html>\n\n\n  and   some    spaces     here",
    "the then there their them these those this that thing think thank through though thought",
] * 3


def vocabulary():
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.train_from_iterator(TRAINING, trainers.BpeTrainer(
        vocab_size=480, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    made = json.loads(tok.to_str())["model"]
    return made["vocab"], made["merges"]


VOCAB, MERGES = vocabulary()
END, START = len(VOCAB), len(VOCAB) + 1


def special(ident, text):
    return {"id": ident, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True}


def byte_level(prefix=False, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True,
            "use_regex": regex}


def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated",
            "invert": False}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def template():
    text = {"Sequence": {"id": "A", "type_id": 0}}
    start = {"SpecialToken": {"id": "<|begin|>", "type_id": 0}}
    return {"type": "TemplateProcessing", "single": [start, text],
            "pair": [start, text, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<|begin|>": {"id": "<|begin|>", "ids": [START],
                                             "tokens": ["<|begin|>"]}}}


def tokenizer_json(pre, normalizer=None, post=None, **model):
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(END, "<|endoftext|>"), special(START, "<|begin|>")],
        "normalizer": normalizer, "pre_tokenizer": pre, "post_processor": post,
        "decoder": byte_level(),
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
                  "byte_fallback": False, "vocab": VOCAB, "merges": MERGES, **model}}


def case(name, tokenizer_class, made, model_type="llama", **config):
    return {"name": name, "copy": {}, "edit": {}, "write": {
        "config.json": {"model_type": model_type}, "tokenizer.json": made,
        "tokenizer_config.json": {"tokenizer_class": tokenizer_class,
                                  "eos_token": "<|endoftext|>", **config}}}


FAST = "PreTrainedTokenizerFast"
CASES = [
    case("bytes-llama3", FAST, tokenizer_json(
        sequence(split(LLAMA3), byte_level(regex=False)), ignore_merges=True,
        post={"type": "Sequence", "processors": [byte_level(), template()]}),
         bos_token="<|begin|>"),
    case("bytes-gpt2", "GPT2Tokenizer", tokenizer_json(byte_level()), "gpt2"),
    case("bytes-gpt2-prefix", "GPT2Tokenizer", tokenizer_json(byte_level()), "gpt2",
         add_prefix_space=True),
    case("bytes-qwen2", "Qwen2Tokenizer", tokenizer_json(
        sequence(split(QWEN2), byte_level(regex=False)), {"type": "NFC"}), "qwen2",
         pad_token="<|endoftext|>"),
    # The class makes its own pipeline: the digits of the file play no part.
    case("bytes-smollm2", "GPT2Tokenizer", tokenizer_json(
        sequence({"type": "Digits", "individual_digits": True}, byte_level())),
         bos_token="<|begin|>"),
    case("bytes-digits", FAST, tokenizer_json(
        sequence({"type": "Digits", "individual_digits": True}, byte_level()))),
    case("bytes-digit-runs-prefix", FAST, tokenizer_json(
        sequence({"type": "Digits", "individual_digits": False}, byte_level(prefix=True)),
        {"type": "NFC"})),
    case("bytes-split-gpt2", FAST, tokenizer_json(
        sequence(split(GPT2), byte_level(prefix=True, regex=False)))),
]

VARIANTS = [
    # The classes make their own pipelines; GPTNeoXTokenizer its post-processor, too.
    case("bytes-qwen3_5", "Qwen2Tokenizer", tokenizer_json(byte_level()), "qwen3_5"),
    case("bytes-qwen3_5-class", "Qwen3_5Tokenizer", tokenizer_json(byte_level()), "other",
         add_prefix_space=True),
    case("bytes-neox", "GPTNeoXTokenizer", tokenizer_json(
        byte_level(), post=template()), "gpt_neox", bos_token="<|begin|>", add_bos_token=True),
    case("bytes-codegen", "CodeGenTokenizer", tokenizer_json(
        sequence({"type": "Digits", "individual_digits": True}, byte_level())), "codegen"),
    case("bytes-cohere", "CohereTokenizer", tokenizer_json(byte_level(), post={
        "type": "Sequence", "processors": [template(), byte_level()]}), "cohere",
         bos_token="<|begin|>", eos_token="<|endoftext|>", add_prefix_space=True),
]


def more_texts():
    texts = [
        "It's IT'S we'RE 'Ve x'll 'D 'dx 'tt '\u017f a'\u017fb 's's ''s '",
        "1 12 123 1234 12345 a1b22c333d4444 \u0661\u0662\u0663\u0664 \u00bd\u00bc \u2460\u2461 \u4e00\u4e8c",
        "a\n b\r\n c\r\r\n\n d \n \n e\t\n\t f  \u00a0\u2003g\u2028h\u0085i\u3000",
        "...!!! ?!? (a) [b] {c} a.b,c;d:e - -- --- a-b a_b \n!\n\n!\r\n",
        "e\u0301 a\u0323\u0307 \u212b \u1112\u1161\u11ab q\u0307\u0323 \u0958 \u0344 \u0f73 \u1d15e",
        "a\u0345\u0899 a\u0334\u1abf\u0301 \U00011935\U00011930 \U0001e08f\u0301e\u0301",
        "\U0001d7d8\U0001d7d9 \U00010d50 \U0001ccf0 \u19da \u3007",
    ]
    rng = random.Random(20261128)
    pieces = ["'", "'s", "'LL", " ", "  ", "\n", "\r\n", "\t", "1", "42", "007", "the", "The", "\u00e9",
              "e\u0301", "\u4e2d\u6587", "\u0436\u0443", "\U0001f600", "!", "...", "-", "_", "\u00a0", "\u2003",
              "\u0661", "\u00bd", "<|endoftext|>", "\u0300", "a", "Z", "\u1100\u1161", "\x00", "\U000e0041"]
    for _ in range(300):
        texts.append("".join(rng.choice(pieces) for _ in range(rng.randint(1, 12))))
    for _ in range(120):
        texts.append("".join(
            chr(rng.choice([rng.randint(0, 0x2FF), rng.randint(0x300, 0x36F), rng.randint(0x370, 0xD7FF),
                            rng.randint(0xE000, 0x10FFFF)])) for _ in range(rng.randint(1, 10))))
    return texts


RANKS = "tokenizers/llama3.tiktoken"
LLAMA3_SPECIALS = [
    "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>",
    "<|reserved_special_token_1|>", "<|finetune_right_pad_id|>", "<|step_id|>",
    "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"]
LLAMA3_SPECIALS += [f"<|reserved_special_token_{i}|>" for i in range(2, 247)]


def llama3(shared):
    """Encoding as llama-models' tokenizer.py makes it; special tokens in a text count."""
    ranks = tiktoken.load.load_tiktoken_bpe(os.path.join(shared, RANKS))
    made = tiktoken.Encoding("llama3", pat_str=LLAMA3, mergeable_ranks=ranks, special_tokens={
        name: len(ranks) + i for i, name in enumerate(LLAMA3_SPECIALS)})

    def encode(text, special):
        return [len(ranks)] * special + made.encode(text, allowed_special="all")
    return encode


def bare_results(shared, pool, hard, data):
    encode = llama3(shared)
    return [{"file": RANKS, "data": data_results(encode, data),
             "hard": text_results(pool, encode, None, hard)}]


def main():
    shared, out = sys.argv[1:]
    hard = [t for t in hard_texts() if len(t) < 400] + more_texts()
    rng = random.Random(7)
    decode = [[], [END], [START, 70, END], [999999, 70]]
    decode += [[rng.randrange(END + 2) for _ in range(rng.randint(1, 9))] for _ in range(60)]
    decode += [[rng.randrange(256) for _ in range(rng.randint(1, 9))] for _ in range(60)]
    data = {}
    for name in ("alpaca_en_demo.json", "c4_demo.jsonl"):
        data[name] = data_texts(os.path.join(shared, "data", name))
    pool, cases, variants = Pool(), [], []
    with tempfile.TemporaryDirectory() as root:
        for c in CASES:
            encode, decoded, made = open_case(shared, root, c)
            print(c["name"], made)
            c["data"] = data_results(encode, data)
            c["hard"] = text_results(pool, encode, decoded, hard)
            c["decode"] = {"text": [pool.add(decoded(ids, False)) for ids in decode],
                           "text_skip": [pool.add(decoded(ids, True)) for ids in decode]}
            cases.append(c)
        for c in VARIANTS:
            encode, decoded, made = open_case(shared, root, c)
            print(c["name"], made)
            variants.append(dict(c, **text_results(pool, encode, decoded, hard[::6])))
    bare = bare_results(shared, pool, hard, data)
    made = {"made_with": {"transformers": transformers.__version__,
                          "tokenizers": tokenizers.__version__, "tiktoken": tiktoken.__version__},
            "bare": bare, "pool": pool.items, "hard": hard, "decode": decode, "cases": cases,
            "variant_texts": hard[::6], "variants": variants}
    with open(os.path.join(out, "byte_level_goldens.json"), "w", encoding="ascii") as f:
        json.dump(made, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
