#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# The same step as tests/bench/cpu and gpu with transformers + PEFT, printing the same fields.
# Needs torch, transformers and peft, and bitsandbytes for --adapter qlora and int8; run it with their interpreter.
import time

began = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
import resource  # noqa: E402

import torch  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
import transformers  # noqa: E402

SHAPES = {
    "smollm2-135m": ("Llama", 30, 576, 1536, 9, 3, 64, 49152, True, {}),
    "tinyllama-1.1b": ("Llama", 22, 2048, 5632, 32, 4, 64, 32000, False, {}),
    "llama-3.2-1b": ("Llama", 16, 2048, 8192, 32, 8, 64, 128256, True, {}),
    "tiny": ("Llama", 2, 64, 160, 4, 2, 16, 512, True, {}),
    "llama-2-7b": ("Llama", 32, 4096, 11008, 32, 32, 128, 32000, False, {}),
    "llama-3.1-8b": ("Llama", 32, 4096, 14336, 32, 8, 128, 128256, False, {}),
    "qwen3-0.6b": ("Qwen3", 28, 1024, 3072, 16, 8, 128, 151936, True, {}),
    "gemma-3-1b": ("Gemma3", 26, 1152, 6912, 4, 1, 256, 262144, True, {"sliding_window": 512}),
}


def quantise(model, args):
    """What transformers does while it loads, on weights that are there."""
    import bitsandbytes as bnb
    for name, old in list(model.named_modules()):
        if type(old) is not torch.nn.Linear or name == "lm_head":
            continue
        sizes = old.in_features, old.out_features, old.bias is not None
        if args.adapter == "qlora":
            new = bnb.nn.Linear4bit(*sizes, compute_dtype=old.weight.dtype, compress_statistics=True, quant_type="nf4")
            new.weight = bnb.nn.Params4bit(old.weight.data, requires_grad=False, quant_type="nf4", module=new).to(args.device)
        else:
            new = bnb.nn.Linear8bitLt(*sizes, has_fp16_weights=False, threshold=6.0)
            new.weight = bnb.nn.Int8Params(old.weight.data, requires_grad=False, has_fp16_weights=False).to(args.device)
        new.bias = old.bias
        model.set_submodule(name, new)
    setattr(model, "is_loaded_in_4bit" if args.adapter == "qlora" else "is_loaded_in_8bit", True)


def make_model(args):
    family, layers, hidden, inter, heads, kv, head_dim, vocab, tied, more = SHAPES[args.shape]
    config = getattr(transformers, family + ("TextConfig" if family == "Gemma3" else "Config"))(
        hidden_size=hidden, intermediate_size=inter, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv, head_dim=head_dim, vocab_size=vocab,
        tie_word_embeddings=tied, max_position_embeddings=8192, use_cache=False, **more)
    config._attn_implementation = args.attention
    dtype = torch.bfloat16 if args.dtype == "bf16" else torch.float32
    torch.set_default_dtype(dtype)
    with torch.no_grad(), torch.device(args.device):
        model = getattr(transformers, family + "ForCausalLM")(config)
    torch.set_default_dtype(torch.float32)
    if args.adapter in ("qlora", "int8"):
        quantise(model, args)
    if args.checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if args.adapter == "none":
        return model, config
    lora = LoraConfig(r=16, lora_alpha=16, lora_dropout=args.dropout, task_type="CAUSAL_LM",
                      target_modules="all-linear")
    model = get_peft_model(model, lora)
    if args.checkpointing:
        model.enable_input_require_grads()
    return model, config


def wait(args):
    if args.device == "cuda":
        torch.cuda.synchronize()


def peak_gflops(args):
    best = 0.0
    cuda = args.device == "cuda"
    t = torch.bfloat16 if args.dtype == "bf16" else torch.float32
    sizes = [(2048, 2048, 2048), (2048, 8192, 2048), (4096, 4096, 4096)] + [(8192, 8192, 8192)] * cuda
    for m, n, k in sizes if args.shape != "tiny" else [(256, 256, 256)]:
        a = torch.rand(m, k, dtype=t, device=args.device)
        b = torch.rand(n, k, dtype=t, device=args.device)
        together = 10 if cuda else 1
        for _ in range(6):
            wait(args)
            at = time.perf_counter()
            for _ in range(together):
                torch.nn.functional.linear(a, b)
            wait(args)
            best = max(best, 2e-9 * m * n * k * together / (time.perf_counter() - at))
    return best


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--shape", choices=SHAPES, required=True)
    p.add_argument("--tokens", type=int, required=True)
    p.add_argument("--dtype", choices=("bf16", "f32"), default="bf16")
    p.add_argument("--adapter", choices=("lora", "qlora", "int8", "none"), default="lora")
    p.add_argument("--checkpointing", action="store_true")
    p.add_argument("--dropout", type=float, default=0.0)
    p.add_argument("--steps", type=int, default=3)
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    p.add_argument("--attention", choices=("sdpa", "flash_attention_2"), default="sdpa")
    args = p.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    model, config = make_model(args)
    params = [q for q in model.parameters() if q.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=2e-4)
    ids = torch.randint(0, config.vocab_size, (1, args.tokens), device=args.device)

    def step():
        with torch.autocast(args.device, torch.bfloat16, enabled=args.dtype == "bf16"):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    model.train()
    step()
    wait(args)
    first = time.perf_counter() - began
    best = 1e30
    for _ in range(args.steps):
        at = time.perf_counter()
        step()
        wait(args)
        best = min(best, time.perf_counter() - at)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    q = config.num_attention_heads * config.head_dim
    kv = config.num_key_value_heads * config.head_dim
    c = config.hidden_size
    linear = config.num_hidden_layers * (2 * c * q + 2 * c * kv + 3 * c * config.intermediate_size)
    linear += config.vocab_size * c
    flops = (6 if args.adapter == "none" else 4) * linear + 6 * config.num_hidden_layers * args.tokens * q
    rate = args.tokens / best
    device_peak = torch.cuda.max_memory_allocated() if args.device == "cuda" else 0
    peak = peak_gflops(args)
    print(json.dumps({
        "shape": args.shape, "tokens": args.tokens, "dtype": args.dtype, "adapter": args.adapter,
        "checkpointing": args.checkpointing, "dropout": args.dropout,
        "tokens_per_second": round(rate, 1),
        "gflops": round(rate * flops / 1e9, 1), "matmul_peak_gflops": round(peak, 1),
        "share_of_peak": round(rate * flops / 1e9 / peak, 3), "peak_rss_bytes": rss,
        "backend": f"torch {args.device} {args.attention}", "device_peak_bytes": device_peak,
        "first_step_seconds": round(first, 3)}))


main()
