#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_corpus.py [FOLDER]: writes the inputs that fuzzing starts from into corpus/, one small file
for each thing that a format can say, and removes those of an earlier state that it does not write.
What fuzzing found since lies beside them, named found-…, and stays.
"""
import gzip
import json
import math
import os
import struct
import sys
import zlib

TOP = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "corpus")


WRITTEN = set()


def put(target, name, *parts):
    folder = os.path.join(TOP, target)
    os.makedirs(folder, exist_ok=True)
    WRITTEN.add((target, name))
    with open(os.path.join(folder, name), "wb") as f:
        for part in parts:
            f.write(part.encode() if isinstance(part, str) else part)


# ---- texts of a config ----

CONFIG = """base_model: m
datasets:
  - path: d.jsonl
    type: alpaca
adapter: lora
lora_r: 4
lora_alpha: 8
lora_target_modules: [q_proj, "v_proj"]
learning_rate: 2e-5
output_dir: out
"""


def texts():
    put("yaml", "lora", CONFIG)
    put("yaml", "full", "base_model: m\ndatasets: [{path: d.jsonl, type: alpaca}]\nlearning_rate: 1.0e-4\n"
        "optimizer: adamw_torch\nlr_scheduler: cosine\nnum_epochs: 2\nsample_packing: true\nsequence_len: 64\n"
        "val_set_size: 0.1\noutput_dir: out\n")
    put("yaml", "anchors", "base_model: &m m\ndatasets: &d\n- path: d\n  type: alpaca\ntest_datasets: *d\n"
        "x: &y [*m, {a: *m}]\nz: {<<: {k: 1}}\n")
    put("yaml", "scalars", "a: ~\nb: 0x1F\nc: 0o17\nd: 1_000\ne: .inf\nf: -.nan\ng: 2001-01-01\nh: 1:30\ni: !!str 3\n"
        "j: |\n  block\n\nk: >-\n  fold\n  ed\nl: 'it''s'\nm: \"\\x41\\u00e9\\n\"\nn: yes\n? o\n: [1, -2.5e+3]\n")
    put("yaml", "open", "a: [")
    put("yaml", "tabs", "a:\n\t- b\n--- \n...\n%TAG ! x\n")
    put("yaml", "deep", "a: " + "[" * 40 + "]" * 40 + "\n")
    put("override", "all", "lora_r=8\ndatasets[0].path=e.jsonl\noptimizer=adamw_torch\naxl.backend=cpu\n"
        "lora_target_modules=[q_proj, v_proj]\nlearning_rate=1e-4\n")
    put("override", "wrong", "lora_r\n=3\na.b[=1\ndatasets[99999999999].path=x\na..b=1\ndatasets[-1]=2\nx=: [\n")
    put("sweep", "lists", "learning_rate: [1e-3, 1e-4]\nlora_r: [4, 8]\nlora_alpha: 16\n")
    put("sweep", "pairs", "_:\n  - {lora_r: 4, lora_alpha: 8}\n  - lora_r: 8\n    lora_alpha: 16\nseed: [1, 2]\n")
    put("sweep", "wrong", "- a\n- b\n")
    put("sweep", "empty", "lora_r: []\nseed: [[1, 2], {a: 1}]\n")


# ---- models ----

LLAMA = {"model_type": "llama", "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
         "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 8, "vocab_size": 16,
         "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "tie_word_embeddings": True, "eos_token_id": 2}


def model_configs():
    put("model_config", "llama", b"\0", json.dumps(LLAMA))
    put("model_config", "llama3", b"\0", json.dumps({**LLAMA, "rope_scaling": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32}, "eos_token_id": [2, 3], "hidden_act": "silu"}))
    put("model_config", "linear", b"\0", json.dumps({**LLAMA, "rope_scaling": {"type": "linear", "factor": 2}}))
    put("model_config", "phi3", b"\0", json.dumps({**LLAMA, "model_type": "phi3", "rope_scaling": {
        "type": "longrope", "short_factor": [1, 2], "long_factor": [3.5, 4]}, "partial_rotary_factor": 0.5,
        "original_max_position_embeddings": 16}))
    put("model_config", "ministral3", b"\0", json.dumps({**LLAMA, "model_type": "ministral3", "rope_parameters": {
        "rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 16, "llama_4_scaling_beta": 0.1,
        "mscale": 1, "mscale_all_dim": 0.5, "truncate": False}}))
    put("model_config", "mistral3", b"\0", json.dumps({"model_type": "mistral3", "text_config": LLAMA}))
    put("model_config", "large", b"\0", json.dumps({**LLAMA, "num_hidden_layers": 2 ** 31 - 1, "hidden_size": 2 ** 40,
                                                   "rms_norm_eps": -1}))
    put("model_config", "gemma3", b"\0", json.dumps({
        **LLAMA, "model_type": "gemma3_text", "sliding_window": 3, "sliding_window_pattern": 2,
        "final_logit_softcapping": 2.5, "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2},
                                                            "sliding_attention": {"rope_theta": 100}}}))
    put("model_config", "wrong", b"\0", '{"model_type": 3, "hidden_size": "8"}')
    put("model_config", "generation", b"\1", '{"eos_token_id": [2, 15], "bos_token_id": 1}')


def tensors(entries, metadata=True, pad=0):
    """The bytes of a safetensors file; entries: name -> (dtype, shape, bytes)."""
    header, data = {"__metadata__": {"format": "pt"}} if metadata else {}, b""
    for name, (dtype, shape, raw) in entries.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8 + pad)
    return struct.pack("<Q", len(text)) + text + data


def floats(n):
    return struct.pack("<%df" % n, *[i * 0.25 - 1 for i in range(n)])


def tensor_files():
    put("safetensors", "two", tensors({"a": ("F32", [2, 3], floats(6)), "b": ("BF16", [4], floats(2))}))
    put("safetensors", "types", tensors({d: (d, [8 // s], b"\0" * 8) for d, s in
                                         (("F16", 2), ("F64", 8), ("I64", 8), ("U8", 1), ("BOOL", 1), ("I32", 4))}))
    put("safetensors", "scalar", tensors({"a": ("F32", [], floats(1)), "b": ("F32", [0, 4], b"")}, metadata=False))
    put("safetensors", "many-dims", tensors({"a": ("U8", [1] * 9, b"\0")}))
    put("safetensors", "huge", struct.pack("<Q", 70) +
        b'{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'[:70])
    put("safetensors", "long-header", struct.pack("<Q", 2 ** 63) + b"{}")
    put("safetensors", "overlap", struct.pack("<Q", 112) +
        (b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}'
         .ljust(112)) + b"\0" * 6)
    names = ["model.embed_tokens", "model.norm"] + ["model.layers.0." + n for n in (
        "input_layernorm", "post_attention_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
        "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")]
    index = {"metadata": {"total_size": 2656}, "weight_map": {n + ".weight": "a.safetensors" for n in names}}
    put("safetensors_index", "good", json.dumps(index))
    put("safetensors_index", "missing", '{"weight_map": {"model.norm.weight": "b.safetensors"}}')
    put("safetensors_index", "outside", '{"weight_map": {"a": "../a.safetensors", "b": "/etc/passwd", "c": 3}}')
    put("safetensors_index", "list", '{"weight_map": []}')
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 16, "lora_dropout": 0.0, "target_modules": ["q_proj"],
              "task_type": "CAUSAL_LM", "bias": "none", "use_rslora": False, "base_model_name_or_path": "m",
              "fan_in_fan_out": False, "modules_to_save": None, "rank_pattern": {}, "alpha_pattern": {}}
    put("adapter", "config", b"\0", json.dumps(config))
    put("adapter", "all-linear", b"\0", json.dumps({**config, "target_modules": "all-linear", "use_rslora": True}))
    put("adapter", "pattern", b"\0", json.dumps({**config, "target_modules": ".*\\.(q|v)_proj$", "r": 0}))
    put("adapter", "refused", b"\0", json.dumps({**config, "use_dora": True, "rank_pattern": {"q_proj": 2}}))
    top = "base_model.model.model.layers.0.self_attn.q_proj."
    pair = {top + "lora_A.weight": ("F32", [1, 8], floats(8)), top + "lora_B.weight": ("F32", [8, 1], floats(8))}
    put("adapter", "tensors", b"\1", tensors(pair))
    put("adapter", "bf16", b"\1", tensors({k: ("BF16", v[1], v[2][:16]) for k, v in pair.items()}))
    put("adapter", "other", b"\1", tensors({"x": ("F32", [1], floats(1))}))
    state = {"axl_checkpoint": 2, "axl_version": "0.1.0", "isa": "avx2", "matmul": "axl", "backend": "cpu",
             "compute": "f32", "optimizer": "adamw", "step": 3, "seed": 42, "lora_restarts": 0, "only_model": False,
             "has_loader": False, "epoch": 1, "items": 1, "data_seed": 42, "data_rows": 4, "data_hash": "0" * 16,
             "step_items": 1, "bin_tokens": 0, "order": 0, "learning_rate": 2e-4, "max_grad_norm": 1.0,
             "neftune_noise_alpha": 0.0, "label_smoothing": 0.0, "loss_average": 0.0, "lora_dropout": 0.0,
             "lr_scheduler": 0.0, "total_steps": 0.0, "serial": 1, "loss_sum": 0.5, "loss_tokens": 1, "seconds": 1.5,
             "tokens": 100, "trained_tokens": 50, "worse_evaluations": 0, "high_losses": 0, "skipped_steps": 0}
    put("checkpoint", "state", b"\0", json.dumps(state))
    put("checkpoint", "old", b"\0", json.dumps({**state, "axl_checkpoint": 1}))
    put("checkpoint", "far", b"\0", json.dumps({**state, "step": 2 ** 63 - 1, "epoch": 2 ** 62, "items": 2 ** 63 - 1,
                                               "seconds": 1e308, "serial": 2 ** 63 - 1}))
    put("checkpoint", "evaluated", b"\0", json.dumps({**state, "evaluated_step": 2, "best_step": 1,
                                                     "best_metric": 0.5, "max_grad_norm": math.inf}))
    put("checkpoint", "restarts", b"\0", json.dumps({**state, "lora_restarts": 2}))
    put("checkpoint", "theirs", b"\0", '{"log_history": [], "global_step": 3}')
    put("checkpoint", "optimizer", b"\1", tensors({k + "." + m: v for k, v in pair.items()
                                                  for m in ("exp_avg", "exp_avg_sq")}))
    put("checkpoint", "adapter", b"\2", tensors(pair))


def quantised_files():
    top = "model.layers.0."
    norms = {n + ".weight": ("F32", [8], floats(8)) for n in (
        "model.norm", top + "input_layernorm", top + "post_attention_layernorm")}
    linears = [top + n + ".weight" for n in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                             "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")]
    common = {"model.embed_tokens.weight": ("F32", [16, 8], floats(128)), **norms}
    codes = bytes(i * 37 % 256 for i in range(64))
    nf4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
           -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
           0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
    state = {"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [8, 8], "nested_blocksize": 256,
             "nested_dtype": "float32", "nested_offset": 0.5}

    def four(w, nested):
        kept = {k: v for k, v in state.items() if nested or not k.startswith("nested")}
        text = json.dumps(kept).encode()
        more = {w + ".absmax": ("U8", [1], b"\x80"), w + ".nested_absmax": ("F32", [1], floats(1)),
                w + ".nested_quant_map": ("F32", [256], floats(256))} if nested else {
            w + ".absmax": ("F32", [1], floats(1))}
        return {w: ("U8", [32, 1], codes[:32]), w + ".quant_map": ("F32", [16], struct.pack("<16f", *nf4)),
                w + ".quant_state.bitsandbytes__nf4": ("U8", [len(text)], text), **more}

    def put_form(name, form, parts):
        put("quantised", name, bytes([form]), tensors({**common, **{k: v for w in linears for k, v in parts(w).items()}}))
    put_form("nested", 0, lambda w: four(w, True))
    put_form("plain", 0, lambda w: four(w, False))
    put_form("int8", 2, lambda w: {w: ("I8", [8, 8], codes), w[:-6] + "SCB": ("F32", [8], floats(8)),
                                   w + "_format": ("U8", [], b"\0")})
    put_form("fp8", 3, lambda w: {w: ("F8_E4M3", [8, 8], codes), w + "_scale_inv": ("F32", [2, 1], floats(2))})
    put_form("dense", 4, lambda w: {w: ("F32", [8, 8], floats(64))})
    put_form("dense-bf16", 5, lambda w: {w: ("BF16", [8, 8], floats(32))})


# ---- tokenizers ----

TOKENIZER = {
    "added_tokens": [{"id": 0, "content": "<s>", "special": True},
                     {"id": 9, "content": "ab c", "lstrip": True, "rstrip": True, "single_word": True}],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "_"},
                   {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]},
    "pre_tokenizer": None,
    "post_processor": {"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}},
    "decoder": {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "_"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "unk_token": "<s>", "fuse_unk": True, "byte_fallback": True,
              "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3, "_": 4, "_ab": 5, "<0xC3>": 6, "<0xA9>": 7, "c": 8},
              "merges": ["a b", ["_", "ab"]]}}


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def pieces(kind=1, more=b""):
    out = b""
    for i, (text, type_) in enumerate([("<unk>", 2), ("<s>", 3), ("</s>", 3), ("<0x0A>", 6), ("\u2581", 1), ("a", 1),
                                       ("b", 1), ("ab", 1), ("\u2581ab", 1), ("user", 4)]):
        out += field(1, field(1, text.encode()) + field(2, -float(i)) + field(3, type_))
    trainer = field(3, 2 if kind else 1) + field(35, 1) + field(40, 0) + field(41, 1) + field(42, 2)
    return out + field(2, trainer) + field(3, field(1, b"identity") + field(3, 1) + field(4, 0)) + more


def tokenizers():
    put("tokenizer_json", "sequence", b"\0", json.dumps(TOKENIZER))
    put("tekken", "small", json.dumps({
        "config": {"pattern": "\\w+|\\s+|.", "default_vocab_size": 5,
                   "default_num_special_tokens": 3, "version": "v11"},
        "special_tokens": [{"rank": i, "token_str": t} for i, t in enumerate(["<s>", "</s>"])],
        "vocab": [{"rank": 0, "token_bytes": "AA=="}, {"rank": 1, "token_bytes": "AQ=="}]}))
    put("tekken", "usual", json.dumps({
        "config": {"pattern": "a", "default_vocab_size": 20, "default_num_special_tokens": 20,
                   "version": "v3"}, "vocab": []}))
    put("tokenizer_json", "metaspace", b"\0", json.dumps({
        **TOKENIZER, "normalizer": None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": False},
        "decoder": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": False}}))
    put("tokenizer_json", "llama", b"\1", json.dumps(TOKENIZER))
    put("tokenizer_json", "other", b"\0", json.dumps({**TOKENIZER, "model": {"type": "Unigram", "vocab": [["a", 0.5]]}}))
    put("tokenizer_json", "unigram", b"\0", json.dumps({
        **TOKENIZER, "pre_tokenizer": {"type": "Whitespace"}, "decoder": {"type": "BPEDecoder", "suffix": "b"},
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFKC"}, {"type": "Nmt"}, {"type": "Strip"}, {"type": "StripAccents"},
            {"type": "Precompiled", "precompiled_charsmap": "CAAAAAAAAAAAAAAAYQA="}]},
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": True,
                  "vocab": [["<s>", 0], ["a", -1.5], ["ab", -2], ["<0x0A>", -9]]}}))
    put("tokenizer_json", "word-piece", b"\0", json.dumps({
        **TOKENIZER, "normalizer": {"type": "BertNormalizer"}, "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "RobertaProcessing", "cls": ["<s>", 0], "sep": ["</s>", 1]},
        "decoder": {"type": "WordPiece", "prefix": "##"},
        "model": {"type": "WordPiece", "unk_token": "<s>", "vocab": {"<s>": 0, "</s>": 1, "a": 2, "##b": 3}}}))
    put("tokenizer_json", "regex", b"\0", json.dumps({
        **TOKENIZER, "normalizer": {"type": "Replace", "pattern": {"Regex": "(?<=a)[b&&[^c]]{,2}+"}, "content": "x"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "(?i:'s)|[^\\r\\n\\p{L}]?\\p{Lu}+|\\W(?!\\S)|\\bx{1,3}?"},
             "behavior": "MergedWithNext", "invert": True},
            {"type": "Punctuation"}, {"type": "UnicodeScripts"}, {"type": "FixedLength", "length": 3},
            {"type": "ByteLevel"}]},
        "decoder": {"type": "CTC", "pad_token": "a", "word_delimiter_token": "|"}}))
    put("tokenizer_json", "empty", b"\0", '{"model": {"vocab": {"a": 0}, "merges": []}}')
    put("tokenizer_json", "wrong", b"\0", '{"model": {"vocab": {"a": -1, "b": 99999999999}, "merges": ["a b c", 3]}}')
    put("tokenizer_model", "bpe", pieces())
    put("tokenizer_model", "unigram", pieces(0))
    put("tokenizer_model", "unknown-fields", pieces(1, field(99, 7) + field(100, b"xyz") + varint(101 << 3 | 1) + b"8" * 8))
    put("tokenizer_model", "cut", pieces()[:40])
    put("tokenizer_model", "ranks", "YQ== 0\nYg== 1\nYWI= 2\n")
    put("vocabulary_files", "words", b"\0", "[PAD]\n[UNK]\n[CLS]\r\n[SEP]\n[MASK]\na \nb\n##b\n\u3000\na\n\nlast")
    put("vocabulary_files", "words-not-utf-8", b"\0", b"[UNK]\n\xff\n")
    put("vocabulary_files", "pieces", b"\1", pieces(0))
    put("vocabulary_files", "pieces-cut", b"\1", pieces(0)[:50])
    put("vocabulary_files", "ids", b"\2", '{"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3, "\u0120": 4}')
    put("vocabulary_files", "ids-wrong", b"\2", '{"a": "x", "b": -1}')
    put("vocabulary_files", "merges", b"\3", "#version: 0.2\na b\r\n")
    put("vocabulary_files", "merges-wrong", b"\3", "a  b\n\nab")
    put("tokenizer_json", "references", b"\0", json.dumps({
        **TOKENIZER, "pre_tokenizer": {"type": "Split", "behavior": "Isolated", "pattern": {
            "Regex": "(?#x)(?<a>\\w)(b)?\\k<a>|(?'b'c)\\k'b'"}}}))
    put("tokenizer_json", "references-by-number", b"\0", json.dumps({
        **TOKENIZER, "pre_tokenizer": {"type": "Split", "behavior": "Removed", "pattern": {
            "Regex": "(a)\\1|(b)\\k<-1>|\\3(c)"}}}))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": {"content": "</s>"},
              "unk_token": "<s>", "pad_token": None, "add_bos_token": True, "model_max_length": 1e30,
              "additional_special_tokens": ["<x>", {"content": "<y>", "lstrip": True}],
              "added_tokens_decoder": {"0": {"content": "<s>", "special": True}, "9": {"content": "ab c", "rstrip": True}}}
    put("tokenizer_config", "config", b"\0", json.dumps(config))
    put("tokenizer_config", "llama", b"\0", json.dumps({**config, "tokenizer_class": "LlamaTokenizer", "legacy": False}))
    put("tokenizer_config", "wrong", b"\0", '{"bos_token": 3, "added_tokens_decoder": {"-1": {}, "x": 1}, "eos_token": {}}')
    put("tokenizer_config", "map", b"\1", json.dumps({"bos_token": "<s>", "pad_token": {"content": "[PAD]"},
                                                     "additional_special_tokens": ["<z>"]}))
    put("tokenizer_config", "added", b"\2", '{"[PAD]": 6, "more": 7, "a": 2}')


# ---- data ----

def parquet():
    """Of the files that pyarrow wrote, the small ones."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/readers")
    for name in ("one-row", "required", "texts-delta", "texts-delta-length", "texts-dictionary", "times-int96",
                 "booleans-v2", "booleans-runs", "alpaca-gzip", "alpaca-v2-none", "delta-long"):
        with open(os.path.join(folder, name + ".parquet"), "rb") as f:
            put("parquet", name, f.read())


def arrow():
    """As parquet's."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/readers")
    for name in ("one-row", "legacy", "left-out", "types", "types-zstd", "dictionaries", "dictionaries-deltas",
                 "stream-lz4", "alpaca-zstd", "empty"):
        with open(os.path.join(folder, "arrow-" + name + ".arrow"), "rb") as f:
            put("arrow", name, f.read())


def data():
    lines = '{"instruction": "a", "output": "b\\u00e9\\ud83d\\ude00"}\n\n{"n": [1, -2.5e3, null, true]}\n{"bad": \n'
    put("records", "lines", b"\0", lines)
    put("records", "bom", b"\0", "\ufeff", '{"a": "\\u0000"}\r\n{"a": 12345678901234567890}')
    put("records", "array", b"\1", '[{"a": 1},\n {"b": {"c": []}}, "s"\n]')
    put("records", "object", b"\1", '{"a": {"b": 1}\n}')
    put("records", "surrogates", b"\0", '{"a": "\\ud800x\\udc00\\ud83d\\u0041"}\n')
    put("records", "deep", b"\0", '{"a": ' + "[" * 200 + "]" * 200 + "}\n")
    packed = gzip.compress(lines.encode(), mtime=0)
    put("records", "gzip", b"\2", packed)
    put("records", "two-members", b"\2", packed, packed)
    put("records", "cut-gzip", b"\2", packed[:-6])
    put("records", "csv", b"\3", '\ufeffa,"b ""c""",a,\r\n"x\ny",1,,true\n\n  \nNA,2.5,99999999999999999999,"\n')
    put("records", "csv-wrong", b"\3", 'a,b\n1\n2,3,4\r5,"6"7\r\n\xff,')
    put("records", "text", b"\4", "a\r\nb\rc\n\n\0d")
    text = b'{"a": "x"}\n' * 20
    frame = b"\x28\xb5\x2f\xfd\x20" + bytes([len(text)]) + (1 | len(text) << 3).to_bytes(3, "little") + text
    put("records", "zstd", b"\5", frame, frame)
    put("records", "cut-zstd", b"\5", frame[:-6])
    put("records", "csv-gzip", b"\6", gzip.compress(b'a,b\n"1\r\n2",3\n', mtime=0))
    rows, tokens = struct.pack("<QIIIIQIIII", 0, 2, 1, 0, 0, 1, 1, 0, 0xFFFFFFFF, 0), struct.pack("<6i", 1, 2, -100, 2, 3, -100)

    def cache(n_rows=2, n_tokens=3, key=b"key", sources=b"d.jsonl\0"):
        return (b"AXLROWS1" + struct.pack("<13Q", n_rows, n_tokens, len(key), len(sources), 1, 3, 1, 0, 0, 0, 0, 0, 0) +
                rows + tokens + key + sources)
    put("cache", "two-rows", cache())
    put("cache", "other-key", cache(key=b"kez"))
    put("cache", "no-end", cache(sources=b"d.jsonlx"))
    put("cache", "many", cache(n_rows=2 ** 61))
    put("cache", "none", b"AXLROWS1" + struct.pack("<13Q", 0, 0, 3, 0, *[0] * 9) + b"key")


# ---- the Hub ----

def answer(code, headers, body=""):
    head = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    return f"HTTP/1.1 {code} X\r\n{head}\r\n{body}\n%%\n"


def hub():
    sha = "0123456789abcdef0123456789abcdef01234567"

    def files(*names):
        return answer(200, {"Content-Type": "application/json"},
                      json.dumps({"sha": sha, "siblings": [{"rfilename": n} for n in names]}))
    head = answer(200, {"ETag": '"aa"', "Content-Length": 3})
    put("hub", "one-file", b"\0", files("config.json", "README.md"), head, answer(200, {"ETag": '"aa"'}, "{}"))
    put("hub", "linked", b"\0", files("model.safetensors"),
        answer(302, {"X-Linked-ETag": '"bb"', "X-Linked-Size": 5, "Location": "http://cdn/x"}),
        answer(302, {"Location": "http://cdn/x"}), answer(200, {}, "1234"))
    put("hub", "moved-here", b"\0", files("config.json"), answer(307, {"Location": "http://hub/new/name"}), head,
        answer(206, {"Content-Range": "bytes 0-2/3"}, "{}"))
    put("hub", "cut", b"\0", files("config.json"), answer(200, {"ETag": 'W/"cc"', "Content-Length": 6}),
        answer(200, {}, "12"), answer(206, {"Content-Range": "bytes 3-5/6"}, "45"))
    put("hub", "busy", b"\0", answer(503, {}), answer(429, {"X-Error-Code": "Busy"}))
    put("hub", "gated", b"\0", answer(403, {"X-Error-Code": "GatedRepo"}))
    put("hub", "paths", b"\0", files("../config.json", "/etc/x", "a/../config.json", "a//b", "", "config.json"))
    put("hub", "too-large", b"\0", files("config.json"), answer(200, {"ETag": '"dd"', "X-Linked-Size": 2 ** 62}),
        answer(200, {}, "{}"))
    put("hub", "too-long", b"\0", files("config.json"), head, answer(200, {}, "{}" * 100))
    put("hub", "no-list", b"\0", answer(200, {}, '{"sha": "../..", "siblings": {}}'))
    raw = tensors({"a": ("F32", [2, 3], floats(6))})[:-24]
    put("hub", "headers", b"\1", files("model.safetensors", "config.json"),
        answer(302, {"X-Linked-ETag": '"bb"', "X-Linked-Size": len(raw) + 24, "Location": "http://cdn/x"}), head,
        answer(200, {"ETag": '"aa"'}, "{}"), "HTTP/1.1 206 X\r\nContent-Range: bytes 0-999/9999\r\n\r\n", raw, "\n%%\n")


# ---- templates, from the goldens ----

def templates():
    golden = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "jinja.json")
    with open(golden, encoding="utf-8") as f:
        goldens = json.load(f)
    whole = [(n, c) for n, c in enumerate(goldens["cases"]) if c[0].count("{%") > 1 or n % 12 == 0]
    for n, (template, context, _) in whole[::5]:
        variables = goldens["contexts"][context]
        used = {k: v for k, v in variables.items() if len(k) > 1 and k in template}
        put("jinja", f"golden-{n}", template, "\0", json.dumps(used, ensure_ascii=False))


# ---- conversations, from the goldens ----

def chats():
    golden = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "chat_goldens.json")
    with open(golden, encoding="utf-8") as f:
        rows = json.load(f)["rows"]
    for n, row in enumerate(rows[::2]):
        put("chat", f"golden-{2 * n}", bytes([n % 5]), json.dumps(row, ensure_ascii=False))
    said = [{"from": "human", "value": "2?"}, {"from": "gpt", "value": "4"}]
    put("chat", "mapped", b"\2", json.dumps({"conversations": [{"from": "system", "value": "s"}, *said]}))
    put("chat", "thinking", b"\1", json.dumps({"messages": [
        {"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>t</think>a", "tool_calls": [
            {"type": "function", "function": {"name": "f", "arguments": "{\"x\": [1]}"}}]},
        {"role": "tool", "content": "{}"}, {"role": "assistant", "reasoning_content": "r", "content": None}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}))
    put("chat", "details", b"\0", json.dumps({"messages": [
        {"role": "user", "content": "q"}, {"role": "assistant", "content": "abcdef", "train": True, "detail": [
            {"begin_offset": 0, "end_offset": 2, "train": True}, {"begin_offset": 3, "end_offset": 5, "train": False}]},
        {"role": "assistant", "content": [{"type": "text", "text": "a", "train": False}, {"type": "text", "text": "b",
                                                                                         "weight": 1}]}]}))
    put("chat", "wrong", b"\3", '{"messages": [{"role": 3, "content": {}}, [], null, {"content": "x"}]}')


for make in (texts, model_configs, tensor_files, quantised_files, tokenizers, data, parquet, arrow, hub, templates, chats):
    make()
for target in {t for t, _ in WRITTEN}:
    for name in os.listdir(os.path.join(TOP, target)):
        if (target, name) not in WRITTEN and not name.startswith("found-"):
            os.remove(os.path.join(TOP, target, name))
