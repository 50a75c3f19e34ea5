#!/usr/bin/env python3
"""Writes the reference encodings of frugal/formats/tokenizer/tests/golden with Hugging Face `tokenizers`.

Usage: make_tokenizer_golden.py [model.gguf]
  texts.json        the texts, shared by all encodings
  small.json        a small BPE trained here (all 256 bytes, 120 merges), without pre-tokenizer
  small_NAME.json   pre-tokenizer, normalizer and ids of each text: "ids" with special tokens parsed, "plain" where it
                    differs when they are not
  smaller_NAME.json the same where the tokenizer keeps what every third text needs: "kept", ids of the larger one
  smollm2.json      ids for the tokenizer in model.gguf (SmolLM2), when given, and smaller_smollm2.json
"""
import json
import os
import sys

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

OUT = os.path.join(os.path.dirname(__file__), "..", "frugal", "formats", "tokenizer", "tests", "golden")
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

TEXTS = [
    "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n ", "\n \n", "   \n", "a", " a", "a ", "  a  ", "Hello", "Hello world",
    "Hello, world!", " Hello world ", "hello  world", "hello   world\n", "The quick brown fox jumps over the lazy dog.",
    "I'm you're we'll they've he'd it's don't", "I'M YOU'RE WE'LL THEY'VE HE'D IT'S DON'T", "'s 't 're", "rock 'n' roll''s",
    "1", "12", "123", "1234", "12345678901234567890", " 1", " 12 34", "3.14159", "1,000,000.00", "0x1F", "1e-5", "x1y2z3",
    "²³¹", "½ ¼", "Ⅷ ⅷ", "٠١٢٣٤", "१२३", "①②③", "a1 b22 c333 d4444", "2024-01-31T12:00:00Z", "  42  ", "99%", "$5.00", "#1",
    "a\nb", "a\r\nb\r\nc", "a\rb", "a\n\n\nb", "a \n b", "\ta\t\tb", "a\u000bb\u000cc", "a\u00a0b", "a\u00a0 \u00a0b", "a\u2003b\u3000c",
    "a\u0085b", "a\u2028b\u2029c", "a\u180eb", "a\u200bb", "a\u200d\u200cb", "\ufeffBOM", "a\u001cb\u001fc", "a \u1680 b",
    "!!!", "...", "?!?!", "---", "a--b", "(a) [b] {c}", "<a href=\"b\">c</a>", "\"quoted\" 'single'", "`code`", "a/b\\c", "~!@#$%^&*()_+",
    "email@example.com", "https://example.com/a?b=c&d=e#f", "snake_case camelCase PascalCase SCREAMING", "__init__", "_a_", "a_b c",
    "def f(x):\n    return x + 1\n", "for (int i = 0; i < 10; ++i) {\n\tprintf(\"%d\\n\", i);\n}\n", "if x:\n        y\n    else:\n  z",
    "SELECT * FROM t WHERE a = 'b';", "{\"a\": [1, 2, {\"b\": null}]}", "    indented", "\n    \n        deep", "trailing   ", "a  \n  b  \n",
    "# Title\n\n- item 1\n- item 2\n\n```py\nx = 1\n```\n", "| a | b |\n|---|---|\n| 1 | 2 |", "\\frac{a}{b} $x^2$",
    "café", "cafe\u0301", "naïve façade", "Å Å A\u030a", "ﬁ ﬂ", "Straße", "İstanbul", "ǅ", "\u0301", "e\u0301\u0323", "\u1100\u1161\u11a8", "각",
    "Привет, мир!", "Γειά σου Κόσμε", "שלום עולם", "مرحبا بالعالم", "السَّلَامُ عَلَيْكُمْ", "नमस्ते दुनिया", "สวัสดีชาวโลก", "こんにちは世界", "カタカナ ひらがな",
    "你好,世界!", "今天是2024年1月31日。", "안녕하세요 세계", "Tiếng Việt có dấu", "Ελληνικά ’s", "it’s “smart” quotes—dash…", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "𐍈𐍉", "𠜎𠜱",
    "😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷🇩🇪", "a😀b", "😀😀😀", "❤️", "1️⃣", "→ ← ↑ ↓", "∑∫√π≈∞", "€£¥₿", "©®™", "\u00ad", "\u0000", "a\u0000b", "\u007f",
    "\ufffd", "\U0010ffff", "\u0378", "\ue000",
    "'ſ it'ſ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ababababab", "=" * 40, " " * 33, "\n" * 9,
    "<|im_start|>user\nHi<|im_end|>\n", "<|im_start|>", "a<|im_end|>b", "<|im_end|><|im_end|>", " <|im_start|> ", "<|im_start", "|im_start|>",
    "<<|im_start|>>", "<|endoftext|>x<|endoftext|>", "5<|im_end|>5", "user's <|im_start|>'s", "<code> <code> x", "<codes>", "  <mask>  y", "a<mask>b",
]


def write(name, value):
    path = os.path.join(OUT, name)
    header = {"written_by": "scripts/make_tokenizer_golden.py", "reference": f"tokenizers {tokenizers.__version__}"}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(header | value, f, ensure_ascii=True, separators=(",", ":"))
        f.write("\n")
    print(name, os.path.getsize(path))


def encode_all(tokenizer):
    tokenizer.encode_special_tokens = False
    ids = [tokenizer.encode(t, add_special_tokens=False).ids for t in TEXTS]
    tokenizer.encode_special_tokens = True
    plain = [tokenizer.encode(t, add_special_tokens=False).ids for t in TEXTS]
    tokenizer.encode_special_tokens = False
    return {"ids": ids, "plain": {str(i): p for i, (a, p) in enumerate(zip(ids, plain)) if a != p}}


def smaller(tokenizer):
    """Keeps what every third text needs, each step as the definition has it: tokens, what merges make on the way, bytes, added tokens."""
    tree = json.loads(tokenizer.to_str())
    vocab, added = tree["model"]["vocab"], tree["added_tokens"]
    merges = [tuple(m.split(" ") if isinstance(m, str) else m) for m in tree["model"]["merges"]]
    rank = {pair: i for i, pair in enumerate(merges)}
    visible = [b for b in range(256) if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or b >= 0xAE]
    letter = {b: chr(b) for b in visible} | {b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in visible)}
    texts = {a["id"]: "".join(letter[b] for b in a["content"].encode()) for a in added}
    texts = {i: t for t, i in vocab.items() if i not in texts} | texts
    need = set()
    for special in (False, True):
        tokenizer.encode_special_tokens = special
        for text in TEXTS[::3]:
            need.update(tokenizer.encode(text, add_special_tokens=False).ids)
    tokenizer.encode_special_tokens = False
    for token in list(need):
        parts = [c for c in texts[token] if c in vocab]
        while True:
            best = min(zip(parts, parts[1:]), key=lambda pair: rank.get(pair, len(merges)), default=None)
            if best not in rank:
                break
            at = list(zip(parts, parts[1:])).index(best)
            parts[at:at + 2] = [best[0] + best[1]]
            need.add(vocab[parts[at]])
    need.update(vocab[c] for c in letter.values() if c in vocab)
    need.update(a["id"] for a in added)
    new = {old: i for i, old in enumerate(sorted(need))}
    tree["model"]["vocab"] = {t: new[i] for t, i in vocab.items() if i in new}
    tree["model"]["merges"] = [m for m in merges if all(t in tree["model"]["vocab"] for t in (*m, m[0] + m[1]))]
    for a in added:
        a["id"] = new[a["id"]]
    return {"kept": sorted(need)} | encode_all(Tokenizer.from_str(json.dumps(tree)))


def small():
    """The corpus is the texts themselves: many merges are then exercised by them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(vocab_size=3 + 256 + 120, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
                                  special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.train_from_iterator(TEXTS + ["the there then hello world 1234 2024 return print int for if else"] * 3, trainer)
    tokenizer.add_tokens([AddedToken("<code>", normalized=False), AddedToken("<codes>", normalized=False)])
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, rstrip=True, normalized=False, special=True)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def main():
    os.makedirs(OUT, exist_ok=True)
    write("texts.json", {"texts": TEXTS})
    base = json.loads(small().to_str())
    base["pre_tokenizer"] = None
    write("small.json", {"tokenizer": base})
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)

    def split(pattern):
        return pre_tokenizers.Split(pattern, "isolated")

    variants = {
        "gpt-2": (gpt2, None, False),
        "smollm": (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), gpt2]), None, False),
        "llama-bpe": (pre_tokenizers.Sequence([split(Regex(LLAMA3)), byte_level]), None, True),
        "qwen2": (pre_tokenizers.Sequence([split(Regex(QWEN2)), byte_level]), normalizers.NFC(), False),
        "custom": (pre_tokenizers.Sequence([split("o"), pre_tokenizers.Digits(individual_digits=False), split(Regex(r"(?=[A-Z])")), gpt2]), None, False),
        "whole": (byte_level, None, False),
    }
    for name, (pre, normalizer, ignore_merges) in variants.items():
        tokenizer = small()
        tokenizer.pre_tokenizer = pre
        if normalizer:
            tokenizer.normalizer = normalizer
        tokenizer.model.ignore_merges = ignore_merges
        tree = json.loads(tokenizer.to_str())
        write(f"small_{name}.json", {"pre": name, "pre_tokenizer": tree["pre_tokenizer"], "normalizer": tree["normalizer"],
                                     "ignore_merges": ignore_merges} | encode_all(tokenizer))
        write(f"smaller_{name}.json", smaller(tokenizer))
    if len(sys.argv) > 1:
        from transformers import AutoTokenizer
        folder, file = os.path.split(os.path.abspath(sys.argv[1]))
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file).backend_tokenizer
        # The converter does not read tokenizer.ggml.pre; this is what the model's own tokenizer.json declares.
        tokenizer.pre_tokenizer = variants["smollm"][0]
        write("smollm2.json", {"pre": "smollm"} | encode_all(tokenizer))
        write("smaller_smollm2.json", smaller(tokenizer))


if __name__ == "__main__":
    main()
