#!/bin/bash
# Measures BAdam and SPruFT on a tiny language model over bytes, as their READMEs report it: pre-trained on a text,
# tuned on questions with solutions. One line of JSON a measurement on stdout.
# usage: bench/small_scale.sh badam|spruft|memory|speed|updates [PRETRAIN.txt GSM8K_TRAIN.jsonl GSM8K_TEST.jsonl [SEEDS [STEPS]]]
set -e
cd "$(dirname "$0")/.."
cmake --build build --target bench_small_scale bench_updates >&2
program=$(find build -name bench_small_scale -type f -perm -u+x | head -1)
case $1 in updates) exec "$(dirname "$program")/bench_updates" ;; memory | speed) exec "$program" "$1" ;; esac
[ $# -ge 4 ] || { sed -n 4p "$0" >&2; exit 2; }
texts=$(mktemp -d)
trap 'rm -r "$texts"' EXIT
as_text() {
  python3 - "$1" <<'PYTHON'
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    record = json.loads(line)
    print("Question: %s\nSolution: %s\n" % (record["question"], record["answer"]))
PYTHON
}
as_text "$3" >"$texts/tune.txt"
as_text "$4" >"$texts/held_out.txt"
"$program" "$1" "$2" "$texts/tune.txt" "$texts/held_out.txt" "${@:5}"
