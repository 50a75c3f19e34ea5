"""Runs frugal and keeps what it found: what is done is not repeated, and what was cut short goes on."""
import json
import pathlib
import shutil
import subprocess
import sys
import time

MEASURED = 150_000  # bytes of each text that is measured, about 70 windows of 512 tokens


class Runner:
    def __init__(self, frugal, work, model):
        self.frugal, self.work, self.model = frugal, pathlib.Path(work), str(model)
        self.work.mkdir(parents=True, exist_ok=True)

    def head(self, path):
        """The first whole lines of a text."""
        name = self.work / f"{pathlib.Path(path).stem}-head.txt"
        name.write_bytes(pathlib.Path(path).read_bytes()[:MEASURED].rsplit(b"\n", 1)[0] + b"\n")
        return str(name)

    def call(self, *words):
        """The last line that it prints, as JSON."""
        began = time.time()
        done = subprocess.run([self.frugal, *map(str, words)], stdout=subprocess.PIPE, text=True)
        print(f"{time.time() - began:7.0f} s  frugal {' '.join(map(str, words))}"[:220], flush=True)
        if done.returncode != 0:
            sys.exit(f"exit {done.returncode}\n{done.stdout}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def run(self, verb, out, *words):
        """The record of a run whose model is `out`."""
        run = self.work / f"{out}.run"
        record = run / "run.json"
        if not record.exists():
            shutil.rmtree(run, ignore_errors=True)
            self.call(verb, *words, "--out", self.work / out, "--quiet", "--json")
        elif json.loads(record.read_text())["status"] != "done":
            self.call(verb, "--resume", run, "--quiet", "--json")
        return json.loads(record.read_text())

    def once(self, name, measure):
        """What `measure` finds, kept under that name."""
        cache = self.work / f"{name}.json"
        if not cache.exists():
            cache.write_text(json.dumps(measure()))
        return json.loads(cache.read_text())

    def losses(self, model, name, texts):
        """Mean loss of a token of each text."""
        return self.once(f"{name}.eval", lambda: {
            text: self.call("eval", model, "--text", path, "--length", 512, "--json")["loss"]
            for text, path in texts.items()})
