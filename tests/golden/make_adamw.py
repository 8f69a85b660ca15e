# SPDX-License-Identifier: Apache-2.0
"""Writes adamw.json: three steps of torch.optim.AdamW with weight decay, for test_reference.

Made with PyTorch 2.13.0 on a CPU:  python3 make_adamw.py > adamw.json
Every number is an f32 printed so that it reads back as the same one.
"""
import json

import torch

N, LR, BETA1, BETA2, EPS, WEIGHT_DECAY = 19, 1e-2, 0.9, 0.95, 1e-8, 0.1

torch.manual_seed(7)
p = torch.nn.Parameter(torch.randn(N))
optimizer = torch.optim.AdamW([p], lr=LR, betas=(BETA1, BETA2), eps=EPS,
                              weight_decay=WEIGHT_DECAY, foreach=False)
golden = {"torch": torch.__version__, "n": N, "lr": LR, "beta1": BETA1, "beta2": BETA2, "eps": EPS,
          "weight_decay": WEIGHT_DECAY, "p": p.tolist(), "steps": []}
for step in range(3):
    p.grad = torch.randn(N) * 10.0 ** -step
    optimizer.step()
    state = optimizer.state[p]
    golden["steps"].append({"g": p.grad.tolist(), "m": state["exp_avg"].tolist(),
                            "v": state["exp_avg_sq"].tolist(), "p": p.tolist()})
print(json.dumps(golden))
