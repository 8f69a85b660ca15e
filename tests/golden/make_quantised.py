# SPDX-License-Identifier: Apache-2.0
"""Writes quantised.safetensors for test_quantise: what bitsandbytes makes of small tensors and of
many absmax, on a CPU.

Made with bitsandbytes 0.50.2 and PyTorch 2.13.0 on a machine with AVX-512:

    python3 make_quantised.py quantised.safetensors

"NAME" is a tensor's values in f32.  Of it as f32, bf16 and f16 (DTYPE) there are

    NAME.DTYPE.KIND.codes, .absmax, .values    of nf4 and fp4
    NAME.DTYPE.KIND.scale_codes, .scales, .offset, .nested_values    with compress_statistics
    NAME.DTYPE.int8.codes, .scales, .values    as Int8Params and a training Linear8bitLt make them

where values are FNV-1a (64 bits) of the dequantised f32, zeros without a sign.  Where the three
types give the same bytes only those of f32 are there.  "scales.N" are hashes of codes and scales
and the offset of N numbers of `absmax_of`, which the test computes too.

What bitsandbytes does differently by machine is left out, and checked here as far as it goes:
 - the offset, PyTorch's mean in f32, depends on the number of threads from 32,768 numbers on: here
   it is one thread's;
 - with AVX-512 a row that is no multiple of its blocks is dequantised with absmax of other blocks;
   here a tensor is one row for that;
 - with AVX512_BF16 subnormal values are dequantised to zeros of bf16; the rest are f32 rounded to
   bf16 or f16;
 - the second zero of FP4 has a sign only without AVX-512 or in rows of odd sizes.
"""
import sys

import bitsandbytes
import bitsandbytes.functional as F
import numpy as np
import torch
from safetensors.torch import save_file

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
SMALLEST_NORMAL = 2.0 ** -126


def uniform(first, n):
    """n numbers in [-0.5, 0.5) that f32 holds exactly."""
    h = (np.arange(first, first + n, dtype=np.uint64) * 2654435761) & 0xFFFFFFFF
    h ^= h >> 16
    h = (h * 0x45D9F3B) & 0xFFFFFFFF
    h ^= h >> 16
    return ((h >> 8).astype(np.float64) * 2.0 ** -24 - 0.5).astype(np.float32)


def absmax_of(n):
    return np.float32(0.1) + np.float32(0.0625) * uniform(n, n)


def fnv(array):
    h = np.uint64(0xCBF29CE484222325)
    with np.errstate(over="ignore"):
        for byte in np.ascontiguousarray(array).view(np.uint8).ravel():
            h = (h ^ np.uint64(byte)) * np.uint64(0x100000001B3)
    return torch.from_numpy(np.array([h], dtype=np.uint64).view(np.int64))


def normal(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def borders(kind, ulps):
    """Values at the borders between codes, and beside them, in blocks whose largest is 1."""
    code = F.get_4bit_type(kind, device="cpu").sort().values.numpy()
    middle = (code[:-1] + code[1:]) / np.float32(2)
    rows = [middle]
    for towards in (np.float32(-2), np.float32(2)):
        beside = middle
        for _ in range(ulps):
            beside = np.nextafter(beside, towards)
            rows.append(beside)
    flat = np.concatenate(rows)
    flat = np.concatenate([flat, np.zeros(-len(flat) % 63, np.float32)]).reshape(-1, 63)
    return np.concatenate([np.ones((len(flat), 1), np.float32), flat], axis=1)


def tensors():
    rng = np.random.default_rng(20260729)
    yield "normal", normal(rng, 8, 64) * np.float32(0.02)
    yield "wide", normal(rng, 3, 192) * np.float32(0.1)
    yield "outliers", normal(rng, 6, 64) * np.where(rng.random((6, 64)) < 0.02, 50, 0.02).astype(
        np.float32)
    yield "zeros", np.zeros((3, 64), np.float32)
    zero_blocks = normal(rng, 4, 128)
    zero_blocks[1] = 0
    zero_blocks[2, :64] = 0
    yield "zero_blocks", zero_blocks
    yield "zero_end", np.concatenate([normal(rng, 64), np.zeros(10, np.float32)]).reshape(2, 37)
    yield "constant", np.full((2, 64), 0.3, np.float32)
    yield "negative", -np.abs(normal(rng, 2, 64))
    yield "tiny", normal(rng, 3, 64) * np.float32(1e-7)
    yield "tinier", normal(rng, 3, 70) * np.float32(1e-39)
    yield "large", normal(rng, 2, 64) * np.float32(1e4)
    yield "huge", normal(rng, 2, 64) * np.float32(1e30)
    yield "odd", normal(rng, 7, 33)
    yield "short", normal(rng, 5, 50)
    yield "one", np.array([[-0.7]], np.float32)
    yield "three", np.array([[0.25, -1.5, 0.125]], np.float32)
    yield "column", normal(rng, 67, 1)
    yield "rows_of_80", normal(rng, 5, 80)
    yield "uniform", uniform(1, 640).reshape(5, 128)
    yield "nf4_borders", borders("nf4", 2)
    yield "fp4_borders", borders("fp4", 2)
    yield "powers", np.exp2(-np.arange(128, dtype=np.float32) / 8).reshape(2, 64)
    halves = (np.arange(-127, 128, dtype=np.float32) / 2).reshape(1, 255)
    yield "halves", np.concatenate([halves, np.full((1, 255), 127, np.float32)])[:, :128]
    yield "blocks_of_31", (normal(rng, 70, 32) * np.float32(0.05))[:, :31]


def dequantised(codes, state):
    """As f32; of the other types it is this, rounded."""
    state.shape = torch.Size((1, state.shape.numel()))
    kept, state.dtype = state.dtype, torch.float32
    value = F.dequantize_4bit(codes, state)
    for dtype in (torch.bfloat16, torch.float16):
        state.dtype = dtype
        normal = (value.abs() >= SMALLEST_NORMAL) | (value == 0)
        assert torch.equal(F.dequantize_4bit(codes, state)[normal], value.to(dtype)[normal])
    state.dtype = kept
    return value.numpy() + np.float32(0)


def four_bits(out, key, x, kind):
    codes, state = F.quantize_4bit(x, quant_type=kind, blocksize=64, compress_statistics=False)
    nested_codes, nested = F.quantize_4bit(x, quant_type=kind, blocksize=64,
                                           compress_statistics=True)
    assert torch.equal(codes, nested_codes)
    out[f"{key}.codes"] = codes.flatten()
    out[f"{key}.absmax"] = state.absmax
    out[f"{key}.values"] = fnv(dequantised(codes, state))
    out[f"{key}.scale_codes"] = nested.absmax
    out[f"{key}.scales"] = nested.state2.absmax
    out[f"{key}.offset"] = nested.offset.reshape(1)
    out[f"{key}.nested_values"] = fnv(dequantised(codes, nested))


def int8(out, key, x):
    """Int8Params casts to f16 first; MatMul8bitFp multiplies, in training, with the product."""
    codes, scales, _ = F.int8_vectorwise_quant(x.to(torch.float16))
    factor = scales.unsqueeze(1).mul(1.0 / 127.0)
    values = codes.to(torch.float32).mul_(factor)
    assert torch.equal(codes.to(torch.bfloat16).mul_(factor), values.to(torch.bfloat16)) or \
        not torch.isfinite(factor).all()
    if torch.isfinite(factor).all():
        out[f"{key}.values"] = fnv(values.numpy() + np.float32(0))
    out[f"{key}.codes"] = codes
    out[f"{key}.scales"] = scales


def many_scales(out, n):
    absmax = torch.from_numpy(absmax_of(n))
    offset = absmax.mean()
    codes, state = F.quantize_blockwise(absmax - offset, blocksize=256)
    out[f"scales.{n}"] = torch.cat([fnv(codes.numpy()), fnv(state.absmax.numpy())])
    out[f"scales.{n}.offset"] = offset.reshape(1)


def main(path):
    torch.set_num_threads(1)
    assert torch.backends.cpu.get_cpu_capability() == "AVX512"
    assert bitsandbytes.__version__ == "0.50.2" and torch.__version__.startswith("2.13.0")
    out = {}
    for name, value in tensors():
        out[name] = torch.from_numpy(np.ascontiguousarray(value))
        for dtype, torch_dtype in DTYPES.items():
            x = out[name].to(torch_dtype)
            for kind in ("nf4", "fp4"):
                if torch.isfinite(x).all():
                    four_bits(out, f"{name}.{dtype}.{kind}", x, kind)
            int8(out, f"{name}.{dtype}.int8", x)
    for dtype in ("bf16", "f16"):
        for key in [k for k in out if f".{dtype}." in k]:
            if torch.equal(out[key], out[key.replace(f".{dtype}.", ".f32.")]):
                del out[key]
    for n in (1, 15, 16, 17, 63, 64, 65, 1000, 4096, 65536, 180224, 180225, 1000003):
        many_scales(out, n)
    out["nf4"], out["fp4"] = (F.get_4bit_type(kind, device="cpu") for kind in ("nf4", "fp4"))
    out["scale_map"] = F.create_dynamic_map()
    save_file(out, path)


main(sys.argv[1])
