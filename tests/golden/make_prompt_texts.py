#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_prompt_texts.py FORMATS.md > prompt_texts.json: records and what Axolotl makes of them.

The page has the texts of Axolotl's prompters, one in a line: NAME : "text with {columns}".
"""
import json
import re
import sys

VALUES = {"instruction": "DO {input} it", "input": "IN {x}", "output": "OUT", "response": "RE {}",
          "INSTRUCTION": "Ask", "RESPONSE": "Say", "question": "Why?\n", "answer": "So",
          "article": "An article.", "summary": "Short.", "message_1": "Hi", "message_2": "Ho",
          "system_prompt": "Be kind", "context": "Here", "revision": "Better",
          "category": "Cats", "solution": "B, since", "explanation": "A, since",
          "choices": ["a {}", "b \"q\""]}
STYLES = ("instruct", "chat", "chatml", "phi")
LINE = re.compile(r'^([a-z_.:() A-Z0-9]+?)\s+: "(.*)"\s*$')


def choices_text(choices):
    return "\n".join(f'- "{c}"' for c in choices)


def main(page):
    texts = {}
    with open(page, encoding="utf-8") as f:
        for line in f:
            found = LINE.match(line)
            if found:
                name = re.sub(r"\s+", " ", found.group(1))
                texts.setdefault(name, found.group(2))
    rows = []

    def add(kind, template, columns, answer, before=""):
        record = {c: VALUES[c] for c in columns}
        record[answer] = VALUES[answer]
        text = json.loads(f'"{template}"')
        names = re.findall(r"\{(\w+)\}", text)
        for slot, column in zip(names, columns):
            value = VALUES[column]
            value = choices_text(value) if isinstance(value, list) else value
            text = text.replace("{" + slot + "}", "\0" + column + "\0", 1)
        for column in columns:
            value = VALUES[column]
            text = text.replace("\0" + column + "\0",
                                choices_text(value) if isinstance(value, list) else value)
        rows.append({"type": kind, "record": record, "prompt": text, "response": before + VALUES[answer]})

    def both(kind, name, columns, answer, before=""):
        add(kind, texts[f"{name} with input"], columns, answer, before)
        add(kind, texts[f"{name} no input"], columns[:1], answer, before)

    for style in STYLES:
        both(f"alpaca:{style}", f"alpaca:{style}", ["instruction", "input"], "output")
        both(f"gpteacher:{style}", f"alpaca:{style}", ["instruction", "input"], "response")
        both(f"jeopardy:{style}", f"alpaca:{style}", ["question", "category"], "answer", "what is ")
        add(f"oasst:{style}", texts[f"alpaca:{style} no input"], ["INSTRUCTION"], "RESPONSE")
        add(f"summarizetldr:{style}", texts["summarizetldr"], ["article"], "summary")
        both(f"concisechoice:{style}", "concisechoice", ["question", "choices"], "solution")
    both("alpaca_chat", "alpaca:chat", ["instruction", "input"], "output")
    both("alpaca_instruct", "alpaca:instruct", ["instruction", "input"], "output")
    for kind in ("alpaca_chat.load_concise", "alpaca_chat.load_no_prompt",
                 "alpaca_instruct.load_no_prompt"):
        both(kind, kind, ["instruction", "input"], "output")
    add("alpaca_chat.load_qa", texts["alpaca_chat.load_qa"], ["question"], "answer")
    add("alpaca_chat.load_camel_ai", texts["alpaca_chat.load_qa"], ["message_1"], "message_2")
    both("explainchoice", "explainchoice", ["question", "choices"], "solution")
    both("explainchoice:chat", "explainchoice:chat", ["question", "choices"], "explanation")
    add("orcamini", texts["orcamini"], ["system_prompt", "question"], "response")
    add("context_qa", texts["context_qa"], ["article", "question"], "answer")
    add("context_qa.load_v2", texts["context_qa.load_v2"], ["context", "question"], "answer", "Answer: ")
    add("creative_acr.load_answer", texts["creative answer"], ["instruction"], "revision")
    print(json.dumps(rows, indent=1))


main(sys.argv[1])
