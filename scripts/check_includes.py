#!/usr/bin/env python3
"""Where includes may go, and the size of files: the rules of CONTRIBUTING.md as a test.

usage: scripts/check_includes.py [--root FOLDER] [--strict] [--headers COMPILE_COMMANDS]
  --strict    lines over 120 columns fail, too; otherwise they are only printed
  --headers   compile each header alone as well, with the options of a source file of its floor in compile_commands.json
Exit code: 0 all rules hold, 1 one is broken (a line each on stdout)
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

MOST_LINES, MOST_COLUMNS = 400, 120

# Floor: the floors it may include beside itself. Inner floors stand before the floor whose folder they lie in.
BELOW = {
    "base": [],
    "formats": ["base"],
    "plan": ["base", "formats"],
    "data": ["base", "formats"],
    "core/kernels": ["base"],
    "core/budget": ["base"],
    "train/config": ["base", "formats", "plan", "core/kernels"],
    "train/run": ["base", "formats", "plan"],
    "train/loop": ["base", "formats", "plan", "core/budget", "train/run"],
    "train/room": ["base", "formats", "plan", "core/budget", "train/run", "train/loop"],
    "core": ["base", "formats", "plan", "data", "core/kernels", "core/budget"],
}
BELOW["nn/modules"] = BELOW["core"] + ["core"]
BELOW["nn"] = BELOW["core"] + ["core"]
BELOW["train"] = BELOW["nn"] + ["nn", "train/config", "train/run", "train/loop"]
TORCH_FREE = ["base", "formats", "plan", "data", "core/kernels", "core/budget", "train/config", "train/run", "train/loop", "train/room"]
# Rooms stand above all floors: a folder a method, a system or a verb. the methods of tune and of prune stand below the others.
ROOM = "room"
PLUGINS = ("tune", "prune")
for plugins in PLUGINS:
    BELOW[plugins] = BELOW["train"] + ["train", "nn/modules"]
BELOW[ROOM] = BELOW["tune"] + list(PLUGINS)

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def floor_of(path):
    """The floor of a file below frugal/; of a folder that is none, a room; None for a file of no folder."""
    parts = path.split("/")[1:-1]
    for depth in (2, 1):
        name = "/".join(parts[:depth])
        if name in BELOW and name != ROOM:
            return name
    return ROOM if parts else None


def is_with_torch(path):
    """Whether LibTorch may be reached: of a room, what lies in a folder torch/, and its benchmarks."""
    floor = floor_of(path)
    if floor in (ROOM, *PLUGINS):
        return "/torch/" in path or "/bench/" in path.replace("frugal/verbs/bench/", "") or (floor in PLUGINS and "/tests/" in path)
    return floor not in TORCH_FREE


def folder_of(path):
    """<room>/<folder> of a file in a room's folder; what all folders of a room share lies above them, in torch/ or in common/."""
    parts = path.split("/")[1:-1]
    return "/".join(parts[:2]) if len(parts) > 1 and parts[1] not in ("torch", "common", "tests", "bench" if parts[0] != "verbs" else "") else None


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.texts = {}
        for path in sorted((self.root / "frugal").rglob("*")):
            if path.suffix in (".h", ".cpp") and path.is_file():
                self.texts[path.relative_to(self.root).as_posix()] = path.read_text(encoding="utf-8")
        self.includes = {path: self.resolve(path, text) for path, text in self.texts.items()}

    def resolve(self, path, text):
        """[(as written, path from the root or None for a file of another project)]"""
        found = []
        for kind, name in INCLUDE.findall(text):
            beside = (pathlib.PurePosixPath(path).parent / name).as_posix()
            ours = name if name in self.texts else beside if kind == '"' and beside in self.texts else None
            found.append((name, ours))
        return found

    def reached(self, path):
        """Every file of the tree that `path` includes, directly or not, with the file that includes it."""
        by, waiting = {}, [path]
        while waiting:
            at = waiting.pop()
            for _, ours in self.includes[at]:
                if ours and ours not in by and ours != path:
                    by[ours] = at
                    waiting.append(ours)
        return by


def include_errors(tree):
    for path, includes in tree.includes.items():
        floor = floor_of(path)
        if floor is None:
            yield f"{path}: its folder is no floor; known are {', '.join(BELOW)}"
            continue
        is_test = "/tests/" in path
        for name, ours in includes:
            if path.endswith(".h") and name.startswith("torch/") and floor != "nn/modules":
                yield f"{path}: includes {name}; a header includes the ATen headers it needs"
            if name.startswith("frugal/") and ours is None:
                yield f"{path}: includes {name}, which is not there"
            if ours is None:
                continue
            target = floor_of(ours)
            room, other = path.split("/")[1], ours.split("/")[1]
            if floor == ROOM and target == ROOM and room != other and (room != "cli" or not ours.startswith("frugal/verbs/common/")):
                yield f"{path}: includes {ours} of another room; what two share sinks to a floor"
            elif folder_of(ours) and folder_of(ours) != folder_of(path) and target in (ROOM, *PLUGINS) and room == other and "cli" != room and "/bench/" not in path.replace("frugal/verbs/bench/", "") and folder_of(path):
                yield f"{path}: includes {ours} of another folder; what two share lies above them"
            elif target == floor or target in BELOW[floor]:
                if "/tests/" in ours and not is_test:
                    yield f"{path}: includes {ours}, a file of tests"
            else:
                yield f"{path}: {floor} includes {ours} of {target}; it may include {', '.join(BELOW[floor]) or 'nothing else'}"
        if is_with_torch(path):
            continue
        for ours, by in tree.reached(path).items():
            if is_with_torch(ours):
                yield f"{path}: must be free of LibTorch, but reaches {ours} through {by}"


def own_header_errors(tree):
    """x.cpp includes x.h first, so that the build proves that x.h needs nothing before it."""
    for path, includes in tree.includes.items():
        own = path[:-4] + ".h"
        if path.endswith(".cpp") and own in tree.texts and "/tests/" not in path:
            if not includes or includes[0][1] != own:
                yield f"{path}: its first include is {includes[0][0] if includes else 'none'}, expected {own}"


def length_errors(tree):
    for path, text in tree.texts.items():
        lines = text.count("\n")
        if lines > MOST_LINES:
            yield f"{path}: has {lines} lines, expected at most {MOST_LINES}; part it by concept"


def column_errors(tree):
    for path, text in tree.texts.items():
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > MOST_COLUMNS:
                yield f"{path}:{number}: has {len(line)} columns, expected at most {MOST_COLUMNS}"


def header_errors(tree, commands):
    """Compiles each header that no .cpp of its name proves. Parts of a kernel (-inl.h) are made to be included in a place."""
    options = {}
    for entry in json.loads(pathlib.Path(commands).read_text()):
        words = entry.get("arguments") or shlex.split(entry["command"])
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), tree.root)
        if not path.startswith("frugal/") or "/tests/" in path:
            continue
        words = [word for word in words if "ccache" not in os.path.basename(word)]
        for drop in ("-o", "-c"):
            if drop in words:
                at = words.index(drop)
                del words[at:at + 2]
        options.setdefault((path.split("/")[1] if floor_of(path) == ROOM else floor_of(path), is_with_torch(path)), words)

    proven = {path[:-4] + ".h" for path in tree.texts if path.endswith(".cpp") and "/tests/" not in path}
    headers = [path for path in tree.texts if path.endswith(".h") and path not in proven and not path.endswith("-inl.h") and "/tests/" not in path]

    # What was proven before, by everything it depends on in this tree: {header: hash}.
    record = pathlib.Path(commands).with_name("headers_proven.json")
    known = json.loads(record.read_text()) if record.exists() else {}
    proven_now = {}

    def compile_alone(path):
        words = options.get((path.split("/")[1] if floor_of(path) == ROOM else floor_of(path), is_with_torch(path)))
        if words is None:  # a floor that this build leaves out
            return None
        parts = [*words, *(tree.texts[at] for at in sorted([path, *tree.reached(path)]))]
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        if known.get(path) == digest:
            proven_now[path] = digest
            return None
        result = subprocess.run([*words, "-w", "-fsyntax-only", "-x", "c++", "-include", str(tree.root / path), "/dev/null"],
                                capture_output=True, text=True)
        if result.returncode == 0:
            proven_now[path] = digest
            return None
        return f"{path}: does not compile alone: {result.stderr.strip().splitlines()[0]}"

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from filter(None, pool.map(compile_alone, headers))
    record.write_text(json.dumps(proven_now))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--headers", metavar="COMPILE_COMMANDS")
    given = parser.parse_args()
    tree = Tree(given.root)
    errors = [*include_errors(tree), *own_header_errors(tree), *length_errors(tree)]
    wide = list(column_errors(tree))
    if given.headers:
        errors += header_errors(tree, given.headers)
    print(*errors, *(wide if given.strict else [f"note: {line}" for line in wide]), sep="\n")
    print(f"{len(tree.texts)} files, {len(errors)} broken rules, {len(wide)} wide lines")
    return 1 if errors or (given.strict and wide) else 0


if __name__ == "__main__":
    sys.exit(main())
