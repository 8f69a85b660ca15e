# SPDX-License-Identifier: Apache-2.0
"""Prints what tests/unit/test_text_forms.c compares: a sha256 over the form C that tokenizers makes of
four texts with every code point in turn, each followed by a NUL.

With utf8proc's library at hand (ctypes) it also prints the code points where its form differs: the
table of lib/text/nfc.c.
"""
import ctypes
import ctypes.util
import hashlib

from tokenizers import normalizers

form = normalizers.NFC()


def texts(c):
    return chr(c), "a\u0345" + chr(c), "a" + chr(c) + "\u0334", "\U00011935" + chr(c) + "\u0301"


points = [c for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
digest = hashlib.sha256()
for point in points:
    for text in texts(point):
        digest.update(form.normalize_str(text).encode() + b"\0")
print(digest.hexdigest())

library = ctypes.util.find_library("utf8proc")
if library:
    proc = ctypes.CDLL(library)
    proc.utf8proc_NFC.restype = ctypes.c_void_p
    proc.utf8proc_unicode_version.restype = ctypes.c_char_p
    free = ctypes.CDLL(None).free
    free.argtypes = [ctypes.c_void_p]

    def other(text):
        made = proc.utf8proc_NFC(text.encode() + b"\0")
        got = ctypes.string_at(made).decode()
        free(made)
        return got

    differ = [c for c in points if any(other(t) != form.normalize_str(t) for t in texts(c))]
    print("utf8proc, Unicode", proc.utf8proc_unicode_version().decode() + ":",
          " ".join(f"{c:X}" for c in differ))
