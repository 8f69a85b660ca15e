# SPDX-License-Identifier: Apache-2.0
# Makes VARIANT/weights.safetensors for the models of tests/golden/model_variants: the gradient of the loss without an
# adapter, that of expect.json, by every weight, in f32 (computed in f64 where the variant says exact), named as
# the model's files name them.  A tied head has none.
#
#   make_weight_grads.py MODEL_VARIANTS [NAME…]
#
# versions.json there names the packages; they must be the same.
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from make_model_variants import VARIANTS, WRAPPERS, load, loss_of, trained_logits_of


def file_name(variant, name):
    """A wrapper's files have other names than its class."""
    if VARIANTS[variant].get("family", "").lower() not in WRAPPERS:
        return name
    return name.replace("model.language_model.", "language_model.model.").replace("lm_head", "language_model.lm_head")


def main():
    for name in sys.argv[2:] or VARIANTS:
        out = Path(sys.argv[1]) / name
        expect = json.loads((out / "expect.json").read_text())
        model = load(out, torch.float64 if VARIANTS[name].get("exact") else torch.float32)
        sequences = expect["input_ids"]
        loss = loss_of(trained_logits_of(VARIANTS[name], model, sequences), sequences)
        loss.backward()
        print(name, loss.item(), expect)
        save_file({file_name(name, n): p.grad.float().contiguous() for n, p in model.named_parameters()
                   if p.grad is not None}, out / "weights.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    main()
