#!/usr/bin/env python3
"""Classifiers that a user would take today, on the engagements that `frugal swarm train` learns from.

usage: bench/peers.py FRUGAL OUT.json [--runs 1200] [--window 20] [--seeds 1,2,3] [--peers forest,logistic,minirocket,...]
  FRUGAL   the program. It writes the tracks (frugal swarm simulate --seed 1), which are cut, parted by seed (the last
           quarter of the starts is tested), standardised and given to each peer. Ours trains on its own split of the
           same engagements.
Needs numpy, scikit-learn and aeon 1.6.0 (pip, in an environment of its own: see bench/README.md).
Every row: name, seed, accuracy on the test engagements, seconds to fit and to predict, threads.
"""
import argparse
import csv
import json
import os
import pathlib
import platform
import subprocess
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np

TACTICS = ["greedy", "greedy+", "auction", "auction+"]


def read_tracks(path, steps):
    """[runs, 4 agents, steps] and labels; runs in the order of the file, tactic by tactic."""
    runs, labels = [], []
    with open(path, newline="") as file:
        rows = csv.reader(file)
        next(rows)
        last, at = None, None
        for run, tactic, step, agent, *values in rows:
            if run != last:
                last, at = run, {}
                runs.append(at)
                labels.append(TACTICS.index(tactic))
            at.setdefault(int(step), []).append([float(x) for x in values])
    length = min(len(run) for run in runs)
    cut = min(steps, length)
    x = np.array([[np.array(run[t]).T.reshape(-1) for t in range(length)] for run in runs], dtype=np.float32)
    return x, np.array(labels), cut


def split(x, labels, cut, seed, share=0.25):
    runs = len(labels) // 4
    starts = np.random.default_rng(seed).permutation(runs)
    tested = np.isin(np.arange(len(labels)) % runs, starts[: int(share * runs)])
    mean, deviation = x[~tested].mean((0, 1)), x[~tested].std((0, 1))
    z = ((x - mean) / np.where(deviation > 0, deviation, 1))[:, :cut].transpose(0, 2, 1)  # [R, F, W]
    return z[~tested], labels[~tested], z[tested], labels[tested]


def peers(seed):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    flat = lambda model: (model, True)
    yield "random forest, 100 trees (scikit-learn)", lambda: flat(RandomForestClassifier(100, random_state=seed, n_jobs=1))
    yield "logistic regression (scikit-learn)", lambda: flat(LogisticRegression(max_iter=2000))

    def aeon(path, name, **options):
        def make():
            module = __import__(path, fromlist=[name])
            return getattr(module, name)(random_state=seed, n_jobs=1, **options), False
        return make
    yield "MiniRocket (aeon)", aeon("aeon.classification.convolution_based", "MiniRocketClassifier")
    yield "MultiRocketHydra (aeon)", aeon("aeon.classification.convolution_based", "MultiRocketHydraClassifier")
    yield "QUANT (aeon)", lambda: (getattr(__import__("aeon.classification.interval_based", fromlist=["x"]), "QUANTClassifier")(random_state=seed), False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frugal")
    parser.add_argument("out")
    parser.add_argument("--runs", type=int, default=1200)
    parser.add_argument("--window", type=int, default=20)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--peers", default="", help="parts of names, comma-separated; all by itself")
    parser.add_argument("--ours", default="cnn,fc", help="models of frugal swarm train")
    parser.add_argument("--ours-options", default="--lr 5e-4 --epochs 300")
    given = parser.parse_args()
    rows = []

    def keep(row):
        rows.append(row)
        print(json.dumps(row), flush=True)
        record = {"window": given.window, "runs": given.runs, "machine": platform.processor() or platform.machine(),
                  "cores": len(os.sched_getaffinity(0)), "rows": rows}
        pathlib.Path(given.out).write_text(json.dumps(record, indent=1) + "\n")

    with tempfile.TemporaryDirectory() as folder:
        tracks = os.path.join(folder, "tracks.csv")
        subprocess.run([given.frugal, "swarm", "simulate", "--runs", str(given.runs), "--seed", "1", "--steps", "60",
                        "--out", tracks, "--quiet"], check=True, stdout=subprocess.DEVNULL)
        x, labels, cut = read_tracks(tracks, given.window)
        wanted = [part for part in given.peers.split(",") if part]
        for seed in map(int, given.seeds.split(",")):
            train_x, train_y, test_x, test_y = split(x, labels, cut, seed)
            for name, make in peers(seed):
                if wanted and not any(part.lower() in name.lower() for part in wanted):
                    continue
                model, is_flat = make()
                shape = (lambda z: z.reshape(len(z), -1)) if is_flat else (lambda z: z)
                began = time.perf_counter()
                model.fit(shape(train_x), train_y)
                fitted = time.perf_counter()
                said = model.predict(shape(test_x))
                keep({"name": name, "seed": seed, "accuracy": float((said == test_y).mean()), "fit_s": fitted - began,
                      "predict_s": time.perf_counter() - fitted, "threads": 1})
            for model in filter(None, given.ours.split(",")):
                run = os.path.join(folder, f"{model}-{seed}")
                began = time.perf_counter()
                subprocess.run([given.frugal, "swarm", "train", "--runs", str(given.runs), "--window", str(given.window),
                                "--model", model, "--variant", "tuned", "--seed", str(seed), "--threads", "1", "--out", run, "--quiet",
                                *given.ours_options.split()], check=True, stdout=subprocess.DEVNULL)
                results = json.loads(pathlib.Path(run, "run.json").read_text())["results"]
                keep({"name": f"frugal swarm train --model {model} --variant tuned {given.ours_options}", "seed": seed,
                      "accuracy": results["accuracy"], "fit_s": time.perf_counter() - began, "threads": 1})


if __name__ == "__main__":
    main()
