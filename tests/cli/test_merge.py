# SPDX-License-Identifier: Apache-2.0
"""axl merge-lora: an adapter in its base."""
import json
import os
import shutil
import struct
import unittest

from cli_testing import TINY, Case, read, read_safetensors, write_safetensors

PROMPT = "### Instruction:\nHow much is 6 plus 3?\n\n### Response:\n"
GREEDY = ("--prompt", PROMPT, "--greedy", "--max-new-tokens", "12")


class Merge(Case):
    def trained(self, **changes):
        config = self.config(max_steps=12, learning_rate=0.01, **changes)
        self.good("train", config, "--quiet")
        return config

    def test_a_config(self):
        config = self.trained()
        out = self.good("merge-lora", config).out
        self.assertEqual(out, self.path("out", "merged") + "\n")
        files = set(os.listdir(self.path("out", "merged")))
        self.assertLessEqual({"config.json", "model.safetensors", "tokenizer.json",
                              "tokenizer_config.json"}, files)
        answer = self.good("inference", config, *GREEDY).out
        self.assertEqual(self.good("inference", "--model", self.path("out", "merged"), *GREEDY).out,
                         answer)
        self.assertNotEqual(self.good("inference", "--model", TINY, *GREEDY).out, answer)

    def test_a_model_and_an_adapter(self):
        self.trained()
        out = self.good("merge-lora", "--model", TINY, "--adapter", self.path("out"), "--out",
                        self.path("whole")).out
        self.assertEqual(out, self.path("whole") + "\n")
        merged = read_safetensors(self.path("whole", "model.safetensors"))
        base = read_safetensors(os.path.join(TINY, "model.safetensors"))
        self.assertEqual({k: v[:2] for k, v in merged.items()}, {k: v[:2] for k, v in base.items()})
        changed = {k for k, v in merged.items() if v[2] != base[k][2]}
        self.assertEqual(changed, {k for k in base if "_proj." in k})

    def test_a_quantised_base(self):
        """By default the weights are those that training saw: the answer stays the adapter's."""
        config = self.trained(adapter="qlora", load_in_4bit=True)
        self.assertIn("| base_weights | 4 bits (NF4) |", read(self.path("out/README.md")))
        answer = self.good("inference", config, *GREEDY).out
        self.good("merge-lora", config)
        self.assertEqual(self.good("inference", "--model", self.path("out", "merged"), *GREEDY).out,
                         answer)
        self.assertNotIn("quantization_config", json.loads(read(self.path("out/merged/config.json"))))
        for name, options in {"four": ("--base", "4bit"), "plain": ()}.items():
            self.good("merge-lora", "--model", TINY, "--adapter", self.path("out"), "--out",
                      self.path(name), *options)
        self.good("merge-lora", config, "--base", "16bit", "--out", self.path("sixteen"))
        tensors = {name: read_safetensors(self.path(name, "model.safetensors"))
                   for name in ("out/merged", "four", "plain", "sixteen")}
        self.assertEqual(tensors["sixteen"], tensors["plain"])
        if "BF16" in self.good("version", "--json").out.upper():  # else it was trained in f32
            self.assertEqual(tensors["out/merged"].keys(), tensors["four"].keys())
        self.assertNotEqual(tensors["out/merged"], tensors["plain"])

    def test_what_is_wrong(self):
        config = self.config()
        line = self.wrong("merge-lora", config)
        self.assertIn("train with this config first", line)
        line = self.wrong("merge-lora", "--model", TINY)
        self.assertIn("--adapter DIR and --out DIR are needed", line)
        line = self.wrong("merge-lora", config, "--base", "8bit")
        self.assertIn("--base takes 4bit or 16bit", line)
        whole = self.config(adapter=None, lora_r=None, lora_alpha=None, lora_target_linear=None)
        line = self.wrong("merge-lora", whole)
        self.assertIn("the config has no adapter", line)
        self.trained()
        shutil.rmtree(self.path("out", "merged"), ignore_errors=True)
        self.write("out/merged", "a file is in the way")
        line = self.wrong("merge-lora", self.config())
        self.assertIn("merged", line)


class Quantize(Case):
    def test_a_model(self):
        for bits, types in (("4", {"U8", "F32", "BF16"}), ("8", {"I8", "F32", "U8", "BF16"})):
            out = self.path("q" + bits)
            self.assertEqual(self.good("quantize", "--model", TINY, "--bits", bits, "--out", out).out,
                             out + "\n")
            tensors = read_safetensors(os.path.join(out, "model.safetensors"))
            self.assertEqual({t[0] for t in tensors.values()}, types)
            said = json.loads(read(os.path.join(out, "config.json")))["quantization_config"]
            self.assertIs(said[f"load_in_{bits}bit"], True)
            self.assertEqual(said["quant_method"], "bitsandbytes")
            self.good("inference", "--model", out, *GREEDY)

    def test_what_a_config_trained(self):
        config = self.config(max_steps=2)
        self.good("train", config, "--quiet")
        self.assertIn("merged", self.wrong("quantize", config, "--bits", "4", "--out", self.path("q")))
        self.good("merge-lora", config)
        self.good("quantize", config, "--bits", "4", "--out", self.path("q"))
        again = self.config(base_model=self.path("q"), max_steps=2)
        self.good("train", again, "--quiet")  # QLoRA on what is quantised already

    def test_what_is_wrong(self):
        for options, words in (((), "--bits 4 or --bits 8"), (("--bits", "5"), "--bits 4 or --bits 8"),
                               (("--bits", "4"), "--out DIR"),
                               (("--bits", "4", "--out", TINY), "the base model lies")):
            self.assertIn(words, self.wrong("quantize", "--model", TINY, *options))
        self.assertIn("a config file or --model DIR", self.wrong("quantize", "--bits", "4", "--out", "x"))


def widened(tensor):
    dtype, _, data = tensor
    if dtype == "BF16":
        data = b"".join(b"\0\0" + data[i:i + 2] for i in range(0, len(data), 2))
    code = "e" if dtype == "F16" else "f"
    return struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data)


class Stored(Case):
    """What the base's files say of themselves stays true of the result."""

    def base(self, change, **settings):
        shutil.copytree(TINY, self.path("base"))
        path = self.path("base", "model.safetensors")
        tensors = change(read_safetensors(path))
        write_safetensors(path, tensors)
        config = json.loads(read(self.path("base", "config.json")))
        self.write("base/config.json", json.dumps({**config, **settings}))
        return tensors

    @staticmethod
    def mixed(tensors):
        """Norms in f32, the first layer in f16, the rest in bf16; none of them exact in another."""
        for name, t in tensors.items():
            if "norm" in name:
                values = [x + 2 ** -20 for x in widened(t)]
                tensors[name] = "F32", t[1], struct.pack(f"<{len(values)}f", *values)
            elif "layers.0." in name:
                values = [x * (1 + 2 ** -10) for x in widened(t)]
                tensors[name] = "F16", t[1], struct.pack(f"<{len(values)}e", *values)
        return tensors

    def test_merging_keeps_types_and_what_it_does_not_touch(self):
        base = self.base(self.mixed)
        for bf16 in (False, True):
            config = self.config(base_model=self.path("base"), bf16=bf16, max_steps=2,
                                 learning_rate=0.01, lora_target_linear=False,
                                 lora_target_modules=["v_proj"])
            self.good("train", config, "--quiet")
            adapter = read_safetensors(self.path("out", "adapter_model.safetensors"))
            self.good("merge-lora", config)
            self.good("merge-lora", "--model", self.path("base"), "--adapter", self.path("out"),
                      "--out", self.path("plain"))
            for out in (self.path("out", "merged"), self.path("plain")):
                merged = read_safetensors(os.path.join(out, "model.safetensors"))
                self.assertEqual({k: v[:2] for k, v in merged.items()},
                                 {k: v[:2] for k, v in base.items()})
                changed = {k for k, v in merged.items() if v[2] != base[k][2]}
                self.assertEqual(changed, {k for k in base if "v_proj" in k})
                self.check_sum(base, merged, adapter)
                self.assertEqual(read(os.path.join(out, "config.json")).split(),
                                 json.dumps(json.loads(read(self.path("base", "config.json"))),
                                            indent=2).split())
            shutil.rmtree(self.path("out"))

    def check_sum(self, base, merged, adapter):
        name = "model.layers.0.self_attn.v_proj"
        a, b = (adapter[f"base_model.model.{name}.lora_{half}.weight"] for half in "AB")
        rank, cols = a[1]
        a, b = widened(a), widened(b)
        was, now = widened(base[name + ".weight"]), widened(merged[name + ".weight"])
        for i in range(0, len(was), 97):
            delta = sum(b[i // cols * rank + k] * a[k * cols + i % cols] for k in range(rank))
            self.assertAlmostEqual(now[i], was[i] + 2 * delta, delta=abs(now[i]) * 2 ** -10 + 1e-7)

    def test_full_tuning_keeps_types(self):
        base = self.base(self.mixed)
        for bf16 in (False, True):
            config = self.config(base_model=self.path("base"), bf16=bf16, max_steps=1, adapter=None,
                                 lora_r=None, lora_alpha=None, lora_target_linear=None,
                                 learning_rate=1e-30)
            self.good("train", config, "--quiet")
            self.assertEqual(read_safetensors(self.path("out", "model.safetensors")), base)
            shutil.rmtree(self.path("out"))

    HEAD, EMBED = "lm_head.weight", "model.embed_tokens.weight"

    def test_a_head_that_is_said_to_be_tied(self):
        def own(tensors):
            dtype, shape, data = tensors[self.EMBED]
            return {**tensors, self.HEAD: (dtype, shape, data[512:] + data[:512])}
        base = self.base(own, tie_word_embeddings=True)
        config = self.config(base_model=self.path("base"), max_steps=2, lora_target_linear=False,
                             lora_target_modules=["lm_head"], learning_rate=0.01)
        self.assertIn("config.json ties lm_head to the embedding, but the files have one of its own",
                      self.good("train", config).err)
        self.good("merge-lora", config)
        merged = read_safetensors(self.path("out", "merged", "model.safetensors"))
        self.assertEqual({k for k, v in merged.items() if v != base[k]}, {self.HEAD})
        self.assertIs(json.loads(read(self.path("out", "merged", "config.json")))
                      ["tie_word_embeddings"], False)

    def test_a_head_that_is_the_embedding_twice(self):
        self.base(lambda t: {**t, self.HEAD: t[self.EMBED]}, tie_word_embeddings=True)
        answer = self.good("inference", "--model", TINY, *GREEDY).out
        result = self.good("inference", "--model", self.path("base"), *GREEDY)
        self.assertNotIn("one of its own", result.err)
        self.assertEqual(result.out, answer)

    def test_a_tied_head_stands_for_a_missing_embedding(self):
        self.base(lambda t: {**{k: v for k, v in t.items() if k != self.EMBED},
                             self.HEAD: t[self.EMBED]}, tie_word_embeddings=True)
        self.assertEqual(self.good("inference", "--model", self.path("base"), *GREEDY).out,
                         self.good("inference", "--model", TINY, *GREEDY).out)


if __name__ == "__main__":
    unittest.main()
