# SPDX-License-Identifier: Apache-2.0
# Makes tests/golden/peft_grads: loss, LoRA gradients and logits of transformers + PEFT in f32 on one known batch.
#
#   make_peft_grads.py --model STORIES260K --data ALPACA.json --adapter axolotl_run/adapter
#                      --rows axolotl_run/rows.json --steps axolotl_run/steps.json OUT
#
# The batch is the first optimizer step of the run that make_axolotl_run.py records: its first four rows, tokenised
# here again and compared with the hashes in rows.json.
#   OUT/batch.json          input_ids and labels of the four rows (not padded, labels not shifted); a short sequence
#   OUT/grads.safetensors   d(loss)/d(tensor) for every LoRA tensor, PEFT's names; loss = mean over trained tokens
#   OUT/grads_exact.safetensors   the same computed in f64 and rounded to f32 at the end: the truth to compare with
#   OUT/logits.safetensors  f32 logits of the short sequence: "adapter" with the adapter, "base" without
#   OUT/expect.json         the loss, also in f64, and the norm of all gradients
#   OUT/versions.json       packages
import argparse
import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path

import numpy as np
import peft
import torch
import transformers
from safetensors.torch import save_file
from transformers.models.llama.modeling_llama import LlamaRMSNorm

PROMPT_INPUT = ("Below is an instruction that describes a task, paired with an input that provides "
                "further context. Write a response that appropriately completes the request.\n\n"
                "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n")
PROMPT = ("Below is an instruction that describes a task. Write a response that appropriately "
          "completes the request.\n\n### Instruction:\n{instruction}\n\n### Response:\n")
SHORT_TEXT = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."
SHORT = 24
MAX_LEN = 512


def sha(values):
    return hashlib.sha256(np.asarray(values, dtype="<i4").tobytes()).hexdigest()[:16]


def tokenise(tok, row):
    prompt = tok((PROMPT_INPUT if row["input"] else PROMPT).format(**row)).input_ids
    response = tok(row["output"]).input_ids[1:] + [tok.eos_token_id]
    return prompt + response, [-100] * len(prompt) + response


def forward_backward(model, rows):
    """One padded batch, as the trainer makes it: padded on the right with EOS, the padding masked."""
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), longest), 2)
    labels = torch.full_like(ids, -100)
    mask = torch.zeros_like(ids)
    for i, (a, b) in enumerate(rows):
        ids[i, :len(a)], labels[i, :len(b)], mask[i, :len(a)] = torch.tensor(a), torch.tensor(b), 1
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    loss.backward()
    return loss.item()


def norm_forward(self, x):
    """transformers' own without its conversion to f32, which would spoil f64."""
    return self.weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.variance_epsilon))


def load(args, dtype):
    """In f64 the norms are f64, too; the rope table stays f32."""
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype)
    for m in model.modules() if dtype == torch.float64 else ():
        if isinstance(m, LlamaRMSNorm):
            m.forward = norm_forward.__get__(m)
    model = peft.PeftModel.from_pretrained(model, args.adapter, is_trainable=True)
    return model.to(dtype)


def gradients(model):
    """By PEFT's names in a file, which leave out the name of the adapter."""
    return {n.replace(".default.", "."): p.grad.contiguous()
            for n, p in model.named_parameters() if p.requires_grad}


def main():
    p = argparse.ArgumentParser()
    for name in ("--model", "--data", "--adapter", "--rows", "--steps"):
        p.add_argument(name, required=True)
    p.add_argument("out", type=Path)
    args = p.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    tok = transformers.LlamaTokenizer.from_pretrained(args.model)
    known = json.loads(Path(args.rows).read_text())["rows"]
    rows = [tokenise(tok, r) for r in json.loads(Path(args.data).read_text())]
    rows = [r for r in rows if len(r[0]) <= MAX_LEN][:4]
    for (ids, labels), (length, trained, ids_sha, labels_sha) in zip(rows, known):
        assert (len(ids), sha(ids), sha(labels)) == (length, ids_sha, labels_sha)
        assert sum(x != -100 for x in labels) == trained

    model = load(args, torch.float32)
    loss = forward_backward(model, rows)
    grads = gradients(model)
    save_file(grads, args.out / "grads.safetensors")
    short = tok(SHORT_TEXT).input_ids[:SHORT]
    assert len(short) == SHORT
    with torch.no_grad():
        adapter_logits = model(input_ids=torch.tensor([short])).logits[0]
        with model.disable_adapter():
            base_logits = model(input_ids=torch.tensor([short])).logits[0]
    save_file({"adapter": adapter_logits.contiguous(), "base": base_logits.contiguous()},
              args.out / "logits.safetensors")

    exact = load(args, torch.float64)                # how far f32 itself is from the truth
    exact_loss = forward_backward(exact, rows)
    exact_grads = gradients(exact)
    save_file({n: g.float() for n, g in exact_grads.items()}, args.out / "grads_exact.safetensors")
    diff = {n: ((grads[n].double() - g).norm() / g.norm()).item() for n, g in exact_grads.items()}
    norm = torch.sqrt(sum(g.double().square().sum() for g in grads.values())).item()
    step = json.loads(Path(args.steps).read_text())["steps"][0]
    print("loss", loss, "f64", exact_loss, "axolotl", step["loss"], "norm", norm, "axolotl", step["grad_norm"],
          "worst f32 gradient", max(diff.values()))
    assert abs(loss - step["loss"]) < 1e-5 * loss and abs(norm - step["grad_norm"]) < 1e-4 * norm
    (args.out / "expect.json").write_text(json.dumps({
        "loss": loss, "loss_f64": exact_loss, "grad_norm": norm,
        "worst_relative_f32_gradient_error": max(diff.values())}, indent=1) + "\n")
    (args.out / "batch.json").write_text(
        '{\n"rows": [\n' + ",\n".join(json.dumps({"input_ids": i, "labels": l}) for i, l in rows)
        + '\n],\n"short": ' + json.dumps(short) + "\n}\n")
    (args.out / "versions.json").write_text(json.dumps({
        "python": platform.python_version(), "device": "cpu", "attention": model.config._attn_implementation,
        **{n: importlib.metadata.version(n) for n in ("torch", "transformers", "peft", "tokenizers", "safetensors")},
    }, indent=1) + "\n")


if __name__ == "__main__":
    main()
