#!/usr/bin/env python3
"""Writes frugal/data/tests/golden/chat_masks.json: token ids and assistant masks of conversations with transformers.

The tokenizer is the small one of make_tokenizer_golden.py (small.json, pre-tokenizer "smollm"). The reference marks what
the model writes by {% generation %} in the template; the templates given to Frugal are the same without these marks.
"""
import json
import os

import tokenizers
import transformers
from tokenizers import pre_tokenizers
from transformers import PreTrainedTokenizerFast

ROOT = os.path.join(os.path.dirname(__file__), "..", "frugal")
SMALL = os.path.join(ROOT, "formats", "tokenizer", "tests", "golden", "small.json")
OUT = os.path.join(ROOT, "data", "tests", "golden", "chat_masks.json")

# {G} and {/G}: where the answer begins and ends.
TURN = """{% if message['role'] == 'assistant' %}{{ '<|im_start|>assistant
' }}{G}{{ message['content'] + '<|im_end|>' }}{/G}{{ '
' }}{% else %}{{ '<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
' }}{% endif %}"""
PROMPT = """{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""
TEMPLATES = {
    "smollm2": """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}""" + TURN + "{% endfor %}" + PROMPT,
    "trimmed": "{% for message in messages %}" + TURN.replace("message['content']", "message['content'] | trim") + "{% endfor %}" + PROMPT,
    "no_prompt": """{% for message in messages %}{% if message['role'] == 'assistant' %}{G}{{ ' ' + message['content'] + eos_token }}{/G}{% else %}"""
                 """{{ '[' + message['role'] + '] ' + message['content'] + ' [/]' }}{% endif %}{% endfor %}""",
}


def chat(*turns):
    return [{"role": role, "content": content} for role, content in turns]


CHATS = [
    chat(("user", "Hello"), ("assistant", "Hello, world!")),
    chat(("system", "Be brief."), ("user", "the café 😀?"), ("assistant", "12 + 30 = 42\n#### 42")),
    chat(("user", "user"), ("assistant", "user"), ("user", "assistant"), ("assistant", "assistant"), ("user", "|"), ("assistant", "|")),
    chat(("user", "a"), ("assistant", "a"), ("user", "a"), ("assistant", "aa"), ("user", "aa"), ("assistant", "a")),
    chat(("user", "<|im_start|>"), ("assistant", "<|im_end|"), ("user", "im_end"), ("assistant", "im_end|> and so on")),
    chat(("user", "x"), ("assistant", "def f(x):\n    return x + 1\n"), ("user", "?"), ("assistant", "今天是2024年1月31日。"), ("user", "left over")),
    chat(("system", "s"), ("user", "1"), ("user", "2"), ("assistant", "3"), ("assistant", "4")),
]


def main():
    with open(SMALL, encoding="utf-8") as f:
        tree = json.load(f)["tokenizer"]
    backend = tokenizers.Tokenizer.from_str(json.dumps(tree))
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<|im_start|>", eos_token="<|im_end|>")
    cases = []
    for name, source in TEMPLATES.items():
        marked = source.replace("{G}", "{% generation %}").replace("{/G}", "{% endgeneration %}")
        for i, messages in enumerate(CHATS):
            out = tokenizer.apply_chat_template(messages, chat_template=marked, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
            cases.append({"template": name, "chat": i, "ids": out["input_ids"], "mask": out["assistant_masks"]})
    plain = {name: source.replace("{G}", "").replace("{/G}", "") for name, source in TEMPLATES.items()}
    header = {"written_by": "scripts/make_chat_mask_golden.py", "reference": f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}"}
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    with open(OUT, "w", encoding="utf-8") as f:
        json.dump(header | {"templates": plain, "chats": CHATS, "cases": cases}, f, ensure_ascii=True, separators=(",", ":"))
        f.write("\n")
    print(os.path.getsize(OUT))


if __name__ == "__main__":
    main()
