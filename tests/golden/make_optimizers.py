# SPDX-License-Identifier: Apache-2.0
"""Writes optimizers/cases.json and optimizers/states.safetensors for test_optimizer: parameters and
state of each optimizer after 100 steps of the implementation that Axolotl 0.19 uses.

Made on a CPU with PyTorch 2.13.0, transformers 5.16.1, bitsandbytes 0.50.2, torchao 0.17.0,
schedulefree 1.4.1, came-pytorch 0.1.3, torch-optimi 0.3.3 and the optimizers inside axolotl 0.19.0:

    python3 make_optimizers.py optimizers [FUNCTION…]

With names of functions (adamc) their cases alone are made anew; the last bits of others are those of
the machine that they were made on, and stay.

The tensors' first values and all gradients follow from `uniform`, which the test computes too; the
rate rises over ten steps.  Of f32 tensors every STRIDE-th element is kept, of 8-bit codes all.
"""
import contextlib
import json
import math
import os
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file

STEPS, STRIDE = 100, 5
MUON_BF16 = 0.02  # its products are rounded to 8 bits
TENSORS = {  # name: shape; 8-bit states begin at 4096 elements, in blocks of 256
    "layers.0.mlp.up_proj.weight": (8, 520),
    "layers.0.mlp.down_proj.weight": (64, 64),
    "layers.0.self_attn.q_proj.weight": (20, 12),
    "layers.0.input_layernorm.weight": (30,),
}


def uniform(first, n):
    """n numbers in [-0.5, 0.5) that f32 holds exactly."""
    h = (np.arange(first, first + n, dtype=np.uint64) * 2654435761) & 0xFFFFFFFF
    h ^= h >> 16
    h = (h * 0x45D9F3B) & 0xFFFFFFFF
    h ^= h >> 16
    return ((h >> 8).astype(np.float64) * 2.0 ** -24 - 0.5).astype(np.float32)


def gradient(step, index, shape):
    """As LoRA's A, the first tensor has none in the first step."""
    n = math.prod(shape)
    g = uniform(step * 1000003 + index * 65536, n) + np.float32(0.125) * uniform(index * 65536, n)
    g *= np.exp2(-(np.arange(n) % 12)).astype(np.float32)
    return torch.from_numpy(g.reshape(shape) * np.float32(not (step == 1 and index == 0)))


def parameters():
    return [torch.nn.Parameter(torch.from_numpy(
        uniform(7919 + index * 65536, math.prod(shape)).reshape(shape).copy()))
        for index, shape in enumerate(TENSORS.values())]


def groups(params, weight_decay, key="weight_decay"):
    """No weight decay on the norm."""
    return [{"params": params[:3], key: weight_decay}, {"params": params[3:], key: 0.0}]


@contextlib.contextmanager
def eager():
    """torch.compile as it is without a compiler: the function itself."""
    compile_, torch.compile = torch.compile, lambda f=None, **_: f if f else (lambda g: g)
    yield
    torch.compile = compile_


def run(make, lr, before_step=None):
    params = parameters()
    opt = make(params)
    for step in range(1, STEPS + 1):
        for group in opt.param_groups:
            rate = lr * min(step, 10) / 10
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        for index, (p, shape) in enumerate(zip(params, TENSORS.values())):
            p.grad = gradient(step, index, shape)
        if before_step:
            before_step(opt)
        opt.step()
    return params, [opt.state[p] for p in params], opt


CASES, TENSORS_OUT, TRAINED = [], {}, []


def keep(label, part, name, value, stride=STRIDE):
    if value.dtype == torch.uint8:
        stride = 1
    TENSORS_OUT[f"{label}/{part}.{name}"] = value.detach().reshape(-1)[::stride].clone()


def case(label, name, make, lr, states, options=None, args=None, tolerance=1e-6,
         state_tolerance=None, other_bytes=0.0, before_step=None, finish=None):
    """states: {name in axl's file: function of (torch state, index of the tensor)}, whose result
    may be None; other_bytes: the share of 8-bit codes that may differ."""
    params, state, opt = run(make, lr, before_step)
    TRAINED[:] = [p.detach().clone() for p in params]
    if finish:
        finish(opt)
    for index, tensor in enumerate(TENSORS):
        keep(label, "param", tensor, params[index])
        for part, get in states.items():
            value = get(state[index], index)
            if value is not None:
                keep(label, part, tensor, value)
    CASES.append({"label": label, "optimizer": name, "learning_rate": lr, "tolerance": tolerance,
                  "state_tolerance": state_tolerance or tolerance,
                  "other_bytes": other_bytes, "args": args,
                  "options": options or {}})


def key(name):
    return lambda s, i: s[name]


def torch_optimizers():
    wd = {"weight_decay": 0.1}
    for label, betas in (("adamw_torch", (0.9, 0.999)), ("adamw_torch_fused", (0.8, 0.95))):
        options = dict(wd, **({} if betas == (0.9, 0.999) else
                              {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6}))
        case(label, label, lambda p, b=betas, o=options: torch.optim.AdamW(
            groups(p, 0.1), lr=1e-2, betas=b, eps=o.get("epsilon", 1e-8), foreach=False), 1e-2,
            {"exp_avg": key("exp_avg"), "exp_avg_sq": key("exp_avg_sq")}, options)
    case("sgd", "sgd", lambda p: torch.optim.SGD(groups(p, 0.1), lr=0.1), 0.1, {}, wd)
    case("sgd_momentum", "sgd", lambda p: torch.optim.SGD(
        groups(p, 0.1), lr=0.1, momentum=0.9, dampening=0.3), 0.1,
        {"momentum_buffer": key("momentum_buffer")}, wd, "momentum=0.9, dampening=0.3")
    case("sgd_nesterov", "sgd", lambda p: torch.optim.SGD(
        groups(p, 0.1), lr=0.1, momentum=0.9, nesterov=True), 0.1,
        {"momentum_buffer": key("momentum_buffer")}, wd, "momentum=0.9,nesterov=true")


def other_torch_optimizers():
    wd = {"weight_decay": 0.1}
    case("adagrad", "adagrad", lambda p: torch.optim.Adagrad(
        groups(p, 0.1), lr=0.05, lr_decay=0.01, foreach=False), 0.05, {"sum": key("sum")}, wd,
        "lr_decay=0.01")
    case("rmsprop", "rmsprop", lambda p: torch.optim.RMSprop(
        groups(p, 0.0), lr=1e-2, foreach=False), 1e-2, {"square_avg": key("square_avg")})
    case("rmsprop_centered", "rmsprop", lambda p: torch.optim.RMSprop(
        groups(p, 0.1), lr=1e-3, alpha=0.9, eps=1e-6, momentum=0.9, centered=True, foreach=False),
        1e-3, {n: key(n) for n in ("square_avg", "grad_avg", "momentum_buffer")}, wd,
        "momentum=0.9,alpha=0.9,eps=1e-6,centered=True", tolerance=5e-6)


def factored_optimizers():
    from came_pytorch import CAME
    from transformers.optimization import Adafactor
    wd = {"weight_decay": 0.1}

    def parts(prefix):
        return {f"{prefix}_{part}": lambda s, i, n=f"{prefix}_{part}": s.get(n)
                for part in ("row", "col")}
    squares = {**parts("exp_avg_sq"), "exp_avg_sq": lambda s, i: s.get("exp_avg_sq")}
    case("adafactor", "adafactor", lambda p: Adafactor(
        groups(p, 0.1), lr=1e-2, scale_parameter=False, relative_step=False), 1e-2, squares, wd,
        tolerance=2e-6)
    case("came_pytorch", "came_pytorch", lambda p: CAME(groups(p, 0.1), lr=1e-2), 1e-2,
         {**squares, **parts("exp_avg_res"), "exp_avg": key("exp_avg")}, wd, tolerance=2e-6)
    case("came_settings", "came_pytorch", lambda p: CAME(
        groups(p, 0.1), lr=1e-2, betas=(0.8, 0.99, 0.999), eps=(1e-20, 1e-12),
        clip_threshold=0.5), 1e-2,
        {**squares, **parts("exp_avg_res"), "exp_avg": key("exp_avg")},
        dict(wd, beta1=0.8, beta2=0.99, beta3=0.999, epsilon=1e-20, epsilon2=1e-12),
        "clip_threshold=0.5", tolerance=2e-6)


def muon():
    """Once as it is, in bfloat16, and once in f32, where the numbers can be compared closely."""
    with eager():
        from axolotl.contribs.mit.muon.muon import Muon

    def make(p):
        opt = Muon(lr=1e-2, wd=0.1, muon_params=p[:3], adamw_params=p[3:])
        opt.param_groups[0]["params"] = p[:3]
        opt.add_param_group({"params": p[3:], "wd": 0.0})
        return opt
    states = {name: lambda s, i, n=name: s.get(n) for name in
              ("momentum_buffer", "moment1", "moment2")}
    wd = {"weight_decay": 0.1}
    case("muon_bf16", "muon", make, 1e-2, states, wd, tolerance=MUON_BF16, state_tolerance=1e-6)
    bfloat16, torch.Tensor.bfloat16 = torch.Tensor.bfloat16, torch.Tensor.float
    case("muon", "muon", make, 1e-2, states, wd, tolerance=2e-6)
    torch.Tensor.bfloat16 = bfloat16


def adopt():
    from axolotl.utils.optimizers.adopt import ADOPT
    case("adopt_adamw", "adopt_adamw", lambda p: ADOPT(
        groups(p, 0.1), lr=1e-2, decouple=True, foreach=False), 1e-2,
        {n: key(n) for n in ("exp_avg", "exp_avg_sq")}, {"weight_decay": 0.1}, tolerance=2e-6)


def adamc():
    """AdamW but for the decay, which is that of the rate's square; its peak is what it begins with."""
    from axolotl.utils.optimizers.adamc import AdamC
    case("adamc", "adamc", lambda p: AdamC(groups(p, 0.5), lr=1e-2, foreach=False), 1e-2,
         {n: key(n) for n in ("exp_avg", "exp_avg_sq")}, {"weight_decay": 0.5})


def optimi():
    """Its averages are kept without their bias, which AdamW's are not."""
    from optimi import AdamW

    def biased(name, beta):
        return lambda s, i: (s[name].double() * (1 - beta ** STEPS)).float()
    case("optimi_adamw", "optimi_adamw", lambda p: AdamW(
        groups(p, 0.1), lr=1e-2, foreach=False, triton=False), 1e-2,
        {"exp_avg": biased("exp_avg", 0.9), "exp_avg_sq": biased("exp_avg_sq", 0.99)},
        {"weight_decay": 0.1}, tolerance=2e-6)


def schedule_free_optimizers():
    from schedulefree import AdamWScheduleFree, SGDScheduleFree

    def both(label, make, states, args=None):
        def finish(opt):
            for part in ("lr_max", "weight_sum"):
                TENSORS_OUT[f"{label}/{label}.{part}"] = torch.tensor(
                    [g[part] for g in opt.param_groups], dtype=torch.float64)
            opt.eval()
        case(label, label, make, 1e-2, {"y": lambda s, i: TRAINED[i], "z": key("z"), **states},
             {"weight_decay": 0.1, "warmup_steps": 20}, args, tolerance=2e-6,
             before_step=lambda opt: opt.train(), finish=finish)
    both("schedule_free_adamw", lambda p: AdamWScheduleFree(
        groups(p, 0.1), lr=1e-2, warmup_steps=20, foreach=False),
        {"exp_avg_sq": key("exp_avg_sq")})
    both("schedule_free_sgd", lambda p: SGDScheduleFree(
        groups(p, 0.1), lr=1e-2, warmup_steps=20, r=0.5, weight_lr_power=1.0, foreach=False), {},
        "r=0.5, weight_lr_power=1.0")


def bytes_and_scales(names):
    """axl's names of bitsandbytes' states: bytes and scales, or f32 of a small tensor."""
    get = {}
    for i, name in enumerate(names, 1):
        get[name] = key(f"state{i}")
        get[f"{name}.absmax"] = lambda s, _, i=i: s.get(f"absmax{i}")
    return get


def bitsandbytes_optimizers():
    import bitsandbytes as bnb
    wd, moments = {"weight_decay": 0.1}, ["exp_avg", "exp_avg_sq"]
    case("adamw_8bit", "adamw_bnb_8bit", lambda p: bnb.optim.AdamW(
        groups(p, 0.1), lr=1e-2, optim_bits=8), 1e-2, bytes_and_scales(moments), wd)
    case("adamw_8bit_eps", "paged_adamw_8bit", lambda p: bnb.optim.AdamW(
        groups(p, 0.0), lr=1e-2, betas=(0.8, 0.95), eps=1e-6, optim_bits=8), 1e-2,
        bytes_and_scales(moments), {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6})
    case("paged_adamw_32bit", "paged_adamw_32bit", lambda p: bnb.optim.AdamW(
        groups(p, 0.1), lr=1e-2), 1e-2, {"exp_avg": key("state1"), "exp_avg_sq": key("state2")},
        wd, state_tolerance=2e-6)
    case("lion_32bit", "lion_32bit", lambda p: bnb.optim.Lion(
        groups(p, 0.1), lr=1e-3, betas=(0.9, 0.999)), 1e-3, {"exp_avg": key("state1")}, wd)
    case("lion_8bit", "lion_8bit", lambda p: bnb.optim.Lion(
        groups(p, 0.1), lr=1e-3, betas=(0.9, 0.999), optim_bits=8), 1e-3,
        bytes_and_scales(["exp_avg"]), wd)
    case("rmsprop_bnb", "rmsprop_bnb", lambda p: bnb.optim.RMSprop(groups(p, 0.1), lr=1e-3), 1e-3,
         {"square_avg": key("state1")}, wd)
    case("rmsprop_bnb_8bit", "rmsprop_bnb_8bit", lambda p: bnb.optim.RMSprop(
        groups(p, 0.1), lr=1e-3, optim_bits=8), 1e-3, bytes_and_scales(["square_avg"]), wd)
    slow = {"exp_avg": lambda s, i: s["state1"][0], "exp_avg_slow": lambda s, i: s["state1"][1],
            "exp_avg_sq": key("state2")}
    case("ademamix", "ademamix", lambda p: bnb.optim.AdEMAMix(
        groups(p, 0.1), lr=1e-3, weight_decay=0.0), 1e-3, slow, wd, state_tolerance=2e-6)
    case("ademamix_8bit", "ademamix_8bit", lambda p: bnb.optim.AdEMAMix(
        groups(p, 0.1), lr=1e-3, betas=(0.9, 0.99, 0.999), alpha=4.0, t_alpha=50, t_beta3=60,
        optim_bits=8), 1e-3,
        {**slow, "exp_avg_sq.absmax": lambda s, i: s.get("absmax2"),
         "exp_avg.absmax": lambda s, i: s["absmax1"][0] if "absmax1" in s else None,
         "exp_avg_slow.absmax": lambda s, i: s["absmax1"][1] if "absmax1" in s else None},
        dict(wd, beta2=0.99), "beta3=0.999,alpha=4,t_alpha=50,t_beta3=60")
    for i, is_signed in enumerate((True, False)):
        TENSORS_OUT[f"map/{i}"] = bnb.functional.create_dynamic_map(signed=is_signed)


def torchao_optimizers():
    from torchao.optim import AdamW4bit, AdamW8bit
    from torchao.optim.subclass_4bit import OptimState4bit
    from torchao.optim.subclass_8bit import OptimState8bit

    def part(name, field):
        def get(s, _):
            value = s[name]
            if isinstance(value, (OptimState4bit, OptimState8bit)):
                return getattr(value, field)
            return value if field == "codes" else None
        return get
    with eager():
        for name, optimizer in ("adamw_torch_8bit", AdamW8bit), ("adamw_torch_4bit", AdamW4bit):
            case(name, name, lambda p, o=optimizer: o(groups(p, 0.1), lr=1e-2),
                 1e-2, {f"{n}{suffix}": part(n, field) for n in ("exp_avg", "exp_avg_sq")
                        for suffix, field in (("", "codes"), (".absmax", "scale"))},
                 {"weight_decay": 0.1}, other_bytes=0.001, tolerance=1e-5, state_tolerance=2e-6)


FUNCTIONS = [torch_optimizers, other_torch_optimizers, factored_optimizers, muon, adopt, adamc, optimi,
             schedule_free_optimizers, bitsandbytes_optimizers, torchao_optimizers]


def keep_others(folder):
    """What is in the files already and was not made again."""
    with open(os.path.join(folder, "cases.json"), encoding="utf-8") as f:
        old = [c for c in json.load(f)["cases"] if c["label"] not in {n["label"] for n in CASES}]
    CASES[:] = old + CASES
    for name, value in load_file(os.path.join(folder, "states.safetensors")).items():
        TENSORS_OUT.setdefault(name, value)


def main(folder, names):
    torch.set_num_threads(1)
    for function in FUNCTIONS:
        if not names or function.__name__ in names:
            function()
    if names:
        keep_others(folder)
    with open(os.path.join(folder, "cases.json"), "w", encoding="utf-8") as f:
        json.dump({"steps": STEPS, "stride": STRIDE,
                   "tensors": [{"name": n, "shape": s} for n, s in TENSORS.items()],
                   "cases": CASES}, f, indent=1)
        f.write("\n")
    save_file(TENSORS_OUT, os.path.join(folder, "states.safetensors"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
