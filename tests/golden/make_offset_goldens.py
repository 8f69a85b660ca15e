#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the goldens of offsets with transformers' AutoTokenizer.

    make_offset_goldens.py SHARED_DIR GOLDEN_DIR

Takes the cases and texts of GOLDEN_DIR/tokenizer_goldens.json and byte_level_goldens.json, and adds
to what is written of each case

  offsets {with, plain}   lists parallel to `hard`, or to `variant_texts` for a variant

in GOLDEN_DIR/offset_goldens.json, characters turned into bytes, as indices into a pool.  An offset
list is a flat list of differences: begin minus the end before, and the length.  `texts` are the
indices of the hard texts that are asked about, every second of those of less than 200 characters.

Of bare files there is `plain` alone: Llama-3's rank file has the bytes of its tokens, with the whole
of a character of which they are a part; a SentencePiece file sentencepiece's own surfaces, and -1
for texts where a token is a byte, as it counts these otherwise.
"""
import bisect
import json
import os
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tiktoken  # noqa: E402
import tiktoken.load  # noqa: E402
import sentencepiece  # noqa: E402
import tokenizers  # noqa: E402
import transformers  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

from make_tokenizer_goldens import Pool, build  # noqa: E402
from make_byte_level_goldens import LLAMA3, LLAMA3_SPECIALS, RANKS  # noqa: E402


def bytes_of(text):
    """Where each character begins in UTF-8, and the end."""
    places = [0]
    for c in text:
        places.append(places[-1] + len(c.encode("utf-8")))
    return places


def flat(offsets):
    made, last = [], 0
    for begin, end in offsets:
        made += [begin - last, end - begin]
        last = end
    return made


def flat_chars(text, offsets):
    places = bytes_of(text)
    return flat((places[begin], places[end]) for begin, end in offsets)


def results(pool, tok, texts):
    made = {"with": [], "plain": []}
    for key, special in (("with", True), ("plain", False)):
        for text in texts:
            out = tok(text, add_special_tokens=special, return_offsets_mapping=True)
            made[key].append(pool.add(flat_chars(text, out.offset_mapping)))
    return made


def kept(texts):
    return [i for i, text in enumerate(texts) if len(text) < 200][::2]


def file_results(shared, root, golden, pool):
    made = {"texts": kept(golden["hard"]), "cases": {}, "variants": {}}
    texts = [golden["hard"][i] for i in made["texts"]]
    for kind, listed in (("cases", texts), ("variants", golden.get("variant_texts"))):
        for c in golden.get(kind, []):
            tok = AutoTokenizer.from_pretrained(build(shared, root, c))
            made[kind][c["name"]] = results(pool, tok, listed)
    return made


def bare_ranks(shared, pool, texts):
    ranks = tiktoken.load.load_tiktoken_bpe(os.path.join(shared, RANKS))
    model = tiktoken.Encoding("llama3", pat_str=LLAMA3, mergeable_ranks=ranks, special_tokens={
        name: len(ranks) + i for i, name in enumerate(LLAMA3_SPECIALS)})
    made = []
    for text in texts:
        places, at, offsets = bytes_of(text), 0, []
        for token in model.encode(text, allowed_special="all"):
            end = at + len(model.decode_single_token_bytes(token))
            offsets.append((bisect.bisect_right(places, at) - 1, bisect.bisect_left(places, end)))
            at = end
        made.append(pool.add(flat_chars(text, offsets)))
    return made


def bare_spm(shared, pool, name, texts):
    """Only of texts without bytes, of which SentencePiece gives one the whole character."""
    model = sentencepiece.SentencePieceProcessor(model_file=os.path.join(shared, name))
    made = []
    for text in texts:
        out = model.encode(text, return_type="proto")
        if any(model.is_byte(p.id) or p.surface == "" for p in out.pieces):
            made.append(-1)
        else:
            made.append(pool.add(flat((p.begin, p.end) for p in out.pieces)))
    return made


def main():
    shared, folder = sys.argv[1:]
    pool, files = Pool(), {}
    with tempfile.TemporaryDirectory() as root:
        for name in ("tokenizer_goldens", "byte_level_goldens"):
            with open(os.path.join(folder, name + ".json"), encoding="ascii") as f:
                golden = json.load(f)
            files[name] = file_results(shared, root, golden, pool)
            texts = [golden["hard"][i] for i in files[name]["texts"]]
            files[name]["bare"] = {
                b["file"]: bare_ranks(shared, pool, texts) if b["file"] == RANKS
                else bare_spm(shared, pool, b["file"], texts) for b in golden["bare"]}
    made = {"made_with": {"transformers": transformers.__version__,
                          "tokenizers": tokenizers.__version__,
                          "sentencepiece": sentencepiece.__version__},
            "pool": pool.items, **files}
    with open(os.path.join(folder, "offset_goldens.json"), "w", encoding="ascii") as f:
        json.dump(made, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
