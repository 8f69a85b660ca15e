#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tokenizer goldens with transformers' AutoTokenizer, and sentencepiece for bare files.

    make_tokenizer_goldens.py SHARED_DIR OUT_DIR

Writes OUT_DIR/tokenizer_goldens.json, plain ASCII, one object:

  made_with   versions of transformers, tokenizers, sentencepiece
  pool        every distinct id list and string of the results; results are indices into it
  hard        the hard texts (strings)
  decode      id lists that no text encodes to (broken byte runs, specials, ids out of range)
  cases       per tokenizer directory:
    name, copy {file in the directory: file under SHARED_DIR}, write {file: JSON value},
    edit {file: [[old, new] ...]}  literal replacements in a copied file, each occurring once
    data {file under SHARED_DIR/data: {texts, with: {ids, sha256}, plain: {ids, sha256}}}
    hard {with, plain, text, text_skip}  lists parallel to `hard`
    decode {text, text_skip}             lists parallel to `decode`
  variants    small cases with lists parallel to `variant_texts`, as in hard
  bare        .model files given as a file: what SentencePiece gives with BOS ("with") and without
              ("plain"); no decoding

with: special tokens added; plain: add_special_tokens=False; text, text_skip: decode of the `with`
ids, skip_special_tokens False and True.  sha256 is over the little-endian int32 sequence
[count, ids ...] of every text in turn.  The texts of a data file are all string values (never keys)
of all records, depth first, in document order.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from array import array

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import sentencepiece  # noqa: E402
import tokenizers  # noqa: E402
import transformers  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

STORIES = "models/stories260K/"
LLAMA2 = "tokenizers/llama2.model"
BASE = {
    "add_bos_token": True,
    "add_eos_token": False,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "model_max_length": 512,
}
LLAMA = dict(BASE, tokenizer_class="LlamaTokenizer")
FAST = dict(BASE, tokenizer_class="PreTrainedTokenizerFast")
CONFIG = {"model_type": "llama"}
BOTH = {
    "tokenizer.model": STORIES + "tokenizer.model",
    "tokenizer.json": STORIES + "tokenizer.json",
}
MODEL = {"tokenizer.model": STORIES + "tokenizer.model"}
MODEL2 = {"tokenizer.model": LLAMA2}


def case(name, copy, tokenizer_config, edit=None, **write):
    write = {k.replace("__", ".").replace("_json", ".json"): v for k, v in write.items()}
    write.setdefault("config.json", CONFIG)
    if tokenizer_config is not None:
        write["tokenizer_config.json"] = tokenizer_config
    return {"name": name, "copy": copy, "write": write, "edit": edit or {}}


CASES = [
    {
        "name": "stories",
        "edit": {},
        "write": {},
        "copy": {
            f: STORIES + f
            for f in ("config.json", "tokenizer.model", "tokenizer.json", "tokenizer_config.json")
        },
    },
    case("stories-legacy-false", BOTH, dict(LLAMA, legacy=False)),
    case("stories-legacy-absent", BOTH, LLAMA),
    case("stories-model-legacy-true", MODEL, dict(LLAMA, legacy=True)),
    case("stories-model-legacy-false", MODEL, dict(LLAMA, legacy=False)),
    case("stories-fast", BOTH, FAST),
    case("stories-fast-model", MODEL, FAST),
    case("llama2-legacy-true", MODEL2, dict(LLAMA, legacy=True)),
    case("llama2-legacy-false", MODEL2, dict(LLAMA, legacy=False)),
]


def added(ident, content, flags=""):
    return {
        "id": ident,
        "content": content,
        "single_word": "w" in flags,
        "lstrip": "l" in flags,
        "rstrip": "r" in flags,
        "normalized": "n" in flags,
        "special": "s" in flags,
    }


def flagged(content, flags=""):
    value = added(0, content, flags)
    del value["id"]
    return value


EXTRA = [
    added(600, "<new>", "s"),
    added(601, "foo", "n"),
    added(602, "<l>", "l"),
    added(603, "<r>", "rs"),
    added(604, "wd", "w"),
    added(605, "the", "ns"),
    added(606, " t"),
    added(607, "<news>", ""),
]
LAST = (
    '{"id": 2, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,'
    ' "normalized": false, "special": true}'
)
ADD = [LAST + "]", LAST + "".join(", " + json.dumps(e) for e in EXTRA) + "]"]
NORMALIZER = (
    '"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, '
    '{"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}, "pre_tokenizer": null'
)


TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [
        {"SpecialToken": {"id": "<s>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ],
    "pair": [
        {"SpecialToken": {"id": "<s>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "<s>", "type_id": 1}},
        {"Sequence": {"id": "B", "type_id": 1}},
    ],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
}


def metaspace(scheme, split):
    return [
        NORMALIZER,
        '"normalizer": null, "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", '
        '"prepend_scheme": "%s", "split": %s}' % (scheme, split),
    ]


def json_edit(*pairs):
    return {"tokenizer.json": [list(p) for p in pairs]}


NO_E4 = ['"<0xE4>": 231, ', ""]
NO_BYTES = ['"byte_fallback": true', '"byte_fallback": false']
DECODER_FLAGS = {"0": flagged("<unk>", "s"), "9": flagged("<l>", "l"), "7": flagged("<r>", "rs")}
FLAG_TEXTS = [
    "",
    " ",
    "a</s> b",
    "a</s>b",
    "a <new>b",
    "a<new> b",
    "<new><new>",
    "<news>",
    "<new s>",
    "foo a foo xfoo",
    " foo",
    "a</s>foo",
    "a \u3000\n<l> b<r> \t c",
    "<r>  <l>a",
    "wd xwd wdx wd",
    "wdwd wd",
    "a,wd,b",
    "\u00e9wd wd\u00e9 wd\u0301 wd_ wd1",
    "the other then the",
    "in time on top",
    " t t",
    "he<pad>he",
    "<pad>",
    "<unk>a<s>",
    "x\u4e2d\ny\u4e2d\u4e2d\n",
    "\u4e2d",
    "\u4e2d\n",
    "<0x0A>",
    "he",
    "very",
    "  once  upon  ",
]
VARIANTS = [
    case("added-llama-legacy-true", BOTH, dict(LLAMA, legacy=True), json_edit(ADD)),
    case("added-llama-legacy-false", BOTH, dict(LLAMA, legacy=False), json_edit(ADD)),
    case("added-fast", BOTH, FAST, json_edit(ADD)),
    case(
        "split-special-tokens",
        BOTH,
        dict(LLAMA, legacy=True, split_special_tokens=True),
        json_edit(ADD),
    ),
    case("no-prefix-space", BOTH, dict(LLAMA, legacy=True, add_prefix_space=False), json_edit(ADD)),
    case("no-prefix-space-fast-ignored", BOTH, dict(FAST, add_prefix_space=False)),
    case("metaspace-first-split", BOTH, FAST, json_edit(ADD, metaspace("first", "true"))),
    case("metaspace-always-split", BOTH, FAST, json_edit(ADD, metaspace("always", "true"))),
    case("metaspace-never", BOTH, FAST, json_edit(ADD, metaspace("never", "false"))),
    case("byte-missing-llama", BOTH, dict(LLAMA, legacy=True), json_edit(NO_E4)),
    case("byte-missing-fast", BOTH, FAST, json_edit(NO_E4)),
    case(
        "byte-missing-fast-unfused",
        BOTH,
        FAST,
        json_edit(NO_E4, ['"fuse_unk": true', '"fuse_unk": false']),
    ),
    case("no-byte-fallback-llama-ignored", BOTH, dict(LLAMA, legacy=True), json_edit(NO_BYTES)),
    case("no-byte-fallback-fast", BOTH, FAST, json_edit(NO_BYTES)),
    case(
        "no-unk-fast",
        BOTH,
        FAST,
        json_edit(NO_BYTES, ['"unk_token": "<unk>"', '"unk_token": null']),
    ),
    case(
        "ignore-merges-fast",
        BOTH,
        FAST,
        json_edit(['"byte_fallback": true', '"byte_fallback": true, "ignore_merges": true']),
    ),
    case(
        "eos-flag-with-json-ignored",
        BOTH,
        dict(LLAMA, legacy=True, add_eos_token=True, add_bos_token=False),
    ),
    case(
        "eos-flag-model", MODEL, dict(LLAMA, legacy=True, add_eos_token=True, add_bos_token=False)
    ),
    case("no-flags-model", MODEL, {"tokenizer_class": "LlamaTokenizer"}),
    case("bos-null-model", MODEL, dict(LLAMA, bos_token=None)),
    case("bos-renamed-json", BOTH, dict(LLAMA, bos_token="<bos>")),
    case(
        "bos-renamed-model", MODEL, dict(LLAMA, bos_token="<bos>", additional_special_tokens=None)
    ),
    case(
        "template-null-json",
        BOTH,
        dict(LLAMA, legacy=True),
        json_edit(['"post_processor": ' + json.dumps(TEMPLATE), '"post_processor": null']),
    ),
    case(
        "template-null-fast",
        BOTH,
        FAST,
        json_edit(['"post_processor": ' + json.dumps(TEMPLATE), '"post_processor": null']),
    ),
    case(
        "special-tokens-map-json",
        BOTH,
        dict(LLAMA, legacy=True),
        special_tokens_map_json={
            "bos_token": flagged("he", "lns"),
            "pad_token": "<pad>",
            "additional_special_tokens": ["<new>"],
        },
    ),
    case(
        "special-tokens-map-model",
        MODEL,
        dict(LLAMA, legacy=True),
        special_tokens_map_json={"bos_token": flagged("he", "lns"), "pad_token": "<pad>"},
    ),
    case(
        "added-tokens-file",
        MODEL,
        dict(LLAMA, legacy=True),
        added_tokens_json={"<new>": 700, "<l>": 600},
    ),
    case(
        "added-tokens-decoder-json",
        BOTH,
        dict(
            LLAMA,
            legacy=True,
            pad_token="<pad>",
            image_token="wd",
            additional_special_tokens=["<new>", "foo"],
            added_tokens_decoder=DECODER_FLAGS,
        ),
        json_edit(ADD),
    ),
    case(
        "added-tokens-decoder-model",
        MODEL,
        dict(
            LLAMA,
            legacy=False,
            pad_token="<pad>",
            image_token="wd",
            additional_special_tokens=["<new>", "foo"],
            added_tokens_decoder=DECODER_FLAGS,
        ),
    ),
    case(
        "added-tokens-decoder-fast",
        BOTH,
        dict(
            FAST,
            pad_token="<pad>",
            added_tokens_decoder=dict(DECODER_FLAGS, **{"2": flagged("</s>", "lrs")}),
        ),
        json_edit(ADD),
    ),
    case("llama-fast-suffix", BOTH, dict(LLAMA, tokenizer_class="LlamaTokenizerFast", legacy=True)),
    case("class-absent", BOTH, BASE),
    case("class-unknown", BOTH, dict(BASE, tokenizer_class="NoSuchTokenizer")),
    case("no-tokenizer-config", BOTH, None),
    case(
        "class-from-config-json",
        BOTH,
        BASE,
        config_json=dict(CONFIG, tokenizer_class="LlamaTokenizer"),
    ),
    case("mistral-model", BOTH, dict(LLAMA, legacy=True), config_json={"model_type": "mistral"}),
    case(
        "gemma-class",
        BOTH,
        dict(BASE, tokenizer_class="GemmaTokenizer"),
        json_edit(ADD),
        config_json={"model_type": "gemma2"},
    ),
    case(
        "code-llama",
        BOTH,
        dict(BASE, tokenizer_class="CodeLlamaTokenizer", image_token="wd", suffix_token="foo"),
        json_edit(ADD),
        config_json={"model_type": "code_llama"},
    ),
    case(
        "code-llama-bare",
        BOTH,
        {"tokenizer_class": "CodeLlamaTokenizer", "add_prefix_space": False, "fill_token": None},
    ),
    case("gemma-bare-class", BOTH, {"tokenizer_class": "GemmaTokenizer"}),
    case("gemma-model", BOTH, dict(LLAMA, legacy=True), config_json={"model_type": "gemma"}),
]


def hard_texts():
    t = [""]
    t += [" " * n for n in range(1, 21)]
    t += [
        "\t",
        "\n",
        "\r\n",
        "\t\t",
        "\n\n",
        "\n\n\n",
        " \n",
        "\n ",
        "\t \t",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "a\n\n\nb",
        "\na",
        "a\n",
        "\x0b",
        "\x0c",
        "\x85",
    ]
    t += [
        "a",
        " a",
        "  a",
        "   a",
        "a ",
        "a  ",
        " a ",
        "a b",
        "a  b",
        "a   b",
        "a    b",
        "a     b",
        "  a  b  ",
        "    return x\n\n\tfoo(\n        bar)\n",
        "once upon",
        " once upon",
        "Once upon a time, there was a little girl named Lily.",
        "Hello world",
        "HELLO WORLD",
        "hello,world!",
    ]
    t += [
        "\u00e9",
        "e\u0301",
        "\u00c5\u212b\u0041\u030a",
        "\ufb01 \uff21 \u2460",
        "\u1e9b\u0323",
        "a\u0300\u0301\u0302\u0303\u0304b",
        "\u0130\u0131\u00df\u1e9e",
        "na\u00efve caf\u00e9",
        "Z\u0351\u036b\u0343A\u0334L\u0321G\u0362O\u0321",
    ]
    t += [
        "\U0001f600",
        "\U0001f600\U0001f601",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
        "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7",
        "\U0001f44d\U0001f3fd",
        "\u2764\ufe0f",
        "\U0001f3f3\ufe0f\u200d\U0001f308",
        "a\U0001f600b",
        " \U0001f600 ",
        "\U0001f9d1\U0001f3ff\u200d\U0001f680",
    ]
    t += [
        "\u4e2d",
        "\u4e2d\u6587\u5206\u8bcd\u6d4b\u8bd5\u3002",
        "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8",
        "\ud55c\uad6d\uc5b4 \ubb38\uc7a5",
        "\u1112\u1161\u11ab",
        "\u3000\u4e2d\u3000",
        "\u4e2d a \u6587",
        "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
        "\u0643\u0650\u062a\u064e\u0627\u0628\u064c",
        "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
        "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
        "\u0915\u094d\u200d\u0937",
        "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
        "\u10d2\u10d0\u10db\u10d0\u10e0\u10ef\u10dd\u10d1\u10d0",
        "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440",
        "\u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5",
        "\u12a0\u121b\u122d\u129b",
        "\u1f00\u03c1\u03c7\u1f74",
    ]
    t += [chr(c) for c in range(0x20)] + [
        "".join(map(chr, range(0x20))),
        "a\x00b",
        "\x00\x00",
        "\x7f",
        "a\x7fb",
    ]
    t += [
        "\ufeff",
        "\ufeffabc",
        "\u00a0",
        "a\u00a0b",
        "\u00a0a",
        "\u200b",
        "\u200b\u200c\u200d\u2060",
        "\u2028\u2029",
        "\u202eabc\u202c",
        "\u00ad",
        "\ufffd",
        "\ufffe\uffff",
        "\ue000\uf8ff",
        "\U000f0000\U0010fffd",
        "\U0010ffff",
        "\U00010000",
        "\u0080\u07ff\u0800\uffef",
        "\U0001d400\U0001d7d8",
        "\U00020000\U0002a6d6",
    ]
    t += [
        "\u2581",
        "\u2581\u2581",
        "\u2581a",
        " \u2581a",
        "\u2581 a",
        "a\u2581b",
        "a \u2581 b",
        "a\u2581\u2581\u2581b",
        "</s>\u2581a",
        "\u2581</s>",
        "\u2581 ",
        " \u2581",
    ]
    t += [
        "0",
        "12",
        "1234567890",
        "3.14159265358979323846264338327950288",
        "1" * 64,
        "9876543210" * 20,
        "1,000,000.00",
        "-1e-10",
        "0x7fffffff",
        "2024-02-29T23:59:60Z",
    ]
    t += [
        'int main(void) { return printf("%d\\n", x[i++] >> 2) ? 0 : ~1; }',
        "def f(x):\n    if x:\n        return [y for y in x]\n\treturn None\n",
        '<html><body class="a">&nbsp;</body></html>',
        "https://example.org/a/b?c=d&e=%20f#g",
        "user@example.org",
        "C:\\Windows\\System32",
        "$x^2 + \\frac{1}{2}$",
        '{"a": [1, null, true]}',
        "SELECT * FROM t WHERE a='b';",
        "~`!@#$%^&*()_-+={[}]|\\:;\"'<,>.?/",
    ]
    t += [
        "<s>",
        "</s>",
        "<unk>",
        "<pad>",
        "<s></s>",
        "<s> </s>",
        "a</s> b",
        "a</s>b",
        "a </s>b",
        "a </s> b",
        " </s> x",
        "</s>x",
        "</s> x",
        "</s>  x",
        "</s></s>x",
        "<s>a",
        "<s> a",
        " <s>a",
        "  <s>  a  ",
        "<s><s><s>",
        "<<s>>",
        "</s",
        "</s >",
        "<S>",
        "</S>",
        "<s",
        "s>",
        "<<s></s>>",
        "<s</s>>",
        "</<s>s>",
        "<un<unk>k>",
        "<unk><unk>",
        "a<unk>b",
        " <unk> ",
        "\n</s>\n",
        "\t<s>\t",
        "</s>\u00e9",
        "</s>\U0001f600",
        "a</s>\n\nb",
        "<s>Human: hi</s><s>Assistant: hello</s>",
        "[INST] <<SYS>>\nBe good.\n<</SYS>>\n\nHi [/INST] Hello </s><s>[INST] x [/INST]",
        "</s>" * 20,
    ]
    t += [
        "<0x0A>",
        "<0x41>",
        "a<0x0A>b",
        "<0x0a>",
        "<0xE4><0xB8><0xAD>",
        "<0x",
        "<0xZZ>",
        "<0xFF>\n<0x00>",
    ]
    t += ["<|im_start|>user\nhi<|im_end|>\n", "<|begin_of_text|>", "<|endoftext|>"]
    t += [
        "end",
        "there",
        "very very",
        "her mother",
        "every",
        "little friend",
        "ththethe",
        "rererere",
        "upon upon",
        "she had had a",
        "then thenthen",
        "i i i i i",
        "tttttttttttttttttttttttttt",
        "hehehehehehehehe",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "ononononon",
        "ssssssss sssss",
        "mississippi",
        "bananabandana",
        "antidisestablishmentarianism",
        "Donaudampfschifffahrtsgesellschaft",
    ]
    t += [
        "x" * 3000,
        "antidisestablishment" * 150,
        "he" * 1500,
        "\u4e2d\u6587" * 500,
        " " * 3000,
        "a " * 1500,
        "\n" * 300,
        "</s>a" * 300,
    ]
    t += [
        (
            "Mixed: caf\u00e9 \u4e2d\u6587 \U0001f600</s>  and\t\u0645\u0631 123\x00 \u2581x"
            " <0x0A>\r\n"
        ),
        (
            "  Le\u00e7on n\u00ba 3\u00a0: \u00ab\u202f\u00e9t\u00e9\u202f\u00bb \u2026 \u2014"
            " \u20ac\u00a35\u00bd\u00b2  "
        ),
        (
            "q\u0307\u0323 \U0001f469\U0001f3fb\u200d\U0001f4bb\u2764\ufe0f\u200d\U0001f525"
            " \u0939\u093f\u0928\u094d\u0926\u0940\n\n\t\t<s>\n"
        ),
    ]
    return t


DECODE = [
    [],
    [0],
    [1],
    [2],
    [13],
    [1, 13],
    [13, 13],
    [35],
    [1, 35],
    [35, 35],
    [69, 70, 71],
    [1, 1],
    [2, 2],
    [1, 2, 0],
    [232, 146, 174],
    [232, 146],
    [232],
    [146],
    [232, 146, 13],
    [13, 232, 146],
    [232, 146, 174, 13, 198],
    [232, 146, 174, 232],
    [1, 232, 146, 174],
    [232, 146, 1, 174],
    [232, 1, 146, 174],
    [232, 146, 0, 174],
    [232, 146, 2, 174],
    [243, 162, 155, 131],
    [243, 162, 155],
    [162, 155, 131],
    [195, 172],
    [195, 131],
    [196, 131],
    [227, 131, 131],
    [240, 163, 131],
    [247, 147, 131, 131],
    [251, 255, 258],
    [3],
    [3, 258],
    [66, 198],
    [198, 66],
    [66, 67, 198, 68],
    [32, 33, 34, 35, 36],
    [410],
    [410, 410],
    [410, 410, 410],
    [1, 410],
    [1, 410, 410],
    [410, 1, 410],
    [2, 410, 261],
    [261, 2, 261],
    [261, 1, 261],
    [1, 261, 2, 261, 2],
    [261, 13, 261],
    [261, 232, 146, 174, 261],
    [412],
    [412, 261],
    [261, 412],
    [259, 260, 261, 262, 263, 264, 265],
    [511],
    [511, 512],
    [512],
    [700],
    [31999, 32000, 32001],
    [261, 99999, 261],
    [4294967295],
    [303, 13, 13, 198, 303],
    [232, 146, 99999, 174],
    [12, 13, 16, 3, 35, 127],
]


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for v in value:
            yield from strings(v)
    elif isinstance(value, dict):
        for v in value.values():
            yield from strings(v)


def data_texts(path):
    with open(path, encoding="utf-8", newline="\n") as f:
        if path.endswith(".jsonl"):
            records = [json.loads(line) for line in f if line.strip()]
        else:
            records = json.load(f)
    return list(strings(records))


def build(shared, root, c):
    d = os.path.join(root, "case")
    shutil.rmtree(d, ignore_errors=True)
    os.mkdir(d)
    for name, source in c["copy"].items():
        with open(os.path.join(shared, source), "rb") as f:
            raw = f.read()
        if name in c["edit"]:
            text = raw.decode("utf-8")
            for old, new in c["edit"][name]:
                if text.count(old) != 1:
                    raise SystemExit(
                        "%s: %r occurs %d times in %s" % (c["name"], old, text.count(old), name)
                    )
                text = text.replace(old, new)
            raw = text.encode("utf-8")
        with open(os.path.join(d, name), "wb") as f:
            f.write(raw)
    for name, value in c["write"].items():
        with open(os.path.join(d, name), "w", encoding="utf-8") as f:
            json.dump(value, f)
    return d


class Pool:
    def __init__(self):
        self.items, self.index = [], {}

    def add(self, value):
        key = json.dumps(value)
        if key not in self.index:
            self.index[key] = len(self.items)
            self.items.append(value)
        return self.index[key]


def digest(lists):
    h, total = hashlib.sha256(), 0
    for ids in lists:
        a = array("i", [len(ids)] + ids)
        if sys.byteorder == "big":
            a.byteswap()
        h.update(a.tobytes())
        total += len(ids)
    return {"ids": total, "sha256": h.hexdigest()}


def data_results(encode, data):
    return {
        name: {
            "texts": len(texts),
            "with": digest(encode(s, True) for s in texts),
            "plain": digest(encode(s, False) for s in texts),
        }
        for name, texts in data.items()
    }


def text_results(pool, encode, decode, texts):
    out = {"with": [], "plain": []}
    for s in texts:
        ids = encode(s, True)
        out["with"].append(pool.add(ids))
        out["plain"].append(pool.add(encode(s, False)))
        if decode:
            out.setdefault("text", []).append(pool.add(decode(ids, False)))
            out.setdefault("text_skip", []).append(pool.add(decode(ids, True)))
    return out


def open_case(shared, root, c):
    tok = AutoTokenizer.from_pretrained(build(shared, root, c))
    return (
        lambda s, special: list(tok(s, add_special_tokens=special).input_ids),
        lambda ids, skip: tok.decode(ids, skip_special_tokens=skip),
        type(tok).__name__,
    )


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: make_tokenizer_goldens.py SHARED_DIR OUT_DIR")
    shared, out_dir = sys.argv[1:]
    os.makedirs(out_dir, exist_ok=True)
    folder = os.path.join(shared, "data")
    data = {
        n: data_texts(os.path.join(folder, n))
        for n in sorted(os.listdir(folder))
        if n.endswith((".json", ".jsonl"))
    }
    hard, pool = hard_texts(), Pool()
    result = {
        "made_with": {
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "sentencepiece": sentencepiece.__version__,
        },
        "hard": hard,
        "decode": DECODE,
        "cases": [],
        "variants": [],
        "bare": [],
    }
    with tempfile.TemporaryDirectory() as root:
        for c in CASES:
            encode, decode, kind = open_case(shared, root, c)
            result["cases"].append(
                dict(
                    c,
                    loaded_as=kind,
                    data=data_results(encode, data),
                    hard=text_results(pool, encode, decode, hard),
                    decode={
                        "text": [pool.add(decode(i, False)) for i in DECODE],
                        "text_skip": [pool.add(decode(i, True)) for i in DECODE],
                    },
                )
            )
        for c in VARIANTS:
            encode, decode, kind = open_case(shared, root, c)
            result["variants"].append(
                dict(
                    c,
                    loaded_as=kind,
                    texts=FLAG_TEXTS,
                    **text_results(pool, encode, decode, FLAG_TEXTS)
                )
            )
    for c in result["variants"]:
        del c["texts"]
    result["variant_texts"] = FLAG_TEXTS
    for source in (STORIES + "tokenizer.model", LLAMA2):
        sp = sentencepiece.SentencePieceProcessor(model_file=os.path.join(shared, source))

        def encode(s, special, sp=sp):
            return sp.encode(s, add_bos=special)

        result["bare"].append(
            {
                "file": source,
                "data": data_results(encode, data),
                "hard": text_results(pool, encode, None, hard),
            }
        )
    result["pool"] = pool.items
    with open(os.path.join(out_dir, "tokenizer_goldens.json"), "w", encoding="ascii") as f:
        json.dump(result, f, ensure_ascii=True, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
