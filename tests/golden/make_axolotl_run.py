# SPDX-License-Identifier: Apache-2.0
# Makes tests/golden/axolotl_run: a LoRA adapter and the 30 steps that Axolotl itself logs when it trains it.
#
#   make_axolotl_run.py --peer PEER_AXOLOTL --env DIR --config GOLDEN.yml --model STORIES260K --data ALPACA.json OUT
#
# PEER_AXOLOTL ENV train CONFIG.yml must run Axolotl; GOLDEN.yml has the words MODEL, DATA, ADAPTER and OUT where the
# paths go.  The adapter has a B that is not zero, so that every LoRA tensor has a gradient from the first step on.
#   OUT/adapter/      the PEFT adapter that the run starts from (f32)
#   OUT/steps.json    every logged step at full precision; hash and norm of every final adapter tensor
#   OUT/rows.json     the tokenised rows in the order of training; the first three in full
#   OUT/versions.json packages, seeds and the config with its four placeholders
#
# With --accumulation N the adapter of an earlier call is trained with gradient_accumulation_steps: N, and only
#   OUT/steps_accumulation_N.json    comes out, as steps.json
# With --full there is no adapter: all weights are trained, at the rate FULL_RATE, and only
#   OUT/steps_full.json              comes out, with the final weights in the adapter's place
# With --lisa, too, but LISA trains only two layers at a time, and only
#   OUT/steps_lisa.json              comes out, as steps_full.json, with the layers that were drawn and at which step
# With --qlora, or --int8, the adapter of an earlier call is trained on a base in 4 or 8 bit, and only
#   OUT/steps_qlora.json, OUT/steps_int8.json    come out, as steps.json
import argparse
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch

SEED = 1234
B_STD = 0.02
FULL_RATE = 0.001
LISA = {"lisa_n_layers": 2, "lisa_step_interval": 4}
QUANTISED = {"qlora": {"adapter": "qlora", "load_in_4bit": "true"}, "int8": {"load_in_8bit": "true"}}
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PACKAGES = ["axolotl", "torch", "transformers", "peft", "accelerate", "datasets", "tokenizers", "safetensors",
            "bitsandbytes"]


def make_adapter(model_dir, out):
    import peft
    import transformers
    torch.manual_seed(SEED)
    model = transformers.AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32)
    model = peft.get_peft_model(model, peft.LoraConfig(
        r=8, lora_alpha=16, lora_dropout=0.0, target_modules=TARGETS, task_type="CAUSAL_LM"))
    for name, p in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=B_STD)
    model.save_pretrained(out)
    (out / "README.md").unlink(missing_ok=True)
    config = json.loads((out / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "stories260K"            # not where it lay on the machine
    config["target_modules"] = sorted(config["target_modules"])  # a set: its order changes from run to run
    (out / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def sha(values):
    return hashlib.sha256(np.asarray(values, dtype="<i4").tobytes()).hexdigest()


def describe_rows(prepared):
    import datasets
    (path,) = [p.parent for p in prepared.rglob("dataset_info.json")]
    rows = datasets.load_from_disk(str(path))
    ids, labels = [list(r) for r in rows["input_ids"]], [list(r) for r in rows["labels"]]
    trained = [sum(x != -100 for x in r) for r in labels]
    flat = lambda rs: [x for r in rs for x in r]
    return {
        "comment": "sha256 is over int32 little-endian values; labels are not shifted, -100 is masked",
        "count": len(ids), "tokens": sum(map(len, ids)), "trained_tokens": sum(trained),
        "input_ids_sha256": sha(flat(ids)), "labels_sha256": sha(flat(labels)),
        "first": [{"input_ids": i, "labels": l} for i, l in zip(ids[:3], labels[:3])],
        "row_fields": ["length", "trained", "input_ids sha256, 16 digits", "labels sha256, 16 digits"],
        "rows": [[len(i), t, sha(i)[:16], sha(l)[:16]] for i, l, t in zip(ids, labels, trained)],
    }


def describe_tensors(path):
    from safetensors.torch import load_file
    return {name: {"shape": list(t.shape), "norm": t.double().norm().item(),
                   "sha256": hashlib.sha256(t.contiguous().float().numpy().astype("<f4").tobytes()).hexdigest()}
            for name, t in sorted(load_file(path).items())}


def write(value, path):
    """JSON with one line for each element of a list and each entry of an object at the second level."""
    def inner(v):
        if isinstance(v, list) and v and isinstance(v[0], (list, dict)):
            return "[\n  " + ",\n  ".join(map(json.dumps, v)) + "\n ]"
        if isinstance(v, dict):
            return "{\n  " + ",\n  ".join(f"{json.dumps(k)}: {json.dumps(x)}" for k, x in v.items()) + "\n }"
        return json.dumps(v)
    path.write_text("{\n " + ",\n ".join(f"{json.dumps(k)}: {inner(v)}" for k, v in value.items()) + "\n}\n")


def run(args, template, adapter, tmp):
    """Axolotl's log and final adapter, and the rows it read."""
    text = template
    for word, path in (("MODEL", args.model), ("DATA", args.data), ("ADAPTER", adapter), ("OUT", tmp / "out")):
        text = re.sub(rf"^(?!#)([^#\n]*:[ ]+){word}\b", lambda m: m[1] + str(path), text, flags=re.M)
    (tmp / "run.yml").write_text(text)
    env = dict(os.environ, OMP_NUM_THREADS="2")
    subprocess.run([str(args.peer), str(args.env), "train", str(tmp / "run.yml")], cwd=tmp, env=env, check=True)
    state = json.loads((tmp / "out/checkpoint-30/trainer_state.json").read_text())
    keep = ("step", "epoch", "loss", "grad_norm", "learning_rate")
    steps = [{k: e[k] for k in keep} for e in state["log_history"] if "loss" in e]
    assert [s["step"] for s in steps] == list(range(1, 31))
    full = args.full or args.lisa
    key, file = ("weights", "model") if full else ("adapter", "adapter_model")
    final = describe_tensors(tmp / f"out/checkpoint-30/{file}.safetensors")
    found = {"steps": steps, f"final_{key}": final}
    if args.lisa:
        found = {"lisa": describe_lisa((tmp / "out/debug.log").read_text()), **found}
    return found, describe_rows(tmp / "last_run_prepared")


def describe_lisa(log):
    """The layers, in the order in which they were drawn: before steps 1 and 2 and after every interval."""
    drawn = [list(map(int, x.split())) for x in re.findall(r"Activating layers at indices: \[([ \d]+)\]", log)]
    interval = LISA["lisa_step_interval"]
    steps = [s + 1 for s in range(30) if s % interval == 0 or s == 1]
    assert len(drawn) == len(steps)
    return {**LISA, "from_step": steps, "layers": drawn}


def without_adapter(template):
    lines = [line for line in template.splitlines() if not line.startswith(("adapter:", "lora_"))]
    text, n = re.subn(r"(?m)^learning_rate: .*$", f"learning_rate: {FULL_RATE}", "\n".join(lines) + "\n")
    assert n == 1
    return text


def quantised(template, settings):
    lines = [line for line in template.splitlines() if line.split(":")[0] not in settings]
    return "\n".join(lines + [f"{key}: {value}" for key, value in settings.items()]) + "\n"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--accumulation", type=int, default=1)
    p.add_argument("--full", action="store_true")
    p.add_argument("--lisa", action="store_true")
    p.add_argument("--qlora", action="store_true")
    p.add_argument("--int8", action="store_true")
    for name in ("--peer", "--env", "--config", "--model", "--data"):
        p.add_argument(name, required=True, type=lambda s: Path(s).absolute())
    p.add_argument("out", type=lambda s: Path(s).absolute())
    args = p.parse_args()
    torch.set_num_threads(2)
    args.out.mkdir(parents=True, exist_ok=True)
    adapter = args.out / "adapter"
    name = next((n for n in ("full", "lisa", "qlora", "int8") if getattr(args, n)), None)
    template = args.config.read_text()
    if args.accumulation > 1:
        template, n = re.subn(r"(?m)^gradient_accumulation_steps: 1$",
                              f"gradient_accumulation_steps: {args.accumulation}", template)
        assert n == 1
    elif args.full or args.lisa:
        template = without_adapter(template)
        if args.lisa:
            template += "".join(f"{key}: {value}\n" for key, value in LISA.items())
    elif name in QUANTISED:
        template = quantised(template, QUANTISED[name])
    else:
        make_adapter(args.model, adapter)
    with tempfile.TemporaryDirectory() as tmp:
        steps, rows = run(args, template, adapter, Path(tmp))
    if args.accumulation > 1:
        write(steps, args.out / f"steps_accumulation_{args.accumulation}.json")
        return
    if name:
        write(steps, args.out / f"steps_{name}.json")
        return
    write(steps, args.out / "steps.json")
    write(rows, args.out / "rows.json")
    config = [line for line in template.splitlines() if not line.startswith("#")]
    (args.out / "versions.json").write_text(json.dumps({
        "adapter_seed": SEED, "adapter_b_std": B_STD, "python": platform.python_version(), "device": "cpu",
        **{n: importlib.metadata.version(n) for n in PACKAGES}, "config": config}, indent=1) + "\n")


if __name__ == "__main__":
    main()
