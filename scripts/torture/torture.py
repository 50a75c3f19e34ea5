#!/usr/bin/env python3
"""Ill-treats every job that frugal runs, and sees that it keeps what docs/reliability.md promises.

usage: torture.py FRUGAL [--minutes 5] [--seed 1] [--jobs NAME,...] [--kinds TEXT,...] [--workers N]
                  [--keep FOLDER]
Prints a line a kind of fault, with how often it was tried and survived. Exit 0: all were. --keep: folders of trials that
failed are moved there.
"""
import argparse
import concurrent.futures
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import jobs  # noqa: E402
import machine  # noqa: E402
import trials  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def build_faults(folder):
    library = folder / "faults.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", str(HERE / "faults.c"), "-o", str(library), "-ldl"], check=True)
    return library


def benches(args, folder, pool):
    inputs = folder / "inputs"
    jobs.make_inputs(args.frugal, HERE.parents[1], inputs)
    faults = build_faults(folder)
    chosen = [job for job in jobs.JOBS if not args.jobs or job[0] in args.jobs.split(",")]

    def make(job):
        return trials.Bench(jobs.Job(*job), args.frugal, faults, inputs, folder / job[0].replace(" ", "-"))

    return list(pool.map(make, chosen))


class Tally:
    def __init__(self):
        self.lock, self.tried, self.failed, self.skipped = threading.Lock(), {}, {}, {}

    def add(self, kind, problem):
        with self.lock:
            self.tried[kind] = self.tried.get(kind, 0) + 1
            if problem:
                self.failed.setdefault(kind, []).append(problem)


def attempt(bench, kind, number, args, folder, tally):
    place = pathlib.Path(tempfile.mkdtemp(dir=folder, prefix="trial-"))
    for name in bench.inputs:  # which no trial writes to
        os.symlink(bench.home / name, place / name)
    problem = ""
    try:
        trials.KINDS[kind](bench, place, random.Random(f"{args.seed} {kind} {number}"))
    except machine.Skipped as reason:
        tally.skipped[kind] = str(reason)
        shutil.rmtree(place, ignore_errors=True)
        return
    except jobs.Failed as error:
        problem = f"{bench.job.name}, trial {number}: {error}"
    except Exception as error:  # of the harness itself
        problem = f"{bench.job.name}, trial {number}: {type(error).__name__}: {error}"
    if problem and args.keep:
        kept = pathlib.Path(args.keep) / f"{kind}-{number}".replace(" ", "-").replace("/", "-")
        shutil.copytree(place, kept, symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    tally.add(kind, problem)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frugal", type=os.path.abspath)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", default="")
    parser.add_argument("--kinds", default="", help="those whose name holds one of these")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--keep", default="")
    args = parser.parse_args()
    if args.keep:
        pathlib.Path(args.keep).mkdir(parents=True, exist_ok=True)
    kinds = [kind for kind in trials.KINDS if not args.kinds or any(k in kind for k in args.kinds.split(","))]
    folder, tally = pathlib.Path(tempfile.mkdtemp(prefix="frugal-torture-")), Tally()
    try:
        with concurrent.futures.ThreadPoolExecutor(args.workers) as pool:
            ready = benches(args, folder, pool)
            end, running, number = time.time() + 60 * args.minutes, set(), 0
            while time.time() < end:
                while len(running) < args.workers:
                    # Each kind in turn, each time with the next job: kinds and jobs pair up in every way.
                    kind = kinds[number % len(kinds)]
                    bench = ready[(number // len(kinds) + number) % len(ready)]
                    running.add(pool.submit(attempt, bench, kind, number, args, folder, tally))
                    number += 1
                _, running = concurrent.futures.wait(running, timeout=1,
                                                     return_when=concurrent.futures.FIRST_COMPLETED)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    width = max(map(len, kinds))
    print(f"{'':{width}}  tried  survived")
    for kind in kinds:
        tried, failed = tally.tried.get(kind, 0), len(tally.failed.get(kind, []))
        is_skipped = tried == 0 and kind in tally.skipped
        skipped = f"  skipped: {tally.skipped[kind]}" if is_skipped else ""
        if tried == 0 and not is_skipped:
            tally.failed[kind] = ["never tried: give more --minutes"]
        print(f"{kind:{width}}  {tried:5}  {tried - failed:8}{skipped}")
    for kind, problems in tally.failed.items():
        for problem in problems:
            print(f"\n{kind}: {problem}")
    sys.exit(1 if tally.failed else 0)


if __name__ == "__main__":
    main()
