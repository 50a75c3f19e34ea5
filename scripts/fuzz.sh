#!/usr/bin/env bash
# Builds every fuzz target and runs each for SECONDS (default 60); a crash is left in build/fuzz/ and fails the script.
# usage: scripts/fuzz.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
compiler=$(command -v clang++ || command -v clang++-14)
cmake -S . -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER="$compiler" -DFRUGAL_FUZZ=ON -DFRUGAL_TESTS=OFF -DFRUGAL_TORCH=OFF > build/configure-fuzz.log
cmake --build build/fuzz
for target in build/fuzz/bin/fuzz_*; do
  name=$(basename "$target")
  mkdir -p "build/fuzz/corpus/$name"
  echo "fuzz: $name for $seconds s" >&2
  "$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -artifact_prefix="build/fuzz/$name-" -print_final_stats=0 -verbosity=0 \
    "build/fuzz/corpus/$name"
done
