"""Text from the same weights: ours, llama.cpp and PyTorch, interleaved in one run on one machine.

usage: python bench/peers/generation.py MODEL.gguf HF_DIR OUT [--rounds 7] [--prompts 32,512] [--new 128] [--threads 2]
Runs in the peers' environment (make bench-generation makes it). Each arm is a process of its own, once a round: a prompt of so many tokens in
one stream, then --new tokens, greedy. Writes OUT/generation.json (every figure) and OUT/generation.md: medians over the rounds.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FRUGAL = os.environ.get("FRUGAL", os.path.join(HERE, "..", "..", "build", "bin", "frugal"))
ARMS = ["frugal, blocks as stored", "llama.cpp, same file", "frugal, bf16", "PyTorch, bf16"]


def measured(prompt_tokens, prompt_seconds, new_tokens, seconds):
    """tokens a second of the prompt (to the first token) and of what follows."""
    return dict(prompt_rate=prompt_tokens / prompt_seconds, rate=(new_tokens - 1) / (seconds - prompt_seconds), new_tokens=new_tokens,
                peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def llama_cpp(args, ids):
    from llama_cpp import Llama
    model = Llama(args.model, n_ctx=2048, n_threads=args.threads, n_threads_batch=args.threads, n_batch=512, n_ubatch=512, verbose=False)
    began, first, made = time.perf_counter(), None, 0
    for _ in model.generate(ids, temp=0.0):
        made += 1
        first = first or time.perf_counter() - began
        if made == args.new:
            break
    return measured(len(ids), first, made, time.perf_counter() - began)


def pytorch(args, ids):
    import torch
    from transformers import AutoModelForCausalLM
    torch.set_num_threads(args.threads)
    model = AutoModelForCausalLM.from_pretrained(args.folder, dtype=torch.bfloat16)
    tokens = torch.tensor([ids])

    def make(count):
        began = time.perf_counter()
        with torch.inference_mode():
            model.generate(tokens, attention_mask=torch.ones_like(tokens), do_sample=False, min_new_tokens=count, max_new_tokens=count, pad_token_id=0)
        return time.perf_counter() - began
    make(2)
    return measured(len(ids), make(1), args.new, make(args.new))


def frugal(args, text, weights):
    done = subprocess.run([FRUGAL, "generate", args.model, "--prompt", text, "--max-new-tokens", str(args.new), "--greedy", "--weights", weights,
                           "--threads", str(args.threads), "--json", "--quiet"], capture_output=True, text=True, check=True)
    out = json.loads(done.stdout)
    return dict(prompt_rate=out["prompt_tokens"] / out["prompt_seconds"], rate=out["tokens_per_second"], new_tokens=out["new_tokens"],
                prompt_tokens=out["prompt_tokens"], peak_rss_bytes=out["peak_rss_bytes"])


def worker(args, which, ids):
    command = [sys.executable, os.path.abspath(__file__), args.model, args.folder, args.out, "--new", str(args.new), "--threads", str(args.threads),
               "--worker", which, "--ids", json.dumps(ids)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def table(results):
    lines = ["| prompt | arm | prompt tokens/s | new tokens/s | peak MB |", "| --- | --- | --- | --- | --- |"]
    for row in results["rows"]:
        middle = {key: statistics.median(run[key] for run in row["runs"]) for key in ("prompt_rate", "rate", "peak_rss_bytes")}
        lines.append(f"| {row['prompt']} | {row['arm']} | {middle['prompt_rate']:.0f} | {middle['rate']:.1f} | {middle['peak_rss_bytes'] / 1e6:.0f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "folder", "out"):
        parser.add_argument(name)
    for name, default in dict(rounds=7, new=128, threads=2).items():
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--prompts", default="32,512")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--ids", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(dict(llama=llama_cpp, torch=pytorch)[args.worker](args, json.loads(args.ids))))
        return
    os.makedirs(args.out, exist_ok=True)
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(args.folder)
    words = open(os.path.join(HERE, "..", "..", "README.md"), encoding="utf-8").read()
    rows = []
    for length in map(int, args.prompts.split(",")):
        ids = tokenizer(words, add_special_tokens=False)["input_ids"][:length]
        text = tokenizer.decode(ids)
        arms = [lambda: frugal(args, text, "stored"), lambda: worker(args, "llama", ids), lambda: frugal(args, text, "bf16"),
                lambda: worker(args, "torch", ids)]
        mine = [dict(prompt=length, arm=name, runs=[]) for name in ARMS]
        for turn in range(args.rounds):
            for row, arm in zip(mine, arms):
                row["runs"].append(arm())
                last = row["runs"][-1]
                print(f"round {turn + 1}  {length}  {row['arm']}: {last['prompt_rate']:.0f}, {last['rate']:.1f} tokens/s", file=sys.stderr, flush=True)
        rows += mine
    doctor = json.loads(subprocess.run([FRUGAL, "doctor", "--json"], capture_output=True, text=True, check=True).stdout)
    results = dict(machine={k: doctor[k] for k in ("processor", "cores", "instruction_set", "avx512_bf16", "amx_bf16", "version")},
                   new=args.new, threads=args.threads, rounds=args.rounds, rows=rows)
    with open(os.path.join(args.out, "generation.json"), "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    with open(os.path.join(args.out, "generation.md"), "w", encoding="utf-8") as file:
        file.write(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
