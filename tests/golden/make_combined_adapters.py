# SPDX-License-Identifier: Apache-2.0
# Makes tests/golden/combined_adapters: adapters of PEFT and what its add_weighted_adapter() makes of them.
#
#   make_combined_adapters.py MODEL_VARIANTS OUT
#
# Each OUT/NAME is an adapter's folder as PEFT saves it, of the model MODEL_VARIANTS/llama_biases: those in SOURCES, and
# of COMBINED what comes of them.  OUT/expect.safetensors has ids, that model's second sequence, and NAME, its f32 logits
# with each.
# The weight of the embedding that PEFT saves beside its pair is left out.
import argparse
import importlib.metadata
import json
import platform
import shutil
from pathlib import Path

import peft
import torch
from safetensors.torch import load_file, save_file

from make_model_variants import load, logits_of, write

SEED = 79
SOURCES = {
    "first": dict(r=2, lora_alpha=8, target_modules=["q_proj", "down_proj"]),
    "second": dict(r=3, lora_alpha=5, target_modules=["q_proj", "v_proj"]),
    "third": dict(r=2, lora_alpha=3, use_rslora=True, target_modules=["down_proj", "embed_tokens"]),
}
COMBINED = {
    "cat": ("cat", {"first": 0.7, "second": -0.4, "third": 1.3}),
    "linear": ("linear", {"first": 0.7, "third": -0.4}),
    "one": ("cat", {"second": -2.5}),
}


def save(model, out, name):
    folder = out / name
    model.set_adapter(name)
    model.save_pretrained(out, selected_adapters=[name])
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file({k: v for k, v in tensors.items() if "base_layer" not in k}, folder / "adapter_model.safetensors",
              metadata={"format": "pt"})
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "llama_biases"
    config["target_modules"] = sorted(config["target_modules"])
    write(config, folder / "adapter_config.json")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("models", type=Path)
    p.add_argument("out", type=Path)
    args = p.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    base = args.models / "llama_biases"
    sequences = json.loads((base / "expect.json").read_text())["input_ids"]
    shutil.rmtree(args.out, ignore_errors=True)
    model = None
    for name, options in SOURCES.items():
        config = peft.LoraConfig(lora_dropout=0.0, task_type="CAUSAL_LM", **options)
        if model is None:
            model = peft.get_peft_model(load(base, torch.float32), config, adapter_name=name)
        else:
            model.add_adapter(name, config)
    for name, p in model.named_parameters():
        if "lora_" in name:
            with torch.no_grad():
                p.add_(torch.randn_like(p), alpha=0.1)
    for name, (kind, parts) in COMBINED.items():
        model.add_weighted_adapter(list(parts), list(parts.values()), name, combination_type=kind)
    tensors = {"ids": torch.tensor(sequences[1], dtype=torch.float32)}
    for name in [*SOURCES, *COMBINED]:
        save(model, args.out, name)
        with torch.no_grad():
            tensors[name] = logits_of(model, sequences)[1].contiguous()
    save_file(tensors, args.out / "expect.safetensors")
    (args.out / "README.md").unlink(missing_ok=True)
    for readme in args.out.glob("*/README.md"):
        readme.unlink()
    write({"python": platform.python_version(), "seed": SEED, "device": "cpu",
           **{n: importlib.metadata.version(n) for n in ("torch", "transformers", "peft", "safetensors")}},
          args.out / "versions.json")


if __name__ == "__main__":
    main()
