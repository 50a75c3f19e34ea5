#!/usr/bin/env python3
"""What pruning costs, by method: the excess of the log-perplexity over that of the whole model, at shares of the blocks
that are gone, with and without repair. Writes results/quality.json beside this file.

usage: run.py FRUGAL WORK --text FOLDER [--model MODEL] [--methods wanda,flap] [--seeds 1,2,3] [--adapt-seeds 1]
              [--budget quick] [--other TEXT]
  FRUGAL   the program; WORK: a folder for models and runs. What is done is not repeated, what was cut short goes on.
  --text   valid.txt, which is pruned and tuned on, and test.txt, which is measured (WikiText-2: the folder
           word_language_model/data/wikitext-2 of github.com/pytorch/examples)
  --other  another text, whose first 150,000 bytes are measured, too (Shakespeare: minGPT-ddp's input.txt there)
"""
import argparse
import json
import math
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
MODEL = "build/models/SmolLM2-135M-Instruct.Q4_1.gguf"
METHODS = {
    "bonsai": "--method bonsai",
    "prior only": "--method bonsai --regression none",
    "wanda": "--method wanda",
    "flap": "--method flap",
    "depth": "--method depth",
    "random": "--method random",
}
SPARSITIES = ["0.2", "0.3", "0.5"]
MEASURED = 150_000  # bytes of each text, about 70 windows of 512 tokens
ADAPT = "--method lora --max-length 512 --batch 4 --steps 40 --seed 1"


class Runner:
    def __init__(self, given):
        self.given, self.work = given, pathlib.Path(given.work)
        self.work.mkdir(parents=True, exist_ok=True)
        self.valid, self.test = (str(pathlib.Path(given.text) / name) for name in ("valid.txt", "test.txt"))
        self.texts = {"test": self.head(self.test)}
        if given.other:
            self.texts["other"] = self.head(given.other)

    def head(self, path):
        name = self.work / f"{pathlib.Path(path).stem}-head.txt"
        name.write_bytes(pathlib.Path(path).read_bytes()[:MEASURED].rsplit(b"\n", 1)[0] + b"\n")
        return str(name)

    def call(self, *words):
        began = time.time()
        done = subprocess.run([self.given.frugal, *map(str, words)], stdout=subprocess.PIPE, text=True)
        print(f"{time.time() - began:7.0f} s  frugal {' '.join(map(str, words))}"[:220], flush=True)
        if done.returncode != 0:
            sys.exit(f"exit {done.returncode}\n{done.stdout}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def run(self, verb, out, *words):
        """The record of a run whose model is `out`."""
        run = self.work / f"{out}.run"
        record = run / "run.json"
        if record.exists() and json.loads(record.read_text())["status"] == "done":
            return json.loads(record.read_text())
        if record.exists():
            self.call(verb, "--resume", run, "--quiet", "--json")
        else:
            shutil.rmtree(run, ignore_errors=True)
            self.call(verb, *words, "--out", self.work / out, "--quiet", "--json")
        return json.loads(record.read_text())

    def losses(self, model, name):
        """Mean loss of a token of each text."""
        cache = self.work / f"{name}.eval.json"
        if cache.exists():
            return json.loads(cache.read_text())
        found = {}
        for text, path in self.texts.items():
            found[text] = self.call("eval", model, "--text", path, "--length", 512, "--json")["loss"]
        cache.write_text(json.dumps(found))
        return found

    def adapted(self, model, name):
        self.run("adapt", f"{name}-adapted", model, "--teacher", self.given.model, "--data", self.valid, *ADAPT.split())
        return self.losses(self.work / f"{name}-adapted", f"{name}-adapted")


def plain_losses(run, sparsities):
    """Of the models on the way, before they were refitted."""
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    looks = {}
    for event in events:
        if event["event"] == "eval":  # the first at each size
            looks.setdefault(round(event["sparsity"], 6), event["loss"])
    return [looks[min(looks, key=lambda s: abs(s - float(goal)))] for goal in sparsities]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frugal")
    parser.add_argument("work")
    parser.add_argument("--text", required=True)
    parser.add_argument("--other", default="")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--adapt-seeds", default="1")
    parser.add_argument("--budget", default="quick")
    given = parser.parse_args()
    runner = Runner(given)
    dense = runner.losses(given.model, "dense")
    rows = []
    for method in given.methods.split(","):
        for seed in given.seeds.split(","):
            name = f"{method.replace(' ', '-')}-{given.budget}-{seed}"
            record = runner.run("prune", name, given.model, "--data", runner.valid, "--eval", runner.texts["test"],
                                "--eval-windows", 0, *METHODS[method].split(), "--budget", given.budget,
                                "--sparsity", SPARSITIES[-1], "--also", ",".join(SPARSITIES[:-1]), "--reconstruct",
                                "--seed", seed)
            results = record["results"]
            plain = plain_losses(runner.work / f"{name}.run", SPARSITIES)
            for goal, loss, found in zip(SPARSITIES, plain, [*results["also"], results]):
                row = {"method": method, "budget": given.budget, "seed": int(seed), "goal": float(goal),
                       "sparsity": found["sparsity"], "parameters": found["parameters"],
                       "seconds": results["seconds"], "plain": loss - dense["test"],
                       "reconstructed": math.log(found["perplexity_after"]) - dense["test"]}
                small = name if goal == SPARSITIES[-1] else f"{name}-{goal}"
                losses = runner.losses(found["model"], small)
                row["reconstructed_other"] = losses.get("other", math.nan) - dense.get("other", math.nan)
                if seed in given.adapt_seeds.split(","):
                    losses = runner.adapted(found["model"], small)
                    row["adapted"] = losses["test"] - dense["test"]
                    row["adapted_other"] = losses.get("other", math.nan) - dense.get("other", math.nan)
                rows.append(row)
    print_table(rows)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / f"quality-{given.budget}.json").write_text(json.dumps({"dense": dense, "rows": rows}, indent=1) + "\n")


def print_table(rows):
    columns = ["plain", "reconstructed", "reconstructed_other", "adapted", "adapted_other"]
    print("| method | gone | " + " | ".join(columns) + " |")
    print("| --- " * (len(columns) + 2) + "|")
    for method in dict.fromkeys(row["method"] for row in rows):
        for goal in dict.fromkeys(row["goal"] for row in rows):
            cells = []
            for column in columns:
                values = [row[column] for row in rows
                          if row["method"] == method and row["goal"] == goal and column in row]
                cells.append(f"{statistics.median(values):.3f}" if values else "")
            print(f"| {method} | {goal} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
