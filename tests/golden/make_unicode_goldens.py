# SPDX-License-Identifier: Apache-2.0
"""Prints what tests/unit/test_unicode_tables.c compares: a sha256 for each normalizer over what it makes of
texts with every code point in turn, each followed by a NUL, and one for each class of a regular
expression over the code points that it matches, four bytes each.  Of the planes where nothing is, and
those of private use, every 257th is enough.

Made with tokenizers 0.23.1.
"""
import hashlib

from tokenizers import Regex, normalizers, pre_tokenizers

from make_unicode_classes import CATEGORIES, matched, points

given = [c for c in points[1:] if c < 0x32400 or 0xE0000 <= c < 0xE1000 or c % 257 == 0]
asked = set(given)
CLASSES = [r"\p{%s}" % c for c in ["L", "M", "N", "P", "S", "Z", "Han"] + CATEGORIES]
CLASSES += [r"\s", r"\d", r"\w", r"[^\s\p{L}\p{N}]", r"[\p{L}\p{M}]", r"\P{Mn}", r"[\p{L}&&[^\p{Han}]]"]


def form(name, normalizer, texts):
    digest = hashlib.sha256()
    for c in given:
        for text in texts(chr(c)):
            digest.update(normalizer.normalize_str(text).encode() + b"\0")
    print(f'    {{ "{name}", "{digest.hexdigest()}" }},')


def bert(**flags):
    return normalizers.BertNormalizer(**{**dict(
        clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False), **flags})


def two(c):
    return c, "a" + c + "\u0334"


def one(c):
    return c,


def cuts(name, pre):
    digest = hashlib.sha256()
    for c in given:
        digest.update(bytes([len(pre.pre_tokenize_str("\u00bd" + chr(c) + "A"))]))
    print(f'    {{ "{name}", "{digest.hexdigest()}" }},')


for name, normalizer in (("NFD", normalizers.NFD()), ("NFKD", normalizers.NFKD()),
                         ("NFC", normalizers.NFC()), ("NFKC", normalizers.NFKC())):
    form(name, normalizer, two)
for name, normalizer in (("Lowercase", normalizers.Lowercase()), ("Nmt", normalizers.Nmt()),
                         ("StripAccents", normalizers.StripAccents()), ("clean", bert(clean_text=True)),
                         ("chinese", bert(handle_chinese_chars=True)),
                         ("accents", bert(strip_accents=True))):
    form(name, normalizer, one)
for name, pre in (("Punctuation", pre_tokenizers.Punctuation()), ("Whitespace", pre_tokenizers.Whitespace()),
                  ("WhitespaceSplit", pre_tokenizers.WhitespaceSplit()),
                  ("UnicodeScripts", pre_tokenizers.UnicodeScripts())):
    cuts(name, pre)
for pattern in CLASSES:
    digest = hashlib.sha256()
    for c in matched(pattern):
        if c in asked:
            digest.update(c.to_bytes(4, "little"))
    print('    { "%s", "%s" },' % (pattern.replace("\\", "\\\\"), digest.hexdigest()))
