#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the goldens of pretraining documents with Axolotl's own code.

    make_pretrain_goldens.py TREE OUT_DIR

Run with the interpreter of an environment with Axolotl 0.19.  Writes OUT_DIR/pretrain.json: texts,
and cases of sequence_len and packing with the samples of each text by TREE/examples/tiny-llama's
tokenizer.  Packed, a document's windows are those of PretrainTokenizationStrategy; else its sample
is encode_streaming's.

tokenizers 0.23 stops encoding at the end of the word, or of the text between two added tokens, that
fills the first window, and loses the rest of the document: texts here are one such piece, so that
they are whole.  axl trains documents whole with any tokenizer.
"""
import json
import logging
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import axolotl  # noqa: E402
import transformers  # noqa: E402
from axolotl.prompt_strategies.pretrain import load  # noqa: E402
from axolotl.utils.data.streaming import encode_streaming  # noqa: E402
from axolotl.utils.dict import DictDefault  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

logging.disable(logging.CRITICAL)

TEXTS = [
    "One.",
    "Once upon a time there was a fox who lived in a small house by the river.",
    "Gr\u00fc\u00dfe aus K\u00f6ln \u4e2d\u6587 \U0001f600 and the rest of the text",
    " \n lines\n\nand   spaces \n",
    "".join(f"The {i}th sentence says that {i * 7} is not {i * 11}. " for i in range(60)),
]


def main():
    tree, out = sys.argv[1:]
    tokenizer = AutoTokenizer.from_pretrained(os.path.join(tree, "examples", "tiny-llama"))
    cases = []
    for length in (9, 24, 600, 1200):
        cfg = DictDefault({"sequence_len": length, "pretraining_dataset": [{"text_column": "text"}]})
        windows = load(tokenizer, cfg)
        cases.append({"sequence_len": length, "packing": True,
                      "samples": [windows.tokenize_prompt({"text": t})["input_ids"] for t in TEXTS]})
        cases.append({"sequence_len": length, "packing": False, "samples": [
            encode_streaming({"text": [t]}, tokenizer, length, concatenate=False)["input_ids"]
            for t in TEXTS]})
    made = {"made_with": {"axolotl": axolotl.__version__,
                          "transformers": transformers.__version__},
            "texts": TEXTS, "cases": cases}
    with open(os.path.join(out, "pretrain.json"), "w", encoding="ascii") as f:
        json.dump(made, f, separators=(",", ":"))
        f.write("\n")


main()
