#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loads adapters that axl saved with PEFT and compares logits: check_adapter_in_peft.py BASE [ADAPTER]

BASE is a model's folder in Hugging Face form, ADAPTER an output_dir of axl; without one an adapter of each kind is made
that BASE has the layers for (tests/golden/model_variants/llama_biases, and phi3_tied_bf16_old for the last ones).  Needs
torch, transformers and peft (run here with 2.13.0, 5.16.1 and 0.20.0); run on demand, with PYTHONPATH=bindings/python.
"""
import logging
import random
import sys
import tempfile

import axl
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

SOME = ["q_proj", "v_proj", "down_proj"]
KINDS = [
    dict(target_modules=r".*\.[01]\.self_attn\.[qv]_proj", exclude_modules=r".*\.0\..*v_proj"),
    dict(target_modules="all-linear", rank_pattern={"q_proj": 5, r"1\.mlp\..*": 2}, alpha_pattern={"k_proj": 2.5}),
    dict(target_modules=SOME + ["model.layers.0.mlp.up_proj"], layers_to_transform=[1], layers_pattern=["layers"],
         exclude_modules=["v_proj"]),
    dict(target_modules=SOME, bias="all"),
    dict(target_modules=SOME, bias="lora_only", rslora=True),
    dict(target_modules=SOME, lora_bias=True, init_lora_weights=False),
    dict(target_modules=SOME, use_dora=True, init_lora_weights="gaussian"),
    dict(target_modules=SOME, use_dora=True, bias="all", init_lora_weights="pissa", rslora=True,
         rank_pattern={"v_proj": 3}),
    dict(target_modules=SOME, init_lora_weights="orthogonal"),
    dict(target_modules=SOME, init_lora_weights="pissa", rank_pattern={"q_proj": 6}),
    dict(target_modules=SOME, init_lora_weights="pissa_niter_2"),
    dict(target_modules=SOME, init_lora_weights="olora"),
    dict(target_modules=SOME, modules_to_save=["embed_tokens", "lm_head"]),
    dict(target_modules="all-linear", modules_to_save=["norm", "layers.1.self_attn.o_proj", "layers.0.mlp"]),
    dict(target_modules=["q_proj"], trainable_token_indices=[5, 40, 41, 42, 7]),
    dict(target_modules=["q_proj"], trainable_token_indices={"embed_tokens": [3, 60], "lm_head": [60, 61, 4]}),
    dict(target_modules=["qkv_proj"], trainable_token_indices=[2, 3, 20, 7]),
    dict(target_modules=["qkv_proj"], trainable_token_indices={"embed_tokens": [2, 3], "lm_head": [3, 9]}),
    dict(target_modules=["qkv_proj"], modules_to_save=["embed_tokens", "lm_head"]),
    dict(target_modules=["qkv_proj"], modules_to_save=["embed_tokens"]),
    dict(target_modules=["qkv_proj"], modules_to_save=["lm_head"], ensure_weight_tying=True),
    dict(target_modules=["embed_tokens", "q_proj"], rank_pattern={"embed_tokens": 6}, rslora=True),
    dict(target_modules=".*(embed_tokens|lm_head|qkv_proj)"),
]


def compare(base, adapter):
    """How far logits are apart, and how far the adapter moves them, by the largest."""
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    ids = [3 + i % (plain.config.vocab_size - 3) for i in range(64)]
    with torch.no_grad():
        without = plain(torch.tensor([ids])).logits[0].double()
        peft = PeftModel.from_pretrained(plain, adapter).eval()
        theirs = peft(torch.tensor([ids])).logits[0].double()
    model = axl.Model.open(base, compute="f32")
    lora = axl.Adapter.open(model, adapter)
    ours = torch.tensor(model.logits(ids, adapter=lora)).reshape(theirs.shape).double()
    scale = theirs.abs().max()
    return ((ours - theirs).abs().max() / scale).item(), ((theirs - without).abs().max() / scale).item()


def make(base, kind, folder):
    """An adapter whose values have moved from where they began."""
    model = axl.Model.open(base, compute="f32")
    made = axl.Adapter(model, rank=4, alpha=8, **kind)
    random.seed(5)
    for name in made:
        values = made[name].tolist()
        made[name] = [[v + random.gauss(0.0, 0.05) for v in row] for row in values]
    made.save(folder)


def main(base, adapter=None):
    logging.getLogger("peft").setLevel(logging.ERROR)
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for i, kind in enumerate(KINDS if adapter is None else [None]):
            if kind is not None:
                adapter = f"{folder}/{i}"
                try:
                    make(base, kind, adapter)
                except axl.InvalidError as e:
                    print(f"{kind}: not here: {e}")
                    continue
            apart, moved = compare(base, adapter)
            print(f"{kind or adapter}: {apart:.2g} of the largest logit apart; the adapter moves them by {moved:.2g}")
            worst = max(worst, apart)
    sys.exit(worst > 1e-5)


main(*sys.argv[1:])
