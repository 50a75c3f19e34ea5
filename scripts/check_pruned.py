#!/usr/bin/env python3
"""Loads what `frugal prune` and `frugal convert` write in unmodified transformers, and compares what both compute in fp32.

usage: python scripts/check_pruned.py build/bin/frugal MODEL text.txt
  unequal layers (tests' golden model, one without attention, one without feed-forward): logits, with and without cache
  MODEL in every layout, and with the vocabulary of the text: the loss of its first 4,000 bytes; token ids
Needs torch and transformers >= 5.23. Ends with 1 at the first difference over 1e-4.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

LENGTH = 64
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def run(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def require(name, difference):
    print(f"{name}: {difference:.2g}")
    if not difference < 1e-4:
        sys.exit(1)


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, dtype=torch.float32).eval()


def check_logits(frugal, folder):
    golden = os.path.join(ROOT, "frugal", "nn", "tests", "golden", "unequal")
    shutil.copytree(golden, os.path.join(folder, "golden"))
    letters = ["\u0120"] + [chr(c) for c in range(ord("a"), ord("z") + 1)] + ["ab"]
    letters += [f"no{i}" for i in range(len(letters), 61)]
    tokenizer = {"model": {"type": "BPE", "vocab": {t: i for i, t in enumerate(letters)}, "merges": [["a", "b"]]},
                 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}, "added_tokens": []}
    with open(os.path.join(folder, "golden", "tokenizer.json"), "w") as out:
        json.dump(tokenizer, out)
    written = os.path.join(folder, "written")
    run(frugal, "convert", os.path.join(folder, "golden"), "--dtype", "f32", "--out", written, "--quiet", "--json")
    model, worst = load(written), 0.0
    with open(os.path.join(golden, "logits.json")) as file:
        reference = json.load(file)
    with torch.no_grad():
        for sequence, last in zip(reference["sequences"], reference["last"]):
            expected = torch.tensor(last)
            worst = max(worst, (model(torch.tensor([sequence])).logits[0, -1] - expected).abs().max().item())
            cache = None
            for token in sequence:
                output = model(torch.tensor([[token]]), cache=cache, use_cache=True)
                cache = output.cache
            worst = max(worst, (output.logits[0, -1] - expected).abs().max().item())
    require("unequal layers, logits", worst)


def check_loss(frugal, folder, text):
    ours = run(frugal, "eval", folder, "--text", text, "--length", str(LENGTH), "--weights", "f32", "--json")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), load(folder)
    with open(text, encoding="utf-8") as file:
        ids = tokenizer(file.read(), add_special_tokens=False)["input_ids"]
    total = count = 0
    with torch.no_grad():
        for begin in range(0, len(ids) - 1, LENGTH - 1):
            window = torch.tensor([ids[begin:begin + LENGTH]])
            logits = model(window).logits[0, :-1].double().log_softmax(-1)
            total -= logits.gather(1, window[0, 1:, None]).sum().item()
            count += window.shape[1] - 1
    if count != ours["tokens"]:
        sys.exit(f"{folder}: {count} tokens there, {ours['tokens']} here")
    require(f"{os.path.basename(folder)}, loss {ours['loss']:.4f}", abs(total / count - ours["loss"]))
    return tokenizer


def main(frugal, model, text):
    with tempfile.TemporaryDirectory() as folder:
        check_logits(frugal, folder)
        part = os.path.join(folder, "text.txt")
        with open(text, encoding="utf-8") as file, open(part, "w", encoding="utf-8") as out:
            out.write(file.read(4000))
        pieces = {}
        for name, options in {"native": [], "uniform": ["--layout", "uniform"], "padded": ["--layout", "padded"],
                              "words": ["--vocabulary-from", part]}.items():
            out = os.path.join(folder, name)
            run(frugal, "prune", model, "--data", text, "--eval", part, "--method", "wanda", "--sparsity", "0.2",
                "--budget", "quick", "--dtype", "f32", "--weights", "f32", *options, "--out", out, "--quiet", "--json")
            tokenizer = check_loss(frugal, out, part)
            with open(part, encoding="utf-8") as file:
                pieces[name] = tokenizer.convert_ids_to_tokens(tokenizer(file.read())["input_ids"])
        if any(other != pieces["native"] for other in pieces.values()):
            sys.exit("the smaller vocabulary cuts its text into other pieces")


if __name__ == "__main__":
    main(*sys.argv[1:4])
