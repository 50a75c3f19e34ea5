#!/usr/bin/env bash
# The main job from end to end: what fits, fine-tune inside the smallest round budget, export, load again, compare.
# usage: scripts/demo.sh [SEED]      (after make build model; make demo does it all)
set -euo pipefail
cd "$(dirname "$0")/.."

seed=${1:-1}
frugal=build/bin/frugal
model=build/models/SmolLM2-135M-Instruct.Q4_1.gguf
data=data/sms-spam
run=build/demo/run-$seed
out=build/demo/sms-$seed
prompt=$'Message: {text}\nIs this spam?'
labels=ham=No,spam=Yes
task=(--template "$prompt" --labels "$labels")

budget_of() { python3 -c 'import json, sys
print([row["smallest_budget_bytes"] // 2**20 for row in json.load(sys.stdin)["rows"] if row["method"] == sys.argv[1]][0], "MiB", sep="")' "$1"; }
title() { printf '\n== %s\n' "$*"; }

title "What fits"
$frugal plan "$model" --batch 16 --length 64
memory=$($frugal plan "$model" --batch 16 --length 64 --json | budget_of sparse-mezo)
echo "the smallest round budget that holds sparse-mezo: $memory"

title "Before: $(basename "$model") on held-out messages"
before=$($frugal eval "$model" --data $data/test.jsonl "${task[@]}" --json)
echo "$before"

title "Fine-tune with forward passes only, inside $memory"
if [ -f "$run/run.json" ]; then
  $frugal tune --resume "$run"
else
  $frugal tune "$model" --data $data/train.jsonl --dev $data/dev.jsonl "${task[@]}" --method sparse-mezo --lr 1e-4 --balance \
    --steps 150 --batch 16 --seed "$seed" --memory "$memory" --checkpoint-every 50 --eval-every 50 --out "$run"
fi

title "Export and load again"
[ -d "$out" ] || $frugal merge "$model" "$run" --out "$out"
after=$($frugal eval "$out" --data $data/test.jsonl "${task[@]}" --json)
echo "$after"

title "Result (balanced accuracy on held-out messages; 0.5 is a guess)"
python3 - "$before" "$after" "$run/run.json" <<'PYTHON'
import json, sys
before, after = (json.loads(text) for text in sys.argv[1:3])
run = json.load(open(sys.argv[3]))
results = run.get("results", {})
print(f"  before {before['balanced_accuracy']:.3f}   after {after['balanced_accuracy']:.3f}   "
      f"(plain accuracy {before['accuracy']:.3f} -> {after['accuracy']:.3f}, {after['examples']} messages)")
print(f"  tuning took {results.get('seconds', 0):.0f} s, peak memory {results.get('peak_rss_bytes', 0) / 2**20:.0f} MiB")
PYTHON
echo "  run       $run   (run.json, events.jsonl, trajectory.bin)"
echo "  model     $out   (a Hugging Face folder)"
title "Next"
cat <<NEXT
  $frugal eval $out --data YOUR.jsonl --template "Message: {text}\nIs this spam?" --labels $labels
  $frugal merge $model $run --out build/demo/sms-$seed.gguf --dtype q8_0
  $frugal tune $model --data YOUR.jsonl --template '...' --labels a,b --method sparse-mezo --memory $memory --out my-run
NEXT
