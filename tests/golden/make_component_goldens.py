#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the goldens of every component of a tokenizer.json with tokenizers.

    make_component_goldens.py OUT_DIR

Writes OUT_DIR/component_goldens.json: models as small as show what they do, trained or written here
(no randomness but the seeds below), and for each case the parts of its file, the ids and offsets of
`texts` and the decoded text.  A case's file is its model with the parts put in, which are null else.

  models  by name
  cases   name, model, parts {key of the file: value}, results: per text an index into pool
  spm     bare SentencePiece models (base64) with what sentencepiece makes of `texts`, as pairs of ids
          and offsets; the latter null where sentencepiece counts otherwise than tokenizers: for
          parts of a character, tokens that stand for nothing, and a space behind a word
  pool    [ids, offsets as make_offset_goldens.py has them, text, text without special tokens]

Each text is encoded with special tokens, every third one without ("odd": their indices).
"""
import base64
import io
import json
import os
import random
import sys
import tempfile

import sentencepiece
import tokenizers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from make_byte_level_goldens import TRAINING, byte_level, split
from make_offset_goldens import flat, flat_chars
from make_tokenizer_goldens import Pool, added

SPECIALS = ["<pad>", "<unk>", "[CLS]", "[SEP]"]
PROSE = [t.lower() for t in TRAINING] + TRAINING


def part(kind, **members):
    return {"type": kind, **members}


def sequence(key, *members):
    return part("Sequence", **{key: list(members)})


def trained(model, trainer, pre):
    tok = Tokenizer(model)
    tok.pre_tokenizer = pre
    tok.train_from_iterator(PROSE, trainer)
    return json.loads(tok.to_str())["model"]


def small_models():
    space = pre_tokenizers.WhitespaceSplit()
    words = pre_tokenizers.Whitespace()
    made = {
        "unigram": trained(models.Unigram(), trainers.UnigramTrainer(
            vocab_size=260, special_tokens=SPECIALS, unk_token="<unk>", show_progress=False),
            pre_tokenizers.Metaspace()),
        "word_piece": trained(models.WordPiece(unk_token="<unk>"), trainers.WordPieceTrainer(
            vocab_size=300, special_tokens=SPECIALS, show_progress=False), words),
        "word_level": trained(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(
            vocab_size=150, special_tokens=SPECIALS, show_progress=False), words),
        "bpe": trained(models.BPE(unk_token="<unk>"), trainers.BpeTrainer(
            vocab_size=260, special_tokens=SPECIALS, show_progress=False), space),
        "bpe_affixed": trained(
            models.BPE(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>",
                       fuse_unk=True),
            trainers.BpeTrainer(vocab_size=280, special_tokens=SPECIALS, show_progress=False,
                                continuing_subword_prefix="##", end_of_word_suffix="</w>"), words),
        "bytes": trained(models.BPE(), trainers.BpeTrainer(
            vocab_size=330, special_tokens=SPECIALS, show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()),
            pre_tokenizers.ByteLevel(add_prefix_space=False)),
    }
    fallback = json.loads(json.dumps(made["unigram"]))
    fallback["vocab"] += [[f"<0x{b:02X}>", -12.0] for b in range(256)]
    made["unigram_bytes"] = {**fallback, "byte_fallback": True}
    return made


def charsmap():
    """A map of a few keys, compiled as Darts-clone lays it out: one node for each letter."""
    keys = {"\uff21": "A", "\u00a0": " ", "\u3000": " ", "\ufb01": "fi", "\u00bd": "1\u20442",
            "\u00ad": "", "e\u0301": "\u00e9", "\u2126": "\u03a9", "\r": " ", "\u3392": "MHz",
            "\u200b": " ", "ss": "\u00df", "\u0e33": "\u0e4d\u0e32"}
    texts, places = b"", {}
    for key, text in keys.items():
        places[key.encode()] = len(texts)
        texts += text.encode() + b"\0"
    tree = {}
    for key, place in places.items():
        node = tree
        for byte in key:
            node = node.setdefault(byte, {})
        node[0] = place
    units, used = {0: 0}, {0}

    def put(at, node):
        offset = 1
        while any((at ^ offset ^ byte) in used for byte in node) or at ^ offset == 0:
            offset += 1
        assert offset < 1 << 21
        units[at] |= offset << 10 | (0x100 if 0 in node else 0)
        for byte in node:
            used.add(at ^ offset ^ byte)
            units[at ^ offset ^ byte] = byte
        for byte, child in node.items():
            if byte == 0:
                units[at ^ offset] = child | 1 << 31
            else:
                put(at ^ offset ^ byte, child)

    put(0, tree)
    size = max(units) + 1
    blob = b"".join(units.get(i, 0).to_bytes(4, "little") for i in range(size))
    return base64.b64encode(len(blob).to_bytes(4, "little") + blob + texts).decode()


METASPACE = part("Metaspace", replacement="\u2581", prepend_scheme="always", split=True)
FIRST = dict(METASPACE, prepend_scheme="first")
BERT = part("BertNormalizer", clean_text=True, handle_chinese_chars=True, strip_accents=None,
            lowercase=True)
BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
PATTERNS = [
    # GPT-4o's and Qwen3.5's kind, DeepSeek-V3's, Kimi-K2's, cl100k's.
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + CONTRACTION
    + r"?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + CONTRACTION
    + r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    CONTRACTION + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+" + CONTRACTION + r"?|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    CONTRACTION + r"|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
    r"|\s+(?!\S)|\s+",
    r"\p{N}{1,3}", r"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", r"\d+|\w+|\W", r"\bthe\b", r"^.|.$",
    r"(?i)THE|f(?i)OX|x", r"[[a-m][^a-z\s]]+", r"(?<=o)\s|(?<![a-z])\d{,2}", r"\h{2}", r"a*", r"\S\s?",
    r"[^\W\d_]+", r"(?m:a.b)|a.b", r"\P{L}+", r"\p{^L}\p{Nd}", r"[\]\[\-x^]+", r"\x{e9}|\u00fc|\t",
]
# Groups with names, and what refers to groups; behind all other cases, whose choice of texts stays.
REFERENCES = [
    r"(\w)\1", r"(?<a>\S)\k<a>|(\s)", r"(t)(?<n>h)?\k<n>|(e)", r"(?'v'[aeiou])\w*?\k'v'",
    r"(\w)(\s)\k<-1>|(\d)\k<3>", r"(?#twice)(?i)(?<f>[a-z])\k<f>", r"\1x|([xs])\1", r"(?:(t)|h)*\1",
    r"(?=(\w))\1+", "(?<\u00e9>x)(?<b>x)\\k<b>{2,}\\k<\u00e9>",
]


def cases(map_text):
    made = []

    def case(name, model, **parts):
        made.append({"name": name, "model": model, "parts": parts})

    for kind in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"):
        case("n-" + kind, "unigram_bytes", normalizer=part(kind), pre_tokenizer=METASPACE,
             decoder=METASPACE)
    for left, right in ((True, True), (True, False), (False, True)):
        case(f"n-strip-{left}-{right}", "unigram", pre_tokenizer=FIRST, decoder=METASPACE,
             normalizer=part("Strip", strip_left=left, strip_right=right))
    for flags in ("1111", "1010", "0101", "0010", "1000"):
        clean, chinese, accents, lower = (c == "1" for c in flags)
        case("n-bert-" + flags, "word_piece", normalizer=part(
            "BertNormalizer", clean_text=clean, handle_chinese_chars=chinese, strip_accents=accents,
            lowercase=lower), pre_tokenizer=part("BertPreTokenizer"),
            decoder=part("WordPiece", prefix="##", cleanup=flags[0] == "1"))
    case("bert", "word_piece", normalizer=BERT, pre_tokenizer=part("BertPreTokenizer"),
         post_processor=part("BertProcessing", sep=["[SEP]", 3], cls=["[CLS]", 2]),
         decoder=part("WordPiece", prefix="##", cleanup=True))
    case("n-replace", "bpe", pre_tokenizer=part("WhitespaceSplit"), normalizer=sequence(
        "normalizers", part("Replace", pattern={"String": "th"}, content="\u00deh"),
        part("Replace", pattern={"Regex": r"\s{2,}|[xyz]"}, content=" "),
        part("Replace", pattern={"Regex": r"(?<=e)"}, content="-"),
        part("Replace", pattern={"String": "o"}, content=""), part("Prepend", prepend="in ")),
        decoder=part("Replace", pattern={"Regex": "[aeiou]"}, content="*"))
    case("n-precompiled", "unigram", normalizer=part(
        "Precompiled", precompiled_charsmap=map_text), pre_tokenizer=METASPACE, decoder=METASPACE)
    case("t5", "unigram", normalizer=sequence(
        "normalizers", part("Precompiled", precompiled_charsmap=map_text),
        part("Strip", strip_left=False, strip_right=True),
        part("Replace", pattern={"Regex": " {2,}"}, content="\u2581")),
        pre_tokenizer=METASPACE, decoder=METASPACE, post_processor=part(
            "TemplateProcessing", single=[{"Sequence": {"id": "A", "type_id": 0}},
                                          {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            pair=[], special_tokens={"[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}))
    case("n-bytes", "bytes", normalizer=sequence("normalizers", part("NFKC"), part("ByteLevel")),
         decoder=byte_level())
    for kind in ("BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts"):
        case("p-" + kind, "word_level", pre_tokenizer=part(kind),
             decoder=part("WordPiece", prefix="##", cleanup=True))
    case("p-delimiter", "word_level", pre_tokenizer=part("CharDelimiterSplit", delimiter="e"))
    for length in (1, 3):
        case(f"p-length-{length}", "bpe", pre_tokenizer=part("FixedLength", length=length))
    for each in (True, False):
        case(f"p-digits-{each}", "bpe", pre_tokenizer=sequence(
            "pretokenizers", part("WhitespaceSplit"), part("Digits", individual_digits=each)))
    for behavior in BEHAVIORS:
        case("p-punctuation-" + behavior, "word_piece", pre_tokenizer=sequence(
            "pretokenizers", part("WhitespaceSplit"), part("Punctuation", behavior=behavior)))
        for invert in (False, True):
            case(f"p-split-{behavior}-{invert}", "bpe", pre_tokenizer=part(
                "Split", pattern={"String": " "} if invert else {"Regex": r"[\se]+"},
                behavior=behavior, invert=invert), decoder=part("Fuse"))
            case(f"p-regex-{behavior}-{invert}", "bytes", pre_tokenizer=sequence(
                "pretokenizers", part("Split", pattern={"Regex": r"\p{L}+(?=\s)"}, behavior=behavior,
                                      invert=invert), byte_level(regex=False)),
                decoder=byte_level())
    for scheme in ("always", "first", "never"):
        for cut in (True, False):
            case(f"p-metaspace-{scheme}-{cut}", "unigram", pre_tokenizer=sequence(
                "pretokenizers", part("Punctuation", behavior="MergedWithNext"),
                dict(METASPACE, prepend_scheme=scheme, split=cut)), decoder=METASPACE)
    case("p-bytes-twice", "bytes", pre_tokenizer=sequence(
        "pretokenizers", byte_level(prefix=True), part("Digits", individual_digits=True)),
        decoder=byte_level(), post_processor=byte_level(prefix=True))
    for i, pattern in enumerate(PATTERNS):
        case(f"r-{i}", "bytes", pre_tokenizer=sequence(
            "pretokenizers", split(pattern), byte_level(regex=False)), decoder=byte_level(),
            post_processor=part("ByteLevel", add_prefix_space=False, trim_offsets=i % 2 == 0,
                                use_regex=True))
    for prefix in (True, False):
        for trims in (True, False):
            case(f"roberta-{prefix}-{trims}", "bytes", pre_tokenizer=byte_level(prefix=prefix),
                 decoder=byte_level(), post_processor=part(
                     "RobertaProcessing", sep=["[SEP]", 3], cls=["[CLS]", 2], trim_offsets=trims,
                     add_prefix_space=prefix))
    case("o-sequence", "bytes", pre_tokenizer=byte_level(prefix=True), decoder=byte_level(),
         post_processor=sequence(
             "processors", part("BertProcessing", sep=["[SEP]", 3], cls=["[CLS]", 2]),
             byte_level(prefix=True), part("TemplateProcessing", pair=[], single=[
                 {"SpecialToken": {"id": "two", "type_id": 0}},
                 {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "two", "type_id": 0}}], special_tokens={
                     "two": {"id": "two", "ids": [0, 1], "tokens": ["<pad>", "<unk>"]}})))
    case("m-unigram", "unigram", pre_tokenizer=METASPACE, decoder=METASPACE)
    case("m-unigram-whole", "unigram", decoder=None)
    case("m-unigram-bytes", "unigram_bytes", pre_tokenizer=METASPACE, decoder=sequence(
        "decoders", part("Replace", pattern={"String": "\u2581"}, content=" "),
        part("ByteFallback"), part("Fuse"), part("Strip", content=" ", start=1, stop=0)))
    case("m-affixed", "bpe_affixed", pre_tokenizer=part("Whitespace"), decoder=part(
        "BPEDecoder", suffix="</w>"))
    case("d-ctc", "bpe", pre_tokenizer=part("WhitespaceSplit"), decoder=part(
        "CTC", pad_token="<pad>", word_delimiter_token="t", cleanup=True))
    case("d-ctc-raw", "bpe", pre_tokenizer=part("WhitespaceSplit"), decoder=part(
        "CTC", pad_token="e", word_delimiter_token="|", cleanup=False))
    case("d-strip", "bpe", pre_tokenizer=part("WhitespaceSplit"), decoder=sequence(
        "decoders", part("Strip", content="e", start=1, stop=1), part("Fuse")))
    case("added", "word_piece", normalizer=BERT, pre_tokenizer=part("BertPreTokenizer"),
         decoder=part("WordPiece", prefix="##", cleanup=False), added_tokens=[
             added(2, "[CLS]", "s"), added(3, "[SEP]", "srl"), added(301, "The", "n"),
             added(302, "dog", "w"), added(303, " is", "l"), added(304, "\u00c9t\u00e9", "nr")])
    for i, pattern in enumerate(REFERENCES):
        case(f"g-{i}", "bytes", pre_tokenizer=sequence(
            "pretokenizers", split(pattern), byte_level(regex=False)), decoder=byte_level())
    return made


def texts():
    made = [
        "", " ", "a", "  two  spaces  ", "The quick brown fox, isn't it?", "don't DO NOT do not I'm",
        "Caf\u00e9 e\u0301 \u00c5\u212b\ufb01\uff21\u2460 \u1e9b\u0323",
        "na\u00efve \u0130\u0131\u00df\u1e9e \u01c5",
        "\u4e2d\u6587\u5b57\u7b26 mixed\u4e2dtext \u3042\u30a2\u30fc \ud55c\uad6d",
        "\U0001f600\U0001f468\u200d\U0001f469 ok",
        "a\x00b\ufffdc\u200bd\u00ade\x07f\u0085g\u2028h\u180ei", "\t tabs\nand\r\nlines\n\n  end \n",
        "1234 5,678.90 \u0661\u0662\u0663 \u00bd\u00b2 x1y22z333 0x7FfF",
        "it's IT'S we'RE x'll \u017f'\u017f",
        "(a) [b] {c} - -- \u2014 \u00ab\u00bb \u00bf? $x^2 + ~`|\\", "[CLS] the [SEP] fox<unk><pad> [SEP]x",
        "\u2581\u2581a \u2581 b", "\u3392\u0e33\u2126\u00a0\u3000e\u0301e\u0301\u0308ss",
        "q\u0307\u0323 \u0958\u0344 \u1112\u1161\u11ab",

        "\u0928\u092e\u0938\u094d\u0924\u0947 \u0645\u064e\u0631\u062d\u0628\u0627 \u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
        "the thethe then",
        "The the THE \u00c9t\u00e9 \u00e9t\u00e9 dog hotdog is  is", "\u0300\u0301 \u0300a", "axb a\nb aab",
        "\u00dcber \u00e9\u00fc\t",
        "\U00031350\U0002ebf0 \u1c89\u1c8a \U00010d4a \U0001e5d0 \ua7cb", "x" * 120,
    ]
    rng = random.Random(20261129)
    pieces = ["the", "The", " ", "  ", "fox", "'s", "\u00e9", "e\u0301", "\u4e2d", "1", "42", "!", "...",
    "\n", "\t", "-",
              "\u0436\u0443", "\U0001f600", "\u00a0", "\u2581", "ing", "over", "XY", "\ufb01",
              "\u1100\u1161", "[SEP]", "\u0323", "ss", "_"]
    for _ in range(60):
        made.append("".join(rng.choice(pieces) for _ in range(rng.randint(1, 9))))
    return made


def tokenizer_json(model, parts):
    listed = [added(i, text, "s") for i, text in enumerate(SPECIALS)]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": listed,
            "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
            "model": model, **parts}


def encoded(tok, text, special):
    out = tok.encode(text, add_special_tokens=special)
    return [out.ids, flat_chars(text, out.offsets), tok.decode(out.ids, skip_special_tokens=False),
            tok.decode(out.ids, skip_special_tokens=True)]


RULES = (("\uff21", "A"), ("\u00a0", " "), ("\u3000", " "), ("\ufb01", "fi"), ("\u00ad", ""),
         ("e\u0301", "\u00e9"), ("\u3392", "MHz"), ("\t", " "), ("\n", " "), ("ab", "  x "))


def bare_models():
    """Small models of each kind, trained on the same texts."""
    common = dict(vocab_size=220, hard_vocab_limit=False, num_threads=1, minloglevel=2,
                  add_dummy_prefix=True)
    kinds = {
        "unigram": dict(model_type="unigram", rules=True),
        "unigram-bytes": dict(model_type="unigram", byte_fallback=True, vocab_size=480,
                              normalization_rule_name="identity", remove_extra_whitespaces=False),
        "unigram-no-prefix": dict(model_type="unigram", rules=True, add_dummy_prefix=False,
                                  remove_extra_whitespaces=False),
        "unigram-suffix": dict(model_type="unigram", rules=True, treat_whitespace_as_suffix=True),
        "bpe": dict(model_type="bpe", rules=True),
        "bpe-spaces": dict(model_type="bpe", byte_fallback=True, vocab_size=480,
                           normalization_rule_name="identity"),
    }
    made = {}
    with tempfile.TemporaryDirectory() as root:
        rules = os.path.join(root, "rules.tsv")
        with open(rules, "w", encoding="utf-8") as f:
            for old, new in RULES:
                f.write(" ".join(f"{ord(c):X}" for c in old) + "\t"
                        + " ".join(f"{ord(c):X}" for c in new) + "\n")
        for name, options in kinds.items():
            options = {**common, **options}
            if options.pop("rules", False):
                options["normalization_rule_tsv"] = rules
            model = io.BytesIO()
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(PROSE), model_writer=model, **options)
            made[name] = model.getvalue()
    return made


def bare_results(given):
    made = []
    for name, raw in bare_models().items():
        model = sentencepiece.SentencePieceProcessor(model_proto=raw)
        case = {"name": name, "model": base64.b64encode(raw).decode(), "results": []}
        for text in given:
            pieces = model.encode(text, return_type="proto").pieces
            plain = "suffix" not in name and "\ufb01" not in text and not any(
                model.is_byte(p.id) or p.begin == p.end for p in pieces)
            case["results"].append([[p.id for p in pieces], flat(
                (p.begin, p.end) for p in pieces) if plain else None])
        made.append(case)
    return made


def main():
    out, = sys.argv[1:]
    pool, made, given = Pool(), small_models(), texts()
    listed = cases(charsmap())
    rng = random.Random(3)
    for c in listed:
        tok = Tokenizer.from_str(json.dumps(tokenizer_json(made[c["model"]], c["parts"])))
        chosen = sorted(rng.sample(range(len(given)), 26)) if c["name"] != "bert" else \
            list(range(len(given)))
        c["texts"] = chosen
        c["results"] = []
        for i in chosen:
            try:
                c["results"].append(pool.add(encoded(tok, given[i], i % 3 > 0)))
            except BaseException as e:  # tokenizers panics where a decoder has no tokens
                print(c["name"], repr(given[i]), str(e)[:80])
                c["results"].append(-1)
    with open(os.path.join(out, "component_goldens.json"), "w", encoding="ascii") as f:
        json.dump({"made_with": {"tokenizers": tokenizers.__version__,
                                 "sentencepiece": sentencepiece.__version__},
                   "spm": bare_results(given), "models": made,
                   "specials": SPECIALS, "texts": given, "cases": listed, "pool": pool.items}, f,
                  separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
