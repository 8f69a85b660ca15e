# SPDX-License-Identifier: Apache-2.0
# Makes tests/golden/rope_frequencies.json: what transformers makes of every kind of rotary embedding.
#
#   make_rope_frequencies.py OUT.json
#
# A case has a config.json (what concerns positions), and for some lengths of a text the inverse frequencies (f32) and
# the number that cosines and sines are multiplied with.  "part" says that the family turns a part of a head alone.
import importlib.metadata
import json
import sys
from pathlib import Path

import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

SIZES = dict(hidden_size=64, num_attention_heads=4, max_position_embeddings=256)
FACTORS = dict(short_factor=[1.0 + 0.05 * i for i in range(6)], long_factor=[1.0 + 0.9 * i for i in range(6)])
LLAMA3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)

CASES = {
    "default": ("llama", dict(rope_parameters=dict(rope_type="default", rope_theta=5e5))),
    "default_old": ("llama", dict(rope_theta=1e6, rope_scaling=None)),
    "nothing_said": ("llama", dict()),
    "linear": ("llama", dict(rope_parameters=dict(rope_type="linear", rope_theta=1e4, factor=2.5))),
    "linear_old": ("llama", dict(rope_theta=2e4, rope_scaling=dict(type="linear", factor=4))),
    "both_spellings": ("llama", dict(rope_parameters=dict(rope_type="default", rope_theta=1e4),
                                     rope_scaling=dict(rope_type="linear", factor=3.0))),
    "dynamic": ("llama", dict(rope_parameters=dict(rope_type="dynamic", rope_theta=1e4, factor=2.0))),
    "dynamic_old": ("llama", dict(rope_theta=1e5, rope_scaling=dict(type="dynamic", factor=4.0))),
    "llama3": ("llama", dict(rope_parameters=dict(rope_type="llama3", rope_theta=5e5, **LLAMA3))),
    "llama3_original_outside": ("llama", dict(original_max_position_embeddings=32, rope_theta=1e4,
                                              rope_scaling=dict(rope_type="llama3", **LLAMA3))),
    "yarn": ("llama", dict(rope_parameters=dict(rope_type="yarn", rope_theta=1e4, factor=4.0,
                                                original_max_position_embeddings=64))),
    "yarn_no_original": ("llama", dict(rope_theta=1e6, rope_scaling=dict(type="yarn", factor=4.0))),
    "yarn_betas": ("llama", dict(rope_parameters=dict(
        rope_type="yarn", rope_theta=1e4, factor=4.0, original_max_position_embeddings=64, beta_fast=16, beta_slow=2,
        truncate=False))),
    "yarn_attention_factor": ("llama", dict(rope_parameters=dict(
        rope_type="yarn", rope_theta=1e4, factor=4.0, original_max_position_embeddings=64, attention_factor=0.75))),
    "yarn_mscale": ("llama", dict(rope_parameters=dict(
        rope_type="yarn", rope_theta=1e4, factor=40.0, original_max_position_embeddings=64, mscale=0.707,
        mscale_all_dim=1.0))),
    "yarn_null_factor": ("llama", dict(rope_parameters=dict(
        rope_type="yarn", rope_theta=1e4, factor=None, original_max_position_embeddings=64))),
    "longrope": ("llama", dict(head_dim=12, rope_parameters=dict(
        rope_type="longrope", rope_theta=1e4, original_max_position_embeddings=64, **FACTORS))),
    "longrope_factor": ("llama", dict(head_dim=12, rope_parameters=dict(
        rope_type="longrope", rope_theta=1e4, original_max_position_embeddings=64, factor=8.0, **FACTORS))),
    "longrope_attention_factor": ("llama", dict(head_dim=12, rope_parameters=dict(
        rope_type="longrope", rope_theta=1e4, original_max_position_embeddings=64, attention_factor=1.25, **FACTORS))),
    "phi3_default": ("phi3", dict(rope_theta=1e4)),
    "phi3_partial": ("phi3", dict(rope_theta=1e4, partial_rotary_factor=0.75)),
    "phi3_longrope": ("phi3", dict(rope_theta=1e4, partial_rotary_factor=0.75, original_max_position_embeddings=64,
                                   rope_scaling=dict(type="longrope", **FACTORS))),
    "phi3_su": ("phi3", dict(partial_rotary_factor=0.75, original_max_position_embeddings=64,
                             rope_scaling=dict(type="su", original_max_position_embeddings=32, **FACTORS))),
    "phi3_yarn": ("phi3", dict(partial_rotary_factor=0.75, original_max_position_embeddings=128,
                               rope_scaling=dict(type="yarn", original_max_position_embeddings=32, **FACTORS))),
    "phi3_no_original": ("phi3", dict(partial_rotary_factor=0.75, max_position_embeddings=8192,
                                      rope_scaling=dict(type="longrope", **FACTORS))),
    "ministral3": ("ministral3", dict(head_dim=16, rope_parameters=dict(
        rope_type="yarn", rope_theta=1e6, factor=16.0, original_max_position_embeddings=64, beta_fast=32.0, beta_slow=1.0,
        mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.1, max_position_embeddings=256))),
    "ministral3_nothing_said": ("ministral3", dict(head_dim=16)),
}
LENGTHS = (10, 64, 65, 256, 257, 700, 5000)


def frequencies(config, length):
    kind = config.rope_parameters["rope_type"]
    if kind == "default":
        module = getattr(transformers.models, config.model_type)
        modelling = getattr(module, f"modeling_{config.model_type}")
        rotary = [v for n, v in vars(modelling).items() if n.endswith("RotaryEmbedding")][0]
        found, scale = rotary.compute_default_rope_parameters(config)
    else:
        found, scale = ROPE_INIT_FUNCTIONS[kind](config, None, seq_len=length)
    return dict(length=length, attention=float(scale), frequencies=[float(f"{x:.9g}") for x in found.tolist()])


def main():
    out = []
    for name, (family, said) in CASES.items():
        said = {**SIZES, **said}
        by_length = []
        for length in LENGTHS:
            config = transformers.CONFIG_MAPPING[family].from_dict(json.loads(json.dumps(said)))
            found = frequencies(config, length)
            if not by_length or by_length[-1]["frequencies"] != found["frequencies"]:
                by_length.append(found)
        out.append(dict(name=name, model_type=family, config=said, lengths=by_length))
    versions = {n: importlib.metadata.version(n) for n in ("torch", "transformers")}
    Path(sys.argv[1]).write_text("{\"versions\": " + json.dumps(versions) + ",\n \"cases\": [\n" +
                                 ",\n".join("  " + json.dumps(c) for c in out) + "\n]}\n")


main()
