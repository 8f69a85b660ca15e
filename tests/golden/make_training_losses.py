# SPDX-License-Identifier: Apache-2.0
# Makes VARIANT/steps.json for a model of tests/golden/model_variants: the losses of STEPS steps of AdamW that
# transformers and PEFT make in f32 on the two sequences of expect.json, from the variant's adapter on.
#
#   make_training_losses.py MODEL_VARIANTS [NAME…]
#
# versions.json there names the packages; they must be the same.
import json
import sys
from pathlib import Path

import torch

from make_model_variants import logits_of, loss_of, with_adapter

NAMES = ["gemma3"]
STEPS = 6
RATE = 0.01


def main():
    torch.set_num_threads(1)
    for name in sys.argv[2:] or NAMES:
        out = Path(sys.argv[1]) / name
        sequences = json.loads((out / "expect.json").read_text())["input_ids"]
        model = with_adapter(out, torch.float32)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=RATE, weight_decay=0.0)
        losses = []
        for _ in range(STEPS):
            loss = loss_of(logits_of(model, sequences), sequences)
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        (out / "steps.json").write_text(json.dumps({"learning_rate": RATE, "losses": losses}) + "\n")
        print(name, losses)


if __name__ == "__main__":
    main()
