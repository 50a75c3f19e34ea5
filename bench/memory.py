"""The promise of --memory: every method of tune on every kind of data, and the verbs, at the least --memory that each asks for. Makes
docs/memory_measured.json and the table of docs/memory.md.

usage: python bench/memory.py FRUGAL MODEL [--out docs/memory_measured.json] [--only TEXT] [--minutes M]     runs what OUT lacks
       python bench/memory.py --table docs/memory_measured.json                                              prints the table

Each row is planned with --memory 1MiB, which is refused with the --memory that would do; then it runs with that, some steps and the
evaluations of a run. Its peak may be above neither what was planned nor the --memory. Exit 1: one was. A run that is interrupted goes on behind the
last row.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
METHODS = ("mezo", "sparse-mezo", "lora", "badam", "spruft", "full")
SIZES = {"KiB": 10, "MiB": 20, "GiB": 30}


def lines(path, count, change=lambda row: row):
    return [change(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()[:count]]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def make_inputs(folder):
    """Kinds of data, as options of tune."""
    bank = lines(ROOT / "data/banking77/train.jsonl", None)
    labels = sorted({row["label"] for row in bank})
    few = [row for row in bank if row["label"] in labels[:6]]
    problems = lines(ROOT / "data/gsm8k/train.jsonl", None)
    write(folder / "few.jsonl", few)
    write(folder / "chats.jsonl", [{"messages": [{"role": "user", "content": row["question"]},
                                                 {"role": "assistant", "content": row["answer"]}]} for row in problems])
    write(folder / "pairs.jsonl", [{"prompt": [{"role": "user", "content": row["question"]}],
                                    "chosen": [{"role": "assistant", "content": row["answer"]}],
                                    "rejected": [{"role": "assistant", "content": other["answer"]}]}
                                   for row, other in zip(problems, problems[1:])])
    sms, gsm = ROOT / "data/sms-spam", ROOT / "data/gsm8k/train.jsonl"
    intent = "--template '{text} Intent:' --labels "
    return {
        "2 labels": f"--data {sms}/train.jsonl --dev {sms}/dev.jsonl --dev-size 40 --template 'Message: {{text}}\nIs this spam?' "
                    "--labels ham=No,spam=Yes",
        "6 labels": f"--data {folder}/few.jsonl --dev {folder}/few.jsonl --dev-size 40 {intent}{','.join(labels[:6])}",
        "77 labels": f"--data {ROOT}/data/banking77/train.jsonl --dev {ROOT}/data/banking77/test.jsonl --dev-size 20 {intent}{','.join(labels)}",
        "completions": f"--data {gsm} --dev {gsm} --dev-size 20 --template 'Question: {{question}}\nAnswer:' --completion answer",
        "chats": f"--data {folder}/chats.jsonl --dev {folder}/chats.jsonl --dev-size 20",
        "chats, answers written": f"--data {folder}/chats.jsonl --dev {folder}/chats.jsonl --dev-size 8 --dev-metric rougeL --max-new-tokens 32",
        "text": f"--data {ROOT}/docs/architecture.md --data-format text --max-length 512",
        "preferences": f"--data {folder}/pairs.jsonl --dev {folder}/pairs.jsonl --dev-size 8 --objective dpo",
    }


def rows_of(frugal, model, folder):
    """Name, command without --memory, whether it makes a run."""
    kinds = make_inputs(folder)
    for kind, data in kinds.items():
        for method in METHODS:
            if kind == "preferences" and method in ("mezo", "sparse-mezo"):
                continue
            if kind.endswith("written") and method not in ("mezo", "lora"):
                continue
            batch = 4 if kind in ("completions", "chats", "chats, answers written", "text", "preferences") else 8
            yield f"tune {method}, {kind}", f"tune {model} {data} --method {method} --batch {batch} --steps 3 --eval-every 3", True
    yield "tune lora checkpoint, 77 labels", f"tune {model} {kinds['77 labels']} --method lora --activations checkpoint --batch 8 --steps 3", True
    yield "tune lora stored, chats", f"tune {model} {kinds['chats']} --method lora --weights stored --batch 4 --steps 3", True
    yield "tune lora nf4, chats", f"tune {model} {kinds['chats']} --method lora --weights nf4 --batch 4 --steps 3", True
    judged = lambda kind: re.sub(r"--dev \S+|--dev-size \d+", "", kinds[kind])  # noqa: E731
    for kind in ("2 labels", "6 labels", "77 labels", "completions", "chats"):
        yield f"eval, {kind}", f"eval {model} {judged(kind)} --limit 40", False
    yield "eval --generate, chats", f"eval {model} {judged('chats')} --limit 20 --generate --max-new-tokens 32", False
    yield "eval --text", f"eval {model} --text {ROOT}/docs/architecture.md", False
    yield "generate", f"generate {model} --prompt 'Once upon a time' --max-new-tokens 64 --greedy", False
    yield "generate, 8 samples", f"generate {model} --prompt 'Once upon a time' --max-new-tokens 64 --samples 8", False
    yield "prune wanda", f"prune {model} --data {ROOT}/docs/architecture.md --method wanda --sparsity 0.3 --windows 4 --window-length 256", True
    yield "prune bonsai", f"prune {model} --data {ROOT}/docs/architecture.md --method bonsai --sparsity 0.1 --masks 6 --windows 2 --window-length 128", True


def size(text):
    found = re.fullmatch(r"(\d+)([KMG]iB)", text)
    return int(found[1]) << SIZES[found[2]]


def fix_of(text):
    try:
        return json.loads(text.strip().splitlines()[-1])["fix"]
    except (ValueError, KeyError, IndexError):
        return ""


def measure(frugal, command, is_run, folder):
    out = f"--out {folder}/out" if is_run else ""
    call = lambda more: subprocess.run(f"{frugal} {command} {more} --quiet --json {out}", shell=True,  # noqa: E731
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    subprocess.run(f"rm -rf {folder}/out {folder}/out.run", shell=True, check=True)
    refused = call("--memory 1MiB")
    asked = re.search(r"(?:^|; or |^or )--memory (\d+[KMG]iB)", fix_of(refused.stdout))
    if refused.returncode != 4 or not asked:
        return {"error": f"--memory 1MiB is not refused with another: {refused.stdout}{refused.stderr}"[-600:]}
    memory = asked[1]
    began = time.time()
    done = call(f"--memory {memory}")
    row = {"memory": memory, "seconds": round(time.time() - began, 1), "exit": done.returncode}
    if done.returncode != 0:
        return {**row, "error": (done.stdout + done.stderr)[-600:]}
    result = json.loads(done.stdout.strip().splitlines()[-1])
    row["peak"] = result.get("peak_rss_bytes", 0)
    if is_run:
        run = pathlib.Path(folder, "out.run" if command.startswith("prune") else "out")
        row["planned"] = json.loads((run / "run.json").read_text())["plan"]["peak"]
    return row


def is_kept(row):
    return "error" not in row and row["peak"] <= min(row.get("planned", size(row["memory"])), size(row["memory"]))


def table(rows):
    mib = lambda count: f"{count / 2**20:,.0f}"  # noqa: E731
    print("| | `--memory` | planned, MiB | peak, MiB | kept |\n| --- | --- | --- | --- | --- |")
    for name, row in rows.items():
        planned = mib(row["planned"]) if "planned" in row else ""
        print(f"| {name} | {row.get('memory', '')} | {planned} | {mib(row.get('peak', 0))} | {'yes' if is_kept(row) else 'NO'} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frugal", nargs="?")
    parser.add_argument("model", nargs="?")
    parser.add_argument("--out", default=str(ROOT / "docs/memory_measured.json"))
    parser.add_argument("--only", default="")
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--table")
    args = parser.parse_args()
    if args.table:
        return table(json.loads(pathlib.Path(args.table).read_text()))
    out, end = pathlib.Path(args.out), time.time() + 60 * args.minutes
    rows = json.loads(out.read_text()) if out.exists() else {}
    with tempfile.TemporaryDirectory(prefix="frugal-memory-") as name:
        folder = pathlib.Path(name)
        for row, command, is_run in rows_of(args.frugal, args.model, folder):
            if row in rows or args.only not in row or time.time() > end:
                continue
            rows[row] = measure(args.frugal, command, is_run, folder)
            print(row, json.dumps(rows[row]), flush=True)
            out.write_text(json.dumps(rows, indent=1) + "\n")
    broken = [row for row, found in rows.items() if not is_kept(found)]
    print(f"{len(rows) - len(broken)} of {len(rows)} kept" + "".join(f"\nnot kept: {row}" for row in broken))
    sys.exit(1 if broken else 0)


main()
