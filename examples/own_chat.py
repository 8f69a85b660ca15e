#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""own_chat.py MODEL_DIR OUT_DIR: conversations that a program has, without a file of them.

A generator gives one dict after the other; a config says how they become text and what of it is
trained.  Then the model is asked.
"""
import logging
import sys

import axl

ANIMALS = {"hare": "blue", "goat": "white", "owl": "brown", "fox": "red"}


def conversations():
    """Could as well read a database: one at a time is in memory."""
    for animal, colour in ANIMALS.items():
        for question in (f"What colour is the {animal}?", f"Which colour has the {animal}?"):
            yield {"messages": [{"role": "user", "content": question},
                                {"role": "assistant", "content": f"The {animal} is {colour}."}]}


def main():
    base_model, output_dir = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING)
    config = axl.Config.parse({
        "base_model": base_model, "output_dir": output_dir, "adapter": "lora", "lora_r": 16,
        "lora_alpha": 32, "lora_target_linear": True, "learning_rate": 0.005, "max_steps": 40,
        "micro_batch_size": 4, "gradient_accumulation_steps": 1, "bf16": False,
        "lr_scheduler": "cosine", "logging_steps": 10, "save_strategy": "no",
        "sequence_len": 128, "chat_template": "mistral_v1",
        "datasets": [{"type": "chat_template", "roles_to_train": ["assistant"]}],
    }, own_data=True)
    tokenizer = axl.Tokenizer.from_config(config)
    data = axl.Dataset.from_records(conversations(), config, tokenizer)
    print(data)

    def record(seen):
        if seen.event == "step":
            print(f"step {seen.step} loss {seen.loss:.4f}", flush=True)

    run = axl.Run(config, train=data, record=record)
    run.train()
    template = axl.Template.builtin("mistral_v1")
    asked = template.render({"messages": [{"role": "user", "content": "What colour is the owl?"}],
                             "bos_token": "", "eos_token": "</s>"})
    print(axl.generate(run.model, run.tokenizer, asked, adapter=run.adapter, greedy=True,
                       max_new_tokens=16).strip())


if __name__ == "__main__":
    main()
