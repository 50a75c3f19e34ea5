"""How the cost of a step grows with tokens and with parameters, and how far each point is from a roofline. Makes docs/growth.json, the plot
docs/growth.svg and the table of docs/performance.md.

usage: python bench/growth.py run OUT --models FOLDER [--only NAME,...] [--minutes M]     measures what OUT/points.json does not hold yet
       python bench/growth.py table OUT [--docs docs]                                             these, and of docs/growth.json those that OUT lacks
       python bench/growth.py run OUT --models FOLDER --only "parameters/mezo on pairs/llama-2-7b,budget"         a model larger than the budget
FOLDER takes the models of random weights that bench/random_model.py makes. `table` needs matplotlib for the plot and does without. The point in a control
group has the group made, as root: a folder of /sys/fs/cgroup/memory (version 1) or of /sys/fs/cgroup, with the limit in it, that the step is put into before
it starts; the model's pages are dropped from the page cache first, since those that are there are another group's.

The roofline of a point: its products at the rate that this machine gave for them just before and after (mean of the two; `frugal bench machine`: bf16
or fp32 products of 512 rows by 2048 x 2048, one on each thread), plus the bytes of weights that a step must move at the rate at which memory was read. Random numbers, norms, softmax
and everything else count nothing in it. Bytes: the weights once for each forward, and twice more where a step updates them (read and written); blocks
as stored count as they lie in the file.
"""
import argparse
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "bench"))
SMALL = os.path.join(ROOT, "build/models/SmolLM2-135M-Instruct.Q4_1.gguf")
TRIES, AGREE = 3, 1.15
RATES = ("product_flops", "model_product_flops", "read_bytes_per_second")
TOGETHER = 1024  # tokens of a forward at most, unless one sequence is longer

# name: (model, sequences, tokens each, method and options, repeats)
POINTS = {}
for tokens in (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192):
    size = min(tokens, 128)
    for method in ("forward", "mezo"):
        POINTS[f"tokens/{method}/{tokens}"] = (None, tokens // size, size, f"--method {method}", 5 if tokens <= 512 else 3 if tokens <= 1024 else 1)
for tokens in (512, 1024, 2048, 4096, 8192):
    POINTS[f"one sequence/mezo/{tokens}"] = (None, 1, tokens, "--method mezo", 2 if tokens <= 1024 else 1)
for shape in ("30m", "smollm2-135m", "smollm2-360m", "tinyllama-1.1b", "llama-3.2-3b", "llama-2-7b"):
    POINTS[f"parameters/mezo on pairs/{shape}"] = (shape, 1, 64, "--method mezo --train lora --weights stored", 3 if shape < "l" or "small" in shape else 1)
for shape in ("30m", "smollm2-135m", "smollm2-360m", "tinyllama-1.1b"):
    POINTS[f"parameters/mezo/{shape}"] = (shape, 4, 128, "--method mezo", 3 if shape != "tinyllama-1.1b" else 1)
# A model larger than the budget; beside "parameters/mezo on pairs/llama-2-7b", where all of its file is resident.
RESIDENT, STREAMED, GROUPED = "parameters/mezo on pairs/llama-2-7b", "budget/mezo on pairs/2GiB", "budget/mezo on pairs/2GiB in a control group"
for name in (STREAMED, GROUPED):
    POINTS[name] = ("llama-2-7b", 1, 64, "--method mezo --train lora --weights stored --memory 2GiB", 2)
POINTS["budget/mezo/tinyllama-1.1b"] = ("tinyllama-1.1b", 8, 128, "--method mezo", 1)
GROUPS = {GROUPED: 2 << 30}  # bytes of memory, page cache included


class ControlGroup:
    """Of so many bytes, page cache included. Needs to be root."""

    def __init__(self, limit):
        first = os.path.isdir("/sys/fs/cgroup/memory")
        self.path = os.path.join("/sys/fs/cgroup/memory" if first else "/sys/fs/cgroup", f"frugal_{os.getpid()}")
        os.mkdir(self.path)
        self.write("memory.limit_in_bytes" if first else "memory.max", limit)

    def write(self, name, value):
        with open(os.path.join(self.path, name), "w", encoding="utf-8") as file:
            file.write(str(value))

    def enter(self):
        self.write("cgroup.procs", os.getpid())

    def remove(self):
        os.rmdir(self.path)


def drop_pages(path):
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run_json(program, *args, group=None):
    done = subprocess.run([program, *args, "--json", "--quiet"], capture_output=True, text=True, preexec_fn=group.enter if group else None)
    if done.returncode != 0:
        raise SystemExit(f"error: frugal {' '.join(args)} ended with {done.returncode}: {done.stdout}{done.stderr}\nfix: see the message above")
    return json.loads(done.stdout.splitlines()[-1])


def run_step(program, call, model, limit):
    """In a control group of `limit` bytes where that is not 0; None where there can be none."""
    if limit == 0:
        return run_json(program, *call)
    try:
        group = ControlGroup(limit)
    except OSError as error:
        print(f"no control group of {limit} bytes, so its point is left out: {error}", flush=True)
        return None
    try:
        drop_pages(model)
        return run_json(program, *call, group=group)
    finally:
        group.remove()


def drifted(drift):
    return drift is not None and not 1 / AGREE < drift < AGREE


def run(args):
    import random_model
    program = os.environ.get("FRUGAL", os.path.join(ROOT, "build/bin/frugal"))
    path = os.path.join(args.out, "points.json")
    os.makedirs(args.out, exist_ok=True)
    points = json.load(open(path, encoding="utf-8")) if os.path.exists(path) else {}
    began = time.monotonic()
    for name, (shape, sequences, length, options, repeats) in POINTS.items():
        if name in points or (args.only and not any(name.startswith(o) for o in args.only.split(","))):
            continue
        if args.minutes and time.monotonic() - began > 60 * args.minutes:
            break
        model = SMALL
        if shape:
            model = os.path.join(args.models, shape + ".gguf")
            if not os.path.exists(model):
                random_model.write(model, random_model.SHAPES[shape], "q4_0", SMALL)
        rows = str(min(512, max(32, sequences * length // 2)))
        step_call = ["bench", "step", model, "--batch", str(sequences), "--length", str(length), "--repeats", str(repeats), *options.split()]
        for _ in range(TRIES):  # rates before and after the step agree, or a neighbour came or went
            before = run_json(program, "bench", "machine", model, "--length", rows)
            step = run_step(program, step_call, model, GROUPS.get(name, 0))
            if step is None:
                break
            after = run_json(program, "bench", "machine", model, "--length", rows)
            drift = after["product_flops"] / before["product_flops"]
            if not drifted(drift):
                break
        if step is None:
            continue
        machine = dict(before, **{key: (before[key] + after[key]) / 2 for key in RATES}, drift=drift)
        shape_of = run_json(program, "plan", model)["model"]
        points[name] = dict(sequences=sequences, length=length, options=options, machine=machine, step=step, model=shape_of)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(points, file, indent=1)
        print(name, f"{step['seconds_median']:.2f} s" + ("; rates before and after it do not agree" if drifted(drift) else ""), flush=True)


def sizes(shape):
    """Weights in the layers' linears, in the head, layers and width of the queries."""
    import random_model
    hidden, layers, heads, kv_heads, ffn, tied = random_model.SHAPES[shape or "smollm2-135m"]
    kv = hidden // heads * kv_heads
    return layers * (2 * hidden * hidden + 2 * hidden * kv + 3 * hidden * ffn), hidden, layers, tied


def roofline(name, point):
    shape, method = POINTS[name][0], name.split("/")[1]
    linears, hidden, layers, tied = sizes(shape)
    head = point["model"]["vocab"] * hidden
    tokens, branches = point["sequences"] * point["length"], 1 if method == "forward" else 2
    flops = branches * tokens * (2 * (linears + head) + 2 * layers * hidden * point["length"])
    forwards = -(-tokens // max(TOGETHER, point["length"]))
    if method == "mezo on pairs":
        moved = forwards * point["step"]["file_bytes"] * (linears + head) / (linears + head * (1 if tied else 2))
    else:
        moved = 2 * (forwards * (linears + head) + (0 if method == "forward" else 2 * (linears + head * (1 if tied else 2))))
    machine = point["machine"]
    memory = moved / machine["read_bytes_per_second"]
    return dict(flops=flops, bytes=moved, seconds=flops / machine["product_flops"] + memory,
                own_seconds=flops / machine["model_product_flops"] + memory, parameters=linears + head * (1 if tied else 2))


def collect(out):
    points = json.load(open(os.path.join(out, "points.json"), encoding="utf-8"))
    rows = []
    for name in POINTS:
        if name not in points:
            continue
        point = points[name]
        line = roofline(name, point)
        step = point["step"]
        rows.append(dict(name=name, tokens=point["sequences"] * point["length"], sequences=point["sequences"], length=point["length"],
                         seconds=step["seconds_median"], times=step["seconds_median"] / line["seconds"], times_own=step["seconds_median"] / line["own_seconds"],
                         peak_bytes=step["peak_rss_bytes"], weight_bytes=step["weight_bytes"], file_bytes=step["file_bytes"], floor_bytes=step["floor_rss_bytes"],
                         product_gflops=point["machine"]["product_flops"] / 1e9, model_product_gflops=point["machine"]["model_product_flops"] / 1e9,
                         read_gigabytes=point["machine"]["read_bytes_per_second"] / 1e9, roofline=line, threads=step["threads"], compute=step["compute"],
                         isa=step["isa"], drift=point["machine"].get("drift"), steps=step.get("steps"), streamed_bytes=step.get("streamed_bytes"),
                         disk_bytes=step.get("disk_bytes")))
    return rows


def table(args):
    path = os.path.join(args.docs, "growth.json")
    of = {r["name"]: r for r in (json.load(open(path, encoding="utf-8")) if os.path.exists(path) else [])}
    of.update({r["name"]: r for r in collect(args.out)})
    rows = [of[name] for name in POINTS if name in of]
    if not rows:
        raise SystemExit("error: no point has been measured\nfix: python bench/growth.py run OUT --models FOLDER")
    text = "\n| what grows | step | tokens | million weights | s | roofline s | times | times at the model's sizes | peak MiB |\n"
    text += "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    for r in rows:
        grows, step, _ = r["name"].split("/")
        if grows == "budget":
            continue
        mark = " *" if drifted(r["drift"]) else ""
        text += (f"| {grows} | {step} | {r['sequences']} x {r['length']} | {r['roofline']['parameters'] / 1e6:.0f} | {r['seconds']:.2f} | "
                 f"{r['roofline']['seconds']:.2f} | {r['times']:.2f}{mark} | {r['times_own']:.2f}{mark} | {r['peak_bytes'] / 2**20:.0f} |\n")
    if any(drifted(r["drift"]) for r in rows):
        text += f"\n\\* the rate of products after the step was not within {AGREE} times that before it, in {TRIES} tries\n"
    page = os.path.join(args.docs, "performance.md")
    begin, end = "<!-- growth -->", "<!-- end of growth -->"
    old = open(page, encoding="utf-8").read()
    if begin not in old:
        raise SystemExit(f"error: {page} has no {begin}\nfix: put {begin} and {end} where the table belongs")
    head, rest = old.split(begin, 1)
    with open(page, "w", encoding="utf-8") as file:
        file.write(head + begin + "\n" + text + "\n" + end + rest.split(end, 1)[1])
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=1)
        file.write("\n")
    print(text + budget_table(rows))
    plot(rows, args.docs)


def budget_table(rows):
    """What the page says of models larger than the budget, to be put there by hand."""
    of = {r["name"]: r for r in rows}
    text = ""
    for name, title in ((RESIDENT, "all of the file resident"), (STREAMED, "`--memory 2GiB`, the page cache holds the rest"),
                        (GROUPED, "`--memory 2GiB`, in a control group of 2 GiB with its page cache"),
                        ("budget/mezo/tinyllama-1.1b", "1.1 billion weights, 8 x 128 tokens, bf16")):
        if name in of and (name != RESIDENT or STREAMED in of):
            r = of[name]
            text += (f"| {title} | {r['seconds']:.2f}{' *' if drifted(r['drift']) else ''} | {r['peak_bytes'] / 2**20:.0f} | {r['streamed_bytes'] / 2**20:.0f} | "
                     f"{r['disk_bytes'] / 2**20:.0f} | {(r['peak_bytes'] - r['weight_bytes']) / 2**20:.0f} |\n")
    if not text:
        return ""
    return ("\n| | s | peak MiB | of the file, a step, MiB | from storage, a step, MiB | peak less the weights' copy MiB |\n"
            "| --- | --- | --- | --- | --- | --- |\n" + text)


def plot(rows, docs):
    try:
        import matplotlib
    except ImportError:
        print("no matplotlib: the plot is left as it is")
        return
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "frugal"
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 8))
    for column, (kinds, x_of, label) in enumerate([(("tokens", "one sequence"), lambda r: r["tokens"], "tokens of a step"),
                                                   (("parameters",), lambda r: r["roofline"]["parameters"] / 1e6, "million weights")]):
        lines = {}
        for r in rows:
            kind, method, _ = r["name"].split("/")
            if kind in kinds:
                sequences = f", {r['length']} tokens each" if kind == "parameters" else ", one sequence" if kind == "one sequence" else ""
                lines.setdefault(method + (f", {r['tokens']} tokens" if kind == "parameters" else sequences), []).append(r)
        for name, points in lines.items():
            xs = [x_of(r) for r in points]
            mark, = axes[0][column].loglog(xs, [r["seconds"] for r in points], "o-", label=name)
            axes[0][column].loglog(xs, [r["roofline"]["seconds"] for r in points], "--", color=mark.get_color(), alpha=0.6)
            axes[1][column].loglog(xs, [r["peak_bytes"] / 2**20 for r in points], "o-", label=name)
        for axis, title in zip((axes[0][column], axes[1][column]), ("seconds of a step; dashed: roofline", "peak resident size, MiB")):
            axis.set_xlabel(label)
            axis.set_title(title, fontsize=10)
            axis.grid(alpha=0.3, which="both")
            axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(os.path.join(docs, "growth.svg"), metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("run")
    one.add_argument("out")
    one.add_argument("--models", required=True)
    one.add_argument("--only")
    one.add_argument("--minutes", type=float, help="begin no point after so many")
    two = verbs.add_parser("table")
    two.add_argument("out")
    two.add_argument("--docs", default=os.path.join(ROOT, "docs"))
    args = parser.parse_args()
    (run if args.verb == "run" else table)(args)


if __name__ == "__main__":
    main()
