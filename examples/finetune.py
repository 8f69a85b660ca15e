#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A training loop by hand: finetune.py CONFIG [key=value …]

What axl.finetune(CONFIG) does, taken apart, without evaluation.  Ctrl-C writes a checkpoint, and the
same command goes on from it.  From a source tree:

    PYTHONPATH=bindings/python examples/finetune.py run.yml
"""
import logging
import os
import shutil
import sys

import axl


def main(path, *settings):
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    overrides = dict(s.split("=", 1) for s in settings)
    config = axl.Config.open(path, overrides=overrides)
    tokenizer = axl.Tokenizer.from_config(config)
    data = axl.Dataset.from_config(config, tokenizer)
    loader = axl.Loader.from_config(config, data)
    model = axl.Model.from_config(config)
    model.resize_embeddings(len(tokenizer), config)
    adapter = axl.Adapter.from_config(config, model)
    steps = loader.total_steps
    trainer = axl.Trainer.from_config(config, model, adapter, steps)
    checkpoint = os.path.join(config["output_dir"], "checkpoint")
    if os.path.isdir(checkpoint):
        trainer.load(checkpoint, loader)
        print(f"goes on after step {trainer.steps}")

    places = {trainer.steps: loader.cursor}  # where the loader stands after so many steps
    try:
        for batch in loader:
            trainer.forward_backward(batch)
            if not trainer.ready:
                continue
            places[trainer.steps + 1] = loader.cursor
            done = trainer.step()
            print(f"step {done.step} of {steps}: loss {done.loss:.4f}, "
                  f"gradient {done.grad_norm:.3g}, rate {done.learning_rate:.3g}, "
                  f"{done.n_trained} tokens", flush=True)
    except KeyboardInterrupt:  # before, in or after a call: back to the last whole step
        trainer.zero_grad()
        loader.cursor = places[trainer.steps]
        trainer.save(checkpoint, loader)
        print(f"stopped after step {trainer.steps}; the same command goes on", file=sys.stderr)
        sys.exit(130)
    trainer.export(config["output_dir"])
    tokenizer.save(config["output_dir"])
    shutil.rmtree(checkpoint, ignore_errors=True)
    print(config["output_dir"])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except axl.Error as e:
        for diagnostic in getattr(e, "diagnostics", []) or [e]:
            print(diagnostic, file=sys.stderr)
        sys.exit(1)
