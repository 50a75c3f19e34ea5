"""What llama.cpp makes of a GGUF file that frugal wrote: it loads, and gives the same text and the same logits.

usage: python bench/peers/llama_cpp_check.py FILE.gguf... [--against DENSE.gguf] [--prompt TEXT] [--new 64] [--rounds 5] [--threads 2] [--json OUT.json]
Runs in the peers' environment (scripts/setup.sh llama_cpp) and needs build/examples/logits.
For each file: llama.cpp's greedy tokens after the prompt, how many of them ours are, too, and where they part by how much in our logits; the
logits of both over prompt and tokens, as the largest and the root mean square difference, the share of rows whose likeliest token is the same,
and the divergence of the distributions in nats. Ours are computed in fp32 from the weights as stored. llama.cpp rounds what it multiplies with
them: to bf16 for BF16 matrices, to 8 bits for quantised ones. The yardstick is what bf16 costs ourselves: our logits in bf16 against those in fp32.
--against: rates of prompt and generation in llama.cpp beside those of this file, in turns; medians over the rounds.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

import llama_cpp
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("FRUGAL_BUILD", os.path.join(HERE, "..", "..", "build"))
PROMPT = ("The river had risen in the night. When the children came down to the bridge in the morning, they saw that the water had taken the old "
          "boat, the fence of the mill and")


def run(*command):
    return subprocess.run(command, capture_output=True, check=True).stdout


def our_logits(path, ids, vocabulary, kind="f32"):
    raw = run(os.path.join(BUILD, "examples", "logits"), path, kind, ",".join(map(str, ids)))
    return np.frombuffer(raw, np.float32).reshape(len(ids), vocabulary).astype(np.float64)


class Peer:
    def __init__(self, path, threads):
        self.model = llama_cpp.Llama(path, n_ctx=1024, n_batch=1024, n_ubatch=512, n_threads=threads, n_threads_batch=threads, type_k=llama_cpp.GGML_TYPE_F32,
                                     type_v=llama_cpp.GGML_TYPE_F32, logits_all=True, verbose=False)

    def ids(self, text):
        return self.model.tokenize(text.encode(), add_bos=False)

    def greedy(self, ids, new):
        made = []
        self.model.reset()
        for token in self.model.generate(ids, temp=0.0):
            made.append(token)
            if len(made) == new:
                return made

    def logits(self, ids):
        self.model.reset()
        self.model.eval(ids)
        return np.array(self.model.scores[: len(ids)], np.float64)


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def check(path, args):
    peer = Peer(path, args.threads)
    prompt = peer.ids(args.prompt)
    made = peer.greedy(prompt, args.new)
    ids = prompt + made
    theirs = peer.logits(ids)
    ours = our_logits(path, ids, theirs.shape[1])
    # Greedy text is the same up to the first row after which ours would have gone on otherwise.
    ours_next = ours.argmax(-1)[len(prompt) - 1 : -1]
    parted = [i for i, (a, b) in enumerate(zip(ours_next, made)) if a != b]
    margin = None
    if parted:
        row = ours[len(prompt) - 1 + parted[0]]
        margin = float(row.max() - row[made[parted[0]]])
    p, q = log_softmax(theirs), log_softmax(ours)
    rest, bf16 = theirs - ours, our_logits(path, ids, theirs.shape[1], "bf16") - ours
    return dict(file=os.path.basename(path), bytes=os.path.getsize(path), architecture=peer.model.metadata["general.architecture"],
                file_type=int(peer.model.metadata["general.file_type"]), tokens=len(made), same_tokens=parted[0] if parted else len(made), margin=margin,
                largest_difference=float(np.abs(rest).max()), rms_difference=float(np.sqrt((rest**2).mean())), rms_logits=float(np.sqrt((ours**2).mean())),
                bf16_largest=float(np.abs(bf16).max()), bf16_rms=float(np.sqrt((bf16**2).mean())),
                same_likeliest=float((theirs.argmax(-1) == ours.argmax(-1)).mean()), divergence=float((np.exp(q) * (q - p)).sum(-1).mean()),
                text=peer.model.detokenize(made).decode(errors="replace"))


def rates(paths, args):
    """{path: prompt and generation in tokens a second}, medians; the files take turns."""
    models = {path: llama_cpp.Llama(path, n_ctx=1024, n_batch=512, n_ubatch=512, n_threads=args.threads, n_threads_batch=args.threads, verbose=False)
              for path in paths}
    found = {path: ([], []) for path in paths}
    for _ in range(args.rounds):
        for path, model in models.items():
            ids = (model.tokenize(args.prompt.encode(), add_bos=False) * 40)[:512]
            model.reset()
            began, first, made = time.perf_counter(), None, 0
            for _ in model.generate(ids, temp=0.0):
                made += 1
                first = first or time.perf_counter() - began
                if made == args.new:
                    break
            found[path][0].append(len(ids) / first)
            found[path][1].append((made - 1) / (time.perf_counter() - began - first))
    return {path: dict(prompt=statistics.median(a), generation=statistics.median(b)) for path, (a, b) in found.items()}


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("files", nargs="+")
parser.add_argument("--against")
parser.add_argument("--prompt", default=PROMPT)
parser.add_argument("--new", type=int, default=64)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--json")
args = parser.parse_args()
results = [check(path, args) for path in args.files]
print("| file | architecture | MiB | same greedy tokens | same likeliest | largest / rms difference | our own in bf16 | rms of logits | divergence, nats |")
print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
for r in results:
    parted = f" (then by {r['margin']:.3f})" if r["margin"] is not None else ""
    print(f"| {r['file']} | {r['architecture']} | {r['bytes'] / 2**20:.1f} | {r['same_tokens']} of {r['tokens']}{parted} | {100 * r['same_likeliest']:.1f} % | "
          f"{r['largest_difference']:.4f} / {r['rms_difference']:.5f} | {r['bf16_largest']:.4f} / {r['bf16_rms']:.5f} | {r['rms_logits']:.2f} | {r['divergence']:.2e} |")
speed = {}
if args.against:
    speed = rates([args.against, *args.files], args)
    print("\n| file | prompt, tokens/s | generation, tokens/s |\n| --- | --- | --- |")
    base = speed[args.against]
    for path, r in speed.items():
        print(f"| {os.path.basename(path)} | {r['prompt']:.0f} ({r['prompt'] / base['prompt']:.2f} x) | {r['generation']:.1f} ({r['generation'] / base['generation']:.2f} x) |")
if args.json:
    with open(args.json, "w") as out:
        json.dump(dict(llama_cpp=llama_cpp.__version__, checks=results, rates={os.path.basename(p): r for p, r in speed.items()}), out, indent=1)
        out.write("\n")
