"""What a step costs beside a busy neighbour and on one thread, and what it costs to start: ratios of one run.

usage: python bench/robustness.py MODEL OUT.json [--rounds 7] [--methods forward,mezo,lora] [--batch 8] [--length 128]
neighbour: one process that computes all the time, against alone; asked at most 1.6. Helpers are expected beside it with 2 to 8 threads. fixed_team: the same with --threads, so that no helpers join beside
the neighbour. efficiency: time on one thread / (threads x time on all), asked at least 0.85. shares: of the time of the last 8 of 12 forwards, alone and beside the
neighbour, for which the threads that compute ran, waited for a core and slept (the kernel's schedstat of each; a sum over the threads that computed).
start: `frugal eval` on one example, least of the rounds, and its peak less LibTorch's floor and the weights.
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


def command(args, method, threads, repeats):  # threads 0: as by default, one a core and helpers beside a neighbour
    return [FRUGAL, "bench", "step", args.model, "--method", method, "--batch", str(args.batch), "--length", str(args.length), "--threads", str(threads),
            "--repeats", str(repeats), "--json", "--quiet"]


not_counted = []  # steps whose team had not the helpers it should have


def step(args, method, threads, helped=None):
    """The last of three steps. helped: whether the team must (not) have had helpers before and after it; it looks for neighbours each half second."""
    for _ in range(3):
        done = subprocess.run(command(args, method, threads, 3), capture_output=True, text=True, check=True)
        out = json.loads(done.stdout)
        if helped is None or all((size > out["threads"]) == helped for size in out["team"][-2:]):
            return dict(out, last=out["seconds"][-1])
        not_counted.append(dict(method=method, helpers_expected=helped, team=out["team"], seconds=out["seconds"]))
    sys.exit(f"error: {method}: teams of {out['team']} threads in three steps, helpers {'' if helped else 'not '}expected\n"
             "fix: a larger --batch, and a quiet machine where this process is not niced or limited by a control group")


def busy_process():
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


def schedstat(pid):
    """Of each thread: seconds on a core, seconds it waited for one."""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="utf-8") as file:
            ran, waited, _ = file.read().split()
        found[task] = (int(ran) / 1e9, int(waited) / 1e9)
    return found


def shares(args, has_neighbour, threads=0):
    """Cores that the computing threads had on average, and waited for, over the last two thirds of the steps."""
    neighbour = busy_process() if has_neighbour else None
    process = subprocess.Popen(command(args, "forward", threads, 12), stdout=subprocess.PIPE, text=True)
    samples = []
    try:
        while process.poll() is None:
            try:
                samples.append((time.monotonic(), schedstat(process.pid)))
            except (FileNotFoundError, ProcessLookupError):  # a thread ended meanwhile
                pass
            time.sleep(0.1)
    finally:
        if neighbour:
            neighbour.kill()
            neighbour.wait()
    if process.returncode != 0:
        sys.exit(f"frugal bench step ended with status {process.returncode}; see above")
    seconds = json.loads(process.stdout.read())["seconds_median"]
    until, last = samples[-3]
    since, first = min(samples, key=lambda sample: abs(sample[0] - (until - 8 * seconds)))
    spent = sorted(((ran - first.get(task, (0, 0))[0], waited - first.get(task, (0, 0))[1]) for task, (ran, waited) in last.items()), reverse=True)
    spent = [each for each in spent if each[0] > 0.05 * spent[0][0]]
    ran, waited = (sum(each[i] for each in spent) / (until - since) for i in (0, 1))
    return dict(seconds=seconds, threads=len(spent), ran=ran, waited=waited, slept=len(spent) - ran - waited)


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


def summary(times, threads):
    """Medians' ratios, and each round's, which come from the same minute of the machine."""
    middle = {k: statistics.median(v) for k, v in times.items()}
    rounds = [b / a for a, b in zip(times["alone"], times["neighbour"])]
    return dict(times, neighbour_ratio=middle["neighbour"] / middle["alone"], neighbour_ratio_of_rounds=rounds,
                fixed_team_ratio=middle["fixed_team"] / middle["alone"], efficiency=middle["one_thread"] / (threads * middle["alone"]))


def save(path, results):
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    for name, default in dict(rounds=7, batch=8, length=128).items():
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--methods", default="forward,mezo,lora")
    args = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    may_be_helped = 2 <= threads <= 8
    results = dict(threads=threads, start=start(args), methods={}, not_counted=not_counted,
                   shares=dict(alone=shares(args, False), neighbour=shares(args, True), neighbour_fixed_team=shares(args, True, threads)))
    save(args.out, results)
    measured = {method: dict(alone=[], neighbour=[], fixed_team=[], one_thread=[]) for method in args.methods.split(",")}
    for turn in range(args.rounds):
        for method, times in measured.items():
            times["alone"].append(step(args, method, 0, False)["last"])
            for team, count in (("neighbour", 0), ("fixed_team", threads)):
                busy = busy_process()
                try:
                    times[team].append(step(args, method, count, may_be_helped and count == 0)["last"])
                finally:
                    busy.kill()
                    busy.wait()
            times["one_thread"].append(step(args, method, 1)["last"])
            results["methods"][method] = summary(times, threads)
            print(f"round {turn + 1}  {method}: " + ", ".join(f"{k} {v[-1]:.2f} s" for k, v in times.items()), file=sys.stderr, flush=True)
            save(args.out, results)
    for method, found in results["methods"].items():
        rounds = sorted(found["neighbour_ratio_of_rounds"])
        print(f"{method}: beside a busy neighbour {found['neighbour_ratio']:.2f} x (rounds {rounds[0]:.2f} to {rounds[-1]:.2f}), "
              f"{found['fixed_team_ratio']:.2f} x as a fixed team, {threads} threads at {found['efficiency']:.2f} of linear")
    for what, share in results["shares"].items():
        print(f"{what}: {share['threads']} threads ran on {share['ran']:.2f} cores, waited for {share['waited']:.2f}, slept {share['slept']:.2f}")
    print(f"start: {results['start']['least']:.2f} s, {results['start']['beside_bytes'] / 2**20:.0f} MiB above floor and weights")
    if not_counted:
        print(f"{len(not_counted)} steps taken again, because helpers had joined or left: not_counted in {args.out}")


if __name__ == "__main__":
    main()
