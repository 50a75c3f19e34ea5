"""What a step costs beside a busy neighbour and on one thread, and what it costs to start: ratios of one run.

usage: python bench/robustness.py MODEL OUT.json [--rounds 7] [--methods forward,mezo,lora] [--batch 8] [--length 128]
neighbour: one process that computes all the time, against alone; asked at most 1.6. efficiency: time on one thread / (threads x time on all),
asked at least 0.85. start: `frugal eval` on one example, least of the rounds, and its peak less LibTorch's floor and the weights.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FRUGAL = os.environ.get("FRUGAL", os.path.join(HERE, "..", "build", "bin", "frugal"))


def step(args, method, threads):
    done = subprocess.run([FRUGAL, "bench", "step", args.model, "--method", method, "--batch", str(args.batch), "--length", str(args.length),
                           "--threads", str(threads), "--repeats", "1", "--json", "--quiet"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def start(args):
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "one.jsonl")
        with open(data, "w", encoding="utf-8") as file:
            file.write(json.dumps(dict(text="a gripping film", label="positive")) + "\n")
        command = [FRUGAL, "eval", args.model, "--data", data, "--template", "Review: {text}\nSentiment:", "--labels", "negative,positive", "--json",
                   "--quiet"]
        seconds = []
        for _ in range(args.rounds + 1):
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds.append(time.perf_counter() - began)
        out = json.loads(done.stdout.strip().splitlines()[-1])
    weights = step(args, "forward", 1)["weight_bytes"]
    return dict(seconds=seconds[1:], least=min(seconds[1:]), peak_rss_bytes=out["peak_rss_bytes"], floor_rss_bytes=out["floor_rss_bytes"],
                weight_bytes=weights, beside_bytes=out["peak_rss_bytes"] - out["floor_rss_bytes"] - weights)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    for name, default in dict(rounds=7, batch=8, length=128).items():
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--methods", default="forward,mezo,lora")
    args = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    results = dict(threads=threads, start=start(args), methods={})
    for method in args.methods.split(","):
        times = dict(alone=[], neighbour=[], one_thread=[])
        for turn in range(args.rounds):
            times["alone"].append(step(args, method, threads)["seconds"][0])
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            try:
                times["neighbour"].append(step(args, method, threads)["seconds"][0])
            finally:
                busy.kill()
                busy.wait()
            times["one_thread"].append(step(args, method, 1)["seconds"][0])
            print(f"round {turn + 1}  {method}: " + ", ".join(f"{k} {v[-1]:.2f} s" for k, v in times.items()), file=sys.stderr, flush=True)
        middle = {k: statistics.median(v) for k, v in times.items()}
        results["methods"][method] = dict(
            times, neighbour_ratio=middle["neighbour"] / middle["alone"], efficiency=middle["one_thread"] / (threads * middle["alone"]))
        print(f"{method}: beside a busy neighbour {results['methods'][method]['neighbour_ratio']:.2f} x, "
              f"{threads} threads at {results['methods'][method]['efficiency']:.2f} of linear")
    print(f"start: {results['start']['least']:.2f} s, {results['start']['beside_bytes'] / 2**20:.0f} MiB above floor and weights")
    with open(args.out, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
