#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_chat_template_goldens.py [FILE]: what Axolotl's built-in chat templates make of conversations.

Needs Axolotl 0.19 (its template files and its analyser alone: neither torch nor a model is loaded) and
transformers 5.16, whose environment compiles them.  Writes tests/golden/chat_templates.json:
{"versions": …, "contexts": [object, …], "pieces": [text, …], "results": {name: [result, …]},
"keys": {name: [key, …]}, "hard_keys": [[template, [key, …]], …]}.

A result belongs to the context of its place: null where the template fails, else a list of numbers of
pieces that make up the text (formats repeat themselves; the file stays small).  Where a template would
write its vendor's own longer prose the result is null too: axl's asks for a system message there.
keys are those of a message that Axolotl hands on to the template.

make_chat_template_goldens.py --compare N renders N random conversations with Axolotl's files and with
lib/text/chat/templates, both by jinja2, and prints what differs.
"""
import importlib.metadata
import importlib.util
import json
import os
import random
import re
import sys
from datetime import datetime

import transformers.utils.chat_template_utils as chat_template_utils

NOW = datetime(2024, 2, 9, 7, 5, 3)
UNSUPPORTED = ("command_a", "command_a_rag", "command_a_tool_use")
ALIASES = {"aya": "cohere", "gemma4_unified": "gemma4"}
SEED = 20261129
PROSE = ("You are Mistral Small 3", "You are Phi, a language model trained by Microsoft")


class FixedDate(datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


chat_template_utils.datetime = FixedDate


def turn(role, content, **more):
    return {"role": role, "content": content, **more}


def text_part(text):
    return {"type": "text", "text": text}


S, U, A, V, B = (turn("system", "Be brief."), turn("user", "Hi?"), turn("assistant", "Ho."), turn("user", "U2"),
                 turn("assistant", "A2"))
SPACED = [turn("system", " S\n"), turn("user", "\n U  "), turn("assistant", "  A \n\n"), turn("user", "\tV")]
ROUND = [S, U, A, V, B]
TOOLS = [
    {"type": "function", "function": {
        "name": "look", "description": "Looks <up> 'é'", "parameters": {
            "type": "object", "required": ["q"], "properties": {
                "q": {"type": "string", "enum": ["a", "b"], "description": "What"},
                "n": {"type": "integer", "nullable": True},
                "l": {"type": "array", "description": "L", "items": {"type": "string", "x": [1, {"k": None}]}},
                "m": {"type": "array", "items": {"type": ["object", "null"], "required": ["z", "y"],
                                                 "properties": {"z": {"type": "number"}}}},
                "o": {"type": "object", "required": ["p"], "properties": {"p": {"type": "boolean", "enum": [1]}}},
                "f": {"type": "object", "g": {"type": "string", "nullable": True}}}},
        "return": {"type": "string"}, "response": {"description": "R", "type": "object"}}},
    {"type": "function", "function": {"name": "two", "description": "", "parameters": {}}},
]


def call(arguments, name="look", key="abcdefghi"):
    return {"type": "function", "id": key, "function": {"name": name, "arguments": arguments}}


def calls(*made, **more):
    return {"role": "assistant", "tool_calls": list(made), **more}


def answer(content, key="abcdefghi", **more):
    return {"role": "tool", "content": content, "tool_call_id": key, **more}


ARGUMENTS = {"q": "é \"x\"", "n": [1, 2.0, None, True], "d": {"b": "c", "a": {}}}
ONE, TWO = call(ARGUMENTS), call({}, "two", "bcdefghij")


def conversations():
    """[messages, variables beside the usual ones]"""
    yield from ([m, {}] for m in (ROUND, [U, A], [S, U, A], [A, U], [U, V], [S, S, U], [U, S, A], [U, A, B], [], [S]))
    yield from ([m, {"add_generation_prompt": True}] for m in (
        ROUND, [U, A], [U], [S, U], [U, A, V], [S, U, A, V], SPACED, [turn("developer", "D"), U], [turn("narrator", "N")]))
    yield [SPACED[:3], {}]
    yield [ROUND, {"add_generation_prompt": None, "bos_token": None}]
    yield [[U], {"bos_token": ..., "eos_token": ..., "tools": ..., "documents": ..., "add_generation_prompt": ...}]
    yield [[U, A], {"bos_token": ..., "eos_token": ..., "tools": ..., "documents": ..., "add_generation_prompt": ...}]
    # Contents that are no text.
    image, video, audio = {"type": "image"}, {"type": "video", "video": "v"}, {"type": "audio"}
    for parts in ([text_part(" a "), text_part("b\n")], [image, text_part("a")], [text_part("a"), image, image],
                  [{"type": "image_url", "image_url": {"url": "x"}}, text_part("b")], [video, text_part("b")],
                  [text_part("b"), audio], [{"text": "c"}], ["d"], [{"type": "text", "content": "e"}], [{"type": "other"}],
                  [], None, 5, {"content": "k"}):
        yield [[turn("user", parts), A], {}]
        if parts in (None, []) or isinstance(parts, list) and isinstance(parts[0], dict):
            yield [[U, turn("assistant", parts)], {}]
    yield [[turn("system", [text_part("s "), {"type": "text", "text": "t"}]), U], {}]
    yield [[turn("system", ["s", {"value": "w"}]), U, {"role": "assistant"}], {}]
    yield [[turn("system", None), U], {}]
    yield [[turn("system", ""), U, turn("assistant", "")], {}]
    yield [[turn("user", [image, video, image, text_part("x")])], {"add_vision_id": True}]
    yield [[S, turn("user", [text_part("a"), image, text_part("b")]), turn("assistant", [text_part(" c "), image])], {}]
    yield [[S, turn("user", [text_part("a"), video]), A], {}]
    yield [[turn("system", "S", name="x"), A, S, U, turn("other", "o"), turn("assistant", None)], {}]
    # Tools.
    given = {"tools": TOOLS}
    yield [[], given]
    yield [[U], {"tools": []}]
    for messages in ([U], [S, U], [turn("user", [text_part("p ")]), A, V], [turn("system", [text_part("q")]), U, A],
                     [U, calls(ONE), answer("{\"r\": 1}"), A],
                     [S, U, calls(ONE, TWO), answer("r"), answer("s", "bcdefghij"), A, V]):
        yield [messages, given | {"add_generation_prompt": True}]
    yield [[U, calls(ONE, content="C"), answer("r")], {"add_generation_prompt": True}]
    for made in (calls(call("{\"q\": 1}"), content=None), calls(call({"a": 1}, key="short"), content=""),
                 calls({"name": "flat", "arguments": {"a": 1}}, content="x"), calls({"name": "flat", "parameters": {"a": 1}}),
                 calls({"name": "flat"}, content="x"), calls(content="none"), turn("assistant", "null", tool_calls=None)):
        yield [[U, made, V], {}]
    for result in (answer({"b": 1, "a": [1]}), answer([text_part("p"), image, text_part("q"), video, audio]),
                   answer("r", "short"),
                   answer("named", name="n"), answer("", None), {"role": "tool"}, answer({"content": "k"}), answer(7)):
        yield [[U, calls(ONE), result, A], {}]
    yield [[answer("first"), U], {}]
    yield [[U, turn("ipython", "i"), turn("tool_results", {"content": "k"}, tool_call_id="abcdefghi")], {}]
    yield [[U, calls(ONE, tool_responses=[{"name": "look", "response": {"b": 1, "a": "x"}}, {"response": "y"}]), A], {}]
    yield [[U, calls(ONE, content="C", tool_responses=[{"name": "n", "response": [1]}])], {"add_generation_prompt": True}]
    yield [[S, U], given | {"tools_in_user_message": False}]
    yield [[U], {"custom_tools": TOOLS[1:], "date_string": "1 Jan 2020"}]
    yield [[S], given]
    # Thinking.
    thought = turn("assistant", "\n A", reasoning_content="\nR\n")
    inline = turn("assistant", "<think>\nI\n</think>\n\nX")
    for more in ({}, {"enable_thinking": True, "add_generation_prompt": True},
                 {"enable_thinking": False, "add_generation_prompt": True}):
        yield [[U, thought, V, inline], more]
        yield [[S, U, inline, V, thought], more]
    yield [[U], {"enable_thinking": True, "add_generation_prompt": True}]
    yield [[U, thought, V, inline], {"skip_think": False, "real_last_index": 1}]
    yield [[U, A, thought, B], {"real_last_index": 1}]
    yield [[U, inline, thought], {"skip_think": False}]
    yield [[U, calls(ONE, reasoning_content="why", content=""), answer("r"), thought], {}]
    yield [[U, calls(ONE, reasoning="why", content="c"), answer("r"), A, B], {"enable_thinking": True} | given]
    yield [[U, A, turn("user", "<tool_response>x</tool_response>"), inline], {}]
    yield [[U, turn("assistant", "a<|channel>thought\nt<channel|> b "),
            turn("assistant", [text_part("<|channel>u<channel|>c")])], {}]
    yield [[U, turn("assistant", "x", reasoning_content=[1])], {}]
    # What single formats know.
    yield [[U, turn("assistant", "A", name="Ann", citations=[{"document_id": 1}, {"document_id": 2}]),
            turn("user", "V", name="Bo")],
           {"bom_str": "<B>", "eom_str": "<E>"}]
    documents = [{"title": "T", "text": "X", "some key": 1}, {"text": "Y"}]
    yield [[S, U, A, V], {"documents": documents, "add_generation_prompt": True, "role_to_predict": "critic",
                          "generation_preamble": "So"}]
    knobs = {"is_set": True, "citation_mode": "fast", "response_format": "json_object"}
    yield [[U], {"documents": documents, "knobs": knobs, "generation_preamble": " "}]
    yield [[U], {"knobs": knobs | {"is_set": False}, "tools": [{"type": "other"}]}]
    yield [[U], {"tools": [{"name": "bare"}]}]


def contexts():
    for messages, more in conversations():
        context = {"messages": messages, "tools": None, "documents": None, "add_generation_prompt": False, "bos_token": "<s>",
                   "eos_token": "</s>"} | more
        yield {k: v for k, v in context.items() if v is not ...}


def result(template, context):
    try:
        text = template.render(**json.loads(json.dumps(context)))
    except Exception:  # noqa: BLE001 - whatever it is, the template fails
        return None
    return None if any(p in text for p in PROSE) else text


# ---- which keys of a message are handed on ----

HARD_KEYS = [
    "{% for message in messages %}{{ message.role ~ message['content'] }}{% if message.tool_calls is defined %}"
    "{{ message.tool_calls[0].function.name }}{{ message.get('name') }}{% endif %}{% endfor %}{{ messages[0].x }}",
    "{% macro f(message) %}{{ message.a[1:]['b'].c }}{% set q = message['d' 'e'] if message.f else [message.g] %}{% endmacro %}"
    "{% call f({'k': message.h}) %}{{ message['i'] | join(message.j) }}{% endcall %}{% set ns.message = "
    "message.k is eq message.l %}",
    "{% for x in message.m if message.n recursive %}{{ x }}{% else %}{{ message.o.p(message.q, r=message.s) }}{% endfor %}"
    "{% filter replace('a', message.t) %}{% with u = message.u %}{% generation %}{{ message.v[message.w:message.x] }}"
    "{% endgeneration %}{% endwith %}{% endfilter %}{% set b | upper | join(message.y) %}{{ -message.z }}{% endset %}",
    "{% for m in messages %}{{ m.role }}{{ m['content'] }}{% endfor %}",
    "{% set loop_messages = messages[1:] %}{% for m in loop_messages %}{{ m.a }}{% set n = m.b %}{{ n.c }}{% endfor %}",
    "{% set message = messages[0] %}{{ message.a.b['c'] }}{{ message[0].d }}{{ message[k].e }}{{ message[1:].f }}",
    "{{ messages[0]['role'] }}{{ messages.x }}{{ messages | selectattr('y') | list }}{{ messages[-1].z }}",
    "{% set ns = namespace(message=messages[0]) %}{{ ns.message.a }}{{ ns['message'].b }}{{ (message).c }}{{ message().d }}",
    "{{ (message or x).a }}{{ (message | first).b }}{{ message['c'] is defined }}{{ message.d is not defined }}"
    "{{ message[true].e }}"
    "{{ message[1.5] }}{{ message[none] is none }}{{ message[('f', 'g')] }}{{ message.0.h }}{{ {'message': 1}.message.i }}",
    "{% for message in messages %}{% for k, v in message.items() %}{{ k }}{% endfor %}{{ message }}{% endfor %}",
    "no variable at all", "{{ message }}", "{{ message.a }}{{ message.a }}{{ message['a'] }}{{ message['é'] }}",
]


def message_keys(analyser, template):
    return sorted(k for k in analyser.JinjaTemplateAnalyzer(template).get_message_vars() if isinstance(k, str))


def axolotl_file(name):
    root = importlib.util.find_spec("axolotl").submodule_search_locations[0]
    return os.path.join(root, name)


def load_analyser():
    spec = importlib.util.spec_from_file_location("analyser", axolotl_file("prompt_strategies/jinja_template_analyzer.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- the file ----

class Pieces:
    """Texts as lists of numbers: a text is cut behind what ends a marker or a line."""

    def __init__(self):
        self.numbers = {}

    def cut(self, text):
        if text is None:
            return None
        return [self.numbers.setdefault(p, len(self.numbers)) for p in re.findall(r".*?(?:[>\]]|\n+|$)", text, re.S) if p]


def templates():
    folder = axolotl_file("utils/chat_templates/templates")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            yield name.removesuffix(".jinja"), f.read()


def build():
    pieces, analyser, given = Pieces(), load_analyser(), list(contexts())
    results, keys = {}, {}
    for name, text in templates():
        keys[name] = message_keys(analyser, text)
        if name not in UNSUPPORTED:
            compiled = chat_template_utils._compile_jinja_template(text)
            results[name] = [pieces.cut(result(compiled, c)) for c in given]
    versions = {p: importlib.metadata.version(p) for p in ("axolotl", "transformers", "jinja2")}
    return {"versions": versions, "contexts": given, "pieces": list(pieces.numbers), "results": results, "keys": keys,
            "hard_keys": [[t, message_keys(analyser, t)] for t in HARD_KEYS]}


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# ---- both against each other ----

def random_content(rng):
    texts = ["", "a", " b\n", "<think>\nT\n</think>\n\nX", "y</think>z", "<tool_response>r</tool_response>", "\tq ",
             "<|channel>thought\nw<channel|> v"]
    kind = rng.randrange(12)
    if kind == 0:
        return rng.choice([None, 3, 1.5, True, {"content": "k"}, {"b": [1], "a": None}])
    if kind < 4:
        part = [lambda: text_part(rng.choice(texts)), lambda: {"type": rng.choice(["image", "video", "audio", "image_url", "x"])},
                lambda: {"text": rng.choice(texts)}, lambda: rng.choice(texts), lambda: {"type": "text", "content": "c"}]
        return [rng.choice(part[:rng.choice([1, 1, 2, 5])])() for _ in range(rng.randrange(4))]
    return rng.choice(texts)


def random_message(rng, role):
    message = {"role": role, "content": random_content(rng)}
    if rng.randrange(30) == 0:
        del message["content"]
    if role == "assistant" and rng.randrange(3) == 0:
        arguments = rng.choice([ARGUMENTS, {}, "{}", {"k": "v", "a": False}])
        made = [call(arguments, rng.choice("fg"), rng.choice(["abcdefghi", "bcdefghij", "short"]))
                for _ in range(rng.randrange(4))]
        message["tool_calls"] = rng.choice([made] * 5 + [None] + [[c["function"] for c in made]])
    if role == "assistant" and rng.randrange(3) == 0:
        message[rng.choice(["reasoning_content", "reasoning"])] = rng.choice(["R", "\nR\n", "", None])
    if role == "assistant" and rng.randrange(12) == 0:
        message["tool_responses"] = [{"name": "f", "response": rng.choice([{"b": 1, "a": "x"}, "s"])}]
    if role in ("tool", "tool_results", "ipython"):
        message["tool_call_id"] = rng.choice(["abcdefghi", "bcdefghij", "short", None])
    if rng.randrange(12) == 0:
        message |= rng.choice([{"name": "N"}, {"name": None}, {"citations": [{"document_id": 4}]}])
    return message


def random_schema(rng, depth):
    schema = {"type": rng.choice(["string", "array", "object", "integer", ["string", "null"]])}
    more = {"description": "D", "nullable": True, "enum": ["a", 1], "required": ["r"], "default": None,
            "extra": {"type": "number"}}
    schema |= {k: more[k] for k in more if rng.randrange(4) == 0}
    if depth and rng.randrange(2):
        schema["items"] = random_schema(rng, depth - 1)
    if depth and rng.randrange(2):
        schema["properties"] = {k: random_schema(rng, depth - 1) for k in rng.sample("zyxw", 2)}
    return schema


def random_context(rng):
    usual = ["user", "assistant"] * 4
    roles = rng.choice([[], ["system"], ["developer"]]) + usual[:rng.randrange(6)]
    for _ in range(rng.choice([0, 0, 1, 3])):
        role = rng.choice(["tool", "tool", "user", "assistant", "system", "ipython", "other"])
        roles.insert(rng.randrange(len(roles) + 1), role)
    context = {"messages": [random_message(rng, r) for r in roles], "tools": None, "documents": None,
               "add_generation_prompt": bool(rng.randrange(2)), "bos_token": "<s>", "eos_token": "</s>"}
    if rng.randrange(3) == 0:
        function = {"name": "f", "description": "d", "parameters": random_schema(rng, 2)}
        context["tools"] = rng.choice([TOOLS, [], [{"type": "function", "function": function}]])
    for name, values in {"enable_thinking": [True, False, None], "skip_think": [True, False], "real_last_index": [1, 2, None],
                         "tools_in_user_message": [False, True], "add_vision_id": [True], "date_string": ["D"],
                         "documents": [[], [{"title": None, "text": "x", "k": 1}]], "knobs": [{"is_set": True}, {}],
                         "custom_tools": [TOOLS[1:]], "generation_preamble": ["p", " "]}.items():
        if rng.randrange(8) == 0:
            context[name] = rng.choice(values)
    if rng.randrange(12) == 0:
        del context[rng.choice(["bos_token", "eos_token", "tools"])]
    return context


def compare(n):
    ours = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib/text/chat/templates")
    theirs = {n: chat_template_utils._compile_jinja_template(t) for n, t in templates() if n not in UNSUPPORTED}
    rng, differ, rendered = random.Random(SEED), 0, 0
    for name, compiled in theirs.items():
        with open(os.path.join(ours, ALIASES.get(name, name) + ".jinja"), encoding="utf-8") as f:
            mine = chat_template_utils._compile_jinja_template(f.read())
        for _ in range(n):
            context = random_context(rng)
            a, b = result(compiled, context), result(mine, context)
            rendered += a is not None
            if a != b:
                differ += 1
                print(f"{name} of {json.dumps(context)}\n  theirs {a!r}\n  ours   {b!r}")
    print(f"{len(theirs) * n} conversations, {rendered} of them rendered, {differ} differ")
    return differ > 0


def main():
    if sys.argv[1:2] == ["--compare"]:
        sys.exit(compare(int(sys.argv[2])))
    default = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chat_templates.json")
    with open(sys.argv[1] if len(sys.argv) > 1 else default, "w", encoding="utf-8") as f:
        parts = []
        for key, value in build().items():
            if isinstance(value, list):
                rows = ",\n".join(compact(v) for v in value)
                parts.append(f"{json.dumps(key)}: [\n{rows}\n]")
            else:
                rows = ",\n".join(f"{json.dumps(k)}: {compact(v)}" for k, v in value.items())
                parts.append(f"{json.dumps(key)}: {{\n{rows}\n}}")
        f.write("{" + ",\n".join(parts) + "}\n")


if __name__ == "__main__":
    main()
