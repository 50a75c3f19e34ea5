"""Small parts of two public data sets for examples and tests: data/banking77/{train,test}.jsonl and data/gsm8k/train.jsonl, the same way
every time.

usage: scripts/make_sample_data.py BANKING77_FOLDER GSM8K_FOLDER [OUT_FOLDER]

BANKING77_FOLDER holds train.csv and test.csv of PolyAI's task-specific-datasets, GSM8K_FOLDER train.jsonl of OpenAI's grade-school-math. Of
banking77 20 questions an intent go to train and 4 to test, those whose SHA-256 is least; of GSM8K the first 100 problems are taken.
"""
import csv
import hashlib
import json
import sys
from collections import defaultdict
from pathlib import Path

A_LABEL = {"train": 20, "test": 4}


def main():
    banking, gsm8k = map(Path, sys.argv[1:3])
    out = Path(sys.argv[3]) if len(sys.argv) > 3 else Path(__file__).resolve().parent.parent / "data"
    for name, count in A_LABEL.items():
        with open(banking / f"{name}.csv", encoding="utf-8", newline="") as file:
            rows = [(row["text"].strip(), row["category"]) for row in csv.DictReader(file)]
        by_label = defaultdict(list)
        for text, label in rows:
            by_label[label].append(text)
        order = lambda text: hashlib.sha256(text.encode()).hexdigest()  # noqa: E731
        chosen = [(text, label) for label, texts in by_label.items() for text in sorted(texts, key=order)[:count]]
        chosen.sort(key=lambda row: order(row[0]))
        with open(out / "banking77" / f"{name}.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n" for text, label in chosen)
    problems = (gsm8k / "train.jsonl").read_text(encoding="utf-8").splitlines()[:100]
    (out / "gsm8k" / "train.jsonl").write_text("\n".join(problems) + "\n", encoding="utf-8")


main()
