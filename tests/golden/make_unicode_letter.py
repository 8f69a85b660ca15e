# SPDX-License-Identifier: Apache-2.0
"""Prints the tables of lib/text/unicode_letter.c: which characters \\p{L} and \\p{N} of tokenizers'
regular expressions match, and which its pre-tokenizer Digits takes besides the latter.

Made with tokenizers 0.23.1.
"""
from tokenizers import Regex, pre_tokenizers

points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def matched(pattern):
    split = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=False)
    return [c for c in points if not split.pre_tokenize_str(chr(c))]


def ranges(found):
    made = []
    for c in found:
        if made and made[-1][1] == c - 1:
            made[-1][1] = c
        else:
            made.append([c, c])
    return made


def show(name, found):
    print(f"static const uint32_t {name}[][2] = {{")
    line = "   "
    for a, b in ranges(found):
        item = f" {{ 0x{a:X}, 0x{b:X} }},"
        if len(line) + len(item) > 100:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};\n")


numbers = matched(r"\p{N}")
digits = pre_tokenizers.Digits(individual_digits=True)
cut = [c for c in points if len(digits.pre_tokenize_str("a" + chr(c) + "a")) == 3]
assert not set(numbers) - set(cut)
show("letters", matched(r"\p{L}"))
show("numbers", numbers)
show("digits_besides", sorted(set(cut) - set(numbers)))
