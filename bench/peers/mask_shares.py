"""What each way to make masked models fast brings by itself: the time of a mask without it, over that with it. In bf16, the better of some rounds.

usage: python bench/peers/mask_shares.py MODEL.gguf HF_FOLDER TEXT OUT.json [--rounds 2] [--threads 2]
As masks.py, whose naive evaluator it takes apart: what that has and ours has not is left out of it, one at a time. What ours can switch off is
switched off in ours.
"""
import argparse
import json
import os
import subprocess
import tempfile
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from masks import OURS, hook, naive

NAIVE_MASKS = 2


def ours(args, **settings):
    """Seconds a mask, and the windows, masks and losses."""
    best, found = None, None
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            dump = os.path.join(folder, "masks.json")
            subprocess.run([OURS, args.model, args.text, json.dumps({"threads": args.threads, **settings}), dump], check=True, capture_output=True)
            with open(dump, encoding="utf-8") as file:
                found = json.load(file)
        seconds = 1 / found["settings"]["masks_per_second"]
        best = seconds if best is None else min(best, seconds)
    return best, found


@torch.inference_mode()
def plain(model, windows, masks, head_in_parts):
    """As naive, without tokenising; the head whole, or the loss in parts of 64 rows that are never kept."""
    begin = time.perf_counter()
    for mask in masks:
        handles = hook(model, mask) if mask is not None else []
        for window in windows:
            ids = torch.tensor([window])
            if head_in_parts:
                hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[0, :-1]
                for rows, targets in zip(hidden.split(64), ids[0, 1:].split(64)):
                    torch.nn.functional.cross_entropy(model.lm_head(rows).float(), targets, reduction="sum").item()
            else:
                logits = model(input_ids=ids, use_cache=False).logits.float()
                torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:], reduction="sum").item()
        for handle in handles:
            handle.remove()
    return (time.perf_counter() - begin) / len(masks)


def main():
    parser = argparse.ArgumentParser()
    for name in ("model", "folder", "text", "out"):
        parser.add_argument(name)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.folder)
    model = AutoModelForCausalLM.from_pretrained(args.folder, dtype=torch.bfloat16).eval()
    base, found = ours(args)
    windows, masks = found["windows"], found["masks"][:NAIVE_MASKS]
    least = lambda call: min(call() for _ in range(args.rounds))  # noqa: E731
    with_tokens = least(lambda: 1 / naive(model, tokenizer, args.text, windows, masks)[1])
    whole_head = least(lambda: plain(model, windows, masks, False))
    in_parts = least(lambda: plain(model, windows, masks, True))
    unmasked = least(lambda: plain(model, windows, [None] * NAIVE_MASKS, False))
    many = {"windows": 32, "masks": 32}
    all_windows = ours(args, **many)[0]
    shares = {
        "1 tokenise once": with_tokens / whole_head,
        "2 short windows (8 of 256 instead of one of 2,048)": ours(args, windows=1, window_length=2048, together=2, masks=8)[0] / base,
        "3 racing to 0.5 of 32 windows": all_windows / ours(args, tolerance=0.5, **many)[0],
        "4 four masks of 64 tokens together instead of two": ours(args, window_length=64, together=2)[0] / ours(args, window_length=64, together=4)[0],
        "5 blocks of layers": base / ours(args, design="block")[0],
        "6 head in parts": whole_head / in_parts,
        "7 masks in the pass that is made anyway (naive: with hooks over without)": whole_head / unmasked,
        "8 two threads instead of one": ours(args, threads=1)[0] / base,
    }
    with open(args.out, "w", encoding="utf-8") as file:
        json.dump({"seconds_a_mask": {"ours": base, "naive": with_tokens}, "shares": shares}, file, indent=1)
    for name, share in shares.items():
        print(f"{name}: {share:.2f} x")


if __name__ == "__main__":
    main()
