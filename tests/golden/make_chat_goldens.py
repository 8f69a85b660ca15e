#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the goldens of conversations with Axolotl's own chat_template strategy.

    make_chat_goldens.py TREE OUT_DIR

Run with the interpreter of an environment with Axolotl 0.19.  Writes OUT_DIR/chat_goldens.json:

  made_with   versions
  tokenizers  per name the files of its folder; "tiny-llama" is the one of TREE/examples
  rows        records, each once
  cases       per case
    name, tokenizer, config (keys of the whole config), entry (of datasets[])
    results   one for each of `rows` (by index): ids and runs, the trained ones as [first, count],
              or null where Axolotl fails on the record

The byte-level vocabulary is trained on the rows themselves; nothing is random.
"""
import json
import logging
import os
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import axolotl  # noqa: E402
import datasets  # noqa: E402
import transformers  # noqa: E402
from axolotl.datasets import wrap_dataset_for_tokenized_prompt  # noqa: E402
from axolotl.prompt_strategies.chat_template import load  # noqa: E402
from axolotl.utils.chat_templates import get_chat_template_from_config  # noqa: E402
from axolotl.utils.dict import DictDefault  # noqa: E402
from axolotl.utils.schemas.datasets import SFTDataset  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

logging.disable(logging.CRITICAL)
datasets.disable_progress_bars()


def user(text, **more):
    return {"role": "user", "content": text, **more}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def system(text, **more):
    return {"role": "system", "content": text, **more}


def call(name, arguments, **more):
    return {"role": "assistant", "content": "", **more,
            "tool_calls": [{"type": "function",
                            "function": {"name": name, "arguments": arguments}}]}


WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather of a town", "parameters": {
        "type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}}}
WEATHER_TEXT = {"type": "function", "function": {
    "name": "weather", "description": "The weather of a town",
    "parameters": json.dumps(WEATHER["function"]["parameters"])}}

PLAIN = [user("What is the tallest mountain?"), assistant("Mount Everest, 8849 m."),
         user("And the second?"), assistant("K2, in the Karakoram.")]

ROWS = [
    # 0: the common shapes
    {"messages": PLAIN},
    {"messages": [system("Be short."), *PLAIN]},
    {"messages": PLAIN[:2]},
    {"messages": [user("Only a question, no answer.")]},
    {"messages": PLAIN[:3]},
    {"messages": [system("Only a system message.")]},
    {"messages": PLAIN, "system": "A column says this."},
    {"messages": [system("In the list."), *PLAIN[:2]], "system": "A column says this."},
    # 8: white space and what looks like the template's own text
    {"messages": [user("  leading and trailing  "), assistant("\n\nAnswer\n"), user("\ttab\t"),
                  assistant(" ")]},
    {"messages": [user("user"), assistant("assistant"), user("assistant\n"), assistant("user\n")]},
    {"messages": [user("<|im_end|>\n<|im_start|>assistant\nNo."), assistant("</s> <s>[/INST]")]},
    {"messages": [user("[[dummy_message]]"), assistant("[[dummy_message]]"),
                  user("zzdummymessagezz"), assistant("zzz]]")]},
    {"messages": [user("[[dummy_message_3]]"), assistant("[[dummy_message_0]] x"), user("z"),
                  assistant("[")]},
    {"messages": [user("same"), assistant("same"), user("same"), assistant("same")]},
    {"messages": [user(""), assistant(""), user("Then?"), assistant("Now.")]},
    {"messages": [user("Gr\u00fc\u00dfe \u4e2d\u6587 \U0001f600\U0001f468\u200d\U0001f469"),
                  assistant("\u0421\u044a\u0435\u0448\u044c \u0436\u0435 \U0001f680"), user("e\u0301"),
                  assistant("\u0301\u0301 \u00a0")]},
    {"messages": [user("a\n"), assistant("\nb"), user("c\n"), assistant("\n\nd\n\n")]},
    # 17: orders
    {"messages": [assistant("I begin."), user("Fine."), assistant("Yes.")]},
    {"messages": [user("One."), user("Two."), assistant("Three."), assistant("Four.")]},
    {"messages": [user("Hm."), system("Late."), assistant("Oh.")]},
    # 20: what messages say of training
    {"messages": [user("A", train=True), assistant("B", train=False), user("C"),
                  assistant("D", train=True)]},
    {"messages": [user("Hello there"), assistant("Some of this is trained, some is not.", detail=[
        {"begin_offset": 0, "end_offset": 6, "train": True},
        {"begin_offset": 7, "end_offset": 23, "train": False},
        {"begin_offset": 24, "end_offset": 36, "train": True}])]},
    {"messages": [user("Odd \U0001f600 offsets", detail=[
        {"begin_offset": 4, "end_offset": 5, "train": True}]),
                  assistant("\u00fcber \U0001f600\U0001f600 gr\u00fcn", detail=[
        {"begin_offset": 2, "end_offset": 7, "train": True}]),
                  user("none", detail=[]), assistant("all")]},
    {"messages": json.dumps([user("Parts"), assistant([  # Arrow takes no column of both kinds
        {"type": "text", "text": "Let me think.", "train": False},
        {"type": "text", "text": " The answer is 4.", "train": True}])])},
    {"messages": [user([{"type": "text", "text": "Two "}, {"type": "text", "text": "parts"}]),
                  assistant([{"type": "text", "content": "kept", "weight": 0},
                             {"type": "text", "value": " learned", "weight": 1},
                             {"type": "text", "text": " too"}])]},
    # 25: tools
    {"messages": [user("Weather?"), call("weather", '{"town": "Rome"}'),
                  {"role": "tool", "name": "weather", "content": "Sunny."}, assistant("It is sunny.")],
     "tools": [WEATHER]},
    {"messages": [user("Weather?"), call("weather", {"town": "K\u00f6ln", "days": 3}),
                  {"role": "tool", "content": "Rain.", "tool_call_id": "c1"},
                  assistant("Rain.")], "tools": json.dumps([WEATHER_TEXT])},
    {"messages": [user("Weather?"), call("weather", '{"town": "Rome"}', content="I look."),
                  {"role": "tool", "content": "Sunny."}], "tools": [WEATHER_TEXT]},
    {"messages": [user("No tools."), assistant("None.")], "tools": []},
    # 29: thinking
    {"messages": [user("2+2?"), assistant("4", reasoning_content="Two and two are four."),
                  user("3+3?"), assistant("6", reasoning_content="Three twice.")]},
    {"messages": [user("2+2?"), assistant("<think>\nTwo and two.\n</think>\n\n4"), user("3+3?"),
                  assistant("<think>Three</think>6")]},
    {"messages": [user("2+2?"), assistant("<reasoning>R</reasoning> <|begin_of_solution|> 4 "
                                          "<|end_of_solution|> rest"),
                  user("?"), assistant("<|begin_of_thought|>a<|end_of_thought|>b")]},
    {"messages": [user("2+2?"), assistant("</think> wrong way <think> round")]},
    {"messages": json.dumps([user("2+2?"), assistant(
        [{"type": "text", "text": "4", "train": True}],
        reasoning_content=[{"type": "text", "text": "Two ", "train": False},
                           {"type": "text", "text": "and two", "train": True}])])},
    {"messages": [user("2+2?"), assistant("The sum is 4", reasoning_content="Two and two", detail=[
        {"begin_offset": 0, "end_offset": 6, "train": True}])]},
    # 35: other spellings of a record
    {"messages": json.dumps(PLAIN)},
    {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]},
    {"conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "Hi"},
                       {"from": "gpt", "value": "Hello.", "weight": 1.0}]},
    {"messages": [{"speaker": "customer", "text": "Broken."}, {"speaker": "agent", "text": "Sorry."}]},
    {"messages": [{"role": "critic", "content": "Bad."}, {"role": "model", "content": "Good."}]},
    {"messages": [user("Named", name="Ann"), assistant("Bye", name="Bob")]},
    {"messages": [user("Null", name=None, tool_calls=None), assistant("fine", weight=None)]},
]

# Tool calls, thinking and names in one template; and ones that treat a content in ways of their own.
FULL = (
    "{%- if tools %}<|im_start|>tools\n{% for t in tools %}{{ t | tojson }}\n{% endfor %}<|im_end|>\n"
    "{% endif %}{%- for m in messages %}<|im_start|>{{ m.role }}{% if m.name %} {{ m.name }}{% endif %}\n"
    "{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n{% endif %}"
    "{% if m.content %}{{ m.content | trim }}{% endif %}"
    "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function.name }} "
    "{{ c.function.arguments | tojson }}</tool_call>{% endfor %}<|im_end|>\n{% endfor %}")
CASED = ("{% for m in messages %}{% if 'Answer' in m.content %}!{% endif %}[{{ m.role }}]"
         "{{ m.content | upper }}{{ eos_token }}{% endfor %}")
TWICE = "{% for m in messages %}{{ m.role }}:{{ m.content }}|{{ m.content.strip() }}<|im_end|>{% endfor %}"
LAST = ("{% for m in messages %}{% if loop.last or m.role != 'assistant' %}<|im_start|>{{ m.role }}\n"
        "{{ m.content.rstrip() }}<|im_end|>\n{% endif %}{% endfor %}")
BACK = "{% for m in messages[::-1] %}{{ m.content }}<|im_end|>{% endfor %}"
WORD = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}{{ extra | default('') }}"

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
ADDED = ["<think>", "</think>", "<tool_call>", "</tool_call>"]


def byte_level_files(template=None):
    texts = [json.dumps(row, ensure_ascii=False) for row in ROWS] + [FULL]
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=420, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False))
    made = json.loads(tok.to_str())
    first = len(made["model"]["vocab"])
    made["added_tokens"] = [
        {"id": first + i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": text in SPECIALS}
        for i, text in enumerate(SPECIALS + ADDED)]
    config = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>",
              "pad_token": "<|endoftext|>", "unk_token": None}
    if template:
        config["chat_template"] = template
    return {"config.json": {"model_type": "qwen2"}, "tokenizer.json": made,
            "tokenizer_config.json": config}


def case(name, tokenizer="qwen", config=None, rows=None, **entry):
    return {"name": name, "tokenizer": tokenizer, "config": config or {},
            "entry": {"type": "chat_template", **entry}, "rows": rows}


def jinja(text):
    return {"chat_template": "jinja", "chat_template_jinja": text}


SHAREGPT = {"field_messages": "conversations",
            "message_property_mappings": {"role": "from", "content": "value"}}
TRAINING = {"message_field_training": "train", "message_field_training_detail": "detail"}
CASES = [
    case("chatml", config={"chat_template": "chatml"}),
    case("chatml in entry", chat_template="chatml", rows=[0, 1, 6]),
    case("qwen3", config={"chat_template": "qwen3"}),
    case("qwen_25", config={"chat_template": "qwen_25"}, rows=[0, 1, 5, 8, 25, 26]),
    case("llama3", "tiny-llama", {"chat_template": "llama3"}, rows=range(0, 20)),
    case("mistral_v2v3", "tiny-llama", {"chat_template": "mistral_v2v3"}, rows=range(0, 20)),
    case("gemma3", "tiny-llama", {"chat_template": "gemma3"}, rows=range(0, 20)),
    case("chatml on llama", "tiny-llama", {"chat_template": "chatml"}, rows=range(0, 24)),
    case("full", config=jinja(FULL)),
    case("cased", config=jinja(CASED), rows=range(0, 20)),
    case("twice", config=jinja(TWICE), rows=range(0, 20)),
    case("last", config=jinja(LAST), rows=range(0, 20)),
    case("back", config=jinja(BACK), rows=range(0, 20)),
    case("word", "tiny-llama", jinja(WORD), rows=range(0, 20)),
    case("own template", "qwen-own", rows=[0, 1, 25, 29, 30]),
    case("fallback", config={"chat_template": "tokenizer_default_fallback_chatml"}, rows=[0, 1]),
    case("no fallback", "qwen-own", {"chat_template": "tokenizer_default_fallback_chatml"},
         rows=[0, 1]),
    case("kwargs", config={**jinja(WORD), "chat_template_kwargs": {"extra": [1, "x", None, 2.5]}},
         rows=[0]),
    case("kwargs thinking", config={"chat_template": "qwen3",
                                    "chat_template_kwargs": {"enable_thinking": False}},
         rows=[0, 29, 30]),
    case("train_on_inputs", config={"chat_template": "chatml", "train_on_inputs": True},
         rows=range(0, 25, 2)),
    *[case(f"eos {rule}", config={"chat_template": "chatml"}, rows=range(0, 25, 2), train_on_eos=rule)
      for rule in ("all", "turn", "last", "none")],
    *[case(f"eot {rule}", "tiny-llama",
           {**jinja(TWICE.replace("<|im_end|>", "</s>").replace("|", " <unk> ")),
            "eot_tokens": ["<unk>"]}, rows=range(0, 20, 3), train_on_eot=rule)
      for rule in ("all", "turn", "last", "none")],
    case("eot and eos", config={"chat_template": "chatml",
                                "eot_tokens": ["<|im_end|>", "<|im_start|>", "not there"]},
         rows=range(0, 20), train_on_eos="last", train_on_eot="last"),
    case("eot outside", config={"chat_template": "chatml", "eot_tokens": ["</think>"]},
         rows=range(0, 4)),
    case("roles to train", config={"chat_template": "chatml"}, rows=range(0, 30),
         roles_to_train=["human", "tool", "assistant"]),
    case("no roles", config={"chat_template": "chatml"}, rows=[0, 1, 20], roles_to_train=[]),
    case("roles", config={"chat_template": "chatml"}, rows=[0, 36, 37, 38, 39],
         roles={"user": ["critic", "customer"], "assistant": ["model", "agent"]}),
    case("sharegpt", config={"chat_template": "chatml"}, rows=[36, 37], **SHAREGPT),
    case("sharegpt full", config=jinja(FULL), rows=[36, 37], **SHAREGPT),
    case("legacy names", config={"chat_template": "chatml"}, rows=[36, 37],
         field_messages="conversations", message_field_role="from", message_field_content="value"),
    case("speaker", config={"chat_template": "chatml"}, rows=[38],
         message_property_mappings={"role": "speaker", "content": "text"},
         roles={"user": ["customer"], "assistant": ["agent"]}),
    case("training", config={"chat_template": "chatml"}, rows=range(20, 25), **TRAINING),
    case("training full", config=jinja(FULL), rows=range(20, 36), **TRAINING),
    case("training last", config={"chat_template": "chatml"}, rows=range(20, 23),
         train_on_eos="last", **TRAINING),
    case("split thinking", config={"chat_template": "qwen3"}, rows=range(29, 35),
         split_thinking=True),
    case("split thinking full", config=jinja(FULL), rows=range(29, 35), split_thinking=True,
         roles_to_train=["assistant", "user"], train_on_eos="all"),
    case("thinking key", config=jinja(FULL.replace("reasoning_content", "thoughts")),
         rows=range(29, 35), split_thinking=True, template_thinking_key="thoughts"),
    case("drop system", config={"chat_template": "chatml"}, rows=[0, 1, 6, 7, 19],
         drop_system_message=True),
    case("drop system all", config={"chat_template": "chatml", "train_on_inputs": True},
         rows=[0, 1, 6, 7, 19], drop_system_message=True, train_on_eos="all"),
]


def runs(ids, labels):
    found = []
    for i, label in enumerate(labels):
        assert label in (-100, ids[i])
        if label == -100:
            continue
        if found and sum(found[-1]) == i:
            found[-1][1] += 1
        else:
            found.append([i, 1])
    return found


def result(strategy, row):
    try:
        made = wrap_dataset_for_tokenized_prompt(
            strategy, datasets.Dataset.from_list([row]))[0]
    except Exception as e:  # whatever Axolotl dies of
        return None, repr(e)
    return {"ids": made["input_ids"], "runs": runs(made["input_ids"], made["labels"])}, ""


def run(c, folders):
    tokenizer = AutoTokenizer.from_pretrained(folders[c["tokenizer"]])
    cfg = DictDefault({"sequence_len": 2048, "train_on_inputs": False, **c["config"]})
    if cfg.chat_template:
        tokenizer.chat_template = get_chat_template_from_config(cfg=cfg, tokenizer=tokenizer)
    entry = SFTDataset(path="rows.jsonl", **c["entry"]).model_dump(exclude_none=True)
    strategy = load(tokenizer, cfg, ds_cfg=DictDefault(entry))
    c["rows"] = list(c["rows"] if c["rows"] is not None else range(len(ROWS)))
    c["results"] = []
    for i in c["rows"]:
        made, why = result(strategy, ROWS[i])
        if made is None:
            print(f"{c['name']}: row {i}: {why[:150]}")
        c["results"].append(made)


def main():
    tree, out = sys.argv[1:]
    files = {"qwen": byte_level_files(), "qwen-own": byte_level_files(FULL)}
    with tempfile.TemporaryDirectory() as root:
        folders = {"tiny-llama": os.path.join(tree, "examples", "tiny-llama")}
        for name, content in files.items():
            folders[name] = os.path.join(root, name)
            os.mkdir(folders[name])
            for file, value in content.items():
                with open(os.path.join(folders[name], file), "w", encoding="utf-8") as f:
                    json.dump(value, f)
        for c in CASES:
            run(c, folders)
    files["qwen-own"] = {"tokenizer_config.json": files["qwen-own"]["tokenizer_config.json"],
                         "as": "qwen"}
    made = {"made_with": {"axolotl": axolotl.__version__,
                          "transformers": transformers.__version__,
                          "datasets": datasets.__version__},
            "tokenizers": files, "rows": ROWS, "cases": CASES}
    with open(os.path.join(out, "chat_goldens.json"), "w", encoding="ascii") as f:
        json.dump(made, f, separators=(",", ":"))
        f.write("\n")


main()
