# SPDX-License-Identifier: Apache-2.0
# Makes tests/golden/schedules.json: the learning rate that Axolotl's trainer gives each optimizer step.
#
#   make_schedules.py OUT.json          (with Axolotl, transformers and torch installed)
#
# Each case is the keys of a config and a number of steps.  The scheduler is the one that Axolotl's own builder and
# trainer mixin make of them; it is stepped as the trainer does, after the optimizer, or with reduce_lr_on_plateau after
# each evaluation's metric.
#   rates  what step 1, 2, … trains with, as a share of learning_rate
#   beta1  the same for AdamW's first beta, where the schedule moves it
import importlib.metadata
import json
import math
import sys
import warnings

import torch
from axolotl.core.builders import HFCausalTrainerBuilder
from axolotl.core.trainers.mixins.scheduler import SchedulerMixin
from axolotl.core.training_args import AxolotlTrainingArguments
from axolotl.utils.dict import DictDefault

PEAK = 2e-4
PACKAGES = ["axolotl", "torch", "transformers"]
# Rises, falls, stands still: 40 evaluations for reduce_lr_on_plateau.
METRICS = [round(2.0 + math.cos(0.9 * i) / (1 + i / 4) - 0.02 * min(i, 12), 6) for i in range(40)]

WSD = {"num_decay_steps": 12}
CASES = [
    # name, total steps, keys
    ("cosine_default_warmup", 250, {}),
    ("cosine_warmup_1_is_2", 20, {"lr_scheduler": "cosine", "warmup_steps": 1}),
    ("cosine_warmup_ratio", 37, {"lr_scheduler": "cosine", "warmup_ratio": 0.1}),
    ("cosine_warmup_ratio_below_a_step", 20, {"lr_scheduler": "cosine", "warmup_ratio": 0.04}),
    ("cosine_warmup_past_the_end", 8, {"lr_scheduler": "cosine", "warmup_steps": 12}),
    ("cosine_cycles", 40, {"lr_scheduler": "cosine", "warmup_steps": 4, "lr_scheduler_kwargs": {"num_cycles": 1.5}}),
    ("cosine_min", 40, {"lr_scheduler": "cosine", "warmup_steps": 4, "cosine_min_lr_ratio": 0.1}),
    ("cosine_min_constant", 40, {"lr_scheduler": "cosine", "warmup_steps": 4, "cosine_min_lr_ratio": 0.1,
                                 "cosine_constant_lr_ratio": 0.7}),
    ("cosine_min_constant_below_warmup", 40, {"lr_scheduler": "cosine", "warmup_steps": 10, "cosine_min_lr_ratio": 0.2,
                                              "cosine_constant_lr_ratio": 0.1}),
    ("cosine_constant_alone", 40, {"lr_scheduler": "cosine", "warmup_steps": 4, "cosine_constant_lr_ratio": 0.7}),
    ("cosine_quadratic", 40, {"lr_scheduler": "cosine", "warmup_steps": 10, "lr_quadratic_warmup": True}),
    ("cosine_quadratic_min", 40, {"lr_scheduler": "cosine", "warmup_steps": 10, "lr_quadratic_warmup": True,
                                  "cosine_min_lr_ratio": 0.1}),
    ("linear", 40, {"lr_scheduler": "linear", "warmup_steps": 4}),
    ("linear_quadratic_is_linear", 40, {"lr_scheduler": "linear", "warmup_steps": 4, "lr_quadratic_warmup": True,
                                        "cosine_min_lr_ratio": 0.1}),
    ("constant", 20, {"lr_scheduler": "constant", "warmup_steps": 4}),
    ("constant_with_warmup", 20, {"lr_scheduler": "constant_with_warmup", "warmup_steps": 4}),
    ("polynomial", 40, {"lr_scheduler": "polynomial", "warmup_steps": 4}),
    ("polynomial_settings", 40, {"lr_scheduler": "polynomial", "warmup_steps": 4,
                                 "lr_scheduler_kwargs": {"lr_end": 1e-5, "power": 2.5}}),
    ("cosine_with_restarts", 40, {"lr_scheduler": "cosine_with_restarts", "warmup_steps": 4}),
    ("cosine_with_restarts_3", 40, {"lr_scheduler": "cosine_with_restarts", "warmup_steps": 4,
                                    "lr_scheduler_kwargs": {"num_cycles": 3}}),
    ("inverse_sqrt", 40, {"lr_scheduler": "inverse_sqrt", "warmup_steps": 4}),
    ("inverse_sqrt_no_warmup", 40, {"lr_scheduler": "inverse_sqrt", "warmup_steps": 0}),
    ("inverse_sqrt_timescale", 40, {"lr_scheduler": "inverse_sqrt", "warmup_steps": 4,
                                    "lr_scheduler_kwargs": {"timescale": 20}}),
    ("cosine_with_min_lr", 40, {"lr_scheduler": "cosine_with_min_lr", "warmup_steps": 4,
                                "lr_scheduler_kwargs": {"min_lr": 3e-5}}),
    ("cosine_with_min_lr_rate", 40, {"lr_scheduler": "cosine_with_min_lr", "warmup_steps": 4,
                                     "lr_scheduler_kwargs": {"min_lr_rate": 0.05, "num_cycles": 1.0}}),
    ("cosine_warmup_with_min_lr", 40, {"lr_scheduler": "cosine_warmup_with_min_lr", "warmup_steps": 6,
                                       "lr_scheduler_kwargs": {"min_lr_rate": 0.05}}),
    ("cosine_warmup_with_min_lr_start", 40, {"lr_scheduler": "cosine_warmup_with_min_lr", "warmup_steps": 6,
                                             "lr_scheduler_kwargs": {"min_lr": 1e-5, "warmup_lr_rate": 0.2}}),
    ("warmup_stable_decay", 40, {"lr_scheduler": "warmup_stable_decay", "warmup_steps": 6, "lr_scheduler_kwargs": WSD}),
    ("warmup_stable_decay_settings", 40, {"lr_scheduler": "warmup_stable_decay", "warmup_steps": 8,
                                          "lr_scheduler_kwargs": {**WSD, "num_stable_steps": 15, "warmup_type": "1-sqrt",
                                                                  "decay_type": "1-sqrt", "min_lr_ratio": 0.1}}),
    ("warmup_stable_decay_cosine", 40, {"lr_scheduler": "warmup_stable_decay", "warmup_steps": 8,
                                        "lr_scheduler_kwargs": {**WSD, "warmup_type": "cosine", "decay_type": "cosine",
                                                                "num_cycles": 0.75, "min_lr_ratio": 0.05}}),
    ("warmup_stable_decay_linear", 40, {"lr_scheduler": "warmup_stable_decay", "warmup_steps": 0,
                                        "lr_scheduler_kwargs": {**WSD, "decay_type": "linear"}}),
    ("rex", 40, {"lr_scheduler": "rex", "warmup_steps": 4}),
    ("rex_no_warmup", 40, {"lr_scheduler": "rex", "warmup_steps": 0}),
    ("rex_min", 40, {"lr_scheduler": "rex", "warmup_steps": 4, "cosine_min_lr_ratio": 0.2}),
    ("one_cycle", 40, {"lr_scheduler": "one_cycle", "warmup_steps": 10}),
    ("one_cycle_no_warmup", 40, {"lr_scheduler": "one_cycle", "warmup_steps": 0}),
    ("one_cycle_settings", 40, {"lr_scheduler": "one_cycle", "warmup_steps": 10, "lr_scheduler_kwargs": {
        "pct_start": 0.4, "anneal_strategy": "linear", "div_factor": 10.0, "final_div_factor": 100.0,
        "base_momentum": 0.8, "max_momentum": 0.9}}),
    ("one_cycle_three_phases", 40, {"lr_scheduler": "one_cycle", "warmup_steps": 10,
                                    "lr_scheduler_kwargs": {"three_phase": True, "cycle_momentum": False}}),
    ("reduce_lr_on_plateau", 40, {"lr_scheduler": "reduce_lr_on_plateau", "warmup_steps": 4,
                                  "lr_scheduler_kwargs": {"patience": 2, "factor": 0.5}}),
    ("reduce_lr_on_plateau_default", 40, {"lr_scheduler": "reduce_lr_on_plateau"}),
    ("reduce_lr_on_plateau_max", 40, {"lr_scheduler": "reduce_lr_on_plateau", "lr_scheduler_kwargs": {
        "mode": "max", "patience": 3, "factor": 0.3, "threshold": 0.05, "threshold_mode": "abs", "cooldown": 2,
        "min_lr": 2e-5}}),
    ("reduce_lr_on_plateau_rel", 40, {"lr_scheduler": "reduce_lr_on_plateau", "lr_scheduler_kwargs": {
        "patience": 1, "factor": 0.7, "threshold": 0.03, "cooldown": 1, "eps": 1e-5}}),
    ("jagged_cosine", 60, {"lr_scheduler": "cosine", "warmup_steps": 4, "jagged_restart_steps": 15,
                           "jagged_restart_warmup_steps": 5, "jagged_restart_anneal_steps": 3}),
    ("jagged_defaults", 60, {"lr_scheduler": "constant", "jagged_restart_steps": 20}),
    ("jagged_min", 60, {"lr_scheduler": "cosine", "warmup_steps": 4, "cosine_min_lr_ratio": 0.1,
                        "jagged_restart_steps": 15, "jagged_restart_warmup_steps": 5}),
    ("jagged_rex", 60, {"lr_scheduler": "rex", "warmup_steps": 4, "jagged_restart_steps": 15,
                        "jagged_restart_warmup_steps": 5}),
    ("jagged_linear", 60, {"lr_scheduler": "linear", "warmup_steps": 4, "jagged_restart_steps": 15,
                           "jagged_restart_warmup_steps": 5, "jagged_restart_anneal_steps": 4}),
]


def make_scheduler(keys, total):
    """The optimizer and the scheduler, by Axolotl's own builder and mixin."""
    cfg = DictDefault({"learning_rate": PEAK, "output_dir": "/tmp/out", **keys})
    builder = HFCausalTrainerBuilder.__new__(HFCausalTrainerBuilder)
    builder.cfg = cfg
    kwargs = {}
    builder._configure_warmup_and_logging(total, kwargs)
    builder._configure_scheduler(kwargs)
    for key in ("cosine_min_lr_ratio", "cosine_constant_lr_ratio", "lr_quadratic_warmup", "jagged_restart_steps",
                "jagged_restart_warmup_steps", "jagged_restart_anneal_steps", "learning_rate"):
        if cfg[key] is not None:
            kwargs[key] = cfg[key]
    if cfg.lr_scheduler == "reduce_lr_on_plateau":
        kwargs["eval_strategy"] = "steps"
    args = AxolotlTrainingArguments(output_dir="/tmp/out", use_cpu=True, report_to=[], **kwargs)
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=args.learning_rate)
    trainer = SchedulerMixin.__new__(SchedulerMixin)
    trainer.args, trainer.optimizer, trainer.lr_scheduler = args, optimizer, None
    return optimizer, trainer.create_scheduler(total, optimizer)


def run(keys, total):
    optimizer, scheduler = make_scheduler(keys, total)
    group = optimizer.param_groups[0]
    plateau = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
    rates, betas = [], []
    for step in range(total):
        rates.append(group["lr"] / PEAK)
        betas.append(group["betas"][0])
        optimizer.step()
        scheduler.step(*([METRICS[step]] if plateau else []))
    case = {"rates": rates}
    if any(b != 0.9 for b in betas):
        case["beta1"] = betas
    return case


def main():
    warnings.simplefilter("ignore")
    cases = []
    for name, total, keys in CASES:
        cases.append({"name": name, "steps": total, "keys": keys, **run(keys, total)})
    head = {"learning_rate": PEAK, "metrics": METRICS, **{n: importlib.metadata.version(n) for n in PACKAGES}}
    with open(sys.argv[1], "w", encoding="utf-8") as f:
        f.write(json.dumps(head)[:-1] + ', "cases": [\n')
        f.write(",\n".join(json.dumps(c) for c in cases) + "\n]}\n")


if __name__ == "__main__":
    main()
