# SPDX-License-Identifier: Apache-2.0
"""Writes attention_sinks.json: attention with sinks as gpt-oss has it in transformers, and its gradients, for
test_reference.

    make_attention_sinks.py > attention_sinks.json

Computed in f64 from inputs that are multiples of 2^-8.  q, out, dout (T, H*D); k, v (T, G*D); sinks (H); lse (H, T).
"""
import importlib.metadata
import json
from types import SimpleNamespace

import torch
from transformers.models.gpt_oss.modeling_gpt_oss import eager_attention_forward

SEED, T, H, G, D, SCALE = 11, 7, 4, 2, 3, 0.6


def numbers(x):
    return [float(f"{v:.9g}") for v in x.flatten().tolist()]


def heads(x, n):
    return x.reshape(T, n, D).transpose(0, 1)[None]


def case(window):
    def draw(*shape):
        return (torch.randn(shape, dtype=torch.float64) * 256).round() / 256

    q, k, v, sinks = draw(T, H * D), draw(T, G * D), draw(T, G * D), draw(H) * 2
    dout = draw(T, H * D)
    given = [x.requires_grad_() for x in (q, k, v, sinks)]
    place = torch.arange(T)
    back = place[:, None] - place[None, :]
    seen = (back >= 0) & (back < (window or T))
    mask = torch.zeros(1, 1, T, T, dtype=torch.float64).masked_fill(~seen, float("-inf"))
    layer = SimpleNamespace(num_key_value_groups=H // G, sinks=sinks, training=False)
    out, weights = eager_attention_forward(layer, heads(q, H), heads(k, G), heads(v, G), mask, SCALE)
    out = out.reshape(T, H * D)
    grads = torch.autograd.grad(out, given, dout)
    lse = sinks[:, None] - torch.log1p(-weights[0].sum(-1))  # what the weights lack is the sink's
    names = ("q", "k", "v", "sinks")
    found = dict(zip(names, given), dout=dout, out=out, lse=lse, **{"d" + n: g for n, g in zip(names, grads)})
    return {"window": window, **{n: numbers(x) for n, x in found.items()}}


def main():
    torch.manual_seed(SEED)
    versions = {n: importlib.metadata.version(n) for n in ("torch", "transformers")}
    sizes = dict(T=T, n_heads=H, n_kv_heads=G, head_dim=D, scale=SCALE)
    cases = ",\n".join("  " + json.dumps(case(window)) for window in (0, 3))
    print(json.dumps({"versions": versions, "seed": SEED, **sizes})[:-1] + ",\n \"cases\": [\n" + cases + "\n]}")


main()
