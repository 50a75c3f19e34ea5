"""Our steps and the same steps in PyTorch, PEFT, badam and the published MeZO loop, interleaved in one run on one machine.

usage: python bench/peers/compare.py MODEL.gguf HF_DIR OUT [--rounds 3] [--steps 3] [--rows "NAME;NAME"] [--dtypes bf16,f32] [--gsm8k FILE]
           [--sst2 FILE] [--isa avx2|avx512]
  --gsm8k, --sst2   jsonl of question and answer, of text and label: rows of natural lengths
  --isa avx2        both sides as on a machine without AVX-512 (in fp32: --dtypes f32)
  --isa avx512      both sides as on one with AVX-512 and no bf16 instructions: ours takes products of bf16 weights in fp32
Runs in the peers' environment (make bench-peers makes it). Each row runs ours, then theirs, in processes of their own, once a round.
Writes OUT/results.json (every time measured, after each row), OUT/table.md (medians over all rounds, ratio = theirs / ours) and OUT/steps.svg.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FRUGAL = os.environ.get("FRUGAL", os.path.join(HERE, "..", "..", "build", "bin", "frugal"))
SST2 = "Review: {text}\nSentiment:"
LABELS = ["negative", "positive"]
EMULATED = {"": {}, "avx2": dict(FRUGAL_ISA="avx2", FRUGAL_COMPUTE="f32", ONEDNN_MAX_CPU_ISA="AVX2", ATEN_CPU_CAPABILITY="avx2",
                                 MKL_ENABLE_INSTRUCTIONS="AVX2"),
            "avx512": dict(FRUGAL_ISA="avx3", FRUGAL_COMPUTE="f32", ONEDNN_MAX_CPU_ISA="AVX512_CORE", MKL_ENABLE_INSTRUCTIONS="AVX512")}
GSM8K = "Question: {question}\nAnswer:"
DTYPE = dict(bf16="bfloat16", f32="float32")

# name: [(options of ours, options of theirs), ...]; a row of several is their mean.
LORA = "--method lora --rank 8 --alpha 16"
ROWS = {
    "forward": [("--method forward", "forward")],
    "mezo": [("--method mezo", "mezo")],
    "sparse-mezo": [("--method sparse-mezo", "mezo")],
    "full": [("--method full", "adamw")],
    "lora": [(LORA, "lora")],
    "lora, dropout 0.1": [(LORA + " --dropout 0.1", "lora --dropout 0.1")],
    "lora, checkpoint": [(LORA + " --activations checkpoint", "lora")],
    "badam, blocks 0 15 29": [(f"--method badam --switch-mode fixed --start-block {b}", f"badam --block {b}") for b in (0, 15, 29)],
    "spruft against lora": [("--method spruft --rows 16 --score magnitude", "lora")],
    "lora, 8 GSM8K answers": [(LORA + " --data {gsm8k}", "lora --data {gsm8k_tokens}")],
    # The published loop scores candidates as sequences of their own: 32 of them.
    "mezo, 16 SST-2 prompts, two label words": [("--method mezo --data {sst2} --batch 16", "mezo --data {sst2_tokens} --batch 32")],
}


def run(command, environment):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        raise SystemExit(" ".join(command) + "\n" + done.stderr[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def ours(args, options, dtype):
    environment = {**EMULATED[args.isa], **({"FRUGAL_COMPUTE": "f32"} if dtype == "f32" else {})}
    words = [w.replace("{gsm8k}", args.gsm8k or "").replace("{sst2}", args.sst2 or "") for w in options.split()]
    shape = [] if "--data" in options else ["--length", str(args.length)]
    shape += ["--batch", str(args.batch)] if "--batch" not in options else []
    if "{gsm8k}" in options:
        shape += ["--template", GSM8K, "--completion", "answer"]
    if "{sst2}" in options:
        shape += ["--template", SST2, "--labels", ",".join(LABELS)]
    return run([FRUGAL, "bench", "step", args.model, *words, *shape, "--threads", str(args.threads), "--repeats", str(args.steps),
                "--weights", dtype, "--json", "--quiet"], environment)


def theirs(args, options, dtype):
    for name in ("gsm8k", "sst2"):
        options = options.replace("{" + name + "_tokens}", os.path.join(args.out, name + ".jsonl"))
    words = options.split()
    return run([sys.executable, os.path.join(HERE, "peer_step.py"), words[0], args.folder, "--dtype", DTYPE[dtype], "--batch", str(args.batch),
                "--length", str(args.length), "--steps", str(args.steps), "--threads", str(args.threads), *words[1:]], EMULATED[args.isa])


def write_tokens(args):
    """The examples as the peers' tokenizer sees them: prompt, a space and the answer (with end of text), or each label in turn."""
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(args.folder)

    def write(name, sequences):
        with open(os.path.join(args.out, name + ".jsonl"), "w", encoding="utf-8") as file:
            for prompt, answer, end in sequences:
                head, tail = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, " " + answer))
                file.write(json.dumps(dict(tokens=head + tail + end, targets_from=len(head))) + "\n")
    if args.gsm8k:
        rows = [json.loads(line) for line in open(args.gsm8k, encoding="utf-8")][: args.batch]
        write("gsm8k", [(f"Question: {row['question']}\nAnswer:", row["answer"], [tokenizer.eos_token_id]) for row in rows])
    if args.sst2:
        rows = [json.loads(line) for line in open(args.sst2, encoding="utf-8")][:16]
        write("sst2", [(SST2.replace("{text}", row["text"]), label, []) for row in rows for label in LABELS])


def summary(runs):
    """Of one side of a row, runs[variant][round]: seconds (mean over the variants of the median), peak (the largest)."""
    seconds = statistics.mean(statistics.median([s for r in rounds for s in r["seconds"]]) for rounds in runs)
    least = statistics.mean(min(s for r in rounds for s in r["seconds"]) for rounds in runs)
    return dict(seconds_median=seconds, seconds_min=least, peak_rss_bytes=max(r["peak_rss_bytes"] for rounds in runs for r in rounds))


def table(results):
    lines = ["| step | products | ours s | theirs s | theirs / ours | least / least | ours peak MB | theirs peak MB | ours / theirs |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row in results["rows"]:
        a, b = row["ours"], row["theirs"]
        lines.append(
            f"| {row['name']} | {row['dtype']} | {a['seconds_median']:.2f} | {b['seconds_median']:.2f} | "
            f"{b['seconds_median'] / a['seconds_median']:.2f} | {b['seconds_min'] / a['seconds_min']:.2f} | {a['peak_rss_bytes'] / 1e6:.0f} | "
            f"{b['peak_rss_bytes'] / 1e6:.0f} | {a['peak_rss_bytes'] / b['peak_rss_bytes']:.2f} |")
    return "\n".join(lines) + "\n"


def plot(results, path):
    """How many times as fast as theirs each step is, and its peak as a part of theirs."""
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "frugal"
    from matplotlib import pyplot
    names = list(dict.fromkeys(row["name"] for row in results["rows"]))
    dtypes = list(dict.fromkeys(row["dtype"] for row in results["rows"]))
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 1.2 + 0.45 * len(names)), sharey=True, layout="constrained")
    height = 0.8 / len(dtypes)
    panels = [("seconds, theirs / ours", lambda row: row["theirs"]["seconds_median"] / row["ours"]["seconds_median"]),
              ("peak memory, ours / theirs", lambda row: row["ours"]["peak_rss_bytes"] / row["theirs"]["peak_rss_bytes"])]
    for axis, (title, value) in zip(axes, panels):
        for i, dtype in enumerate(dtypes):
            rows = [row for row in results["rows"] if row["dtype"] == dtype]
            bars = axis.barh([names.index(row["name"]) + (i + 0.5) * height - 0.4 for row in rows], [value(row) for row in rows], height, label=dtype)
            axis.bar_label(bars, fmt="%.2f", padding=2, fontsize=8)
        axis.axvline(1, color="black", linewidth=0.8)
        axis.margins(x=0.1)
        axis.set_title(title)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    axes[1].legend(loc="lower right")
    machine = results["machine"]
    isa = f", as on {results['isa'].upper()}" if results["isa"] else ""
    figure.suptitle(f"{machine['processor']}{isa}, {results['threads']} threads, {results['batch']} x {results['length']} tokens", fontsize=10)
    figure.savefig(path, metadata={"Date": None})


def save(args, machine, pairs):
    """What is measured so far, so that an interrupted run keeps it."""
    rows = [dict(name=n, dtype=d, ours=summary(a), theirs=summary(b), runs=dict(ours=a, theirs=b)) for n, d, (a, b) in pairs if all(b)]
    results = dict(isa=args.isa, machine=machine, threads=args.threads, batch=args.batch, length=args.length, rounds=min(len(row["runs"]["theirs"][0]) for row in rows),
                   steps=args.steps, rows=rows)
    new = os.path.join(args.out, "results.json.new")
    with open(new, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    os.replace(new, os.path.join(args.out, "results.json"))
    text = table(results)
    with open(os.path.join(args.out, "table.md"), "w", encoding="utf-8") as file:
        file.write(f"{machine['processor']}, {args.threads} threads, {args.batch} x {args.length} tokens\n\n" + text)
    plot(results, os.path.join(args.out, "steps.svg"))
    return text


def main():
    parser = argparse.ArgumentParser()
    for name in ("model", "folder", "out"):
        parser.add_argument(name)
    for name, default in dict(rounds=3, steps=3, batch=8, length=128, threads=2).items():
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--rows", default="")
    parser.add_argument("--dtypes", default="bf16,f32")
    parser.add_argument("--gsm8k")
    parser.add_argument("--sst2")
    parser.add_argument("--isa", default="", choices=EMULATED)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    names = [n for n in ROWS if (not args.rows or n in args.rows.split(";")) and (args.gsm8k or "GSM8K" not in n) and (args.sst2 or "SST-2" not in n)]
    if not names or args.rounds < 1:
        parser.error(f"--rows is '{args.rows}' and --rounds {args.rounds}; rows: {'; '.join(ROWS)} (those of GSM8K and SST-2 with their files), rounds: 1 or more")
    write_tokens(args)  # fails here, and not after the first row, where this is not the peers' environment
    pairs = [(name, dtype, ([[] for _ in ROWS[name]], [[] for _ in ROWS[name]])) for dtype in args.dtypes.split(",") for name in names]
    doctor = run([FRUGAL, "doctor", "--json"], {})
    machine = {k: doctor[k] for k in ("processor", "cores", "instruction_set", "avx512_bf16", "amx_bf16", "version")}
    for turn in range(args.rounds):
        for name, dtype, (a, b) in pairs:
            for i, (own, other) in enumerate(ROWS[name]):
                a[i].append(ours(args, own, dtype))
                b[i].append(theirs(args, other, dtype))
                print(f"round {turn + 1}  {dtype}  {name}: ours {a[i][-1]['seconds_median']:.2f} s, theirs {b[i][-1]['seconds_median']:.2f} s",
                      file=sys.stderr, flush=True)
            text = save(args, machine, pairs)
    print(text)


if __name__ == "__main__":
    main()
