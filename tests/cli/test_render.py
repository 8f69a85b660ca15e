#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""axl render: a chat template's text, byte for byte, and what is said when there is none."""
import json
import os
import unittest

from cli_testing import TINY, Case

CHAT = "{% for m in messages %}\n<|{{ m.role }}|>{{ m.content | trim }}{{ eos_token }}\n{% endfor %}\n"
MESSAGES = [{"role": "user", "content": " Grüße\u2028 "}, {"role": "assistant", "content": "1.0\u0000x"}]


class Render(Case):
    def variables(self, **more):
        return self.write("context.json", json.dumps({"messages": MESSAGES, **more}))

    def test_a_file(self):
        template = self.write("chat.jinja", CHAT)
        made = self.good("render", "--template", template, "--context", self.variables(eos_token="</s>"))
        self.assertEqual(made.raw, "<|user|>Grüße</s>\n<|assistant|>1.0\0x</s>\n".encode())
        self.assertEqual(made.err, "")

    def test_the_context_from_standard_input(self):
        template = self.write("t.jinja", "{{ a }} {{ b | tojson }}\n")
        made = self.good("render", "--template", template, "--context", "-", stdin=b'{"a": 1.50, "b": {"z": 1, "a": 2.0}}')
        self.assertEqual(made.out, '1.5 {"z": 1, "a": 2.0}')

    def test_a_models_folder(self):
        os.mkdir(self.path("model"))
        settings = {"chat_template": CHAT, "eos_token": {"content": "<|end|>"}, "bos_token": None}
        self.write("model/tokenizer_config.json", json.dumps(settings))
        made = self.good("render", "--model", self.path("model"), "--context", self.variables())
        self.assertEqual(made.out, "<|user|>Grüße<|end|>\n<|assistant|>1.0\0x<|end|>\n")
        made = self.good("render", "--model", self.path("model"), "--context", self.variables(eos_token="."))
        self.assertEqual(made.out, "<|user|>Grüße.\n<|assistant|>1.0\0x.\n")

    def test_a_builtin_by_name(self):
        made = self.good("render", "--template", "chatml", "--context", self.variables(add_generation_prompt=True))
        self.assertEqual(made.out, "<|im_start|>user\n Grüße\u2028 <|im_end|>\n<|im_start|>assistant\n1.0\0x<|im_end|>\n"
                                   "<|im_start|>assistant\n")
        context = self.variables()
        self.assertIn('did you mean "chatml"?', self.wrong("render", "--template", "chatmll", "--context", context))
        self.assertIn("tokenizer_default", self.wrong("render", "--template", "command_a", "--context", context))
        self.assertIn("gemma3:", self.wrong("render", "--template", "gemma3", "--context", self.variables(messages=[
            {"role": "assistant", "content": "first"}])))

    def test_what_is_wrong(self):
        context = self.variables()
        template = self.write("bad.jinja", "{% for m in messages %}\n{{ m.role.x.y }}{% endfor %}")
        self.assertIn("bad.jinja:2: there is no attribute 'x'",
                      self.wrong("render", "--template", template, "--context", context))
        template = self.write("raise.jinja", "\n{{ raise_exception('only one ' ~ messages[0].role) }}")
        self.assertIn("raise.jinja:2: the template says: only one user",
                      self.wrong("render", "--template", template, "--context", context))
        self.assertIn("no chat template", self.wrong("render", "--model", TINY, "--context", context))
        self.assertIn("--context FILE is needed", self.wrong("render", "--model", TINY))
        self.assertIn("one of --model DIR and --template FILE", self.wrong("render", "--context", context))
        broken = self.write("broken.json", '{"a": 1,}')
        self.assertIn("context:1:", self.wrong("render", "--template", template, "--context", broken))
        self.assertIn("none.jinja", self.wrong("render", "--template", self.path("none.jinja"), "--context", context))


if __name__ == "__main__":
    unittest.main()
