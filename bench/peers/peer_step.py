"""One training step as people run it today (transformers, peft, badam, the published MeZO loop): seconds and peak memory, as JSON.

usage: python bench/peers/peer_step.py MODE HF_DIR [--dtype bfloat16] [--batch 8] [--length 128] [--steps 3] [--threads 2]
           [--rank 8] [--dropout 0] [--block N] [--data ROWS.jsonl]
  MODE     forward | mezo | adamw | lora | badam
  --block  badam: the transformer layer that is trained; default: the reference's own random choice
  --data   lines {"tokens": [...], "targets_from": N}: a batch of natural lengths, padded to its longest as these tools do;
           default: random tokens, all of --length
One mode a process, so that the peak is that mode's own. The first step is not counted.
"""
import argparse
import json
import resource
import statistics
import time

import torch
from transformers import AutoModelForCausalLM

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def batch_of(args, vocabulary):
    """input_ids, attention_mask and labels [batch, longest]; labels are -100 where nothing is trained."""
    if not args.data:
        ids = torch.randint(5, vocabulary - 5, (args.batch, args.length))
        return dict(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids.clone())
    rows = [json.loads(line) for line in open(args.data, encoding="utf-8")][: args.batch]
    longest = max(len(row["tokens"]) for row in rows)
    ids, mask, labels = [], [], []
    for row in rows:
        tokens, pad = row["tokens"], longest - len(row["tokens"])
        ids.append(tokens + [0] * pad)
        mask.append([1] * len(tokens) + [0] * pad)
        labels.append([-100] * row["targets_from"] + tokens[row["targets_from"]:] + [-100] * pad)
    return dict(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask), labels=torch.tensor(labels))


def backward_step(model, batch, optimizer):
    def step():
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()
    return step


def mezo_step(model, batch, eps=1e-3, lr=1e-6):
    """arXiv:2305.17333, algorithm 1: noise is added in place from a seed, three times a step, and once more for the update."""
    weights = list(model.parameters())

    def shift(seed, scale):
        torch.manual_seed(seed)
        for weight in weights:
            weight.data.add_(torch.randn(weight.shape, dtype=weight.dtype), alpha=scale)

    @torch.inference_mode()
    def loss():
        return model(**batch).loss.item()

    def step():
        seed = int(time.perf_counter_ns() % 10**9)
        shift(seed, eps)
        plus = loss()
        shift(seed, -2 * eps)
        minus = loss()
        shift(seed, eps)
        shift(seed, -lr * (plus - minus) / (2 * eps))
        return plus
    return step


def make_step(args, model, batch):
    if args.mode == "forward":
        @torch.inference_mode()
        def step():
            return model(**batch).loss.item()
        return step
    if args.mode == "mezo":
        return mezo_step(model, batch)
    model.train()
    if args.mode == "adamw":
        return backward_step(model, batch, torch.optim.AdamW(model.parameters(), lr=1e-7))
    if args.mode == "lora":
        from peft import LoraConfig, get_peft_model
        model = get_peft_model(model, LoraConfig(r=args.rank, lora_alpha=2 * args.rank, lora_dropout=args.dropout,
                                                 target_modules=LINEARS, task_type="CAUSAL_LM"))
        return backward_step(model, batch, torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-7))
    from badam import BlockOptimizer
    order = dict(switch_mode="random") if args.block is None else dict(switch_mode="fixed", start_block=args.block)
    return backward_step(model, batch, BlockOptimizer(
        base_optimizer=torch.optim.AdamW(model.parameters(), lr=1e-7), named_parameters_list=list(model.named_parameters()),
        switch_block_every=100, verbose=0, **order))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["forward", "mezo", "adamw", "lora", "badam"])
    parser.add_argument("folder")
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    for name, default in dict(batch=8, length=128, steps=3, threads=2, rank=8).items():
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--dropout", type=float, default=0)
    parser.add_argument("--block", type=int)
    parser.add_argument("--data")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    floor = peak_bytes()
    model = AutoModelForCausalLM.from_pretrained(args.folder, dtype=getattr(torch, args.dtype)).eval()
    batch = batch_of(args, model.config.vocab_size)
    step = make_step(args, model, batch)
    step()
    seconds = []
    for _ in range(args.steps):
        began = time.perf_counter()
        loss = step()
        seconds.append(time.perf_counter() - began)
    print(json.dumps(dict(
        mode=args.mode, dtype=args.dtype, seconds=seconds, seconds_median=statistics.median(seconds), seconds_min=min(seconds), loss=loss,
        peak_rss_bytes=peak_bytes(), floor_rss_bytes=floor, tokens=int(batch["attention_mask"].sum()),
        targets=int((batch["labels"][:, 1:] != -100).sum()), torch=torch.__version__)))


if __name__ == "__main__":
    main()
