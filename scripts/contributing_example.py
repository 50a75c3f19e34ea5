#!/usr/bin/env python3
"""The example folders of CONTRIBUTING.md as files, so that the build compiles what the reader reads.

usage: scripts/contributing_example.py CONTRIBUTING.md OUT
A code block is a file when the line before it, but for an empty one, is its path in backquotes with a colon. Files are
written below OUT, and only where they changed; what an earlier version wrote and this one has not is removed. Prints their
paths, a line each. Exit code: 0 done, 1 a block is broken or there is none (said on stderr).
"""
import pathlib
import re
import sys

NAMED = re.compile(r"^`(frugal/[\w./-]+)`:$")
FENCE = re.compile(r"^```(\w*)$")


def files_of(text):
    """{path: content} of the named blocks. ValueError: one does not end, is named twice, or a name has no block."""
    files, lines, at = {}, text.split("\n"), 0
    while at < len(lines):
        named = NAMED.match(lines[at])
        if not named:
            at += 1
            continue
        path = named.group(1)
        at += 2 if at + 1 < len(lines) and not lines[at + 1] else 1
        if at >= len(lines) or not FENCE.match(lines[at]) or ".." in path:
            raise ValueError(f"{path} is named, but no code block follows")
        end = next((i for i in range(at + 1, len(lines)) if lines[i] == "```"), None)
        if end is None or path in files:
            raise ValueError(f"the code block of {path} " + ("does not end" if end is None else "is there twice"))
        files[path] = "\n".join(lines[at + 1:end]) + "\n"
        at = end + 1
    return files


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 1
    source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    try:
        files = files_of(source.read_text(encoding="utf-8"))
        if not files:
            raise ValueError("no code block is named")
    except ValueError as error:
        print(f"error: {source}: {error}", file=sys.stderr)
        return 1
    written = out / "files.txt"  # by the last call
    for old in written.read_text(encoding="utf-8").split("\n") if written.exists() else []:
        if NAMED.match(f"`{old}`:") and old not in files:
            (out / old).unlink(missing_ok=True)
    for path, content in files.items():
        target = out / path
        if not target.exists() or target.read_text(encoding="utf-8") != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        print(path)
    written.write_text("\n".join(files), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
