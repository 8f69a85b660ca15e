#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `axl inspect` shows to people: the page of --html, and text on a terminal."""
import json
import os
import re
import unittest
from html.parser import HTMLParser

from cli_testing import TINY, Case, read

HOSTILE = ("</i></mark></div><script>alert(1)</script> <img src=x onerror=alert(2)> \"' onclick=\"x "
           "&amp; &lt; <!-- ]]> \x1b[31m \x9b \x7f \x01 \u202e\u2066\ttab\r\n   \U0001F600 \u65e5")
VOID = {"meta", "input"}


class Page(HTMLParser):
    """Checks that elements nest; gathers the rows' tokens as (id, text, trained, special)."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attrs, self.rows, self.heads, self.text = [], set(), set(), [], [], ""
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attrs.update(k for k, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)
        attrs = dict(attrs)
        if tag == "article":
            self.rows.append([])
            self.heads.append("")
        elif tag == "i":
            number, _, name = attrs["title"].partition(" ")
            self.rows[-1].append([int(number), "", "mark" in self.open, attrs.get("class") == "special", name])

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attrs.update(k for k, _ in attrs)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        self.text += data
        if "i" in self.open:
            self.rows[-1][-1][1] += data
        elif "article" in self.open:
            self.heads[-1] += data


def visible(text):
    """What is written for codes that would act."""
    text = re.sub("[\x80-\x9f\u202a-\u202e\u2066-\u2069]", lambda m: f"[U+{ord(m[0]):04X}]", text)
    return re.sub("[\x00-\x08\x0b-\x1f]", lambda m: chr(0x2400 + ord(m[0])), text).replace("\x7f", "\u2421")


class Inspect(Case):
    def page(self, config, *args):
        path = self.path("page.html")
        self.assertEqual(self.good("inspect", config, "--html", path, *args).out, path + "\n")
        return Page(read(path))

    def check_rows(self, page, config, *args):
        """The page's tokens are those of --json, trained where a label is."""
        rows = [json.loads(line) for line in self.good("inspect", config, "--json", *args).out.splitlines()]
        self.assertEqual(len(page.rows), len(rows))
        for shown, head, row in zip(page.rows, page.heads, rows):
            self.assertEqual([t[0] for t in shown], row["input_ids"])
            self.assertEqual([t[2] for t in shown], [label != -100 for label in row["labels"]])
            self.assertRegex(head, rf"\brow {row['row']}\b")
            self.assertIn(row["source"], head)
            self.assertEqual("part" in head, "part" in row)
            self.assertIn(f"{len(shown)} tokens, ", head)
        return rows

    def test_rows(self):
        config = self.config(shuffle_merged_datasets=False)
        page = self.page(config)
        self.check_rows(page, config)
        first = page.rows[0]
        self.assertEqual([t[1] for t in first[:3]], ["<s>", " Below", " is"])
        self.assertEqual(first[1][4], "\u2581Below")
        self.assertEqual([t[1] for t in first if t[3]], ["<s>", "</s>"])
        self.assertEqual("".join(t[1] for t in first if t[2]), " 6 plus 3 is 9.</s>")
        for words in ("The train split", "Rows shown: 5 of 711; -n N", "40,344", "6642", "run.yml"):
            self.assertIn(words, page.text)
        bars = re.findall(r"<title>rows of \d+(?: to \d+)? tokens: (\d+)</title>", read(self.path("page.html")))
        self.assertEqual(sum(map(int, bars)), 711)
        self.assertLessEqual(len(bars), 40)

    def test_splits_and_all_rows(self):
        config = self.config(val_set_size=0.02)
        page = self.page(config, "-n", "0", "--split", "validation")
        self.check_rows(page, config, "-n", "0", "--split", "validation")
        self.assertIn("The validation split", page.text)
        self.assertIn("Rows shown: 15 of 15.", page.text)

    def test_parts(self):
        data = self.rows("long.jsonl", [{"text": "one two three " * 60}])
        config = self.config(datasets=[{"path": data, "type": "completion"}], sequence_len=64)
        page = self.page(config, "-n", "0")
        self.check_rows(page, config, "-n", "0")
        self.assertTrue(any("part 1" in head for head in page.heads), page.heads)
        self.assertRegex(self.good("inspect", config, "-n", "0").out, r"row 0 part 1: \d+ tokens, \d+ trained\n")

    def hostile(self):
        data = self.rows("<b>&.jsonl", [{"instruction": HOSTILE, "output": HOSTILE[::-1] + HOSTILE}])
        return self.config("'\"<i>.yml", datasets=[{"path": data, "type": "alpaca"}], sequence_len=1024)

    def test_hostile_text_stays_text(self):
        config = self.hostile()
        page = self.page(config)
        self.check_rows(page, config)
        whole = "".join(t[1] for t in page.rows[0])
        self.assertIn(visible(HOSTILE), whole)
        self.assertTrue(whole.endswith(visible(HOSTILE) + "</s>"), whole)
        self.assertIn("'\"<i>.yml", page.text)
        self.assertLessEqual(page.tags, {
            "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "div", "b", "small", "figure",
            "figcaption", "svg", "g", "rect", "span", "mark", "input", "label", "article", "i", "u", "footer"})
        self.assertLessEqual(page.attrs, {
            "lang", "charset", "http-equiv", "content", "name", "class", "title", "type", "id", "for", "role", "x", "y",
            "viewbox", "preserveaspectratio", "aria-label", "width", "height"})
        for wide in re.findall(r"width:(\d+)px", read(self.path("page.html"))):
            self.assertTrue(int(wide) <= 400 or wide == "1200", wide) # 1200: the widest that it becomes
        self.assertNotIn("http:", read(self.path("page.html")))

    def test_parts_of_characters(self):
        """Rows that end anywhere in a text, and one of no characters at all."""
        (row,) = self.check_rows(self.page(self.hostile()), self.hostile())
        ids = row["input_ids"]
        cut = [ids[:n] for n in range(len(ids) - 12, len(ids))] + [[1, 243, 243, 162, 131, 243, 243, 243, 243, 243, 2]]
        data = self.rows("d.jsonl", [{"input_ids": c, "attention_mask": [1] * len(c), "labels": c} for c in cut])
        config = self.config(datasets=[{"path": data, "type": None}], sequence_len=1024)
        page = self.page(config, "-n", "0")
        self.assertEqual(len(self.check_rows(page, config, "-n", "0")), len(cut))
        whole = "".join(t[1] for t in max(page.rows, key=len))
        self.assertTrue(whole.endswith(visible(HOSTILE)), whole)

    def test_a_page_has_an_end(self):
        """A token of a long name makes a row too large."""
        name = "x" * 40000
        model = json.loads(read(os.path.join(TINY, "tokenizer.json")))
        number = max(model["model"]["vocab"].values()) + 1
        model["added_tokens"].append({"id": number, "content": name, "single_word": False, "lstrip": False,
                                      "rstrip": False, "normalized": False, "special": True})
        self.write("model/tokenizer.json", json.dumps(model))
        self.write("model/config.json", read(os.path.join(TINY, "config.json")))
        self.write("model/tokenizer_config.json", '{"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>"}')
        rows = [[5] * 3, [number] * 300, [5] * 3]
        data = self.rows("d.jsonl", [{"input_ids": r, "attention_mask": [1] * len(r), "labels": r} for r in rows])
        config = self.config(base_model=self.path("model"), datasets=[{"path": data, "type": None}], sequence_len=512,
                             shuffle_merged_datasets=False)
        page = self.page(config, "-n", "0")
        self.assertIn("Rows shown: 2 of 3; a page ends at 16 MiB", page.text)
        left = int(re.search(r"(\d+) more tokens are left out", page.heads[1])[1])
        self.assertEqual(len(page.rows[1]) + left, 300)
        self.assertLess(os.path.getsize(self.path("page.html")), 17 << 20)
        self.assertIn("-n N shows", self.page(config, "-n", "1").text)

    def test_a_page_that_cannot_be_written(self):
        config = self.config()
        where = self.path("none", "page.html")
        self.assertEqual(self.wrong("inspect", config, "--html", where),
                         f"axl inspect: cannot write {where}: No such file or directory")
        if os.path.exists("/dev/full"):
            self.assertIn("No space left", self.wrong("inspect", config, "--html", "/dev/full", code=1))
        for other in "--json", "--types":
            self.assertEqual(self.wrong("inspect", config, "--html", where, other),
                             "axl inspect: --html: goes with neither --json nor --types")

    def test_terminal(self):
        config = self.hostile()
        for env in {"NO_COLOR": ""}, {"NO_COLOR": "1"}, {"NO_COLOR": "", "TERM": "dumb"}:
            shown = self.terminal("inspect", config, env=env).replace("\r\n", "\n")
            body = re.sub(r"\033\[(K|0m|1m|32m)", "", shown)
            self.assertIn(visible(HOSTILE), body)
            self.assertNotRegex(body, "[\x1b\x7f-\x9f\u202e\u2066]")
            self.assertEqual("\033[32m" in shown, env == {"NO_COLOR": ""})
            self.assertEqual("\u00ab" in shown, env != {"NO_COLOR": ""})
        piped = self.good("inspect", config, env={"NO_COLOR": "", "TERM": "xterm"}).out
        self.assertIn(HOSTILE, piped) # as it is: programs may read it
        self.assertNotIn("\033[32m", piped)


if __name__ == "__main__":
    unittest.main()
