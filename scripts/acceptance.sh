#!/usr/bin/env bash
# Runs the long claims of a system: frugal/*/NAME/acceptance/run.py or run.sh, else the program acceptance_NAME that the build
# makes of the .cpp files there.
# usage: scripts/acceptance.sh BUILD NAME [ARGUMENT...]
#   A script gets FRUGAL WORK, a program the folder its JSON files go to, each before the arguments.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'error: %s\nfix: %s\n' "$1" "$2" >&2; exit 2; }

[ $# -ge 2 ] && [ -n "$2" ] || die "no system is named" "make acceptance SYSTEM=swarm"
build=$1 name=$2
shift 2
shopt -s nullglob
folders=(frugal/*/"$name"/acceptance)
if [ ${#folders[@]} -ne 1 ]; then
  known=(frugal/*/*/acceptance)
  die "frugal/*/$name/acceptance is ${#folders[@]} folders, expected one" "those that have one: ${known[*]:-none}"
fi
folder=${folders[0]} work=$build/acceptance/$name
mkdir -p "$work"
for script in run.py acceptance.py; do
  [ ! -f "$folder/$script" ] || exec python3 "$folder/$script" "$build/bin/frugal" "$work" "$@"
done
[ ! -f "$folder/run.sh" ] || exec bash "$folder/run.sh" "$build/bin/frugal" "$work" "$@"
programs=("$folder"/*.cpp)
[ ${#programs[@]} -gt 0 ] || die "$folder has no run.py, run.sh or .cpp" "add one: see CONTRIBUTING.md"
cmake --build "$build" --target "acceptance_$name"
results=$folder/results
mkdir -p "$results"
exec "$build/bin/acceptance_$name" "$results" "$@"
