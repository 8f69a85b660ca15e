# SPDX-License-Identifier: Apache-2.0
# Makes unfrozen.json: what Axolotl's unfrozen_parameters trains of models of tests/golden/model_variants, and what
# STEPS steps of AdamW make of it on the two sequences of expect.json, in f32, with transformers' groups of decay.
# A tensor's `moved` is the length of what was added to each row (of a vector: to each element) that ROWS names.
#
#   make_unfrozen.py MODEL_VARIANTS
#
# versions.json there names the packages; Axolotl is 0.19.0.
import json
import sys
from pathlib import Path

import torch
from axolotl.utils.freeze import freeze_layers_except
from transformers.trainer_pt_utils import get_parameter_names

from make_model_variants import load, logits_of, loss_of

STEPS = 5
RATE = 0.01
DECAY = 0.5
ROWS = [0, 1, 2, 3, 4, 5, 10, 11]
NOT_DECAYED = [r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]
CASES = [
    ("qwen2_bias", ["model.layers.1.mlp.down_proj"]),
    ("qwen2_bias", ["model.layers.[01]+.self_attn.(q|v)_proj", "lm_head"]),
    ("qwen2_bias", ["^model.embed_tokens.weight$[2:4]", "model.norm.weight"]),
    ("qwen2_bias", ["model.layers.0.self_attn.q_proj.bias[3:]", "model.layers.0.mlp.up_proj.weight[:2]"]),
    ("qwen2_bias", ["model.embed_tokens", "model.embed_tokens.weight[1:3]", "model.embed_tokens.weight[2:5]"]),
    ("qwen2_bias", ["layers.1", "model.layers.1.mlp.gate_proj.weight[4]", ".+input_layernorm.weight$"]),
    ("qwen2_bias", ["model\\.norm", "model.*norm", "model.norm.weight$", "model.layers.0.self_attn.o_proj.weight[]"]),
    ("gemma3", ["model.layers.[2-3].(mlp|self_attn)", "model.layers.2.post_feedforward_layernorm"]),
    ("untied_mha_f32", ["^lm_head.weight$", "model.norm"]),
    ("untied_mha_f32", ["^lm_head.weight$[3:5]", "^model.embed_tokens.weight$[:3]"]),
]


def groups_of(model):
    decayed = get_parameter_names(model, [torch.nn.LayerNorm], NOT_DECAYED)
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for n, p in trained if n in decayed], "weight_decay": DECAY},
        {"params": [p for n, p in trained if n not in decayed], "weight_decay": 0.0},
    ]


def case(variants, name, patterns):
    sequences = json.loads((variants / name / "expect.json").read_text())["input_ids"]
    model = load(variants / name, torch.float32)
    freeze_layers_except(model, patterns)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    before = {n: p.detach().clone() for n, p in trained.items()}
    optimizer = torch.optim.AdamW(groups_of(model), lr=RATE)
    losses = []
    for _ in range(STEPS):
        loss = loss_of(logits_of(model, sequences), sequences)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    moved = {}
    for n, p in trained.items():
        d = (p.detach() - before[n]).double()
        d = d.abs() if d.ndim == 1 else d.norm(dim=1)
        moved[n] = [d[r].item() for r in ROWS if r < len(d)]
    return {"model": name, "patterns": patterns, "losses": losses, "moved": moved}


def main():
    torch.set_num_threads(1)
    variants = Path(sys.argv[1])
    cases = [case(variants, *c) for c in CASES]
    out = {"steps": STEPS, "learning_rate": RATE, "weight_decay": DECAY, "rows": ROWS, "cases": cases}
    Path(__file__).with_name("unfrozen.json").write_text(json.dumps(out, indent=1) + "\n")
    for c in cases:
        print(c["model"], c["patterns"], c["losses"][-1], list(c["moved"]))


if __name__ == "__main__":
    main()
