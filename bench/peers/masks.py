"""Masked models of Bonsai evaluated by ours and by a naive evaluator, in turns: transformers, one mask at a time, the text tokenised anew for each,
hooks that multiply by the mask, all logits. This is how the method's published code goes about it, short of its statistics in every pass.

usage: python bench/peers/masks.py MODEL.gguf HF_FOLDER TEXT OUT.json [--settings JSON] [--naive-masks 4] [--rounds 3] [--threads 2]
HF_FOLDER is the same model: frugal convert MODEL.gguf --out HF_FOLDER --dtype f32. Needs torch and transformers. OUT gets each round's masks a second
of both, and the greatest difference of their losses, in bf16 and f32.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = os.environ.get("BENCH_MASKS", os.path.join(HERE, "..", "..", "build", "bin", "bench_bonsai_masks"))


def hook(model, mask):
    """Zeros in front of the output and down projections."""
    def multiply(factor):
        return lambda module, inputs: (inputs[0] * factor,)

    handles = []
    for layer, off in zip(model.model.layers, mask):
        attention, width = layer.self_attn, layer.self_attn.head_dim
        for projection, units, size in ((attention.o_proj, off["heads"], width), (layer.mlp.down_proj, off["neurons"], 1)):
            factor = torch.ones(projection.in_features // size, dtype=projection.weight.dtype)
            factor[units] = 0
            handles.append(projection.register_forward_pre_hook(multiply(factor.repeat_interleave(size))))
    return handles


@torch.inference_mode()
def naive(model, tokenizer, path, windows, masks):
    losses, begin = [], time.perf_counter()
    for mask in masks:
        with open(path, encoding="utf-8") as file:
            tokenizer(file.read(), add_special_tokens=False)  # each mask's, as the published code does
        handles, total, count = hook(model, mask), 0.0, 0
        for window in windows:
            ids = torch.tensor([window])
            logits = model(input_ids=ids, use_cache=False).logits.float()
            total += torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:], reduction="sum").item()
            count += len(window) - 1
        for handle in handles:
            handle.remove()
        losses.append(total / count)
    return losses, len(masks) / (time.perf_counter() - begin)


def main():
    parser = argparse.ArgumentParser()
    for name in ("model", "folder", "text", "out"):
        parser.add_argument(name)
    parser.add_argument("--settings", type=json.loads, default={})
    parser.add_argument("--naive-masks", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtypes", default="bf16,f32")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.folder)
    results = {}
    arms = {"all windows": {}, "racing": {"tolerance": 0.3}, "block": {"design": "block"}, "block, racing": {"design": "block", "tolerance": 0.3}}
    for dtype in args.dtypes.split(","):
        model = AutoModelForCausalLM.from_pretrained(args.folder, dtype={"bf16": torch.bfloat16, "f32": torch.float32}[dtype]).eval()
        of = results[dtype] = {"naive": [], "ours": {arm: [] for arm in arms}, "share_of_windows": {}, "greatest_difference": 0.0}
        for _ in range(args.rounds):
            for arm, options in arms.items():
                with tempfile.TemporaryDirectory() as folder:
                    dump = os.path.join(folder, "masks.json")
                    settings = {**args.settings, **options, "weights": dtype, "threads": args.threads}
                    subprocess.run([OURS, args.model, args.text, json.dumps(settings), dump], check=True, capture_output=True)
                    with open(dump, encoding="utf-8") as file:
                        ours = json.load(file)
                of["ours"][arm].append(ours["settings"]["masks_per_second"])
                of["share_of_windows"][arm] = ours["settings"]["share_of_windows"]
                if arm != "all windows":
                    continue
                chosen = args.naive_masks
                losses, rate = naive(model, tokenizer, args.text, ours["windows"], ours["masks"][:chosen])
                of["naive"].append(rate)
                of["greatest_difference"] = max([of["greatest_difference"]] + [abs(a - b) for a, b in zip(losses, ours["losses"])])
        base = statistics.median(of["naive"])
        of["times_naive"] = {arm: statistics.median(rates) / base for arm, rates in of["ours"].items()}
        print(dtype, json.dumps(of), flush=True)
        with open(args.out, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
