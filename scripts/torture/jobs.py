"""What is tortured: every job that frugal runs, each small enough to end in a second."""
import hashlib
import re
import json
import pathlib
import random
import shutil
import subprocess

LABELS = "--template '{text} :' --labels N,Y --max-length 32 --batch 4 --steps 12 --checkpoint-every 3 --eval-every 4 --dev dev.jsonl"
PRUNE = "--data text.txt --windows 4 --window-length 32 --weights f32 --min-neurons 8 --neuron-multiple 8 --sparsity 0.4"
# Of each a name, the words, and whether its result is a model beside its run.
JOBS = [
    *((f"tune {method}", f"tune model --data train.jsonl {LABELS} --method {method}", False)
      for method in ("mezo", "sparse-mezo", "lora", "badam", "spruft", "full")),
    ("tune text", "tune model --data text.txt --max-length 32 --batch 2 --steps 8 --checkpoint-every 2 --method lora", False),
    ("adapt", "adapt small --teacher model --data text.txt --dev text.txt --max-length 32 --batch 2 --steps 8 "
              "--checkpoint-every 2", True),
    ("adapt stored", "adapt small --teacher model --data text.txt --max-length 32 --batch 2 --steps 8 --checkpoint-every 2 "
                     "--teacher-store stored", True),
    ("prune bonsai", f"prune model {PRUNE} --method bonsai --masks 12 --step 0.1", True),
    ("prune wanda", f"prune model {PRUNE} --method wanda --reconstruct", True),
    ("bandit run", "bandit run --policy ols-ucb-c,cos-v --items 6 --choose 2 --horizon 100000 --seeds 2 --checkpoint-every 2",
     False),
    ("swarm train", "swarm train --runs 60 --agents 3 --window 12 --filters 8 --kernels 3 --lr 1e-3 --epochs 8 --patience 40 "
                    "--checkpoint-every 2", False),
    ("sweep", "bandit run --policy cucb --items 6 --horizon 20000 --seeds 1 --sweep choose=2,3", False),
]


class Failed(Exception):
    """A promise that was not kept."""


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def make_inputs(frugal, source, folder):
    """A model of two layers whose tokens are letters, examples, a text; and a smaller model."""
    folder.mkdir(parents=True)
    shutil.copytree(source / "frugal/nn/tests/golden/tied", folder / "model")
    tokens = ["\u0120", *map(chr, range(97, 123)), "N", "Y", "Ye", ":"]
    tokens += [f"no{i}" for i in range(len(tokens), 61)]
    (folder / "model/tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": [], "decoder": {"type": "ByteLevel"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "model": {"type": "BPE", "vocab": {token: i for i, token in enumerate(tokens)}, "merges": ["Y e"]}}))
    draw = random.Random(5)
    letters = lambda n: "".join(draw.choice("abcdefgh ijklm nopqrst ") for _ in range(n)).strip() + "a"  # noqa: E731
    for name, count in (("train", 60), ("dev", 20)):
        rows = [{"text": letters(9), "label": draw.choice("NY")} for _ in range(count)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "text.txt").write_text(" ".join(letters(5) for _ in range(900)) + "\n")
    subprocess.run(f"{frugal} prune model {PRUNE} --method wanda --out small --threads 1 --quiet", shell=True, cwd=folder,
                   check=True, stdout=subprocess.DEVNULL)


def without_measures(results):
    """What a run found, but for times, memory and names of files."""
    if isinstance(results, dict):
        return {key: without_measures(value) for key, value in results.items()
                if not re.search("second|rss|bytes|model|table|run", key)}
    return [without_measures(value) for value in results] if isinstance(results, list) else results


class Job:
    """A job in a folder that holds the inputs; out: what its --out names."""

    def __init__(self, name, words, is_model):
        self.name, self.words, self.is_model = name, words, is_model

    @property
    def verb(self):
        words = self.words.split()
        return " ".join(words[:2]) if words[0] in ("bandit", "swarm") else words[0]

    def start(self, out):
        return f"{self.words} --seed 3 --threads 1 --quiet --json --out {out}"

    def run_of(self, out):
        return f"{out}.run" if self.is_model else out

    def resume(self, out, more=""):
        return f"{self.verb} --resume {self.run_of(out)} --quiet --json {more}"

    def bits(self, folder, out):
        """What the run ended with: of its record, and of the model that it wrote."""
        record = json.loads((folder / self.run_of(out) / "run.json").read_text())
        if record["status"] != "done":
            raise Failed(f"the run ended with success, its status is {record['status']}")
        found = record.get("weights_sha256") or record["results"]["state_sha256"]
        return found, without_measures(record["results"]), digest(folder / out / "model.safetensors") if self.is_model else ""
