#!/usr/bin/env python3
"""Draws results/bytes.json: quality against bytes and against tokens a second, each model a line over its types.

usage: picture.py OUT.svg   needs matplotlib
"""
import json
import math
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "frugal"
from matplotlib import pyplot  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def main():
    rows = json.loads((HERE / "results/bytes.json").read_text())["rows"]
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.6), sharey=True)
    for place, (key, scale, name) in enumerate([("bytes", 1e6, "MB of the file"), ("tokens_per_second", 1, "tokens/s")]):
        for label in dict.fromkeys(row["model"] for row in rows):
            own = sorted((row for row in rows if row["model"] == label), key=lambda row: row[key])
            axes[place].plot([row[key] / scale for row in own], [math.exp(row["test"]) for row in own], marker="o",
                             linestyle="--" if "adapted" in label else "-", label=label)
            for row in own if place == 0 else []:
                axes[0].annotate(row["dtype"], (row["bytes"] / 1e6, math.exp(row["test"])), fontsize=6,
                                 xytext=(3, 3), textcoords="offset points")
        axes[place].set_xlabel(name)
        axes[place].set_yscale("log")
        axes[place].grid(alpha=0.3)
    axes[0].set_ylabel("perplexity, WikiText-2 test")
    axes[1].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
