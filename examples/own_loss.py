#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""own_loss.py MODEL_DIR TEXT: a loss of one's own, on a model from memory.

The loss is cross entropy in which a token that the model is sure of counts little (focal loss: Lin
et al., "Focal loss for dense object detection", 2017): -(1 - p)^2 log p.  axl gives the logits,
and takes the loss and its gradient by each of them.
"""
import math
import os
import sys

import axl

GAMMA = 2.0


def focal(rows):
    """The sum over the rows of logits, and its gradient."""
    total, gradient = 0.0, []
    for row, logits in zip(rows.rows, rows.logits.tolist()):
        target = rows.batch.labels[int(row) + 1]
        top = max(logits)
        powers = [math.exp(x - top) for x in logits]
        p = [x / sum(powers) for x in powers]
        q, log_q = 1.0 - p[target], math.log(p[target])
        total -= q ** GAMMA * log_q
        # By the target's probability; that of the softmax makes it one by each logit.
        slope = GAMMA * q ** (GAMMA - 1.0) * log_q * p[target] - q ** GAMMA
        gradient.append([slope * ((v == target) - x) for v, x in enumerate(p)])
    return total, gradient


def main():
    folder, text = sys.argv[1:]
    files = {}
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer.model",
                 "tokenizer_config.json"):
        if os.path.exists(os.path.join(folder, name)):
            with open(os.path.join(folder, name), "rb") as file:
                files[name] = file.read()
    tokenizer, model = axl.Tokenizer.from_files(files), axl.Model.from_files(files)
    ids = tokenizer.encode(text)
    batch = axl.Batch(ids, ids)
    trainer = axl.Trainer(model, axl.Adapter(model, rank=8), learning_rate=0.004)
    for step in range(1, 31):
        loss = trainer.forward_backward(batch, loss=focal)
        trainer.step()
        if step % 10 == 0:
            print(f"step {step} loss {loss:.4f}")


if __name__ == "__main__":
    main()
