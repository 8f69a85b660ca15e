#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_jinja_goldens.py [FILE]: what jinja2 under transformers' settings makes of small templates.

Needs jinja2 3.1 alone.  Writes tests/golden/jinja.json: {"jinja2": version, "seed": n, "contexts":
{name: object}, "cases": [[template, context, text or null where jinja2 fails], …]}.  The first cases
are written by hand, one a feature; the rest are put together at random from the lists below.

make_jinja_goldens.py --compare PROGRAM FOLDER… renders every chat template found below the folders
(chat_template.jinja, *.jinja, tokenizer_config.json) on a few conversations and compares PROGRAM's text
(`PROGRAM render --template FILE --context FILE`) with jinja2's; their texts are not ours to keep.
"""
import json
import os
import random
import subprocess
import sys
import tempfile
from datetime import datetime, timezone

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

SEED = 20261128
N_RANDOM = 420
NOW = datetime(2024, 2, 9, 7, 5, 3)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_keep"), [], [], body).set_lineno(line)

    def _keep(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment(now):
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                        extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda fmt: now().strftime(fmt)
    return env


CHAT = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "  Was heißt \"Zug\"?\n"},
        {"role": "assistant", "content": "A train's name 🚆", "reasoning_content": "think\nhard",
         "tool_calls": [{"type": "function", "function": {"name": "look", "arguments": {"q": "Zug", "n": 2, "x": 1.0}}}]},
        {"role": "tool", "content": [{"type": "text", "text": "a & b"}, {"type": "image"}], "name": "look"},
        {"role": "user", "content": ""},
    ],
    "tools": [{"type": "function", "function": {"name": "look", "description": "Looks <up> 'it'", "parameters": {
        "type": "object", "properties": {"q": {"type": "string", "enum": ["a", "b"]}, "n": {"type": ["integer", "null"]}},
        "required": ["q"]}}}],
    "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True, "enable_thinking": False,
}
PLAIN = {
    "i": 7, "neg": -3, "zero": 0, "f": 2.5, "whole": 3.0, "tiny": 1e-7, "huge": 1e22, "t": True, "no": False, "nil": None,
    "s": "Hello, World", "empty": "", "uni": "Größe ÄÖ ñ Ω ж", "quote": "it's \"q\"\t\\n\n", "num": " 42 ", "html": "<b>&'\"",
    "lst": [3, 1, 2], "words": ["b", "A", "c", "a"], "mix": [1, "a", None, 2.0, True, [1], {"k": "v"}], "nolist": [],
    "d": {"b": 1, "a": "x", "C": None, "items": "shadow", "n": {"deep": [1, {"z": "q"}]}}, "nodict": {},
    "users": [{"name": "Zoe", "age": 31, "on": True}, {"name": "adam", "age": 5, "on": False},
              {"name": "Bea", "age": 31, "on": True}, {"name": "Cy"}],
    "lines": "one\ntwo\r\nthree\n\nfive", "nul": "a\u0000b",
}
EMPTY = {}

# Expressions, each printed alone; the context is PLAIN.
EXPRESSIONS = r"""
1 + 2 * 3 - 4
7 // 2
-7 // 2
-7 % 3
7 % -3
7.5 // 2
-7.5 % 2
2 ** 10
2 ** -1
2 ** 3 ** 2
-2 ** 2
10 / 4
10 / 5
1 / 0
1 // 0
1 % 0
1.0 / 0
0.1 + 0.2
1e16
1e15
123456789012345680.0
1.5e-5
1e-4
1_000 + 0x1F + 0b101 + 0o17
1_0.5_0
.5
5.
"a" "b" 'c'
"\x41\u00e9\n\t\\ \' \" \q \101"
'it\'s'
"a" ~ 1 ~ none ~ true ~ 1.0 ~ [1, 'x'] ~ {'a': none}
"a" + "b"
"a" + 1
1 + "a"
"ab" * 3
3 * "ab"
"ab" * -1
[1] * 2 + [3]
(1, 2) + (3,)
[1] + (2,)
[1, 2, 3,]
(1,)
()
(1, 2,)
{}
{'a': 1, "b": [1, 2], 3: none, 1.5: true, none: 'x', (1, 2): 't'}
{'a': 1, 'a': 2}
{1: 'a', 1.0: 'b', true: 'c'}
{[1]: 2}
true
True
false
False
none
None
not true
not none
not undefined_name
undefined_name
undefined_name.x
undefined_name['x']
undefined_name()
undefined_name + 1
undefined_name ~ 'x'
undefined_name == undefined_other
undefined_name == none
undefined_name in [1]
1 in undefined_name
undefined_name < 1
undefined_name | length
undefined_name | list
undefined_name | upper
undefined_name | default('d')
undefined_name | d
undefined_name.x | default('d')
[undefined_name]
nil | default('d')
nil | default('d', true)
empty | default('d', boolean=true)
s | default('d', true)
1 < 2 < 3
1 < 3 < 2
1 == 1.0
1 == true
'1' == 1
[1, 2] == [1, 2.0]
(1, 2) == [1, 2]
{'a': 1} == {'a': 1.0}
[1, 2] < [1, 3]
[1] < [1, 0]
'a' < 'b'
'Z' < 'a'
1 < 'a'
none < 1
true + true
1 if true
1 if false
(1 if false) is defined
(1 if false).x
'a' if i > 5 else 'b'
'a' if i > 50 else 'b' if i > 5 else 'c'
0 or 'x'
'' and 'x'
1 and 2
1 or undefined_name.x
0 and undefined_name.x
not 1 == 2
1 not in [2]
'ell' in s
'' in s
1 in s
'b' in d
'z' in d
[1] in mix
[1] in d
1 in nil
3 in range(5)
2.0 in lst
'a' not in words
i is odd
i is even
i is divisibleby 7
i is divisibleby(3)
i is not divisibleby 7
s is string
i is string
i is number
t is number
t is integer
i is integer
f is float
f is integer
t is boolean
t is true
t is false
no is false
nil is none
nil is not none
nil is defined
lst is sequence
s is sequence
d is sequence
i is sequence
undefined_name is sequence
d is mapping
lst is mapping
lst is iterable
i is iterable
s is iterable
range is callable
s.upper is callable
s is callable
'upper' is filter
'nope' is filter
'odd' is test
i is eq 7
i is ne 7
i is lt 8
i is le 7
i is gt 7
i is ge 7
i is equalto 7
i is lessthan 8
i is greaterthan 8
1 is in [1, 2]
nil is sameas none
t is sameas true
1 is sameas true
'abc' is lower
'ABC' is upper
'aBC' is upper
'' is lower
'12' is upper
i is odd and i is number
i is odd + 1
i is nosuchtest
i is odd is even
s[0]
s[-1]
s[99]
s[99] is defined
s[1:3]
s[:3]
s[3:]
s[-3:]
s[:-3]
s[::-1]
s[::2]
s[10:2:-2]
s[::0]
s['x']
uni[1]
uni[2:5]
uni[::-1]
lst[0]
lst[-1]
lst[5]
lst[1:]
lst[::-1]
lst[-2:]
lst['x']
lst.x
lst.0
mix[5][0]
mix[6].k
mix[6]['k']
mix[6].nope
mix[6].nope.more
mix[-1:][0].k
d.a
d['a']
d.C
d.nope
d['nope'] is defined
d.n.deep[1].z
d.items
d['items']
d.items() | list
d.keys() | list
d.values() | list
d.items()
d.keys()
d.values()
d.get('a')
d.get('nope')
d.get('nope', 5)
d.get('nope', default=5)
d.get([1])
d[[1]]
d.update({'x': 1})
d.update is defined
d.pop('a')
d.pop
d.clear()
d.setdefault('a', 1)
d.copy()
d.__class__
d.__class__.x
s.__class__
d._x
lst.append(4)
lst.append is defined
lst.insert(0, 1)
lst.pop()
lst.sort()
lst.count(3)
lst.index(2)
lst.index(9)
lst.copy()
(1, 2, 1).count(1)
nil.x
nil['x']
nil.x.y
i.x
i()
'a'()
range(3)
range(1, 4) | list
range(5, 0, -2) | list
range(0)
range(100000) | length
range(100001)
range(0, 10, 0)
range('a')
range(5)[1:3]
range(5)[-1]
range(5)[9]
range(10)[::3] | list
range(3) == range(0, 3, 1)
range(stop=3)
dict(a=1, b='x')
dict([('a', 1)], c=2)
dict({'x': 1}, y=2)
dict(1)
namespace(a=1)
namespace(a=1).a
namespace(a=1).b
namespace(a=1)['a']
s | upper
s | lower
uni | upper
uni | lower
'straße' | upper
s | capitalize
'hELLO wORLD' | capitalize
'hello wORLD-foo (bar) [baz] it\'s {x} <y>' | title
'hello wORLD-foo they\'re' .title()
uni.title()
i | upper
nil | upper
lst | upper
'  x  ' | trim
'xxhixx' | trim('x')
'xyhixy' | trim(chars='yx')
'\u00a0\u2003 x \x1c' | trim
s | replace('l', 'L')
s | replace('l', 'L', 2)
s | replace('', '-')
s | replace('o', '')
i | replace('7', 'x')
s | length
uni | length
lst | length
d | length
i | length
nil | length
s | count
s | first
s | last
lst | first
lst | last
nolist | first
nolist | last
nolist | first | default('none')
d | first
d | last
i | first
lst | join
lst | join(', ')
mix | join('|')
users | join(', ', attribute='name')
users | map(attribute='age') | join(',')
s | join('.')
i | join
lst | join(1)
lst | sort
lst | sort(reverse=true)
words | sort
words | sort(case_sensitive=true)
words | sort(true)
users | sort(attribute='name') | map(attribute='name') | list
users[:3] | sort(attribute='age,name') | map(attribute='name') | join(' ')
users | sort(attribute='age') | list
mix | sort
d | dictsort
d | dictsort(case_sensitive=true)
d | dictsort(reverse=true)
{'a': 2, 'b': 1} | dictsort(by='value')
{'a': 2, 'b': 1} | dictsort(false, 'value')
lst | dictsort
lst | min
lst | max
words | min
words | max(case_sensitive=true)
users[:3] | max(attribute='age')
nolist | min
nolist | max is defined
lst | sum
nolist | sum
users[:3] | sum(attribute='age')
lst | sum(start=10)
[0.1, 0.2, 0.3] | sum
[[1], [2]] | sum(start=[])
words | sum
words | unique | list
words | unique(case_sensitive=true) | list
[1, 1.0, true, 2, '2'] | unique | list
[[1]] | unique | list
lst | reverse | list
s | reverse
i | reverse
d | reverse | list
lst | reverse | first
lst | map('string') | list
words | map('upper') | list
words | map('replace', 'a', 'z') | join
words | map('nosuch') | list
lst | map
users | map(attribute='age', default=0) | list
users | map(attribute='nope') | list
users | map(attribute='name') | map('lower') | sort | join(' ')
d | map('upper') | list
lst | map('abs') | first
lst | map('abs') | length
lst | map('abs') | last
(lst | map('abs'))[0]
lst | select | list
[0, 1, '', 'a', none] | select | list
[0, 1, '', 'a', none] | reject | list
lst | select('odd') | list
lst | reject('odd') | list
lst | select('gt', 1) | list
lst | select('>', 1) | list
lst | select('in', [1, 2]) | list
lst | select('nosuch') | list
users | selectattr('on') | map(attribute='name') | list
users | selectattr('age', 'equalto', 31) | map(attribute='name') | list
users | selectattr('age', 'defined') | list | length
users | rejectattr('on') | map(attribute='name') | list
users | rejectattr('age', '==', 31) | map(attribute='name') | list
users | selectattr('age', '>', 4) | list
users | selectattr
[d] | selectattr('n.deep.1.z', 'equalto', 'q') | list | length
s | list
d | list
i | list
lst | list
(1, 2) | list
range(7) | batch(3) | list
range(7) | batch(3, 'x') | list
range(7) | slice(3) | list
range(7) | slice(3, 'x') | list
range(2) | batch(0) | list
users[:3] | groupby('age') | list
users[:3] | groupby('age') | map(attribute='grouper') | list
(users[:3] | groupby('age') | first).list | length
users | groupby('age', default=0) | list | length
d | items | list
undefined_name | items | list
i | items | list
d | attr('a')
s | attr('upper')
d | attr('get') is callable
neg | abs
f | abs
s | abs
'42' | int
num | int
'4_2' | int
'x' | int
'x' | int(5)
'42.9' | int
'-0x1F' | int(base=16)
'0b11' | int(0, 2)
'ff' | int(base=16)
'1e3' | int
f | int
-2.7 | int
(-2.7) | int
t | int
nil | int
lst | int(9)
'inf' | float | int
'nan' | float | int(3)
'2.5' | float
' 1e3 ' | float
'x' | float
'x' | float(1)
'inf' | float
'-inf' | float
'nan' | float
i | float
nil | float
'5.' | float
'.5' | float
f | round
3.5 | round
2.675 | round(2)
42.55 | round(1, 'floor')
42.55 | round(1, 'ceil')
42.55 | round(method='ceil')
i | round
i | round(1)
1234 | round(-2)
1250 | round(-2)
1350 | round(-2)
-1250 | round(-2)
1234.5 | round(-2)
t | round
s | round
f | round(1, 'nope')
0.5 | round | int
1e300 | round(5)
html | e
html | escape
html | e | e
html | forceescape
html | e | forceescape
html | safe
html | e + '<x>'
'<x>' + (html | e)
'<x>' + (s | safe)
'<x>' ~ (html | e)
[html | e]
html | e | upper
html | e | length
'<i>' + ('a' | safe | trim)
i | string
nil | string
lst | string
undefined_name | string
s | center(20) ~ '|'
s | center(15) ~ '|'
'ab' | center(5) ~ '|'
'abc' | center(6) ~ '|'
lines | indent
lines | indent(2)
lines | indent(2, true)
lines | indent(2, blank=true)
lines | indent('> ', first=true, blank=true)
i | indent
'foo bar baz qux' | truncate(9)
'foo bar baz qux' | truncate(9, true)
'foo bar baz qux' | truncate(11)
'foo bar baz qux' | truncate(11, false, '...', 0)
'foobarbazqux' | truncate(5, leeway=0)
'foo' | truncate(2)
lines | wordcount
'a-b c_d 1' | wordcount
'%s is %d' | format('x', 3)
'%(a)s' | format(a=1)
'%s' | format(lst)
'%s' % s
'%s-%s' % (1, 2)
'%s' % (1, 2)
'%s %s' % 1
'%5.2f|%-6s|%06d|%+d|%x|%X|%o|%%|%r' % (3.14159, 'ab', 42, 5, 255, 255, 8, 'q')
'%d' % 3.9
'%d' % 'x'
'%.3s' % 'abcdef'
'%(a)s %(b)d' % {'a': 1, 'b': 2}
'%(z)s' % {'a': 1}
'%.0f %.0f %.1f %.10f' % (0.5, 1.5, 0.25, 0.1)
'%.2f' % 1e10
'%5s%%' % t
'%z' % 1
'{} {}'.format(1, 'a')
'{1} {0}'.format(1, 'a')
'{a}'.format(a=5)
'{:>5}|{:<5}|{:^5}|{:*^7}'.format(1, 2, 'x', 'y')
'{:.2f} {:05d} {:,} {:x} {:.1%}'.format(3.14159, 42, 1234567, 255, 0.256)
'{!r} {{}}'.format('a')
'{}'.format()
'{'.format(1)
'{:d}'.format('x')
'a b c' | urlencode
'ü/?&=' | urlencode
s.upper()
s.lower()
s.capitalize()
s.swapcase()
s.strip('Hd')
s.lstrip('He')
s.rstrip('ld')
' a '.strip()
s.strip(none)
s.split()
s.split(', ')
s.split('o')
s.split('o', 1)
'a,b,,c'.split(',')
'a,b,,c'.rsplit(',', 1)
'a,b,c'.split(',', maxsplit=1)
' a  b c '.split()
' a  b c '.split(none, 1)
' a  b c '.rsplit(none, 1)
'a'.split('')
''.split()
''.split(',')
'a=b=c'.partition('=')
'a=b=c'.rpartition('=')
'abc'.partition('=')
lines.splitlines()
lines.splitlines(true)
s.startswith('Hell')
s.startswith(('x', 'H'))
s.startswith(['H'])
s.startswith('ello', 1)
s.startswith('')
s.endswith('ld')
s.endswith(('x', 'ld'))
s.find('o')
s.find('o', 5)
s.find('zz')
s.rfind('o')
s.rfind('')
s.rfind('ld')
s.rfind('Hello, World!')
s.rfind('H', 0, 1)
('ab' * 40 ~ 'c' ~ 'ab' * 40).rfind('ab' * 20)
('ab' * 40 ~ 'c' ~ 'ab' * 40).rfind('b' ~ 'ab' * 20)
('ab' * 40 ~ 'c' ~ 'ab' * 40).find('bc' ~ 'ab' * 20)
('ab' * 40 ~ 'c' ~ 'ab' * 40).rsplit('abc' ~ 'ab' * 20)
'ab' * 20 in 'ab' * 19 ~ 'b' ~ 'ab' * 20
('x' ~ 'ab' * 20) in 'ab' * 50
('<i>x</i> y' | safe).split()[0] + '<'
uni.find('Ä')
s.index('zz')
s.index('W')
s.count('o')
s.count('')
s.count('l', 4)
s.replace('o', '0')
s.replace('o', '0', 1)
s.replace('', '.')
s.replace(1, 'x')
','.join(words)
','.join('abc')
','.join([1])
'a1'.isalnum()
'a1'.isalpha()
'abc'.isalpha()
'Ünï'.isalpha()
'12'.isdigit()
'1.2'.isdigit()
' \t'.isspace()
''.isspace()
'abc'.islower()
'ABC'.isupper()
'Ab Cd'.istitle()
'12'.isnumeric()
'a_1'.isidentifier()
'prefix-x'.removeprefix('prefix-')
'x.txt'.removesuffix('.txt')
'x'.removesuffix('')
'7'.zfill(3)
'-7'.zfill(4)
'a'.ljust(3) ~ '|'
'a'.rjust(3, '*')
'a'.center(4, '*')
'abcd'.center(7, '*')
'a'.rjust(3, '**')
'a\tb'.expandtabs(4)
'a'.nope()
'a'.nope
s.upper(1)
s.upper
f.is_integer()
whole.is_integer()
i
neg
-neg
+i
- i
-i | abs
-s
f
whole
tiny
huge
t
nil
lst
words
mix
d
users
quote
[quote]
['\u00e9\u200b\x07\x7f\u00a0']
['"', "'", "\"'"]
nul
[nul]
lst | tojson
d | tojson
mix | tojson
quote | tojson
uni | tojson
uni | tojson(ensure_ascii=true)
'🚆\x7f' | tojson(ensure_ascii=true)
html | tojson
nul | tojson
d | tojson(indent=2)
d | tojson(indent=0)
mix | tojson(indent='\t')
d | tojson(indent=none)
nolist | tojson(indent=2)
nodict | tojson(indent=4)
[[], {}] | tojson(indent=2)
{'b': 1, 'a': {'d': 1, 'c': 2}} | tojson(sort_keys=true)
{'b': 1, 1: 2} | tojson(sort_keys=true)
d | tojson(separators=(',', ':'))
d | tojson(separators=[';', '='], indent=1)
d | tojson(false, 2)
{1: 'a', true: 'b', none: 'c', 1.5: 'd'} | tojson
{(1, 2): 3} | tojson
(1, 2) | tojson
range(3) | tojson
undefined_name | tojson
[undefined_name] | tojson
huge | tojson
tiny | tojson
whole | tojson
'inf' | float | tojson
d.items() | tojson
html | e | tojson
d | tojson | length
d | tojson | safe + '<'
strftime_now('%Y-%m-%d %H:%M:%S')
strftime_now('%d %B %Y, %A %b %a %-d %-m %j %y %I %p %%')
strftime_now('%e')
raise_exception('no!')
raise_exception(1)
raise_exception()
i | nosuchfilter
range(3) | nosuchfilter
cycler('a', 'b').next()
cycler()
joiner()() ~ 'x'
[1, 2] | first | string | length
s | upper | lower | title | reverse
lst | sort | join(',') ~ '!' | upper
(lst | sort | join(',') ~ '!') | upper
1 + 2 | string
'a' if undefined_name else 'b' | upper
s[i]
s[i - 1]
lst[lst | length - 1]
lst[-(1)]
d[['a', 'b'] | first]
d['a' if t else 'b']
d.n['deep'][-1]['z'][0]
9223372036854775807
9223372036854775807 + 0
[1, [2, [3, [4]]]]
[(1,), ()]
{'a': {'b': {}}}
"a'b"
a.b.c
(a).b
[a][0]
[a][0].b
lst | tojson() | trim | upper
*lst
lst[
{'a'}
{'a': }
(1
1 +
'abc
"a" 1
1 2
a b
a.
a..b
a[]
lst[1, 2]
lst[1:2, 3]
f(a=1, 2)
range(*[1, 4]) | list
dict(**{'a': 1})
dict(a=1, **{'a': 2})
range(*i)
range(3,)
range(,)
d.get(*['a'])
@
$x
a ? b
a && b
!a
a = b
""".strip("\n").split("\n")

TEMPLATES = [
    "",
    "plain",
    "plain\n",
    "plain\n\n",
    "\r\nwin\r\nmac\rend\r\n",
    "{{ '' }}\n",
    "{# c #}x",
    "a{# c #}\nb",
    "a {#- c -#} b",
    "  {# c #}\nx",
    "{#",
    "{# a {# b #} c #}",
    "{{ 1 }}{# {{ 2 }} #}{{ 3 }}",
    "{% raw %}{{ x }}{% if %}{% endraw %}",
    "{% raw %}\n  a\n{% endraw %}\nb",
    "{%- raw -%} a {%- endraw -%} b",
    "a {% raw -%}  {{ x }}  {%- endraw %} b",
    "{% raw %}",
    "{% raw %}{% endraw %}{% raw %}x{% endraw %}",
    "{{ '{{' }} {{ '%}' }} {{ \"}}\" }}",
    "{ { } } {a} {",
    "{",
    "{{",
    "{%",
    "{{ }}",
    "{% %}",
    "{% if t %}\nyes\n{% endif %}\nend\n",
    "  {% if t %}\n  yes\n  {% endif %}\nend",
    "a  {% if t %}  b  {% endif %}  c",
    "a  {%- if t -%}  b  {%- endif -%}  c",
    "a\n\n  {%- if t -%}\n\n  b\n  {%- endif -%}\n\n c",
    "  {%+ if t %}x{%+ endif %}\n y",
    "{% if t +%}\nx\n{% endif +%}\ny",
    "a {{- 1 -}} b {{+ 2 }} c",
    "\t{% if t %}\n\tx{% endif %}",
    "x\n   {{ 1 }}\n   y",
    "x\n   {{- 1 }}\n   y",
    "x\n \t {% set a = 1 %}  \n{{ a }}",
    "{% set a = 1 %}\n\n{{ a }}",
    "{% set a = 1 -%}\n\n{{ a }}",
    "a\u00a0{%- if t %}b{% endif %}",
    "\u2003{% if t %}b{% endif %}",
    "{% if t %}{% if no %}a{% else %}b{% endif %}{% endif %}",
    "{% if no %}a{% elif i > 5 %}b{% elif t %}c{% else %}d{% endif %}",
    "{% if no %}a{% elif nil %}b{% else %}c{% endif %}",
    "{% if no %}a{% endif %}",
    "{% if %}{% endif %}",
    "{% if t %}",
    "{% if t %}{% else %}{% else %}{% endif %}",
    "{% endif %}",
    "{% nope %}",
    "{% if t: %}x{% endif %}",
    "{% if i, 2 %}x{% endif %}",
    "{% for x in lst %}{{ x }}{% endfor %}",
    "{% for x in lst %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}"
    "{{ loop.revindex0 }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}",
    "{% for x in lst %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }};{% endfor %}",
    "{% for x in lst %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }};{% endfor %}",
    "{% for x in lst %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }} {% endfor %}",
    "{% for x in lst %}{{ loop }}{% endfor %}",
    "{% for x in lst %}{{ loop.nope }}|{% endfor %}",
    "{% for x in nolist %}a{% else %}b{% endfor %}",
    "{% for x in lst %}a{% else %}b{% endfor %}",
    "{% for x in undefined_name %}a{% else %}b{% endfor %}",
    "{% for x in nil %}a{% endfor %}",
    "{% for x in i %}a{% endfor %}",
    "{% for c in uni %}[{{ c }}]{% endfor %}",
    "{% for k in d %}{{ k }} {% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d | items %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d | dictsort %}{{ k }}={{ v }};{% endfor %}",
    "{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for a, b in lst %}{{ a }}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}",
    "{% for a, in [(1,)] %}{{ a }}{% endfor %}",
    "{% for x in lst if x > 1 %}{{ x }}{{ loop.index }}{{ loop.last }}{{ loop.length }};{% endfor %}",
    "{% for x in lst if x > 9 %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in 1, 2, 3 %}{{ x }}{% endfor %}",
    "{% for x in lst + [9] if x is odd %}{{ x }}{% endfor %}",
    "{% for x in (lst if t else []) %}{{ x }}{% endfor %}",
    "{% for x in lst %}{% for y in lst %}{{ loop.index }}{{ x }}{{ y }} {% endfor %}{{ loop.index }}|{% endfor %}",
    "{% for x in lst %}{% set outer = loop %}{% for y in 'ab' %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    "{% for x in range(5) %}{% if x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in range(5) %}{% if x == 3 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in range(5) %}{% for y in range(5) %}{% if y == 2 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}"
    "{% endfor %}",
    "{% for x in lst %}{% break %}{% else %}e{% endfor %}",
    "{% break %}",
    "{% for x in lst %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "{% for x in lst recursive %}{{ x }}{% endfor %}",
    "{% for x in [1, [2, [3, 4]], 5] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}"
    "{{ x }}@{{ loop.depth }}{% endif %} {% endfor %}",
    "{% for x in lst %}{{ loop(lst) }}{% endfor %}",
    "{% set x = 1 %}{% for y in lst %}{% set x = x + y %}{{ x }} {% endfor %}{{ x }}",
    "{% for y in lst %}{% set z = y %}{% endfor %}{{ z is defined }}",
    "{% set ns = namespace(n=0, s='') %}{% for y in lst %}{% set ns.n = ns.n + y %}{% set ns.s = ns.s ~ y %}"
    "{% endfor %}{{ ns.n }}{{ ns.s }}",
    "{% set ns = namespace() %}{% set ns.a = [1] %}{{ ns.a }}{{ ns.b is defined }}{{ ns }}",
    "{% set d.x = 1 %}",
    "{% set q.x = 1 %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set a, b = [1, 2] %}{{ a }}{{ b }}",
    "{% set a, b = [1] %}",
    "{% set (a, b) = (1, 2) %}{{ a + b }}",
    "{% set a = 1, 2 %}{{ a }}",
    "{% set a = b = 1 %}",
    "{% set 1 = 2 %}",
    "{% set true = 2 %}",
    "{% set a %}x{{ i }}y{% endset %}[{{ a }}]",
    "{% set a | upper | trim %} x{{ s }} {% endset %}[{{ a }}]",
    "{% set a %}{% set b = 1 %}{% endset %}{{ b is defined }}",
    "{% set ns = namespace() %}{% set ns.b %}q{{ 1 }}{% endset %}{{ ns.b }}",
    "{% if t %}{% set a = 1 %}{% endif %}{{ a }}",
    "{% if no %}{% set i = 1 %}{% endif %}{{ i }}",
    "{% if t %}{% set i = 1 %}{% endif %}{{ i }}",
    "{% for x in lst %}{% if loop.first %}{% set i = 100 %}{% endif %}{{ i }} {% endfor %}{{ i }}",
    "{% set loop = 5 %}{{ loop }}{% for x in lst %}{{ loop.index }}{% endfor %}",
    "{% with a = 1, b = i %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}",
    "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q is defined }}",
    "{% with a = 1 %}{% with a = a + 1 %}{{ a }}{% endwith %}{{ a }}{% endwith %}",
    "{% macro m(a, b=2) %}{{ a }}-{{ b }};{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=4, a=5) }}{{ m() }}",
    "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}",
    "{% macro m(a) %}{{ a }}|{{ varargs | join(',') }}{% endmacro %}{{ m(1, 2, 3) }}",
    "{% macro m(a=1, b) %}{% endmacro %}",
    "{% macro m() %}{{ i }}{{ late }}{% endmacro %}{% set late = 9 %}{{ m() }}",
    "{% macro m() %}{% set i = 99 %}{{ i }}{% endmacro %}{{ m() }}{{ i }}",
    "{% macro m(n) %}{{ n }}{% if n > 0 %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}",
    "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}x{{ i }}{% endcall %}",
    "{% macro m() %}[{{ caller(1, 2) }}]{% endmacro %}{% call(a, b) m() %}{{ a + b }}{% endcall %}",
    "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}",
    "{% macro m() %}{{ caller is defined }}{% if caller %}{{ caller() }}{% endif %}{% endmacro %}{{ m() }}"
    "{% call m() %}y{% endcall %}",
    "{% call i %}{% endcall %}",
    "{% macro m(x) %}{{ x }}{% endmacro %}{{ m }}{{ m.name }}",
    "{% macro m(x) %} {{ x }} {% endmacro %}{{ m('a') | trim }}{{ m('b') ~ m('c') }}{{ m(1) | length }}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}",
    "{% for x in lst %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}",
    "{% macro m(d) %}{% for k, v in d.items() %}{{ k }}:{% if v is mapping %}{ {{- m(v) -}} }{% else %}{{ v }}"
    "{% endif %} {% endfor %}{% endmacro %}{{ m(d) }}",
    "{{ m() }}{% macro m() %}x{% endmacro %}",
    "{% filter upper %}a{{ s }}{% endfilter %}",
    "{% filter replace('a', 'b') | upper %}aXa{% set zz = 1 %}{% endfilter %}{{ zz is defined }}",
    "{% filter nosuch %}a{% endfilter %}",
    "{% generation %}a{{ i }}{% endgeneration %}b",
    "{% generation %}{% set q = 1 %}{% endgeneration %}{{ q is defined }}",
    "x\n{% generation %}\na\n{% endgeneration %}\ny",
    "{% print 1 %}{% print 1, 2 %}",
    "{% block a %}x{{ i }}{% endblock %}{% block b %}{% endblock b %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{% set x = lst | map('abs') %}{{ x | list }}{{ x | list }}",
    "{% set x = lst | select %}{{ 1 in x }}{{ x | list }}",
    "{% set x = lst | select %}{{ x | first }}{{ x | first }}{{ x | join }}",
    "{% set x = lst | map('abs') %}{% if x %}y{% endif %}{% for a in x %}{{ a }}{{ loop.last }}{% endfor %}",
    "{% set c = cycler(1, 2, 3) %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}",
    "{% set j = joiner(', ') %}{% for x in lst %}{{ j() }}{{ x }}{% endfor %}",
    "{% set range = 5 %}{{ range }}",
    "{% set x = namespace(**{'a': 1}) %}{{ x.a }}",
    "{{ x }}{% set x = 1 %}{{ x }}",
    "{{ i }}{% set i = i + 1 %}{{ i }}",
    "line1\n{{ undefined_name.x }}",
    "{{ (messages or [{'role': 'x'}])[0]['role'] }}",
    "{{ 'a' 'b' ~ 'c' }}",
    "{{ {'a': {'b': 1}} }}",
    "{{ {'a': {'b': 1}}.a.b }}",
    "{{ [{'x': 1}, {'x': 2}] | map(attribute='x') | sum }}",
    "{{ 1, 2 }}",
    "{{ 1 if t else 2, 3 }}",
    "{{ (1, 2) | join }}",
    "{% set ns = namespace(found=false) %}{% for x in lst if not ns.found %}{{ x }}{% set ns.found = true %}{% endfor %}",
    "{% set ns = namespace(x=[]) %}{% for y in lst %}{% set ns.x = ns.x + [y] %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(a=1) %}{% macro m() %}{% set ns.a = 2 %}{% endmacro %}{{ m() }}{{ ns.a }}",
    "{% for u in users %}{% set name = u.name %}{{ name }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for u in users if u.on is defined and u.on %}{{ u['name'] }}{{ '' if loop.last else ';' }}{% endfor %}",
]

CHATS = [
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}",
    "{% for m in messages[:3] %}\n<|{{ m.role }}|>\n{{ m.content | trim }}{{ eos_token }}\n{% endfor %}\n"
    "{% if add_generation_prompt %}\n<|assistant|>\n{% endif %}",
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set sys = messages[0]['content'] %}"
    "{% set messages = messages[1:] %}"
    "{% else %}{% set sys = '' %}{% endif %}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{{ m.role }}{% endfor %}{{ sys }}",
    "{%- for m in messages -%}\n  {%- if m.content is string -%}\n    {{ m.content }}\n  {%- else -%}\n    {%- for p "
    "in m.content -%}\n"
    "      {%- if p.type == 'text' -%}\n        {{ p.text | e }}\n      {%- elif p.type == 'image' -%}<img>{%- endif -%}\n"
    "    {%- endfor -%}\n  {%- endif -%}\n{%- endfor -%}",
    "{% for m in messages if m.tool_calls %}{% for c in m.tool_calls %}{% set c = c.function %}<tool_call>\n"
    "{{ {'name': c.name, 'arguments': c.arguments} | tojson }}\n</tool_call>{% endfor %}{% endfor %}",
    "{% for t in tools %}{{ t | tojson }}\n{{ t | tojson(indent=4) }}\n{% endfor %}",
    "{% macro kind(p) %}{% if p.enum %}{{ p.enum | join(' | ') }}{% elif p.type is string %}{{ p.type }}{% else %}"
    "{{ p.type | join('/') }}{% endif %}{% endmacro %}{% for t in tools %}"
    "{% for n, p in t.function.parameters.properties.items() %}"
    "{{ n }}{{ '?' if n not in t.function.parameters.required }}: {{ kind(p) }}{{ ', ' if not loop.last }}{% endfor %}"
    "{% endfor %}",
    "{% set ns = namespace(last=-1) %}{% for m in messages[::-1] %}{% set index = (messages | length - 1) - loop.index0 %}"
    "{% if ns.last < 0 and m.role == 'user' and m.content is string and not (m.content.startswith('<t>')) %}"
    "{% set ns.last = index %}{% endif %}{% endfor %}{{ ns.last }}",
    "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}"
    "{% else %}{{ m.content | string | trim }}{% endif %}{% endfor %}",
    "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('|') }}",
    "{{ messages | rejectattr('role', 'in', ['user', 'tool']) | list | length }}",
    "{% if tools is defined and tools is not none and tools | length > 0 %}"
    "{{ tools | map(attribute='function.name') | list }}{% endif %}",
    "{{ messages[-1]['content'] == '' and not messages[-1].content }}"
    "{{ messages[2].reasoning_content.split('\\n')[-1].lstrip('h') }}",
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}",
    "{%- if messages[0]['role'] != 'user' %}{{- raise_exception('first ' ~ messages[0].role) }}{%- endif %}",
    "Today Date: {{ strftime_now('%d %b %Y') }}{{ date_string | default('26 Jul 2024') }}",
]

# What random templates are made of.
ATOMS = ["i", "neg", "zero", "f", "whole", "t", "no", "nil", "s", "empty", "uni", "num", "lst", "words", "mix", "d", "nodict",
         "nolist", "nope", "users", "1", "0", "2.5", "'ab'", "''", "'A b'", "none", "true", "[1, 2]", "(1, 'x')", "{'k': 1}",
         "d.a", "d.n.deep", "users[0]", "users[0].name", "lst[0]", "s[1:4]", "d['b']", "range(3)"]
FILTERS = ["upper", "lower", "length", "string", "list", "first", "last", "join", "join(', ')", "tojson", "trim", "title",
           "capitalize",
           "default('D')", "default('D', true)", "int", "float", "abs", "sort", "reverse", "reverse | list", "unique "
           "| list", "min", "max",
           "sum", "replace('a', 'b')", "e", "round", "round(1)", "dictsort", "map('string') | list", "select | list",
           "map(attribute='name') | list", "selectattr('on') | list", "items | list", "batch(2) | list", "slice(2) | "
           "list", "center(7)",
           "tojson(indent=1)", "tojson(sort_keys=true)", "indent(1)", "truncate(4, true, '.', 0)", "wordcount", "count"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "sequence", "iterable",
         "true", "false", "odd", "even", "lower", "upper", "callable", "divisibleby 2", "eq 1", "in [1, 'ab']", "sameas none",
         "gt 1"]
METHODS = [".upper()", ".strip()", ".split()", ".split('b')", ".startswith('a')", ".items() | list", ".get('k')",
           ".get('a', 0)", ".keys() | list", ".count('a')", ".title()", ".replace('b', 'x')", ".find('b')", ".index(1)", "[0]",
           "[-1]", "[1:]", "[::-1]", "[:2]", "['k']", ".k", ".isalpha()", ".join(['p', 'q'])", ".append(1)", ".values() | list"]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or", "**"]


def expression(rng, depth):
    kind = rng.randrange(9) if depth > 0 else 0
    inner = lambda: expression(rng, depth - 1)
    if kind <= 1:
        return rng.choice(ATOMS)
    if kind == 2:
        return f"{inner()} | {rng.choice(FILTERS)}"
    if kind == 3:
        return f"({inner()}) | {rng.choice(FILTERS)}"
    if kind == 4:
        return f"({inner()}){rng.choice(METHODS)}"
    if kind == 5:
        return f"{inner()} {rng.choice(BINARY)} {inner()}"
    if kind == 6:
        return f"{inner()} is {rng.choice(['', 'not '])}{rng.choice(TESTS)}"
    if kind == 7:
        return f"({inner()} if {inner()} else {inner()})"
    return rng.choice(["not ", "-", ""]) + rng.choice([f"[{inner()}, {inner()}]", f"({inner()})", f"{{'a': {inner()}}}"])


def tag(rng, text):
    return "{%" + rng.choice(["", "", "", "-", "+"]) + f" {text} " + rng.choice(["", "", "", "-", "+"]) + "%}"


def blank(rng):
    return rng.choice(["", "", " ", "\n", "\n  ", " \n", "x", "a b", "\n\n"])


def body(rng, depth):
    return "".join(blank(rng) + statement(rng, depth) for _ in range(rng.randrange(1, 4))) + blank(rng)


def statement(rng, depth):
    kind = rng.randrange(10) if depth > 0 else 0
    simple = lambda: expression(rng, 1)
    if kind <= 2:
        return rng.choice(["{{ ", "{{- "]) + f"{rng.choice(['v', 'w', simple(), simple()])}" + rng.choice([" }}", " -}}"])
    if kind == 3:
        return tag(rng, f"set {rng.choice('vw')} = {simple()}")
    if kind == 4:
        return tag(rng, f"set {rng.choice('vw')}") + body(rng, depth - 1) + tag(rng, "endset")
    if kind == 5:
        middle = tag(rng, f"elif {simple()}") + body(rng, depth - 1) if rng.randrange(2) else ""
        middle += tag(rng, "else") + body(rng, depth - 1) if rng.randrange(2) else ""
        return tag(rng, f"if {simple()}") + body(rng, depth - 1) + middle + tag(rng, "endif")
    if kind in (6, 7):
        source = rng.choice(["lst", "words", "users", "d", "range(3)", "mix", "s", "nolist", "nope", "d.items()"])
        when = rng.choice(["", "", f" if {rng.choice(['v', 'w', simple()])}"])
        inside = body(rng, depth - 1)
        inside += rng.choice(["", "{{ loop.index }}", "{{ loop.last }}", "{% if loop.index > 1 %}{% break %}{% endif %}",
                              "{% if loop.first %}{% continue %}{% endif %}", "{{ v }}"])
        other = tag(rng, "else") + body(rng, depth - 1) if rng.randrange(3) == 0 else ""
        return tag(rng, f"for {rng.choice('vw')} in {source}{when}") + inside + other + tag(rng, "endfor")
    if kind == 8:
        return tag(rng, "macro m(v, w=1)") + body(rng, depth - 1) + tag(rng, "endmacro") + "{{ m(" + simple() + ") }}"
    return tag(rng, "filter upper") + body(rng, depth - 1) + tag(rng, "endfilter")


def result(env, template, context):
    """jinja2's text, or None; and whether it is one that says where an object lies in memory."""
    try:
        text = env.from_string(template).render(**json.loads(json.dumps(context)))
    except Exception:  # noqa: BLE001 - whatever it is, the template fails
        return None, False
    return text, " at 0x" in text or "built-in method" in text or "<class" in text


def small(text):
    return text is None or len(text) < 700


def cases():
    env = environment(lambda: NOW)
    rng = random.Random(SEED)
    wanted = [("{{ " + e + " }}", "plain") for e in EXPRESSIONS]
    wanted += [(t, "plain") for t in TEMPLATES] + [(t, "chat") for t in CHATS] + [(t, "empty") for t in CHATS]
    for n in range(N_RANDOM):
        wanted.append(("{{ " + expression(rng, 3) + " }}" if n % 2 else body(rng, 3), "plain"))
    contexts = {"plain": PLAIN, "chat": CHAT, "empty": EMPTY}
    made = []
    for template, name in wanted:
        text, placed = result(env, template, contexts[name])
        if not placed and small(text):
            made.append([template, name, text])
    return {"jinja2": jinja2.__version__, "seed": SEED, "contexts": contexts, "cases": made}


# ---- templates of others ----

def templates_below(folders):
    for folder in folders:
        for path, _, names in os.walk(folder):
            for name in sorted(names):
                full = os.path.join(path, name)
                if name.endswith(".jinja"):
                    with open(full, encoding="utf-8") as f:
                        yield full, f.read()
                elif name == "tokenizer_config.json":
                    with open(full, encoding="utf-8") as f:
                        found = json.load(f).get("chat_template")
                    for entry in found if isinstance(found, list) else [{"template": found}] if found else []:
                        yield full + ":" + entry.get("name", ""), entry["template"]


def conversations():
    s, u, a = ({"role": r, "content": c} for r, c in (("system", "SYS"), ("user", "U1"), ("assistant", "A1")))
    call = {"role": "assistant", "content": "", "tool_calls": [
        {"type": "function", "id": "call00001", "function": {"name": "look", "arguments": {"q": "é", "n": [1, 2.0]}}}]}
    answer = {"role": "tool", "name": "look", "tool_call_id": "call00001", "content": "{\"r\": 1}"}
    shapes = [[s, u, a, dict(u, content=" U2\n"), dict(a, content="A2 ")], [u, a], [u], [s, u], [u, call, answer, a], [],
              [u, dict(a, reasoning_content="R"), u], [u, dict(a, content="<think>\nt\n</think>\n\nx"), u, a],
              [{"role": "user", "content": [{"type": "text", "text": "P"}, {"type": "image"}]}, a], [a, u], [s, s, u]]
    for messages in shapes:
        for extra in ({}, {"add_generation_prompt": True}, {"tools": CHAT["tools"]},
                      {"enable_thinking": False, "add_generation_prompt": True}):
            yield {"messages": messages, "bos_token": "<BOS>", "eos_token": "<EOS>", **extra}


def compare(program, folders):
    env = environment(lambda: datetime.now(timezone.utc))
    total, differ = 0, 0
    with tempfile.TemporaryDirectory() as tmp:
        template_file, context_file = os.path.join(tmp, "t.jinja"), os.path.join(tmp, "c.json")
        for name, template in templates_below(folders):
            with open(template_file, "w", encoding="utf-8", newline="") as f:
                f.write(template)
            for context in conversations():
                want, _ = result(env, template, context)
                with open(context_file, "w", encoding="utf-8") as f:
                    json.dump(context, f)
                ran = subprocess.run([program, "render", "--template", template_file, "--context", context_file],
                                     capture_output=True, check=False)
                got = ran.stdout.decode("utf-8") if ran.returncode == 0 else None
                total += 1
                if got != want:
                    differ += 1
                    print(f"{name}: {json.dumps(context)[:150]}\n  jinja2 {want!r}\n  axl    {got!r} {ran.stderr.decode()}")
    print(f"{total} renderings, {differ} differ")
    return differ > 0


def main():
    if sys.argv[1:2] == ["--compare"]:
        sys.exit(compare(sys.argv[2], sys.argv[3:]))
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "jinja.json")
    made = cases()
    lines = ",\n".join(json.dumps(c, ensure_ascii=False) for c in made.pop("cases"))
    with open(out, "w", encoding="utf-8") as f:
        f.write(json.dumps(made, ensure_ascii=False)[:-1] + ', "cases": [\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
