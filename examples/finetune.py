#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A training loop by hand: finetune.py CONFIG [key=value …]

What axl.finetune(CONFIG) does, taken apart, without evaluation and checkpoints.  From a source tree:

    PYTHONPATH=bindings/python examples/finetune.py run.yml
"""
import logging
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
    adapter = axl.Adapter.from_config(config, model)
    steps = loader.total_steps
    trainer = axl.Trainer.from_config(config, model, adapter, steps)

    for batch in loader:
        trainer.forward_backward(batch)
        if not trainer.ready:
            continue
        done = trainer.step()
        print(f"step {done.step} of {steps}: loss {done.loss:.4f}, gradient {done.grad_norm:.3g}, "
              f"rate {done.learning_rate:.3g}, {done.n_trained} tokens")
    adapter.save(config["output_dir"])
    tokenizer.save(config["output_dir"])
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
