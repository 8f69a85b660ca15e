#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loads an adapter that axl saved with PEFT and compares logits: check_adapter_in_peft.py BASE ADAPTER

BASE is a model's folder in Hugging Face form, ADAPTER an output_dir of axl.  Needs torch, transformers
and peft (run here with 2.13.0, 5.16.1 and 0.20.0); run on demand, with PYTHONPATH=bindings/python.
"""
import sys

import axl
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def main(base, adapter):
    ids = list(range(3, 67))
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    with torch.no_grad():
        without = plain(torch.tensor([ids])).logits[0].double()
        peft = PeftModel.from_pretrained(plain, adapter).eval()
        theirs = peft(torch.tensor([ids])).logits[0].double()
    model = axl.Model.open(base, compute="f32")
    lora = axl.Adapter.open(model, adapter)
    ours = torch.tensor(model.logits(ids, adapter=lora)).reshape(theirs.shape).double()
    scale = theirs.abs().max()
    print(f"logits: {((ours - theirs).abs().max() / scale).item():.2g} of the largest apart; "
          f"the adapter moves them by {((theirs - without).abs().max() / scale).item():.2g}")
    sys.exit(((ours - theirs).abs().max() / scale).item() > 1e-5)


main(*sys.argv[1:])
