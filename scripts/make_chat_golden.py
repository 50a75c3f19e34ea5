#!/usr/bin/env python3
"""Writes frugal/formats/chat_template/tests/golden: chat templates rendered by transformers' own Jinja environment.

  chat.json      {"templates": {name: source}, "variables": [...], "cases": [[template, variables, output or null]]}
                 null: the reference refuses (raise_exception)
  snippets.json  [[source, output or null]] with the same variables for all: the constructs one by one
"""
import json
import os
import sys

import jinja2
import transformers
from transformers.utils.chat_template_utils import _compile_jinja_template

OUT = os.path.join(os.path.dirname(__file__), "..", "frugal", "formats", "chat_template", "tests", "golden")

TEMPLATES = {
    "smollm2": """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}""",
    "chatml": """{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    "llama3": """{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>

'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>

' }}{% endif %}""",
    "llama3.1": """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message comes first. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none and not tools_in_user_message %}
    {{- "You have access to the following functions.\\n\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "qwen2.5": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.' }}
    {%- endif %}
    {{- "\\n\\n# Tools\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
""",
    "mistral": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages if message.role in ["user", "assistant"] %}
    {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
        {{- raise_exception("After the optional system message, conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif %}
    {%- set ns.index = ns.index + 1 %}
{%- endfor %}

{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}
    {%- endif %}
{%- endfor %}
""",
    "gemma": """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '
' + message['content'] | trim + '<end_of_turn>
' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model
'}}{% endif %}""",
    "zephyr": """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>
'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
    "phi3": """{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>
' + message['content'] + '<|end|>
'}}{% elif message['role'] == 'user' %}{{'<|user|>
' + message['content'] + '<|end|>
'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>
' + message['content'] + '<|end|>
'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>
' }}{% else %}{{ eos_token }}{% endif %}""",
}


def said(*turns):
    return [{"role": role, "content": content} for role, content in turns]


CONVERSATIONS = [
    said(("user", "Hello!")),
    said(("system", "  Be brief. "), ("user", "Hi\nthere ")),
    said(("user", "1+1?"), ("assistant", " 2 "), ("user", "Wirklich? 😀 \"<b>\" 日本")),
    said(("system", "S"), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")),
    said(("user", "a"), ("user", "b")),
    said(("assistant", "a"), ("user", "b")),
    said(("user", ""), ("system", "late")),
]
TOOL = {"type": "function", "function": {"name": "weather", "description": "It's the \"weather\" <now> é",
                                         "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "n": [1, 2.5, None, True, []]}}}
TOOLED = [
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Köln", "days": 2}}}]},
    {"role": "tool", "content": "{\"t\": 21}"}, {"role": "tool", "content": "ok"}, {"role": "assistant", "content": "21"},
]

VARIABLES = {
    "messages": CONVERSATIONS[3], "one": 1, "big": 9007199254740993, "half": 0.5, "tiny": 1e-7, "huge": 1e22, "whole": 3.0, "yes": True, "no": False, "nothing": None,
    "text": "Hello, Wörld", "padded": " \t a b \n", "empty": "", "numbers": [3, 1, 2], "words": ["b", "A", "c"], "nested": {"a": {"b": [1, {"c": "d"}]}},
    "person": {"name": "Ann", "age": 5, "tags": ["x", "y"]}, "people": [{"name": "A", "age": 1, "ok": True}, {"name": "B", "age": 2}, {"name": "C", "age": 3, "ok": False}],
    "quotes": "it's \"q\" \\ \n\t\u0001\u007f é", "tool": TOOL, "none_list": [],
}

SNIPPETS = r"""
{{ text }}|{{ one }}|{{ half }}|{{ tiny }}|{{ huge }}|{{ whole }}|{{ yes }}|{{ no }}|{{ nothing }}|{{ missing }}|{{ big }}
{{ numbers }}|{{ words }}|{{ nested }}|{{ person }}|{{ none_list }}|{{ {} }}|{{ [quotes] }}|{{ ["a'b", 'a"b', nothing, yes, 1.5] }}
{{ "a\nb\t\\ \x41\u00e9 \q \'" }}|{{ 'it''s' }}|{{ "a" "b" }}
{{ 1 + 2 * 3 - 4 }}|{{ (1 + 2) * 3 }}|{{ 7 / 2 }}|{{ 4 / 2 }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ -7 % 3 }}|{{ 7 % -3 }}|{{ 7.5 // 2 }}|{{ -7.5 % 2 }}|{{ 1_000 }}|{{ 1e3 }}|{{ 2.50 }}
{{ -one }}|{{ +one }}|{{ - one + 2 }}|{{ not yes }}|{{ not no and yes }}|{{ 2 - -1 }}|{{ yes + 1 }}|{{ -half|abs }}|{{ -2|abs }}
{{ 1 ~ 2 ~ "x" ~ none ~ true ~ 1.0 }}|{{ "a" * 3 }}|{{ 3 * "ab" }}|{{ [1] * 2 }}|{{ "a" * -1 }}|{{ [1] + [2, [3]] }}
{{ 1 < 2 }}|{{ 1 < 2 < 3 }}|{{ 1 < 2 > 3 }}|{{ 1 == 1.0 }}|{{ 1 == true }}|{{ "a" == "a" }}|{{ "a" != "b" }}|{{ "a" < "b" }}|{{ [1,2] == [1,2] }}|{{ {"a": 1} == {"a": 1.0} }}|{{ none == none }}|{{ missing == none }}|{{ 1 == "1" }}
{{ "ell" in text }}|{{ "x" in text }}|{{ "x" not in text }}|{{ 1 in numbers }}|{{ "name" in person }}|{{ "zzz" in person }}|{{ "a" in missing }}|{{ 9 not in numbers }}|{{ not 1 in numbers }}|{{ 1 in (1, 2) }}
{{ yes and no }}|{{ yes or no }}|{{ empty or "default" }}|{{ nothing and missing.x }}|{{ 0 or none }}|{{ "a" and "b" }}|{{ [] or {} }}
{{ "a" if yes else "b" }}|{{ "a" if no else "b" }}|{{ "a" if no }}|{{ "a" if no else "b" if no else "c" }}|{{ ("x" if yes else "y") ~ "z" }}
{{ person.name }}|{{ person["name"] }}|{{ person['tags'][0] }}|{{ person.tags[-1] }}|{{ person.tags[5] }}|{{ person.zip }}|{{ nested.a.b[1].c }}|{{ numbers.0 }}|{{ text[0] }}{{ text[-1] }}{{ text[8] }}|{{ person[1] }}
{{ numbers[1:] }}|{{ numbers[:1] }}|{{ numbers[::-1] }}|{{ numbers[-2:] }}|{{ text[1:4] }}|{{ text[::-1] }}|{{ text[::2] }}|{{ numbers[5:] }}|{{ numbers[:-1] }}|{{ text[-3:-1] }}|{{ numbers[2:0:-1] }}|{{ text[:] }}|{{ numbers[none:2] }}
{{ padded|trim }}|{{ text|upper }}|{{ text|lower }}|{{ "hello wORLD it's-a (test)"|title }}|{{ "hELLO"|capitalize }}|{{ "ÄÖ ß é"|lower }}|{{ "äö é"|upper }}|{{ "xxaxx"|trim("x") }}|{{ 5|trim }}|{{ missing|trim }}
{{ text|length }}|{{ numbers|length }}|{{ person|count }}|{{ missing|length }}|{{ empty|length }}|{{ "é😀"|length }}
{{ words|join }}|{{ words|join(", ") }}|{{ numbers|join("-") }}|{{ people|join(",", attribute="name") }}|{{ "abc"|join(".") }}|{{ none_list|join(",") }}|{{ [1, none, true]|join(" ") }}
{{ person|tojson }}|{{ quotes|tojson }}|{{ half|tojson }}|{{ nothing|tojson }}|{{ yes|tojson }}|{{ "<a href='x'>&"|tojson }}|{{ [1, "a", [], {}]|tojson }}|{{ 1.0|tojson }}|{{ tiny|tojson }}|{{ huge|tojson }}
{{ tool|tojson(indent=2) }}|{{ none_list|tojson(indent=4) }}|{{ [[1],{"a":[]}]|tojson(indent=1) }}|{{ numbers|tojson(indent=0) }}|{{ person|tojson(ensure_ascii=False) }}|{{ 1|tojson(indent=none) }}
{{ missing|default("d") }}|{{ nothing|default("d") }}|{{ nothing|default("d", true) }}|{{ empty|default("d", boolean=true) }}|{{ missing|default }}|{{ missing|d(3) }}|{{ person.x|default("e") }}
{{ missing.x|default("never") }}
{{ "aXbXc"|replace("X", "-") }}|{{ "aXbXc"|replace("X", "-", 1) }}|{{ "abc"|replace("", ".") }}|{{ 121|replace("1", "3") }}
{{ people|selectattr("ok")|map(attribute="name")|list }}|{{ people|rejectattr("ok")|map(attribute="name")|list }}|{{ people|selectattr("age", "gt", 1)|map(attribute="name")|join }}|{{ people|selectattr("name", "equalto", "B")|list|length }}|{{ people|selectattr("ok", "defined")|list|length }}|{{ messages|selectattr("role", "in", ["user", "system"])|map(attribute="content")|join("+") }}
{{ words|map("upper")|join }}|{{ words|map("replace", "A", "Z")|list }}|{{ people|map(attribute="ok", default="?")|list }}|{{ [" a ", "b "]|map("trim")|join("|") }}|{{ [1,2,3,4]|select("odd")|list }}|{{ [1,2,3,4]|reject("divisibleby", 3)|list }}|{{ ["", "a", none]|select|list }}
{{ numbers|first }}|{{ numbers|last }}|{{ text|first }}|{{ none_list|first }}|{{ "abc"|list }}|{{ person|list }}|{{ numbers|reverse|list }}|{{ "abc"|reverse }}|{{ (messages|last).content }}|{{ messages|map(attribute="role")|first }}
{{ 12|string + "x" }}|{{ "12"|int + 1 }}|{{ " 7 "|int }}|{{ "x"|int }}|{{ "x"|int(5) }}|{{ "3.7"|int }}|{{ 3.9|int }}|{{ "1.5"|float }}|{{ "x"|float }}|{{ true|int }}|{{ none|string }}|{{ -3|abs }}
{% for k, v in person|items %}{{ k }}={{ v }};{% endfor %}{% for k, v in person.items() %}{{ k }}={{ v }};{% endfor %}{% for k in person %}{{ k }}{% endfor %}{{ person.keys()|list }}{{ person.values()|list }}
{{ missing is defined }}|{{ one is defined }}|{{ missing is undefined }}|{{ one is not defined }}|{{ nothing is none }}|{{ nothing is defined }}|{{ text is string }}|{{ one is string }}|{{ person is mapping }}|{{ numbers is mapping }}|{{ numbers is iterable }}|{{ one is iterable }}|{{ text is sequence }}|{{ person is sequence }}|{{ one is sequence }}
{{ one is number }}|{{ yes is number }}|{{ half is number }}|{{ yes is true }}|{{ one is true }}|{{ no is false }}|{{ yes is boolean }}|{{ one is integer }}|{{ yes is integer }}|{{ half is float }}|{{ one is odd }}|{{ 2 is even }}|{{ 9 is divisibleby 3 }}|{{ 9 is divisibleby(2) }}|{{ 1 is in [1, 2] }}|{{ 1 is not in [1, 2] }}|{{ 1 is eq 1 }}|{{ not missing is defined }}
{{ "  a ".strip() }}|{{ "  a ".lstrip() }}|{{ "  a ".rstrip() }}|{{ "xya".strip("xy") }}|{{ "a,b,c".split(",") }}|{{ " a  b ".split() }}|{{ "a,b,c".split(",", 1) }}|{{ "a b c".split(maxsplit=1) }}|{{ "</think>x</think>y".split("</think>")[-1].lstrip("\n") }}|{{ "".split(",") }}|{{ "".split() }}
{{ text.startswith("Hello") }}|{{ text.endswith("x") }}|{{ text.endswith(("x", "d")) }}|{{ text.upper() }}|{{ text.lower() }}|{{ "they're bill's".title() }}|{{ "hELLO".capitalize() }}|{{ text.replace("l", "L") }}|{{ text.replace("l", "L", 1) }}|{{ ", ".join(words) }}|{{ text.find("W") }}|{{ text.find("q") }}|{{ text.count("l") }}|{{ "a\nb\r\nc\n".splitlines() }}|{{ "prefix".removeprefix("pre") }}|{{ "suffix".removesuffix("fix") }}
{{ person.get("name") }}|{{ person.get("zip") }}|{{ person.get("zip", "none") }}|{{ person.get("tags")[0] }}
{% for i in range(3) %}{{ i }}{% endfor %}|{% for i in range(1, 7, 2) %}{{ i }}{% endfor %}|{{ range(3, 0, -1)|list }}|{{ range(0)|list }}
{% for x in numbers %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}
{% for x in numbers if x > 1 %}{{ x }}{{ loop.index }}/{{ loop.length }};{% else %}none{% endfor %}{% for x in numbers if x > 9 %}{{ x }}{% else %}none{% endfor %}{% for x in missing %}{% else %}empty{% endfor %}{% for c in "añ" %}{{ c }}.{% endfor %}
{% for x in numbers %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}|{% for x in numbers %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}|{% for a in [1,2] %}{% for b in [1,2] %}{% if b == 2 %}{% break %}{% endif %}{{ a }}{{ b }}{% endfor %}{% endfor %}
{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }};{% endfor %}{% for (a, b) in [(1, 2)] %}{{ a + b }}{% endfor %}{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t[1] }}
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}{% if yes %}{% set x = 9 %}{% endif %}{{ x }}
{% set ns = namespace(n=0, s="") %}{% for i in numbers %}{% set ns.n = ns.n + i %}{% set ns.s = ns.s ~ i %}{% endfor %}{{ ns.n }}{{ ns.s }}{{ ns.missing }}
{% set block %}a{{ one }}b{% if yes %}c{% endif %}{% endset %}[{{ block }}]{% set t | trim | upper %}  pad  {% endset %}[{{ t }}]
{% macro m(a, b=2, c="x") %}<{{ a }}{{ b }}{{ c }}{{ outer }}>{% endmacro %}{% set outer = "o" %}{{ m(1) }}{{ m(1, 3) }}{{ m(1, c="z") }}{{ m() }}{{ m(b=1, a=2)|upper }}
{% macro fact(n) %}{% if n > 1 %}{{ n }}*{{ fact(n - 1) }}{% else %}1{% endif %}{% endmacro %}{{ fact(5) }}
{% macro m(x) %}{{ x }}{% set y = 5 %}{% endmacro %}{{ m("a") ~ m("b") }}{{ y }}{{ m is defined }}{{ range is defined }}{{ strftime_now is defined }}{{ nope is defined }}
{% generation %}a{{ one }}{% endgeneration %}|{% raw %}{{ x }} {% if %}{% endraw %}|{# comment {{ x }} #}|
a {%- if yes -%} b {%- endif -%} c {{- one -}} d {#- x -#} e
a {%+ if yes %} b {%+ endif %} c
{{ strftime_now("%Y")|length }}{{ strftime_now("") }}{{ dict(a=1, b="x") }}
{{ {"a": 1, "b": {"c": [1, 2]}}["b"].c[1] }}{{ {"a": 1}.a }}{{ [1, 2, 3,][1] }}{{ (1,)|length }}{{ ()|length }}{{ {"x": 1, "x": 2} }}
{{ "%s" if no else "%" }}{{ "}}" }}{{ "{%" }}{{ '{{' }}{{ {"a":{"b":1}} }}
{{ messages[0].content if messages[0].role == "system" else "none" }}{{ messages[1:]|length }}{{ messages[-1]["content"] }}{{ (messages|length) % 2 == 0 }}
{% if no %}a{% elif nothing %}b{% elif one == 1 and not no %}c{% else %}d{% endif %}{% if missing %}e{% endif %}{% if none_list %}f{% elif person %}g{% endif %}
{{ 1 if missing is defined and missing.x else 2 }}{{ yes is true and no is false }}{{ "a" is string and one is number or nope }}{{ one + 1 is number }}
{{ missing.x }}
{{ missing + "x" }}
{{ "x" + missing }}
{{ "x" + 1 }}
{{ none + 1 }}
{{ missing() }}
{{ one() }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1 % 0 }}
{{ "a" < 1 }}
{{ 1 in 2 }}
{{ 1|nosuchfilter }}
{{ 1 is nosuchtest }}
{{ raise_exception("stop") }}
{{ [1,2,3].append(4) }}
{% for x in 5 %}{% endfor %}
{% for x in none %}{% endfor %}
{% for a, b in [[1]] %}{% endfor %}
{% set x.y = 1 %}
{% if %}a{% endif %}
{% if yes %}a
{% endif %}
{% for x in numbers %}{% endif %}
{% nosuchtag %}
{{ one
{{ one }
{{ (one }}
{{ one) }}
{{ "open }}
{# open
{{ missing|tojson }}
{{ range(100001)|list|length }}
{{ 1|length }}
{{ -text }}
{% break %}
{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{% endmacro %}{{ m(z=2) }}
{{ text.nosuchmethod() }}
""".strip("\n").split("\n")
SNIPPETS += [
    "  {% if yes %}\n  a\n  {% endif %}\n  b\n",
    "x {% if yes %}\n  a\n  {% endif %} \nb\n\n",
    "{% for x in numbers %}\n  {{ x }}\n{% endfor %}\nend",
    "{% for x in numbers %}\n  {%- if x > 1 %}\n    {{- x }}\n  {%- endif %}\n{%- endfor %}\nend\n",
    "  {# note #}\na\n  {#- note -#}\n b",
    "\n\n{%- set a = 1 -%}\n\n{{ a }}\n\n{{- a -}}\n\n.",
    "a\r\nb\rc\r\n", "{{ 'a\r\nb' }}", "   {{ one }}   \n   {{ one }}\n",
    "{% if yes +%}\na{% endif %}\n\n{% if yes -%}\n\n a{% endif %}\n",
    "\t{% if yes %}a{% endif %}\n\t {% if yes %}b{% endif %}{% if yes %}c{% endif %}",
    "{{ one }} {% if yes %}a{% endif %}\n", "a\n{% raw %}\n  {% x %}\n{% endraw %}\nb", "{%-raw-%} a {%-endraw-%} b",
    "{% set x = 1 %}\n{% set y = 2 %}\n{{ x + y }}\n", "{%\nif\nyes\n%}a{%endif%}", "", "\n", "\n\n", "plain", "{ { } % } { # }", "{{ '\n' }}\n",
    "{% macro f(x) %}\n  [{{ x }}]\n{% endmacro %}\n{{ f(1) }}\n{{ f(2) -}}\n",
    "{%- for message in messages %}\n    {%- if message.role == 'user' %}\n        {{- 'U: ' + message.content + '\\n' }}\n    {%- else %}\n        {{- 'O: ' ~ message.content ~ '\\n' }}\n    {%- endif %}\n{%- endfor %}\n",
    "{{ ' \u00a0\u3000a\u2003 '.strip() }}|{{ '\u00a0x'|trim }}|{{ 'a\u3000b c'.split() }}",
]


def render(source, variables):
    try:
        return _compile_jinja_template(source).render(**variables)
    except (jinja2.TemplateError, TypeError, ZeroDivisionError, ValueError, OverflowError, AttributeError, SyntaxError):
        return None


def write(name, value):
    path = os.path.join(OUT, name)
    header = {"written_by": "scripts/make_chat_golden.py", "reference": f"transformers {transformers.__version__}, jinja2 {jinja2.__version__}"}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(header | value, f, ensure_ascii=True, separators=(",", ":"))
        f.write("\n")
    print(name, os.path.getsize(path), file=sys.stderr)


def main():
    os.makedirs(OUT, exist_ok=True)
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "date_string": "26 Jul 2024"}
    variables = [{"messages": c, "add_generation_prompt": g} | tokens for c in CONVERSATIONS for g in (False, True)]
    variables += [{"messages": TOOLED, "tools": [TOOL], "add_generation_prompt": True} | tokens | extra for extra in ({}, {"tools_in_user_message": False})]
    cases = [[name, i, render(source, v)] for name, source in TEMPLATES.items() for i, v in enumerate(variables)]
    write("chat.json", {"templates": TEMPLATES, "variables": variables, "cases": cases})
    write("snippets.json", {"variables": VARIABLES, "snippets": [[s, render(s, VARIABLES)] for s in SNIPPETS]})


if __name__ == "__main__":
    main()
