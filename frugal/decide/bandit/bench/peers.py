"""Plain CUCB and ESCB-2 in numpy beside `frugal bandit run`: regret and time of a round. Makes bench/peers.json.

usage: python3 frugal/decide/bandit/bench/peers.py FRUGAL [--horizon 20000] [--seeds 10] [--turns 3] [--out peers.json]

No package of pip's has combinatorial semi-bandits with covariances; these two are what a user would write. They play all
seeds at once in arrays, which is what numpy is good at, so that the time of a round is that of all seeds divided by
their number. Instances have the same distribution as --env gaussian with its defaults, not the same numbers: regrets
agree within their spread. In turns: theirs, ours, theirs, ours. One thread each; times are the processor's.
"""
import argparse
import itertools
import json
import os
import platform
import subprocess
import tempfile
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # after the number of its threads

ITEMS, CHOOSE = 10, 3


def play(policy, seeds, horizon, seed):
    """Final regret of each seed, and seconds. Shapes: S seeds, d items, P actions."""
    random = np.random.default_rng(seed)
    mean = random.uniform(0.3, 0.7, (seeds, ITEMS))
    sd = random.uniform(0.02, 0.15, (seeds, ITEMS))
    actions = np.array(list(itertools.combinations(range(ITEMS), CHOOSE)))
    holds = np.zeros((len(actions), ITEMS))
    np.put_along_axis(holds, actions, 1, axis=1)
    best = np.sort(mean, axis=1)[:, -CHOOSE:].sum(axis=1)
    count, total, regret = np.zeros((seeds, ITEMS)), np.zeros((seeds, ITEMS)), np.zeros(seeds)
    rows = np.arange(seeds)[:, None]
    started = time.process_time()
    for t in range(1, horizon + 1):
        log_t = max(1.0, np.log(t))
        if (count == 0).any():
            chosen = np.argsort(count, axis=1, kind="stable")[:, :CHOOSE]
        elif policy == "cucb":
            index = total / count + np.sqrt(1.5 * log_t / count)
            chosen = np.argpartition(-index, CHOOSE - 1, axis=1)[:, :CHOOSE]
        else:
            f = (log_t + 4 * CHOOSE * max(1.0, np.log(log_t))) / 2
            chosen = actions[np.argmax((total / count) @ holds.T + np.sqrt(f * ((1 / count) @ holds.T)), axis=1)]
        mu = mean[rows, chosen]
        count[rows, chosen] += 1
        total[rows, chosen] += np.clip(mu + sd[rows, chosen] * random.standard_normal(chosen.shape), 0, 1)
        regret += best - mu.sum(axis=1)
    return regret, time.process_time() - started


def ours(program, seeds, horizon, seed):
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "bandit", "run", "--policy", "ols-ucb-c,cos-v,cucb,escb-2", "--items", str(ITEMS), "--choose", str(CHOOSE), "--horizon", str(horizon),
                   "--env", "gaussian", "--seeds", str(seeds), "--seed", str(seed), "--threads", "1", "--out", os.path.join(folder, "run"), "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["policies"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--horizon", type=int, default=20000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers.json"))
    given = parser.parse_args()
    rows = {}
    for turn in range(given.turns):
        for policy in ("cucb", "escb-2"):
            regret, seconds = play(policy, given.seeds, given.horizon, turn)
            row = rows.setdefault(f"numpy {policy}", {"regrets": [], "microseconds": []})
            row["regrets"] += regret.tolist()
            row["microseconds"].append(1e6 * seconds / given.horizon / given.seeds)
        for policy, result in ours(given.program, given.seeds, given.horizon, 1 + turn * given.seeds).items():
            row = rows.setdefault(f"frugal {policy}", {"regrets": [], "microseconds": []})
            row["regrets"] += result["regrets"]
            row["microseconds"].append(result["microseconds_per_round"])
    table = {name: {"regret": float(np.mean(row["regrets"])), "sd": float(np.std(row["regrets"], ddof=1)), "instances": len(row["regrets"]),
                    "microseconds_per_round": float(np.median(row["microseconds"]))} for name, row in rows.items()}
    record = {"items": ITEMS, "choose": CHOOSE, "horizon": given.horizon, "turns": given.turns, "numpy": np.__version__, "python": platform.python_version(),
              "policies": table}
    with open(given.out, "w", encoding="utf-8") as file:
        file.write(json.dumps(record, indent=1) + "\n")
    for name, row in table.items():
        print(f"{name:18} regret {row['regret']:8.1f} +- {row['sd']:6.1f}  {row['microseconds_per_round']:7.2f} us a round")


if __name__ == "__main__":
    main()
