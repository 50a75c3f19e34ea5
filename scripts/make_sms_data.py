"""Splits the SMS Spam Collection into data/sms-spam/{train,dev,test}.jsonl, the same way every time.

usage: scripts/make_sms_data.py SMSSpamCollection [OUT_FOLDER]

The source is UCI's file, a `ham|spam TAB text` line a message. Messages that are nearly the same (many spam messages differ in a
phone number) stay in one split: two are linked when their words, lower-cased and with digits made alike, have a Jaccard similarity
of at least 0.6. Large groups of linked messages go to train. Each split has the same share of spam.
"""
import hashlib
import json
import math
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

SIZES = {"test": 1074, "dev": 500}  # the rest is train
SIMILAR = 0.6


def words(text):
    return frozenset(re.findall(r"[^\W_]+", re.sub(r"\d", "0", text.lower()))) or frozenset([text])


def linked_groups(sets):
    """Connected components of the messages under Jaccard >= SIMILAR; candidates come from an index of each message's rarest words."""
    count = Counter(word for s in sets for word in s)
    parent = list(range(len(sets)))

    def root(i):
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    index = defaultdict(list)
    for i, s in enumerate(sets):
        rare_first = sorted(s, key=lambda word: (count[word], word))
        prefix = rare_first[: len(s) - math.ceil(SIMILAR * len(s)) + 1]
        for j in {j for word in prefix for j in index[word]}:
            if len(s & sets[j]) >= SIMILAR * len(s | sets[j]):
                parent[root(i)] = root(j)
        for word in prefix:
            index[word].append(i)
    groups = defaultdict(list)
    for i in range(len(sets)):
        groups[root(i)].append(i)
    return list(groups.values())


def main():
    source = Path(sys.argv[1])
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).resolve().parent.parent / "data" / "sms-spam"
    messages = [line.split("\t", 1) for line in source.read_text(encoding="utf-8").split("\n") if line.strip()]
    groups = linked_groups([words(text) for _, text in messages])
    groups.sort(key=lambda g: hashlib.sha256(min(messages[i][1] for i in g).encode()).hexdigest())
    splits = {"train": [], "dev": [], "test": []}
    for label in ("ham", "spam"):
        mine = [g for g in groups if Counter(messages[i][0] for i in g).most_common(1)[0][0] == label]
        share = sum(map(len, mine)) / len(messages)
        room = {name: round(size * share) for name, size in SIZES.items()}
        for group in mine:
            name = next((n for n in SIZES if len(group) <= min(room[n], 3)), "train")
            splits[name] += group
            if name in room:
                room[name] -= len(group)
    out.mkdir(parents=True, exist_ok=True)
    for name, members in splits.items():
        members.sort()
        with open(out / f"{name}.jsonl", "w", encoding="utf-8", newline="\n") as file:
            for i in members:
                label, text = messages[i]
                file.write(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n")
        spam = sum(messages[i][0] == "spam" for i in members)
        print(f"{name}: {len(members)} messages, {spam} spam")


if __name__ == "__main__":
    main()
