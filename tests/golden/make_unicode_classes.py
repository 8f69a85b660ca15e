# SPDX-License-Identifier: Apache-2.0
"""Prints the tables of lib/text/unicode_class.c and unicode_script.c, by asking tokenizers 0.23.1 about
every code point.

    make_unicode_classes.py classes | scripts

classes  what its regular expressions see otherwise than Unicode 14 (the unicodedata of Python 3.11),
         by general category; what its components call punctuation, a nonspacing mark, a combining
         mark, and no text at all; which letters have a small one that utf8proc 2.8 does not know
scripts  the scripts of its pre-tokenizer UnicodeScripts, as numbers
"""
import ctypes
import ctypes.util
import sys
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

assert unicodedata.unidata_version == "14.0.0"
points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co "
              "Cn").split()


def ranges(found):
    made = []
    for c in found:
        if made and made[-1][1] == c - 1:
            made[-1][1] = c
        else:
            made.append([c, c])
    return made


def lines(items):
    line = "   "
    for item in items:
        if len(line) + len(item) + 1 > 100:
            print(line)
            line = "   "
        line += " " + item
    print(line)
    print("};\n")


def show(name, found):
    print(f"static const uint32_t {name}[][2] = {{")
    lines(f"{{ 0x{a:X}, 0x{b:X} }}," for a, b in ranges(found))


def matched(pattern):
    """All code points that a class matches, by cutting texts of many."""
    runs = pre_tokenizers.Split(Regex(pattern + "+"), behavior="isolated", invert=False)
    one = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=False)
    found = []
    for at in range(0, len(points), 4096):
        part = points[at:at + 4096]
        for _, (begin, end) in runs.pre_tokenize_str("".join(map(chr, part))):
            if not one.pre_tokenize_str(chr(part[begin])):
                found += part[begin:end]
    return found


def later_categories():
    changed = {}
    for category in CATEGORIES:
        for c in matched(r"\p{%s}" % category):
            if unicodedata.category(chr(c)) != category:
                changed[c] = (unicodedata.category(chr(c)), category)
    print("static const axl__unicode_change changed[] = {")
    items, last = [], None
    for c in sorted(changed):
        if last and last[1] == c - 1 and last[2] == changed[c]:
            last[1] = c
        else:
            last = [c, c, changed[c]]
            items.append(last)
    lines(f"{{ 0x{a:X}, 0x{b:X}, {old}, {new} }}," for a, b, (old, new) in items)


def gone(normalizer):
    return [c for c in points if c and not normalizer.normalize_str(chr(c))]


def lower():
    proc = ctypes.CDLL(ctypes.util.find_library("utf8proc"))
    proc.utf8proc_tolower.restype = ctypes.c_int32
    norm = normalizers.Lowercase()
    print("static const uint32_t lower[][3] = {")
    items = []
    for c in points:
        made = norm.normalize_str(chr(c))
        if len(made) > 1:
            print("/* more than one:", hex(c), [hex(ord(k)) for k in made], "*/", file=sys.stderr)
            continue
        if ord(made) != proc.utf8proc_tolower(c):
            items.append([c, ord(made)])
    merged = []
    for c, to in items:
        if merged and merged[-1][1] == c - 1 and c - merged[-1][0] == to - merged[-1][2]:
            merged[-1][1] = c
        else:
            merged.append([c, c, to])
    lines(f"{{ 0x{a:X}, 0x{b:X}, 0x{t:X} }}," for a, b, t in merged)


def classes():
    later_categories()
    punct = pre_tokenizers.Punctuation("removed")
    show("punctuation", [c for c in points if not punct.pre_tokenize_str(chr(c))])
    show("nonspacing", [c for c in gone(normalizers.BertNormalizer(
        clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False))])
    show("combining", gone(normalizers.StripAccents()))
    show("no_text", [0] + gone(normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)))
    lower()


def scripts():
    """0 goes with any; runs of one script are cut where the next begins."""
    cut = pre_tokenizers.UnicodeScripts()

    def joined(a, b):
        return len(cut.pre_tokenize_str(chr(a) + chr(b))) == 1

    def is_any(c):
        return joined(0x41, c) and joined(c, 0x3B1)

    table, known, last = [], [], None
    for c in points:
        any_ = is_any(c)
        if last is not None and last[1] == c - 1 and \
                (last[2] == 0 if any_ else last[2] > 0 and joined(c - 1, c)):
            last[1] = c
            continue
        number = 0
        if not any_:
            number = next((i + 1 for i, k in enumerate(known) if joined(k, c)), 0)
            if not number:
                known.append(c)
                number = len(known)
        last = [c, c, number]
        table.append(last)
    print("static const struct script scripts[] = {")
    lines(f"{{ 0x{a:X}, 0x{b:X}, {k} }}," for a, b, k in table)


if __name__ == "__main__":
    {"classes": classes, "scripts": scripts}[sys.argv[1]]()
