"""All methods on the same tasks: quality, seconds, peak memory and bytes of the result, from run records. Makes the table and plots of
docs/choosing.md.

usage: python bench/choosing.py data OUT --banking77 FOLDER    jsonl of banking77's train.csv and test.csv, shuffled
       python bench/choosing.py run OUT [--sst2 FOLDER] [--gsm8k FOLDER] [--banking77 FOLDER] [--only TASK/METHOD,...] [--seeds 1,2,3]
       python bench/choosing.py table OUT [--docs docs]
FOLDER of --sst2: train.jsonl, validation.jsonl, dev.jsonl as bench/sst2_jsonl.py writes them; of --gsm8k: train.jsonl, test.jsonl; of
--banking77: what `data` wrote. Runs that have ended are kept and one that was stopped goes on, so the same call can be made again. `table`
takes the runs of OUT into docs/choosing.json, beside those that are there, so that a table can grow over days and machines; it needs
matplotlib for the plots and does without.
"""
import argparse
import csv
import json
import os
import random
import shutil
import statistics
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODEL = os.path.join(ROOT, "build/models/SmolLM2-135M-Instruct.Q4_1.gguf")

# BAdam takes a new layer every 5 steps, so that 100 steps reach 20 of 30.
METHODS = {
    "full": "--method full",
    "lora": "--method lora --rank 8 --alpha 16",
    "lora stored": "--method lora --rank 8 --alpha 16 --weights stored",
    "badam": "--method badam --switch-every 5",
    "spruft taylor": "--method spruft --rows 16 --score taylor",
    "spruft magnitude": "--method spruft --rows 16 --score magnitude",
    "spruft random": "--method spruft --rows 16 --score random",
    "mezo": "--method mezo",
    "sparse-mezo": "--method sparse-mezo",
}
# Chosen among two or three a method on validation data of the task, one seed, 30 steps: SST-2's, and GSM8K's (30 problems of train.jsonl behind
# those that are trained; perplexity full 3e-5 2.490, 1e-4 2.398; LoRA 1e-3 2.475, 3e-3 2.412; BAdam 3e-4 2.778, 1e-3 2.637, 3e-3 2.890; SPruFT
# Taylor 1e-3 2.495, 3e-3 2.523). The other scores of SPruFT take Taylor's; banking77 takes GSM8K's, whose answers are text too. The
# published rate of forward-only methods is that of SST-2.
RATES = {
    "sst2": {"full": "1e-5", "lora": "1e-3", "badam": "3e-4", "spruft": "3e-4", "mezo": "3e-5", "sparse-mezo": "1e-4"},
    "gsm8k": {"full": "1e-4", "lora": "3e-3", "badam": "1e-3", "spruft": "1e-3", "mezo": "3e-5", "sparse-mezo": "1e-4"},
}
RATES["banking77"] = RATES["gsm8k"]


def options_of(task, method):
    return [*METHODS[method].split(), "--lr", RATES[task][method.split()[0]]]


TASKS = {
    "sst2": dict(metric="accuracy", steps=100, batch=16, options=[
        "--template", "Review: {text}\nSentiment:", "--labels", "negative,positive", "--train-size", "1000"],
        held_out=["--test", "dev.jsonl"]),
    "gsm8k": dict(metric="perplexity", steps=30, batch=8, options=[
        "--template", "Question: {question}\nAnswer:", "--completion", "answer", "--train-size", "1000"],
        held_out=["--test", "test.jsonl", "--test-size", "50"]),
    "banking77": dict(metric="exact_match", steps=100, batch=16, options=[
        "--template", "Question: {text}\nIntent:", "--completion", "category", "--max-new-tokens", "16", "--dev-metric", "exact_match",
        "--eval-every", "100000"],
        held_out=["--dev", "dev.jsonl"]),
}


def data(args):
    os.makedirs(args.out, exist_ok=True)
    for name, to, most in (("train.csv", "train.jsonl", 3000), ("test.csv", "dev.jsonl", 200)):
        with open(os.path.join(args.banking77, name), encoding="utf-8", newline="") as file:
            rows = [dict(text=row["text"], category=row["category"].replace("_", " ")) for row in csv.DictReader(file)]
        random.Random(0).shuffle(rows)
        with open(os.path.join(args.out, to), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows[:most])


def folder_of(out, task, method, seed):
    return os.path.join(out, task, method.replace(" ", "-") + f"-{seed}")


def rate_of(folder):
    with open(os.path.join(folder, "run.json"), encoding="utf-8") as file:
        return float(json.load(file)["settings"]["lr"])


def run(args):
    program = os.environ.get("FRUGAL", os.path.join(ROOT, "build/bin/frugal"))
    only = args.only.split(",") if args.only else []
    for seed in args.seeds.split(","):
        for task, what in TASKS.items():
            folder_of_data = getattr(args, task)
            held_out = [os.path.join(folder_of_data or "", word) if word.endswith(".jsonl") else word for word in what["held_out"]]
            for method in METHODS:
                folder = folder_of(args.out, task, method, seed)
                if not folder_of_data or (only and f"{task}/{method}" not in only and task not in only) or os.path.exists(os.path.join(folder, "size.json")):
                    continue
                os.makedirs(os.path.dirname(folder), exist_ok=True)
                command = [program, "tune", "--resume", folder]
                if os.path.exists(os.path.join(folder, "run.json")) and rate_of(folder) != float(options_of(task, method)[-1]):
                    raise SystemExit(f"{folder} is a run at another rate ({rate_of(folder)}): move it away")
                if not os.path.exists(os.path.join(folder, "run.json")):
                    command = [program, "tune", MODEL, "--data", os.path.join(folder_of_data, "train.jsonl"), *held_out,
                               *what["options"], *options_of(task, method), "--steps", str(what["steps"]), "--batch", str(what["batch"]), "--seed", seed,
                               "--checkpoint-every", "1000", "--out", folder, "--json"]
                subprocess.run([*command, "--quiet"], check=True)
                size = result_bytes(program, folder, method)
                with open(os.path.join(folder, "size.json"), "w", encoding="utf-8") as file:
                    json.dump(dict(result_bytes=size), file)
                shutil.rmtree(os.path.join(folder, "snapshots"))


def result_bytes(program, folder, method):
    """Of what has to be kept beside the base to have the tuned model: a log of steps, an adapter, rows, or the whole model in bf16."""
    if "mezo" in method:
        return os.path.getsize(os.path.join(folder, "trajectory.bin"))
    if method.startswith(("lora", "spruft")):
        out = os.path.join(folder, "rows.safetensors" if method.startswith("spruft") else "adapter")
        subprocess.run([program, "merge", MODEL, folder, "--adapter", "--out", out, "--dtype", "f32", "--json"], check=True, stdout=subprocess.DEVNULL)
        return os.path.getsize(out) if os.path.isfile(out) else sum(os.path.getsize(os.path.join(out, name)) for name in os.listdir(out))
    return None  # a whole model


def collect(out):
    """One entry a run that has ended."""
    entries = []
    for task, what in TASKS.items():
        for method in METHODS:
            for seed in range(1, 100):
                folder = folder_of(out, task, method, seed)
                if not os.path.exists(os.path.join(folder, "size.json")):
                    continue
                record = json.load(open(os.path.join(folder, "run.json"), encoding="utf-8"))
                results = record["results"]
                plan = record["settings"].get("plan") or record["plan"]
                quality = results["test"][what["metric"]] if "--test" in what["held_out"] else results["best"]["metric"]
                entries.append(dict(
                    task=task, method=method, seed=seed, lr=rate_of(folder), metric=what["metric"], quality=quality, seconds=results["seconds"],
                    peak_bytes=results["peak_rss_bytes"], floor_bytes=results["floor_rss_bytes"],
                    planned_bytes=plan["peak"], planned_floor_bytes=plan["parts"]["libtorch"],
                    result_bytes=json.load(open(os.path.join(folder, "size.json"), encoding="utf-8"))["result_bytes"],
                    machine=record["machine"]["cpu"] + ", " + record["machine"]["isa"]))
    return entries


def summarise(entries):
    """A row a task and method, in the order of TASKS and METHODS."""
    rows = []
    for task in TASKS:
        for method in METHODS:
            mine = sorted((e for e in entries if (e["task"], e["method"]) == (task, method)), key=lambda e: e["seed"])
            if not mine:
                continue
            quality = [e["quality"] for e in mine]
            last = [e for e in mine if e.get("floor_bytes")] or mine  # runs of the first version did not keep the floor
            beside = [(e["planned_bytes"] - e["planned_floor_bytes"]) / (e["peak_bytes"] - e["floor_bytes"]) for e in last if e.get("floor_bytes")]
            rows.append(dict(
                task=task, method=method, quality=statistics.mean(quality), values=quality, seeds=[e["seed"] for e in mine],
                error=statistics.stdev(quality) / len(quality) ** 0.5 if len(quality) > 1 else None,
                seconds=min(e["seconds"] for e in mine), peak_bytes=max(e["peak_bytes"] for e in last),
                planned_bytes=max((e["planned_bytes"] or 0 for e in last)), plan_ratio=min(beside, default=None),
                result_bytes=next((e["result_bytes"] for e in mine if e["result_bytes"]), None)))
    return rows


def size_text(size):
    if size is None:
        return "270 MB (a whole model)"
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def table(args):
    path = os.path.join(args.docs, "choosing.json")
    entries = {(e["task"], e["method"], e["seed"]): e for e in (json.load(open(path, encoding="utf-8")) if os.path.exists(path) else [])}
    entries.update({(e["task"], e["method"], e["seed"]): e for e in collect(args.out)})
    entries = {key: e for key, e in entries.items() if e["lr"] == float(options_of(e["task"], e["method"])[-1])}  # of no other rate
    rows = summarise(entries.values())
    text = ""
    for task, what in TASKS.items():
        mine = [r for r in rows if r["task"] == task]
        if not mine:
            continue
        text += f"\n| {task}, {what['steps']} steps of {what['batch']} | {what['metric']} | its error | each seed | least s | peak MiB | planned MiB | planned / measured above the floor | result |\n"
        text += "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        for r in mine:
            ratio = f"{r['plan_ratio']:.2f}" if r["plan_ratio"] else ""
            error = f"{r['error']:.4f}" if r["error"] is not None else ""
            text += (f"| {r['method']} | {r['quality']:.4f} | {error} | {' '.join(f'{v:.4f}' for v in r['values'])} | {r['seconds']:.0f} | "
                     f"{r['peak_bytes'] / 2**20:.0f} | {r['planned_bytes'] / 2**20:.0f} | {ratio} | {size_text(r['result_bytes'])} |\n")
    page = os.path.join(args.docs, "choosing.md")
    begin, end = "<!-- table -->", "<!-- end of table -->"
    old = open(page, encoding="utf-8").read() if os.path.exists(page) else f"{begin}\n{end}\n"
    head, rest = old.split(begin, 1)
    with open(page, "w", encoding="utf-8") as file:
        file.write(head + begin + "\n" + text + "\n" + end + rest.split(end, 1)[1])
    with open(path, "w", encoding="utf-8") as file:
        json.dump(sorted(entries.values(), key=lambda e: (list(TASKS).index(e["task"]), list(METHODS).index(e["method"]), e["seed"])), file, indent=1)
    print(text)
    plot(rows, args.docs)


def plot(rows, docs):
    try:
        import matplotlib
    except ImportError:
        print("no matplotlib: the plots are left as they are")
        return
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "frugal"
    from matplotlib import pyplot
    tasks = [t for t in TASKS if any(r["task"] == t for r in rows)]
    figure, axes = pyplot.subplots(1, len(tasks), figsize=(6 * len(tasks), 4.5), squeeze=False)
    for axis, task in zip(axes[0], tasks):
        for r in (r for r in rows if r["task"] == task):
            peak = r["peak_bytes"] / 2**20
            axis.errorbar(peak, r["quality"], yerr=r["error"] or 0, fmt="o", capsize=3)
            axis.annotate(r["method"], (peak, r["quality"]), textcoords="offset points", xytext=(6, 4), fontsize=8)
        axis.set_title(task)
        axis.set_xlabel("peak resident size, MiB")
        axis.set_ylabel(TASKS[task]["metric"])
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(os.path.join(docs, "choosing.svg"), metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    raw = verbs.add_parser("data")
    raw.add_argument("out")
    raw.add_argument("--banking77", required=True)
    one = verbs.add_parser("run")
    one.add_argument("out")
    for name in TASKS:
        one.add_argument("--" + name)
    one.add_argument("--only")
    one.add_argument("--seeds", default="1,2,3")
    two = verbs.add_parser("table")
    two.add_argument("out")
    two.add_argument("--docs", default=os.path.join(ROOT, "docs"))
    args = parser.parse_args()
    dict(data=data, run=run, table=table)[args.verb](args)


if __name__ == "__main__":
    main()
