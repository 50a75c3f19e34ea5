#!/usr/bin/env python3
"""What pruning costs and brings on a real model: writes results/ITEM.json beside this file, and prints tables.

usage: run.py FRUGAL WORK --text FOLDER [--items quality,bytes,speed,tasks,racing] [--model MODEL] ...
  FRUGAL   the program; WORK: a folder for models and runs. What is done is not repeated, what was cut short goes on.
  --text   valid.txt, which is pruned and tuned on, and test.txt, which is measured (WikiText-2: the folder
           word_language_model/data/wikitext-2 of github.com/pytorch/examples)
  --other  another text, whose beginning is measured, too (Shakespeare: input.txt of minGPT-ddp there)
  --tasks  a folder with gsm8k/, sent-conv/ and banking77/, for the item tasks
  items    quality: excess loss by method and repair; bytes: the same bytes by quantisation alone, and both; speed: half
           of the blocks gone, against the whole; tasks: GSM8K, SST-2, banking77, before and after repair;
           racing: what goes when masks do not see all windows
"""
import argparse
import json
import pathlib
import sys

sys.dont_write_bytecode = True  # nothing beside the modules that follow

import quality
import racing
import size
import speed
import tasks
from runner import Runner

HERE = pathlib.Path(__file__).resolve().parent
ITEMS = {"quality": quality.run, "bytes": size.run, "speed": speed.run, "tasks": tasks.run,
         "racing": racing.run}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frugal")
    parser.add_argument("work")
    parser.add_argument("--text", required=True)
    parser.add_argument("--other", default="")
    parser.add_argument("--tasks", default="")
    parser.add_argument("--items", default="quality")
    parser.add_argument("--model", default="build/models/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--methods", default=",".join(quality.METHODS))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--adapt-seeds", default="1", help="0: none")
    parser.add_argument("--adapt-methods", default=",".join(quality.METHODS))
    parser.add_argument("--budget", default="quick")
    given = parser.parse_args()
    given.valid = str(pathlib.Path(given.text) / "valid.txt")
    runner = Runner(given.frugal, given.work, given.model)
    texts = {"test": runner.head(pathlib.Path(given.text) / "test.txt")}
    if given.other:
        texts["other"] = runner.head(given.other)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    for item in given.items.split(","):
        found = ITEMS[item](runner, given, texts)
        name = item if item != "quality" else f"quality-{given.budget}"
        (results / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
