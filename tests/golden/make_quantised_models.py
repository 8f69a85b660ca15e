# SPDX-License-Identifier: Apache-2.0
# Makes tests/golden/quantised_models: a tiny random Llama, what bitsandbytes makes of it while transformers loads it,
# and what PEFT computes on that.
#
#   make_quantised_models.py OUT
#
#   OUT/dense           the model in f32, with a PEFT adapter in OUT/dense/adapter
#   OUT/FORM            as transformers saves it quantised: nf4, fp4, nf4_plain (scales as they are, codes stored as
#                       bf16), int8
#   OUT/fp8             linear layers in FP8 with a scale for each block of 16 x 16, which transformers widens
#   OUT/FORM/expect.json         input_ids of two sequences; loss with the adapter, and without
#   OUT/FORM/expect.safetensors  base.0, base.1, lora.0, lora.1: f32 logits without and with the adapter;
#                                grad.TENSOR: gradient of the loss by each LoRA tensor
# Everything is computed in f32, in training mode: otherwise bitsandbytes takes other kernels.  Rows are multiples of
# 64, the size of a block: of others bitsandbytes 0.50.2 takes wrong scales on a CPU with AVX-512.
import importlib.metadata
import json
import platform
import shutil
import sys
from pathlib import Path

import peft
import torch
import transformers
from make_model_variants import ALL, LENGTHS, logits_of, loss_of, write
from safetensors.torch import load_file, save_file

SEED = 78
BLOCK = 16
CONFIG = dict(vocab_size=96, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
              num_key_value_heads=2, tie_word_embeddings=False, rms_norm_eps=1e-5, max_position_embeddings=128,
              bos_token_id=1, eos_token_id=2, pad_token_id=None)
FORMS = {
    "nf4": dict(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True),
    "fp4": dict(load_in_4bit=True, bnb_4bit_quant_type="fp4", bnb_4bit_use_double_quant=True),
    "nf4_plain": dict(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_quant_storage="bfloat16"),
    "int8": dict(load_in_8bit=True),
}


def make_dense(out):
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**CONFIG))
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.normal_(1.0, 0.2) if "norm" in name else p.normal_(0.0, 1.5 * p.shape[-1] ** -0.5)
    model.to(torch.bfloat16).save_pretrained(out)
    model.to(torch.float32)
    (out / "generation_config.json").unlink(missing_ok=True)
    model = peft.get_peft_model(model, peft.LoraConfig(
        r=4, lora_alpha=8, lora_dropout=0.0, target_modules=ALL, task_type="CAUSAL_LM"))
    for name, p in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.1)
    model.save_pretrained(out / "adapter")
    (out / "adapter" / "README.md").unlink(missing_ok=True)
    config = json.loads((out / "adapter" / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "dense"
    config["target_modules"] = sorted(config["target_modules"])
    write(config, out / "adapter" / "adapter_config.json")


def make_fp8(out, dense):
    tensors = {}
    for name, w in load_file(dense / "model.safetensors").items():
        tensors[name] = w = w.float()
        if "_proj" in name:
            blocks = w.reshape(w.shape[0] // BLOCK, BLOCK, w.shape[1] // BLOCK, BLOCK)
            scales = blocks.abs().amax((1, 3), keepdim=True) / 448.0
            tensors[name] = (blocks / scales).reshape(w.shape).to(torch.float8_e4m3fn)
            tensors[name + "_scale_inv"] = scales.reshape(scales.shape[0], scales.shape[2]).contiguous()
    out.mkdir(parents=True)
    save_file(tensors, out / "model.safetensors", {"format": "pt"})
    config = json.loads((dense / "config.json").read_text())
    write({**config, "quantization_config": {"quant_method": "fp8", "activation_scheme": "dynamic",
                                             "weight_block_size": [BLOCK, BLOCK]}}, out / "config.json")


def load_fp8(path):
    """By the function with which transformers widens; its loader (5.16.1) fails on a Llama of FP8."""
    from transformers.integrations.finegrained_fp8 import Fp8Dequantize
    tensors = load_file(path / "model.safetensors")
    wide = {n: Fp8Dequantize(None)._dequantize_one(t, tensors[n + "_scale_inv"], torch.float32)
            if n + "_scale_inv" in tensors else t for n, t in tensors.items() if not n.endswith("_scale_inv")}
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**CONFIG, attn_implementation="eager"))
    model.load_state_dict(wide)
    return model.train()


def load(dense, form):
    if form == "fp8":
        return load_fp8(dense.parent / form)
    return transformers.AutoModelForCausalLM.from_pretrained(
        dense, dtype=torch.float32, attn_implementation="eager", device_map="cpu",
        quantization_config=transformers.BitsAndBytesConfig(**FORMS[form])).train()


def make_form(out, dense, form, sequences):
    if form == "fp8":
        make_fp8(out, dense)
    else:
        load(dense, form).save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)
    with torch.no_grad():
        base = logits_of(load(dense, form), sequences)
    model = peft.PeftModel.from_pretrained(load(dense, form), dense / "adapter", is_trainable=True).train()
    lora = logits_of(model, sequences)
    loss = loss_of(lora, sequences)
    loss.backward()
    tensors = {f"base.{i}": t for i, t in enumerate(base)}
    tensors |= {f"lora.{i}": t.detach() for i, t in enumerate(lora)}
    tensors |= {f"grad.{n.replace('.default.', '.')}": p.grad for n, p in model.named_parameters() if p.requires_grad}
    save_file({n: t.contiguous() for n, t in tensors.items()}, out / "expect.safetensors")
    (out / "expect.json").write_text(json.dumps({
        "input_ids": sequences, "loss": loss.item(), "loss_base": loss_of(base, sequences).item()}) + "\n")
    print(form, loss.item(), sorted(p.name for p in out.iterdir()))


def main():
    out = Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    make_dense(out / "dense")
    sequences = [torch.randint(3, CONFIG["vocab_size"], (n,)).tolist() for n in LENGTHS]
    for form in (*FORMS, "fp8"):
        make_form(out / form, out / "dense", form, sequences)
    (out / "versions.json").write_text(json.dumps({
        "seed": SEED, "python": platform.python_version(), "device": "cpu", "attention": "eager",
        **{n: importlib.metadata.version(n) for n in ("torch", "transformers", "peft", "bitsandbytes", "safetensors")}},
        indent=1) + "\n")


if __name__ == "__main__":
    main()
