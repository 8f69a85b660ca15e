#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the goldens of the classes T5Tokenizer and BertTokenizer, of a folder with a unigram
SentencePiece model alone, and of folders with a class's vocabulary files instead of tokenizer.json,
in the shape of make_new_token_goldens.py, where a file may also be {"base64": bytes}.

    make_class_goldens.py OUT_FILE

Needs the environment of Axolotl 0.19.
"""

import base64
import io
import json
import os
import sys
import tempfile

import make_new_token_goldens as common

TRAINING = """The quick brown fox jumps over the lazy dog.
Once upon a time there was a tokenizer that read every file, and it gave the ids back to the reader.
Die Strasse ist gross, la ville est belle, and the time was read over and over.
don't it's we'll they've 1234567890 2025 (brackets) [square] {curly} <angle> "quotes" hello, world!
"""
TEXTS = [
    "",
    " ",
    "Once upon a time there was a Tokenizer.",
    "  two  spaces \n and\ta tab ",
    "The \uff26\uff2f\uff38 jumps\u2026 \u2460 \ufb01le\u00a0x",
    "<extra_id_0> over <extra_id_1></s> the<pad> </s>",
    "[CLS] hello [MASK] world[SEP] [UNK]d",
    "Caf\u00e9 \u65e5\u672c\u8a9e na\u00efve \u00c9COLE e\u0301 \U0001f600!?",
    "unbelievable-reader(s) don't 3.14",
    "a\u0000b\ufffdc\u200bd\u00ade",
]
# SentencePiece compiles it to a small map of characters.
RULES = "".join(
    " ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n"
    for a, b in (("\uff26", "F"), ("\uff2f", "O"), ("\uff38", "X"), ("\u2026", "..."),
                 ("\u2460", "1"), ("\ufb01", "fi"), ("\u00a0", " "), ("e\u0301", "\u00e9"))
)
PIECES = """[PAD] [UNK] [CLS] [SEP] [MASK] the time read er ##er ##s once up ##on a there was token
##izer ##ize . , ! ? ( ) - ' don t hello world ##ld cafe caf ##e ecole un ##bel ##iev ##able naive
3 14 ##4 jumps over file fi ##le x two spaces and tab [ ] d ##d Once T ##he \u65e5 \u672c Caf
##\u00e9 \u2026 b ##b c""".split()


def unigram(rules):
    import sentencepiece

    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "rules.tsv")
        with open(path, "w", encoding="utf-8") as f:
            f.write(RULES)
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TRAINING.splitlines() * 4), model_writer=out, vocab_size=160,
            model_type="unigram", minloglevel=2, hard_vocab_limit=False, pad_id=0, eos_id=1,
            unk_id=2, bos_id=-1, num_threads=1,
            **({"normalization_rule_tsv": path} if rules
               else {"normalization_rule_name": "identity"}),
        )
    return out.getvalue()


def proto_of(model):
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model)
    return proto


def added(ident, content):
    return {"id": ident, "content": content, "single_word": False, "lstrip": False,
            "rstrip": False, "normalized": False, "special": True}


def t5_json(model, charsmap):
    proto = proto_of(model)
    vocab = [[p.piece, p.score] for p in proto.pieces]
    vocab += [[f"<extra_id_{i}>", 0.0] for i in (2, 1, 0)]
    n = len(vocab)
    precompiled = {
        "type": "Precompiled",
        "precompiled_charsmap": base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode(),
    }
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(0, "<pad>"), added(1, "</s>"), added(2, "<unk>"),
                         added(n - 3, "<extra_id_2>"), added(n - 2, "<extra_id_1>"),
                         added(n - 1, "<extra_id_0>")],
        "normalizer": {"type": "Sequence", "normalizers": [precompiled]} if charsmap else None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first",
                          "split": True},
        "post_processor": None,
        "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always",
                    "split": True},
        "model": {"type": "Unigram", "unk_id": 2, "vocab": vocab, "byte_fallback": False},
    }


def bert_json():
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(i, PIECES[i]) for i in range(5)],
        "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None,
        "decoder": None,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100,
                  "vocab": {p: i for i, p in enumerate(PIECES)}},
    }


def folder(config, model_type="llama", **files):
    files = {k.replace("__", "."): v for k, v in files.items()}
    files["config.json"] = {"model_type": model_type}
    return files if config is None else dict(files, **{"tokenizer_config.json": config})


def coded(raw):
    return {"base64": base64.b64encode(raw.encode() if isinstance(raw, str) else raw).decode()}


def byte_level_files():
    """vocab.json and merges.txt of a BPE over bytes."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.train_from_iterator(TRAINING.splitlines(), trainers.BpeTrainer(
        vocab_size=290, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    with tempfile.TemporaryDirectory() as work:
        tok.model.save(work)
        return [open(os.path.join(work, n), encoding="utf-8").read()
                for n in ("vocab.json", "merges.txt")]


def vocabulary_files(ruled, plain):
    """Cases of folders without tokenizer.json."""
    bert = {"tokenizer_class": "BertTokenizer"}
    words = coded("\n".join(PIECES + ["reader \t", "is\u3000"]) + "\r\nville\r\n")
    vocab, merges = (coded(t) for t in byte_level_files())
    return [
        ("t5_spiece", folder(None, "t5", spiece__model=coded(ruled)), {}),
        ("t5_spiece_more", folder({"tokenizer_class": "T5Tokenizer", "extra_ids": 3},
                                  spiece__model=coded(ruled)), {"tokens": ["<tool>", "time"]}),
        ("bert_vocab", folder(None, "bert", vocab__txt=words), {}),
        ("bert_vocab_more", folder(dict(bert, do_lower_case=False), vocab__txt=words),
         {"tokens": ["<tool>"], "special_tokens": {"additional_special_tokens": ["<x>"]}}),
        ("gpt2_files", folder({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True},
                              vocab__json=vocab, merges__txt=merges), {}),
        ("qwen2_files", folder(None, "qwen2", vocab__json=vocab, merges__txt=merges),
         {"tokens": ["<tool>", "<x>"]}),
        ("neox_files", folder({"tokenizer_class": "GPTNeoXTokenizer"}, vocab__json=vocab,
                              merges__txt=merges), {}),
        ("codegen_files", folder(None, "codegen", vocab__json=vocab, merges__txt=merges), {}),
    ]


def cases():
    ruled, plain = unigram(True), unigram(False)
    t5 = {"tokenizer_class": "T5Tokenizer", "extra_ids": 3}
    fast = {"tokenizer_class": "PreTrainedTokenizerFast"}
    bert = {"tokenizer_class": "BertTokenizer"}
    return [
        ("t5", folder(t5, tokenizer__json=t5_json(ruled, True)), {}),
        ("t5_more", folder(dict(t5, extra_ids=5, tokenizer_class="T5TokenizerFast"),
                           tokenizer__json=t5_json(plain, False)), {}),
        ("bert", folder(bert, tokenizer__json=bert_json()), {}),
        ("bert_cased", folder(dict(bert, do_lower_case=False, tokenize_chinese_chars=False),
                              tokenizer__json=bert_json()), {}),
        ("bert_accents", folder(dict(bert, strip_accents=False, cls_token="[MASK]"),
                                tokenizer__json=bert_json()), {}),
        ("unigram_model", folder(fast, tokenizer__model=coded(ruled)), {}),
        ("unigram_more", folder(dict(fast, add_eos_token=True), tokenizer__model=coded(ruled)),
         {"tokens": ["<tool>", "time"]}),
        *vocabulary_files(ruled, plain),
    ]


def main():
    common.TEXTS[:] = TEXTS
    common.NAMES[:] = ["<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_2>", "<extra_id_4>",
                       "[CLS]", "[SEP]", "[MASK]", "time", "<x>", "<tool>"]
    made = []
    with tempfile.TemporaryDirectory() as work:
        for name, files, keys in cases():
            where = os.path.join(work, name)
            os.makedirs(where)
            for file, value in files.items():
                raw = base64.b64decode(value["base64"]) if "base64" in value else None
                with open(os.path.join(where, file), "wb") as f:
                    f.write(json.dumps(value).encode() if raw is None else raw)
            tokenizer = common.load(where, keys, os.path.join(work, name + "_out"))
            made.append(dict(name=name, loaded_as=type(tokenizer).__name__, files=files, keys=keys,
                             **common.results(tokenizer)))
    import sentencepiece
    import transformers

    with open(sys.argv[1], "w", encoding="ascii") as f:
        json.dump({"made_with": {"transformers": transformers.__version__,
                                 "sentencepiece": sentencepiece.__version__},
                   "texts": TEXTS, "cases": made}, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
