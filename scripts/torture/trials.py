"""Kinds of fault. A trial makes one happen in a folder of its own; it raises Failed where a promise is not kept."""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time

import machine
from jobs import Failed

REFUSALS = (2, 3, 4)  # usage, input, budget
HANGS = 120  # seconds
CALLS = ("rename", "fsync", "unlink", "write", "mkdir")


class Bench:
    """A job, how it ends when nothing happens, and a run of it that was stopped halfway."""

    def __init__(self, job, frugal, faults, inputs, folder):
        self.job, self.frugal, self.faults = job, frugal, faults
        self.home = folder / "home"
        shutil.copytree(inputs, self.home)
        self.inputs = os.listdir(inputs)
        began = time.time()
        self.expect(self.run(self.home, job.start("whole"), FAULT_COUNT=str(folder / "calls")), (0,))
        self.seconds = time.time() - began
        self.whole = job.bits(self.home, "whole")
        self.calls = {name: int(count) for name, count in
                      (line.split() for line in (folder / "calls").read_text().splitlines())}
        self.stop(self.home, "stopped")

    def command(self, words, fault=None):
        """What the shell runs. fault: variables of faults.c, for this process alone and not for its children."""
        named = [f"{name}={value}" for name, value in (fault or {}).items()]
        before = " ".join(["env", f"LD_PRELOAD={self.faults}", *named]) if named else ""
        return f"exec {before} {self.frugal} {words}"

    def run(self, folder, words, before="", **fault):
        """before: what the shell does first."""
        child = subprocess.Popen(["/bin/sh", "-c", f"{before}{self.command(words, fault)}"], cwd=folder,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, err = child.communicate(timeout=HANGS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            raise Failed(f"takes over {HANGS} s: frugal {words}") from None
        return subprocess.CompletedProcess(child.args, child.returncode, out, err)

    @staticmethod
    def end_of(child):
        try:
            return child.wait(timeout=HANGS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise Failed(f"takes over {HANGS} s: {child.args[2]}") from None

    def begin(self, folder, words):
        return subprocess.Popen(["/bin/sh", "-c", self.command(words)], cwd=folder, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, start_new_session=True)

    @staticmethod
    def expect(done, codes):
        """One of these exit codes; a refusal says what is wrong and what to do."""
        text = (done.stdout + done.stderr).decode(errors="replace")
        if done.returncode not in codes:
            raise Failed(f"exit {done.returncode}, expected one of {codes}: {done.args[2]}\n{text[-600:]}")
        if done.returncode in REFUSALS and ("error" not in text or "fix" not in text):
            raise Failed(f"exit {done.returncode} without error and fix: {done.args[2]}\n{text[-600:]}")
        return done

    def goes_on(self, folder, out="r"):
        """From what is there, or from the beginning where nothing is, to the same bits."""
        has_run = (folder / self.job.run_of(out) / "run.json").exists()
        self.expect(self.run(folder, self.job.resume(out) if has_run else self.job.start(out)), (0,))
        self.require_same(folder, out)

    def require_same(self, folder, out="r"):
        if self.job.bits(folder, out) != self.whole:
            raise Failed("it ended with other bits")
        left = [str(path) for path in folder.rglob("*.tmp-*")]
        if left:
            raise Failed(f"left behind: {left}")

    def stop(self, folder, out):
        """Begins, and is killed halfway: there is something to go on from, and something left to do."""
        self.run(folder, self.job.start(out), FAULT_CALL="rename", FAULT_AT=str(max(2, self.calls["rename"] // 2)),
                 FAULT_HOW="after")

    def stopped(self, folder, out="r"):
        """A copy of the run that was stopped halfway."""
        shutil.copytree(self.home / self.job.run_of("stopped"), folder / self.job.run_of(out))
        return folder / self.job.run_of(out)


def killed(bench, folder, draw):
    child = bench.begin(folder, bench.job.start("r"))
    time.sleep(bench.seconds * draw.uniform(0.05, 1.0))
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    bench.goes_on(folder)


def killed_at_a_call(bench, folder, draw):
    call = draw.choice(CALLS)
    how = draw.choice(("kill", "after", "half")) if call == "write" else draw.choice(("kill", "after"))
    bench.run(folder, bench.job.start("r"), FAULT_CALL=call, FAULT_HOW=how,
              FAULT_AT=str(draw.randint(1, max(1, bench.calls[call]))))
    bench.goes_on(folder)


def disk_refuses(bench, folder, draw):
    call = draw.choice(("write", "write", "fsync", "rename", "mkdir", "unlink"))
    fault = {"FAULT_CALL": call, "FAULT_HOW": draw.choice(("ENOSPC", "EIO", "EROFS")),
             "FAULT_AT": str(draw.randint(1, max(1, bench.calls[call])))}
    bench.expect(bench.run(folder, bench.job.start("r"), **fault), (0, *REFUSALS))
    bench.goes_on(folder)


def signalled(bench, folder, draw):
    child = bench.begin(folder, bench.job.start("r"))
    record = folder / bench.job.run_of("r") / "events.jsonl"
    while child.poll() is None and not (record.exists() and record.stat().st_size > 0):
        time.sleep(0.002)
    os.killpg(child.pid, draw.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))
    code = bench.end_of(child)
    if code not in (0, 130):
        raise Failed(f"a signal ended it with {code}")
    bench.goes_on(folder)


def stopped_and_continued(bench, folder, draw):
    child = bench.begin(folder, bench.job.start("r"))
    for _ in range(3):
        time.sleep(bench.seconds * draw.uniform(0.05, 0.3))
        os.killpg(child.pid, signal.SIGSTOP) if child.poll() is None else None
        time.sleep(0.05)
        os.killpg(child.pid, signal.SIGCONT) if child.poll() is None else None
    if bench.end_of(child) != 0:
        raise Failed("it did not end well")
    bench.require_same(folder)


def clock_jumps(bench, folder, draw):
    bench.expect(bench.run(folder, bench.job.start("r"), FAULT_CLOCK="1"), (0,))
    bench.require_same(folder)


def files_of(run):
    return sorted(path for path in run.rglob("*") if path.is_file() and path.name != "lock")


def flip(path, draw, digits):
    data = bytearray(path.read_bytes())
    places = [m.start() for m in re.finditer(rb"[0-9]", data)] if digits else range(len(data))
    if not places:
        return False
    at = draw.choice(places)
    if digits:
        data[at] = ord(draw.choice([d for d in "0123456789" if ord(d) != data[at]]))
    else:
        data[at] ^= 1 << draw.randint(0, 7)
    path.write_bytes(data)
    return True


def goes_on_or_says_so(bench, folder):
    done = bench.expect(bench.run(folder, bench.job.resume("r")), (0, *REFUSALS))
    if done.returncode == 0:
        return bench.require_same(folder)
    # Who trusts what is damaged may get another result, but no crash.
    bench.expect(bench.run(folder, bench.job.resume("r", "--trust-damaged")), (0, 5, *REFUSALS))
    return None


def bits_flip(bench, folder, draw):
    run = bench.stopped(folder)
    flip(draw.choice(files_of(run)), draw, digits=False)
    goes_on_or_says_so(bench, folder)


def digits_change(bench, folder, draw):
    run = bench.stopped(folder)
    flip(draw.choice([run / "run.json", *files_of(run)]), draw, digits=True)
    goes_on_or_says_so(bench, folder)


def files_shrink_or_go(bench, folder, draw):
    run = bench.stopped(folder)
    path = draw.choice(files_of(run))
    if draw.random() < 0.3:
        path.unlink()
    else:
        os.truncate(path, draw.randint(0, path.stat().st_size))
    goes_on_or_says_so(bench, folder)


def readers_meet_damage(bench, folder, draw):
    """Every verb that reads runs, over one that ended and was damaged then."""
    shutil.copytree(bench.home / bench.job.run_of("whole"), folder / "d")
    for _ in range(draw.randint(1, 3)):
        flip(draw.choice(files_of(folder / "d")), draw, digits=draw.random() < 0.5)
    words = ["report d --out page.html", "list .", "rerun d --out again --quiet"]
    if bench.job.verb in ("tune", "adapt"):
        words.append(f"merge {bench.job.words.split()[1]} d --out merged --quiet")
    bench.expect(bench.run(folder, draw.choice(words)), (0, 5, *REFUSALS))


def two_processes(bench, folder, draw):
    bench.stopped(folder)
    first = bench.begin(folder, bench.job.resume("r"))
    second = bench.begin(folder, bench.job.resume("r"))
    codes = sorted((bench.end_of(first), bench.end_of(second)))
    if codes not in ([0, 0], [0, 3]):  # one after the other, or one is refused
        raise Failed(f"two processes at one run ended with {codes}")
    bench.require_same(folder)


def folder_is_replaced(bench, folder, draw):
    child = bench.begin(folder, bench.job.start("r"))
    time.sleep(bench.seconds * draw.uniform(0.2, 0.9))
    run = folder / bench.job.run_of("r")
    try:
        run.rename(folder / "elsewhere")
    except OSError:
        pass
    code = bench.end_of(child)
    if code == 0 and not (run / "run.json").exists() and not (folder / "elsewhere/run.json").exists():
        raise Failed("it ended with success, and there is no run")
    if code == 0 and (folder / "elsewhere/run.json").exists():
        if json.loads((folder / "elsewhere/run.json").read_text())["status"] != "done":
            raise Failed("it ended with success, its folder was gone")
    if code not in (0, *REFUSALS):
        raise Failed(f"a folder that went away ended it with {code}")


def inputs_change(bench, folder, draw):
    """Between the halves of a run what it reads is another file: it is refused, whatever changed."""
    for link in list(folder.iterdir()):
        at = link.resolve()
        link.unlink()
        shutil.copytree(at, link) if at.is_dir() else shutil.copy(at, link)
    bench.stop(folder, "r")
    record = json.loads((folder / bench.job.run_of("r") / "run.json").read_text())
    named = [pathlib.Path(file["path"]) for file in record.get("files", {}).values()]
    for model in ("base", "teacher"):
        path = record.get(model, {}).get("path")
        if path:
            named += [pathlib.Path(path) / name for name in ("model.safetensors", "config.json", "tokenizer.json")]
    if not named:
        raise machine.Skipped("the job reads no file")
    path = draw.choice(named)
    flip(path, draw, digits=False)
    done = bench.run(folder, bench.job.resume("r"))
    if done.returncode == 0 and not path.name.endswith(".safetensors"):  # of fp32 the last digits may not count
        raise Failed(f"{path.name} was changed, and it went on")
    bench.expect(done, (0, *REFUSALS))
    if done.returncode == 0:
        bench.require_same(folder)


def memory_is_short(bench, folder, draw):
    """Less address space than it needs: it ends with success or a budget error, and goes on with enough."""
    limit = draw.randint(100, 1500) << 20
    done = bench.run(folder, bench.job.start("r"), before=f"ulimit -v {limit >> 10}; ")
    bench.expect(done, (0, *REFUSALS))
    bench.goes_on(folder)


def memory_is_planned(bench, folder, draw):
    """With the least --memory that it asks for it ends well."""
    refused = bench.run(folder, bench.job.start("refused") + " --memory 1MiB")
    bench.expect(refused, (4,))
    asked = re.search(r"--memory (\d+[KMG]iB)", refused.stdout.decode())
    if asked is None:
        raise Failed(f"no --memory in what would help: {refused.stdout.decode()}")
    bench.expect(bench.run(folder, bench.job.start("r") + f" --memory {asked[1]}"), (0,))
    record = json.loads((folder / bench.job.run_of("r") / "run.json").read_text())
    most = int(asked[1][:-3]) << {"K": 10, "M": 20, "G": 30}[asked[1][-3]]
    if record["results"]["peak_rss_bytes"] > most:
        raise Failed(f"it took {record['results']['peak_rss_bytes']} bytes with --memory {asked[1]}")


def memory_group_is_small(bench, folder, draw):
    """The system ends what takes more than its group may: as kill -9."""
    with machine.memory_group(draw.randint(20, 200) << 20) as join:
        done = bench.run(folder, bench.job.start("r"), before=join)
    if done.returncode not in (0, -signal.SIGKILL, *REFUSALS):
        raise Failed(f"a small control group ended it with {done.returncode}")
    bench.goes_on(folder)


def disk_is_small(bench, folder, draw):
    """A disk that fills up: it says so, and goes on when there is room."""
    disk = folder / "disk"
    disk.mkdir()
    with machine.small_disk(disk, draw.randint(1, 3)) as make_room:
        for name in bench.inputs:
            os.symlink(bench.home / name, disk / name)
        (disk / "ballast").write_bytes(bytes(draw.randint(700, 1000) << 10))
        done = bench.expect(bench.run(disk, bench.job.start("r")), (0, *REFUSALS))
        make_room()
        if done.returncode != 0:
            bench.goes_on(disk)
        else:
            bench.require_same(disk)


def models_are_hostile(bench, folder, draw):
    """A model or its data with a few bytes changed: computed or refused, never a crash."""
    shutil.copytree(bench.home / "model", folder / "hostile")
    path = draw.choice(files_of(folder / "hostile"))
    for _ in range(draw.randint(1, 4)):
        flip(path, draw, digits=draw.random() < 0.5)
    if draw.random() < 0.2:
        os.truncate(path, draw.randint(0, path.stat().st_size))
    words = draw.choice(("plan hostile", "eval hostile --text text.txt --length 32 --threads 1",
                         "convert hostile --out converted.gguf --quiet",
                         "generate hostile --prompt abc --max-new-tokens 4 --threads 1"))
    bench.expect(bench.run(folder, words), (0, 5, *REFUSALS))


KINDS = {
    "kill -9 at any time": killed,
    "kill -9 at rename, fsync, unlink, write": killed_at_a_call,
    "disk full, broken or read-only": disk_refuses,
    "Ctrl-C, SIGTERM, SIGHUP": signalled,
    "stopped and continued": stopped_and_continued,
    "clock jumps by days": clock_jumps,
    "a bit flips in a run's files": bits_flip,
    "a digit changes in a run's files": digits_change,
    "a run's file is cut or gone": files_shrink_or_go,
    "verbs that read damaged runs": readers_meet_damage,
    "two processes at one run": two_processes,
    "the run's folder goes away": folder_is_replaced,
    "model or data change in between": inputs_change,
    "disk is small and fills up": disk_is_small,
    "address space is short (ulimit -v)": memory_is_short,
    "memory as short as it is planned": memory_is_planned,
    "memory is short by control group": memory_group_is_small,
    "models with changed bytes": models_are_hostile,
}
