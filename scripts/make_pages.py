#!/usr/bin/env python3
"""The pages of verbs, from the program and the READMEs of their folders: nothing in them is written by hand twice.

usage: scripts/make_pages.py FRUGAL OUT [--root FOLDER]
  FRUGAL   the program
  OUT      gets systems.md (a line a verb: what, paper, folder, licences) and VERB.md (README and help) for each
  --root   the checkout, whose README.md and packages.txt are read; the one this script lies in by itself
Licences: of LibTorch where the folder computes with it, and of each line of packages.txt ("libmatio-dev  # BSD-2-Clause").
Pages that changed are written, pages of verbs that are no more are removed. Exit code: 0 done, 1 the program failed.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

LIBTORCH = "LibTorch (BSD-3-Clause)"
REPOSITORY = "frugal"  # the folder of a checkout that systems live in


def said(*command):
    # Settings of whoever builds must not reach a page.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FRUGAL_")}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=clean, stdin=subprocess.DEVNULL).stdout


def actions_of(help_text):
    """Names below "actions:" of a verb's help."""
    part = re.search(r"^actions:\n((?:  .*\n)*)", help_text, re.MULTILINE)
    lines = part.group(1).split("\n") if part else []
    return [line.split()[0] for line in lines if re.match(r"  \S", line)]


def packages_of(folder):
    """[(apt name, licence or "")] of the folder's packages.txt."""
    path = folder / "packages.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = [[part.strip() for part in (line + "#").split("#")[:2]] for line in lines]
    return [(name, licence) for names, licence in pairs for name in names.split()]


def needs(folder):
    computes = [LIBTORCH] if (folder / "torch").is_dir() else []
    return computes + [f"{name} ({licence or 'licence not stated'})" for name, licence in packages_of(folder)]


def rebased(text, folder):
    """Relative links of a README, as a page in build/docs has them."""
    def link(match):
        target = match.group(2)
        if re.match(r"[a-z]+:|#|/", target):
            return match.group(0)
        return f"{match.group(1)}({os.path.normpath(os.path.join('../..', folder, target))})"
    return re.sub(r"(\[[^\]]*\])\(([^)\s]+)\)", link, text)


def sentence(summary):
    return summary[:1].upper() + summary[1:] + "."


def page(program, root, verb):
    folder = root / REPOSITORY / verb["folder"]
    at = folder.relative_to(root).as_posix()
    readme = folder / "README.md"
    text = rebased(readme.read_text(encoding="utf-8"), at).rstrip() if readme.exists() else f"# {verb['verb']}\n\n{sentence(verb['summary'])}"
    if verb["source"] and verb["source"] not in text:
        text += f"\n\nSource: {verb['source']}."
    by_hand = root / "docs" / f"{verb['verb']}.md"
    if by_hand.exists():
        text += f"\n\nExamples, results and errors: [docs/{by_hand.name}](../../docs/{by_hand.name})."
    text += f"\n\nFolder: `{at}`."
    if needs(folder):
        text += f" Needs: {', '.join(needs(folder))}."
    help_text = said(program, "help", verb["verb"])
    text += f"\n\n## frugal {verb['verb']} --help\n\n```\n{help_text.rstrip()}\n```\n"
    for action in actions_of(help_text):
        text += f"\n## frugal {verb['verb']} {action} --help\n\n```\n{said(program, 'help', verb['verb'], action).rstrip()}\n```\n"
    return text


def cell(text):
    return text.replace("|", "\\|")


def table(root, verbs):
    lines = ["# Systems", "", "What `frugal` does, a verb a line. Made from the program by `make docs`.", "",
             "| verb | what | paper or standard | folder | licence of what it needs |", "| --- | --- | --- | --- | --- |"]
    for verb in verbs:
        licences = ", ".join(needs(root / REPOSITORY / verb["folder"])) or "nothing beyond the program"
        lines.append(f"| [{verb['verb']}]({verb['verb']}.md) | {cell(verb['summary'])} | {cell(verb['source'])} "
                     f"| `{REPOSITORY}/{verb['folder']}` | {cell(licences)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frugal")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    try:
        verbs = json.loads(said(given.frugal, "list", str(given.out), "--json"))["verbs"]
        pages = {f"{verb['verb']}.md": page(given.frugal, given.root, verb) for verb in verbs}
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(error.cmd)} ended with {error.returncode}: {error.stderr.strip()}", file=sys.stderr)
        return 1
    pages["systems.md"] = table(given.root, verbs)
    for old in given.out.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        path = given.out / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
