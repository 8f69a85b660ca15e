# SPDX-License-Identifier: Apache-2.0
# Makes tests/golden/peft_variants: adapters of PEFT beside plain LoRA, and what they compute.
#
#   make_peft_variants.py MODEL_VARIANTS OUT [NAME…]
#
# Each OUT/NAME is an adapter's folder as PEFT saves it, of the model MODEL_VARIANTS/llama_biases, or phi3_tied_bf16_old
# where a variant is in TIED, or gemma where its name begins with scaled_, and in it
#   expect.safetensors  lora.1: f32 logits of that model's second sequence with the adapter, as loaded from there;
#                       grad.TENSOR: gradient of the loss by each trained tensor, computed in f64, TENSOR as in the file
# "new" has no values in its folder but what PEFT's own initialisation makes of the weights:
#   expect.safetensors  INIT.TENSOR: s B A, which is without signs, for each init that changes the weights
import argparse
import importlib.metadata
import json
import platform
import shutil
from pathlib import Path

import peft
import torch
from safetensors.torch import save_file

from make_model_variants import load, logits_of, loss_of, write

SEED = 78
SOME = ["q_proj", "v_proj", "down_proj"]
FUSED = ["qkv_proj", "down_proj"]

VARIANTS = {
    "regex": dict(r=2, lora_alpha=8, target_modules=r".*\.layers\.\d\.(self_attn\.[qv]_proj|mlp\.down_proj)",
                  exclude_modules=r".*\.0\..*v_proj"),
    "layers": dict(r=2, lora_alpha=8, layers_to_transform=[1], layers_pattern="layers", exclude_modules=["mlp.up_proj"],
                   target_modules=["q_proj", "up_proj", "down_proj", "model.layers.0.self_attn.o_proj"]),
    "patterns": dict(r=2, lora_alpha=8, target_modules="all-linear",
                     rank_pattern={"q_proj": 4, "layers.1.self_attn.v_proj": 1, r"^model\.layers\.0\.mlp\.(up|down)_proj": 3},
                     alpha_pattern={"k_proj": 32, r"layers\.0\..*": 5}),
    "bias_all": dict(r=2, lora_alpha=8, target_modules=["q_proj", "down_proj"], bias="all"),
    "bias_lora_only": dict(r=2, lora_alpha=8, target_modules=["q_proj", "down_proj"], bias="lora_only"),
    "lora_bias": dict(r=2, lora_alpha=8, target_modules=SOME, lora_bias=True),
    "dora": dict(r=2, lora_alpha=8, target_modules=SOME + ["gate_proj"], use_dora=True, use_rslora=True),
    "pissa": dict(r=2, lora_alpha=8, target_modules=SOME, init_lora_weights="pissa"),
    "olora": dict(r=2, lora_alpha=8, target_modules=["q_proj", "down_proj"], init_lora_weights="olora"),
    "dora_bias_all": dict(r=2, lora_alpha=8, target_modules=SOME, use_dora=True, bias="all"),
    "whole": dict(r=2, lora_alpha=8, target_modules=SOME, modules_to_save=["embed_tokens", "lm_head"]),
    "whole_layers": dict(r=2, lora_alpha=8, target_modules="all-linear",
                         modules_to_save=["norm", "layers.1.self_attn.o_proj", "layers.0.mlp"]),
    "tied_apart": dict(r=2, lora_alpha=8, target_modules=FUSED, modules_to_save=["embed_tokens", "lm_head"]),
    "tied_embedding": dict(r=2, lora_alpha=8, target_modules=FUSED, modules_to_save=["embed_tokens"]),
    "tied_together": dict(r=2, lora_alpha=8, target_modules=FUSED, modules_to_save=["lm_head"], ensure_weight_tying=True),
    "tied_grown": dict(r=2, lora_alpha=8, target_modules=FUSED, modules_to_save=["embed_tokens"], ensure_weight_tying=True),
}
ROWS = dict(r=1, lora_alpha=4)
VARIANTS |= {
    "rows": dict(ROWS, target_modules=["q_proj"], trainable_token_indices=[5, 40, 41, 42, 7]),
    "rows_of_both": dict(ROWS, target_modules=["q_proj"],
                         trainable_token_indices={"embed_tokens": [3, 60], "lm_head": [60, 61, 4]}),
    "tied_rows": dict(ROWS, target_modules=FUSED, trainable_token_indices=[2, 3, 20, 7]),
    "tied_rows_apart": dict(ROWS, target_modules=FUSED, trainable_token_indices={"embed_tokens": [2, 3], "lm_head": [3, 9]}),
}
VARIANTS |= {
    "pair_of_embedding": dict(r=3, lora_alpha=8, target_modules=["embed_tokens", "q_proj", "down_proj"], use_rslora=True,
                              rank_pattern={"embed_tokens": 5}, modules_to_save=["lm_head"]),
    "tied_pair_of_embedding": dict(r=2, lora_alpha=8, target_modules=r".*\.(embed_tokens|qkv_proj)"),
    "scaled_pair_of_embedding": dict(r=4, lora_alpha=6, target_modules=["embed_tokens", "o_proj"]),
}
GROWN = {"tied_grown": 40}  # tokens that the model has been resized to
TIED = ["tied_apart", "tied_embedding", "tied_together", "tied_grown", "tied_rows", "tied_rows_apart",
        "tied_pair_of_embedding"]
INITS = ["pissa", "olora"]


def base_of(name):
    return "phi3_tied_bf16_old" if name in TIED else "gemma" if name.startswith("scaled_") else "llama_biases"


def load_base(base, dtype, name):
    model = load(base, dtype)
    if name in GROWN:
        model.resize_token_embeddings(GROWN[name], mean_resizing=False)
    return model


def make_adapter(base, out, options):
    model = peft.get_peft_model(load_base(base, torch.float32, out.name), peft.LoraConfig(
        lora_dropout=0.0, task_type="CAUSAL_LM", **options))
    for name, p in model.named_parameters():
        if p.requires_grad and "lora_A" not in name:
            with torch.no_grad():
                p.add_(torch.randn_like(p), alpha=0.1)
    model.save_pretrained(out)
    (out / "README.md").unlink(missing_ok=True)
    config = json.loads((out / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = base.name
    for key in ("target_modules", "exclude_modules", "modules_to_save"):  # sets: their order changes from run to run
        if isinstance(config[key], list):
            config[key] = sorted(config[key])
    write(config, out / "adapter_config.json")


def named(name):
    """As the adapter's file has it."""
    name = name.replace(".modules_to_save.default.", ".").replace(".default.", ".")
    name = name.removesuffix(".default")  # of rows of the embedding
    return name.replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


def take_out_exactly(model, plain):
    """PEFT takes what PiSSA and OLoRA begin with out of the weights in 32 bits; here in 64."""
    for name, m in model.named_modules():
        if not isinstance(m, peft.tuners.lora.Linear):
            continue
        weight = plain.get_submodule(name.removeprefix("base_model.model.")).weight.data
        r, init = m.r["default"], model.peft_config["default"].init_lora_weights
        if init == "pissa":
            u, s, vh = torch.linalg.svd(weight, full_matrices=False)
            m.base_layer.weight.data = weight - u[:, :r] @ torch.diag(s[:r]) @ vh[:r]
        elif init == "olora":
            q, upper = torch.linalg.qr(weight)
            m.base_layer.weight.data = weight - m.scaling["default"] * q[:, :r] @ upper[:r]


def compute(base, out, sequences):
    tensors = {}
    with torch.no_grad():
        found = logits_of(peft.PeftModel.from_pretrained(load_base(base, torch.float32, out.name), out), sequences)
    tensors["lora.1"] = found[1].contiguous()
    exact = peft.PeftModel.from_pretrained(load_base(base, torch.float64, out.name).float(), out,
                                           is_trainable=True).to(torch.float64)
    take_out_exactly(exact, load(base, torch.float64))
    loss = loss_of(logits_of(exact, sequences), sequences)
    loss.backward()
    for name, p in exact.named_parameters():
        if p.requires_grad:
            tensors["grad." + named(name)] = p.grad.float().contiguous()
    save_file(tensors, out / "expect.safetensors")


def make_inits(base, out):
    tensors = {}
    for init in INITS:
        model = peft.get_peft_model(load(base, torch.float32), peft.LoraConfig(
            r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], layers_to_transform=[1],
            init_lora_weights=init, task_type="CAUSAL_LM"))
        for name, m in model.named_modules():
            if isinstance(m, peft.tuners.lora.Linear):
                kind = name.split(".")[-1]
                ba = m.scaling["default"] * m.lora_B["default"].weight @ m.lora_A["default"].weight
                tensors[f"{init}.{kind}"] = ba.detach().contiguous()
    save_file(tensors, out / "expect.safetensors")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("models", type=Path)
    p.add_argument("out", type=Path)
    p.add_argument("names", nargs="*")
    args = p.parse_args()
    torch.set_num_threads(1)
    for name in args.names or [*VARIANTS, "new"]:
        torch.manual_seed(SEED)
        base = args.models / base_of(name)
        sequences = json.loads((base / "expect.json").read_text())["input_ids"]
        out = args.out / name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        if name == "new":
            make_inits(base, out)
            continue
        make_adapter(base, out, VARIANTS[name])
        compute(base, out, sequences)
    write({"python": platform.python_version(), "seed": SEED, "device": "cpu",
           **{n: importlib.metadata.version(n) for n in ("torch", "transformers", "peft", "safetensors")}},
          args.out / "versions.json")


if __name__ == "__main__":
    main()
