#!/usr/bin/env bash
# Accuracy of MeZO and Sparse MeZO on SST-2 over STEPS (100) steps of 16, SEEDS ("1 2 3"), on 1,000 training sentences, and the AdamW
# ceiling.
# usage: bench/sst2_curves.sh FOLDER_WITH_stsa.binary.* OUT [HF_DIR]      (after make build model)
#   HF_DIR  the model as a Hugging Face folder (frugal convert MODEL --out HF_DIR --dtype f32): AdamW in PyTorch as well;
#           PYTHON names an interpreter with torch and transformers
#   VARIANTS  of MeZO at its rate, beside: "sign:--direction sign;eps-2^-7:--eps 0.0078125"
# The rates are those that were best of three on validation.jsonl: set RATES="mezo:3e-5 sparse-mezo:1e-4:cosine" to change them and the
# schedule. Runs that are there are kept, and gone on with. About 50 minutes on two cores with bf16 products, and 20 for AdamW; 1,500
# steps are 10 minutes a run with AMX.
set -euo pipefail
cd "$(dirname "$0")/.."

data=$1 out=$2 hf=${3:-}
frugal=${FRUGAL:-build/bin/frugal}
model=build/models/SmolLM2-135M-Instruct.Q4_1.gguf
prompt='Review: {text}\nSentiment:'
steps=${STEPS:-100} every=${EVERY:-50}

mkdir -p "$out"
[ -f "$out/dev.jsonl" ] || python3 bench/sst2_jsonl.py "$data" "$out"
tune() {  # NAME SEED OPTIONS
  local run=$out/$1-$2
  if [ -d "$run" ]; then
    $frugal tune --resume "$run"
  else
    $frugal tune "$model" --data "$out/train.jsonl" --dev "$out/dev.jsonl" --template "$prompt" \
    --labels negative,positive --seed "$2" --steps $steps --batch 16 --eval-every "$every" --checkpoint-every "$every" --out "$run" "${@:3}"
  fi
}
for seed in ${SEEDS:-1 2 3}; do
  for each in ${RATES-mezo:3e-5 sparse-mezo:1e-4}; do
    IFS=: read -r method rate schedule <<<"$each"
    tune "${each//:/-}" "$seed" --method "$method" --lr "$rate" --schedule "${schedule:-constant}"
  done
  while IFS= read -r -d ';' variant; do
    # shellcheck disable=SC2086 -- options are words
    tune "mezo-${variant%%:*}" "$seed" --method mezo --lr 3e-5 ${variant#*:}
  done <<<"${VARIANTS:+$VARIANTS;}"
done
if [ -n "$hf" ]; then
  for seed in ${SEEDS:-1 2 3}; do
    log=$out/adamw-1e-5-$seed.jsonl
    [ -f "$log" ] || { "${PYTHON:-python3}" bench/adamw_ceiling.py "$hf" "$out/train.jsonl" "$out/dev.jsonl" "$prompt" negative,positive \
      "$steps" 1e-5 "$seed" "$every" > "$log.part" && mv "$log.part" "$log"; }
  done
fi

python3 - "$out" <<'PYTHON'
import glob, json, os, sys
out, curves = sys.argv[1], {}   # name -> step -> [accuracy a seed]
for path in sorted(glob.glob(out + "/*-[0-9]/events.jsonl") + glob.glob(out + "/adamw-*.jsonl")):
    tuned = path.endswith("events.jsonl")
    name = (os.path.basename(os.path.dirname(path)) if tuned else os.path.basename(path)[:-6]).rsplit("-", 1)[0]
    for event in map(json.loads, open(path)):
        if not tuned or event["event"] == "eval":
            curves.setdefault(name, {}).setdefault(event["step"], []).append(event["accuracy"])
for name, curve in curves.items():
    for step, values in sorted(curve.items()):
        print(f"{name:20} step {step:3}  mean {sum(values) / len(values):.4f}  seeds " + " ".join(f"{v:.4f}" for v in values))
PYTHON
