#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes sweeps.json: the runs that Axolotl 0.19 makes of a sweep, in its order.

    python3 make_sweeps.py > sweeps.json

Each entry is {"sweep": the file's text, "runs": [["key=value", …] sorted, …]}; a run of a long
sweep is every 17th.  Needs axolotl.
"""
import contextlib
import io
import json

from axolotl.cli.utils.sweeps import generate_sweep_configs

SWEEPS = [
    {"learning_rate": [0.0001, 0.0002, 0.0004], "lora_r": [8, 16]},
    {"lora_r": [4]},
    {"_": [{"adapter": "lora", "load_in_8bit": True}, {"adapter": "qlora", "load_in_4bit": True}],
     "micro_batch_size": [1, 2, 3]},
    {"lora_alpha": [16, 32], "_": [{"lora_alpha": 64, "lora_r": 32}, {"seed": 1}, {"seed": 2}],
     "lora_dropout": [0.0, 0.05]},
    {"lora_target_modules": [["q_proj"], ["q_proj", "v_proj"]], "output_dir": ["./a", "./b"],
     "datasets": [[{"path": "x.jsonl", "type": "alpaca"}]], "lr_scheduler": ["cosine", "linear"]},
    {"_": [{"seed": n} for n in range(7)]},
    {"seed": list(range(30)), "lora_r": list(range(1, 26))},
]


def override(key, value):
    return f"{key}={value if isinstance(value, str) else json.dumps(value)}"


def main():
    found = []
    for sweep in SWEEPS:
        with contextlib.redirect_stdout(io.StringIO()):
            runs = generate_sweep_configs({}, sweep)
        runs = runs if len(runs) < 100 else runs[::17]
        found.append({"sweep": json.dumps(sweep),
                      "runs": [sorted(override(k, v) for k, v in r.items()) for r in runs]})
    print("[" + ",\n".join(json.dumps(f) for f in found) + "]")


if __name__ == "__main__":
    main()
