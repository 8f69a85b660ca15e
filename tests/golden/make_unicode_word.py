# SPDX-License-Identifier: Apache-2.0
"""Prints the table of lib/text/unicode_word.c: which characters tokenizers takes as part of a word.

A token with single_word set is found behind a character only if that is not one of a word.
"""
from tokenizers import AddedToken, Tokenizer, models

tok = Tokenizer(models.WordLevel({"[u]": 0}, unk_token="[u]"))
tok.add_tokens([AddedToken("wd", single_word=True, normalized=False)])
points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
ranges = []
for i in range(0, len(points), 50000):
    part = points[i : i + 50000]
    found = tok.encode_batch([chr(c) + "wd" for c in part], add_special_tokens=False)
    for c, e in zip(part, found):
        if 1 in e.ids:
            continue
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
line = "   "
for a, b in ranges:
    item = " { 0x%X, 0x%X }," % (a, b)
    if len(line) + len(item) > 100:
        print(line)
        line = "   "
    line += item
print(line)
