# SPDX-License-Identifier: Apache-2.0
"""Writes param_groups.json: the learning rate and weight decay that Axolotl 0.19 gives to each of a
few parameters, for test_optimizer.

Made with axolotl 0.19.0, transformers 5.16.1 and peft 0.20.0:
    python3 make_param_groups.py > param_groups.json
"""
import json
from types import SimpleNamespace

import torch
from axolotl.core.trainers.mixins.optimizer import OptimizerMixin
from peft.optimizers import create_loraplus_optimizer
from transformers import Trainer

NAMES = {  # as files have them, to the shape
    "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": (4, 8),
    "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": (8, 4),
    "base_model.model.model.layers.1.mlp.gate_proj.lora_A.weight": (4, 8),
    "base_model.model.model.layers.1.mlp.gate_proj.lora_B.weight": (8, 4),
    "base_model.model.lm_head.lora_A.weight": (4, 8),
    "base_model.model.lm_head.lora_B.weight": (8, 4),
    "model.embed_tokens.weight": (8, 8),
    "model.layers.0.self_attn.q_proj.weight": (8, 8),
    "model.layers.0.self_attn.q_proj.bias": (8,),
    "model.layers.0.self_attn.q_norm.weight": (8,),
    "model.layers.0.input_layernorm.weight": (8,),
    "model.layers.0.mlp.normalizer.weight": (8, 8),
    "model.norm.weight": (8,),
    "lm_head.weight": (8, 8),
    "base_model.model.model.embed_tokens.weight": (8, 8),  # modules_to_save
    "base_model.model.model.norm.weight": (8,),
    "base_model.model.model.layers.0.self_attn.o_proj.weight": (8, 8),
    "base_model.model.model.layers.0.self_attn.o_proj.bias": (8,),
}
RATE, DECAY = 1e-3, 0.1
CASES = [  # options of axl, and what Axolotl makes of them
    {},
    {"loraplus_lr_ratio": 16.0},
    {"embedding_lr": 5e-5},
    {"embedding_lr_scale": 0.5, "embedding_lr": 5e-5},
    {"lr_groups": [{"name": "q", "modules": ["q_proj"], "lr": 2e-4},
                   {"name": "rest", "modules": ["layers.0", "lora_B.default"], "lr": 3e-4}]},
    {"optimizer": "adopt_adamw"},
]


def torch_name(name):
    if name.startswith("base_model.") and "lora_" not in name:
        path, last = name.rsplit(".", 1)
        return f"{path}.modules_to_save.default.{last}"
    return name.replace(".weight", ".default.weight") if "lora_" in name else name


def model():
    """Nested modules so that every parameter has its name."""
    root = torch.nn.Module()
    for name, shape in NAMES.items():
        at = root
        *path, last = torch_name(name).split(".")
        for part in path:
            if part not in at._modules:
                at.add_module(part, torch.nn.Module())
            at = at._modules[part]
        at.register_parameter(last, torch.nn.Parameter(torch.zeros(shape)))
    return root


def groups(net, case):
    if "loraplus_lr_ratio" in case:
        return create_loraplus_optimizer(net, torch.optim.AdamW, lr=RATE,
                                         loraplus_lr_ratio=case["loraplus_lr_ratio"],
                                         loraplus_lr_embedding=1e-6).param_groups
    fake = SimpleNamespace(args=SimpleNamespace(
        weight_decay=DECAY, lr_groups=case.get("lr_groups"),
        embedding_lr=case.get("embedding_lr"), embedding_lr_scale=case.get("embedding_lr_scale")))
    fake.get_decay_parameter_names = lambda m: Trainer.get_decay_parameter_names(fake, m)
    if case:
        return OptimizerMixin.create_optimizer_grouped_parameters(fake, net, {"lr": RATE})
    decay = fake.get_decay_parameter_names(net)  # as Trainer.create_optimizer does
    return [{"params": [p for n, p in net.named_parameters() if (n in decay) == on],
             "weight_decay": DECAY if on else 0.0, "lr": RATE} for on in (True, False)]


def main():
    out = {"learning_rate": RATE, "weight_decay": DECAY,
           "tensors": [{"name": n, "shape": s} for n, s in NAMES.items()], "cases": []}
    for case in CASES:
        net = model()
        found = {id(p): [g["lr"], g["weight_decay"]] for g in groups(net, case)
                 for p in g["params"]}
        params = dict(net.named_parameters())
        out["cases"].append({"options": case, "rate_and_decay": [
            found[id(params[torch_name(n)])] for n in NAMES]})
    print(json.dumps(out))


if __name__ == "__main__":
    main()
