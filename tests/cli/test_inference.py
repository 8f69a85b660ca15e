#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""axl inference: what is continued, how, and when it stops."""
import json
import os
import shutil
import unittest

from cli_testing import ALPACA, TINY, Case

PROMPT = "The capital of"


class Inference(Case):
    def continued(self, *args, **how):
        result = self.good("inference", *args, **how)
        self.assertEqual(result.err, "")
        self.assertTrue(result.out.endswith("\n"))
        return result.out[:-1]

    def plain(self, *args, **how):
        return self.continued("--model", TINY, *args, **how)

    def greedy(self, *args, n=8, **how):
        return self.plain("--greedy", "--max-new-tokens", n, *args, **how)

    def copy(self, **changes):
        """A copy of the model with other values in its config.json."""
        shutil.copytree(TINY, self.path("model"))
        with open(self.path("model", "config.json"), encoding="utf-8") as f:
            config = json.load(f)
        config.update(changes)
        self.write("model/config.json", json.dumps(config))
        return self.path("model")


class Chat(Inference):
    def chat(self, template, *args):
        shutil.copytree(TINY, self.path("model"), dirs_exist_ok=True)
        self.write("model/chat_template.jinja", template)
        return self.continued("--model", self.path("model"), "--chat", "--greedy",
                              "--max-new-tokens", 8, "--prompt", PROMPT, *args)

    def test_a_message_in_the_models_template(self):
        wanted = " Veldania is Orsk. The capital"
        self.assertEqual(self.chat("{{ bos_token }}{{ messages[0]['content'] }}"), wanted)
        self.assertEqual(self.chat("{{ bos_token }}{% if add_generation_prompt %}"
                                   "{{ messages[0].content }}{% endif %}"), wanted)

    def test_ends_where_a_turn_ends(self):
        template = ("{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
                    "{{ m.content }}{% if m.role == 'assistant' %} Orsk\n{% endif %}{% endfor %}")
        self.assertEqual(self.chat(template), " Veldania is")

    def test_the_configs_template(self):
        shutil.copytree(TINY, self.path("trained"))
        config = self.config(chat_template="jinja", adapter=None, output_dir=self.path("trained"),
                             chat_template_jinja="{{ bos_token }}{{ messages[0].content }}")
        result = self.good("inference", "--chat", "--greedy", "--max-new-tokens", 8, "--prompt",
                           PROMPT, config)
        self.assertEqual(result.out, " Veldania is Orsk. The capital\n")

    def test_none(self):
        self.assertIn("the tokenizer has no chat template",
                      self.wrong("inference", "--model", TINY, "--chat", "--prompt", "x"))
        self.assertIn("--chat and --instruction are two forms", self.wrong(
            "inference", "--model", TINY, "--chat", "--instruction", "x"))


class Prompt(Inference):
    def test_continuation_alone(self):
        """The prompt is not repeated, and the space after it belongs to the answer."""
        self.assertEqual(self.greedy("--prompt", PROMPT), " Veldania is Orsk. The capital")

    def test_sources(self):
        wanted = self.greedy("--prompt", PROMPT)
        prompt = self.write("prompt.txt", PROMPT)
        self.assertEqual(self.greedy(prompt), wanted)
        self.assertEqual(self.greedy("-", stdin=PROMPT.encode()), wanted)
        self.assertEqual(self.greedy(stdin=PROMPT.encode()), wanted)

    def test_used_as_given(self):
        self.assertNotEqual(self.greedy("--prompt", PROMPT + "\n"),
                            self.greedy("--prompt", PROMPT))

    def test_a_line_break_that_was_typed(self):
        """The one that a pipe adds is no part of the prompt; what lies in a file is as it is."""
        wanted = self.greedy("--prompt", PROMPT)
        self.assertEqual(self.greedy(stdin=PROMPT.encode() + b"\n"), wanted)
        self.assertEqual(self.greedy("-", stdin=PROMPT.encode() + b"\n"), wanted)
        self.assertEqual(self.greedy("/dev/stdin", stdin=PROMPT.encode() + b"\n"), wanted)
        broken = self.greedy("--prompt", PROMPT + "\n")
        self.assertEqual(self.greedy(stdin=PROMPT.encode() + b"\n\n"), broken)
        self.assertEqual(self.greedy(self.write("prompt.txt", PROMPT + "\n")), broken)

    def test_an_instruction_in_its_form(self):
        form = ("Below is an instruction that describes a task, paired with an input that provides "
                "further context. Write a response that appropriately completes the request.\n\n"
                "### Instruction:\nSay\n\n### Input:\nit\n\n### Response:\n")
        asked = ["--instruction", "Say", "--input", "it"]
        self.assertEqual(self.greedy(*asked), self.greedy("--prompt", form))
        config = self.config(max_steps=1, datasets=[{
            "path": ALPACA, "type": {"format": "{instruction}|{input}>",
                                     "no_input_format": "{instruction}>"}}])
        self.good("train", config, "--quiet")
        for args, prompt in ((asked, "Say|it>"), (asked[:2], "Say>")):
            self.assertEqual(self.continued(config, *args, "--greedy", "--max-new-tokens", "8"),
                             self.continued(config, "--prompt", prompt, "--greedy",
                                            "--max-new-tokens", "8"))

    def test_a_form_that_there_is_not(self):
        config = self.config(datasets=[{"path": ALPACA, "type": "completion", "field": "output"}])
        self.assertIn('the data set type "completion" has no form for an instruction',
                      self.wrong("inference", config, "--instruction", "Say"))
        for args, why in ((["--prompt", "x", "--instruction", "y"], "two prompts"),
                          (["--input", "x"], "--input needs an --instruction"),
                          (["--instruction", "x", "a.txt"], "one argument too many")):
            self.assertIn(why, self.wrong("inference", "--model", TINY, *args))

    def test_empty(self):
        self.assertEqual(self.greedy("--prompt", ""), self.greedy(stdin=b""))
        self.assertGreater(len(self.greedy("--prompt", "")), 10)

    def test_any_bytes(self):
        self.greedy(stdin=b"\xff\xfe\x00 fox")

    def test_on_a_terminal(self):
        shown = self.terminal("inference", "--model", TINY, "--prompt", PROMPT, "--greedy",
                              "--max-new-tokens", "8")
        self.assertEqual(shown.splitlines()[-1].split("\033[K")[-1],
                         " Veldania is Orsk. The capital")


class Choice(Inference):
    def test_seed(self):
        one = self.plain("--prompt", PROMPT, "--max-new-tokens", "30", "--seed", "1")
        self.assertEqual(one, self.plain("--prompt", PROMPT, "--max-new-tokens", "30", "--seed=1"))
        others = {self.plain("--prompt", PROMPT, "--max-new-tokens", "30", "--seed", s)
                  for s in range(2, 6)}
        self.assertGreater(len(others | {one}), 1)
        default = self.plain("--prompt", PROMPT, "--max-new-tokens", "30")
        self.assertEqual(default, self.plain("--prompt", PROMPT, "--max-new-tokens", "30"))

    def test_narrowed_to_one(self):
        """Sampling from one candidate is greedy."""
        wanted = self.greedy("--prompt", PROMPT)
        plain = ["--prompt", PROMPT, "--max-new-tokens", "8", "--repetition-penalty", "1"]
        self.assertEqual(self.plain(*plain, "--top-k", "1"), wanted)
        self.assertEqual(self.plain(*plain, "--top-p", "1e-6", "--top_k=0"), wanted)
        self.assertEqual(self.plain(*plain, "--min-p", "1"), wanted)
        self.assertEqual(self.plain(*plain, "--temperature", "1e-3"), wanted)

    def test_defaults(self):
        self.assertEqual(
            self.plain("--prompt", PROMPT, "--max-new-tokens", "40"),
            self.plain("--prompt", PROMPT, "--max-new-tokens", "40", "--temperature", "0.9",
                       "--top-k", "40", "--top-p", "0.95", "--min-p", "0",
                       "--repetition-penalty", "1.1"))

    def test_repetition_penalty_counts_when_greedy(self):
        self.assertNotEqual(self.greedy("--prompt", PROMPT, "--repetition-penalty", "5", n=40),
                            self.greedy("--prompt", PROMPT, n=40))

    def test_any_threads(self):
        yml = self.config(max_steps=1)
        self.good("train", yml, "--quiet")
        texts = {self.continued(yml, "--prompt", PROMPT, "--max-new-tokens", "20",
                                "--axl.threads", n) for n in (1, 2, 3)}
        self.assertEqual(len(texts), 1)


class Length(Inference):
    def test_max_new_tokens(self):
        long = self.greedy("--prompt", PROMPT, n=30)
        for n in (1, 2, 5, 29):
            short = self.greedy("--prompt", PROMPT, n=n)
            self.assertTrue(long.startswith(short), (n, short))
            self.assertLess(len(short), len(long))

    def test_max_position_embeddings(self):
        ids = json.loads(self.good("tokenize", "--model", TINY, stdin=PROMPT.encode()).out)
        model = self.copy(max_position_embeddings=len(ids) + 7)
        short = self.continued("--model", model, "--greedy", "--prompt", PROMPT)
        self.assertEqual(short, self.greedy("--prompt", PROMPT, n=7))
        line = self.wrong("inference", "--model", model, "--prompt", PROMPT * 9)
        self.assertRegex(line, rf"the prompt has [0-9]+ tokens, the model takes {len(ids) + 7}\Z")

    def check_stops_at(self, ids_to_model):
        seen = self.greedy("--prompt", PROMPT, n=4)
        ids = [json.loads(self.good("tokenize", "--model", TINY, stdin=(PROMPT + seen).encode())
                          .out)[-1]]
        ended = self.continued("--model", ids_to_model([2] + ids), "--greedy", "--prompt", PROMPT)
        self.assertTrue(seen.startswith(ended))
        self.assertLess(len(ended), len(seen))

    def test_end_of_text(self):
        """An id of eos_token_id ends the answer and is not shown."""
        self.check_stops_at(lambda ids: self.copy(eos_token_id=ids))

    def test_end_of_turn(self):
        """Likewise one that generation_config.json alone has."""
        def model_of(ids):
            model = self.copy()
            self.write("model/generation_config.json", json.dumps({"eos_token_id": ids}))
            return model

        self.check_stops_at(model_of)

    def test_generation_config_that_is_none(self):
        model = self.copy()
        self.write("model/generation_config.json", "[")
        line = self.wrong("inference", "--model", model, "--prompt", PROMPT)
        self.assertIn("generation_config.json", line)


class Trained(Inference):
    """CONFIG: what was trained into its output_dir."""

    def setUp(self):
        super().setUp()
        self.yml = self.config(max_steps=30, learning_rate=0.005, bf16=False)

    def ask(self, *args):
        return self.continued(*args, "--prompt", PROMPT, "--greedy", "--max-new-tokens", "12")

    def test_adapter_of_output_dir(self):
        self.good("train", self.yml, "--quiet")
        trained = self.ask(self.yml)
        self.assertNotEqual(trained, self.ask("--model", TINY))
        self.assertEqual(trained, self.ask("--model", TINY, "--adapter", "out"))
        os.rename(self.path("out"), self.path("moved"))
        self.assertEqual(trained, self.ask(self.yml, "--adapter", "moved"))
        self.assertEqual(trained, self.ask(self.yml, "--output-dir", "moved"))
        with open(self.path("p.txt"), "w", encoding="utf-8") as f:
            f.write(PROMPT)
        self.assertEqual(trained, self.continued(self.yml, "p.txt", "--greedy", "--output_dir",
                                                 "moved", "--max_new_tokens", "12"))

    def test_none_there(self):
        """The untrained base is no answer to a question about a trained model."""
        line = self.wrong("inference", self.yml, "--prompt", "x")
        self.assertEqual(line, f"axl inference: {self.path('out')} holds no adapter: there is no "
                         "adapter_config.json; train with this config first, or give --adapter "
                         "DIR")
        self.assertFalse(os.path.exists(self.path("out")))
        line = self.wrong("inference", self.yml, "--adapter", "none", "--prompt", "x")
        self.assertEqual(line, "axl inference: none holds no adapter: there is no "
                         "adapter_config.json")


class Wrong(Inference):
    def test_options(self):
        for args, text in (
                (["--temperature", "0"], "temperature must be > 0"),
                (["--temperature", "-1"], "temperature must be > 0"),
                (["--temperature", "hot"], '--temperature: "hot" is no number that fits'),
                (["--temperature", "nan"], "temperature must be > 0"),
                (["--top-p", "2"], "top_p must be in (0, 1], got 2.0"),
                (["--min-p", "-0.5"], "min_p must be in [0, 1], got -0.5"),
                (["--repetition-penalty", "0"], "repetition_penalty must be > 0, got 0.0"),
                (["--top-k", "-2"], '--top-k: "-2" is no number that fits'),
                (["--seed", "x"], '--seed: "x" is no number that fits'),
                (["--max-new-tokens", "1e3"], '--max-new-tokens: "1e3" is no number that fits'),
                (["--max-new-tokens", "99999999999"], "--max-new-tokens: "),
                (["--learning-rate", "1"], "--learning_rate: no such option"),
                (["--max-new-tokens"], "--max-new-tokens: needs a value"),
                (["more.txt"], "more.txt: one argument too many")):
            self.assertIn(text, self.wrong("inference", "--model", TINY, "--prompt", "x", *args))

    def test_inputs(self):
        for args, text in (
                ([], "a config file or --model DIR is needed"),
                (["--model", "none", "--prompt", "x"], "none does not exist"),
                (["--model", TINY, "--adapter", "none", "--prompt", "x"],
                 "none holds no adapter: there is no adapter_config.json"),
                (["--model", TINY, "none.txt"], "cannot open none.txt: No such file or directory"),
                (["none.yml", "--prompt", "x"], "cannot open none.yml: No such file or directory")):
            self.assertIn(text, self.wrong("inference", *args))


if __name__ == "__main__":
    unittest.main()
