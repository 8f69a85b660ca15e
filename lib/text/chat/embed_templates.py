#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""embed_templates.py OUT.c FILE.jinja…: the files' texts as a C table, for chat_templates.c.

Bytes rather than string literals: C promises no more than 4095 characters of those.
"""
import os
import sys


def rows(data):
    data += b"\0"
    for at in range(0, len(data), 24):
        yield "    " + " ".join(f"{b}," for b in data[at:at + 24])


def main(out, files):
    files = sorted(files, key=os.path.basename)
    names = [os.path.basename(f).removesuffix(".jinja") for f in files]
    with open(out, "w", encoding="utf-8") as c:
        c.write('#include "text/chat/chat_templates_priv.h"\n')
        for name, path in zip(names, files):
            with open(path, "rb") as f:
                text = "\n".join(rows(f.read()))
            c.write(f"\nstatic const unsigned char {name}[] = {{\n{text}\n}};\n")
        c.write("\nconst axl__chat_template axl__chat_templates[] = {\n")
        c.writelines(f'    {{ "{name}", (const char *){name} }},\n' for name in names)
        c.write(f"}};\nconst size_t axl__n_chat_templates = {len(names)};\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
