# make demo: install what is missing, build, fine-tune a real model on real text. make test: the same set-up, then every test.
#   TORCH_DIR=/path/to/libtorch   use a LibTorch that is there
#   JOBS=N                        parallel compilers (each needs up to 1.5 GB); default: the number of cores
.PHONY: build test demo model docs acceptance fuzz torture sanitize bench-peers bench-memory bench-generation setup clean
.DEFAULT_GOAL := build
JOBS ?= $(shell nproc)
BUILD := build

setup:
	@scripts/setup.sh packages
	@scripts/setup.sh torch

build: setup
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$$(cat $(BUILD)/torch_dir)" $(CMAKE_FLAGS) > $(BUILD)/configure.log || { cat $(BUILD)/configure.log; exit 1; }
	@cmake --build $(BUILD) -j $(JOBS) --target frugal frugal_torch docs

model:
	@scripts/setup.sh packages
	@scripts/setup.sh model

test: build model sanitize
	@cmake --build $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) -j $(JOBS) --output-on-failure

# The floors without LibTorch under the address and undefined-behaviour sanitizers; the team of threads under the thread sanitizer.
sanitize:
	@scripts/setup.sh packages
	@cmake -S . -B $(BUILD)/sanitize -G Ninja -DFRUGAL_TORCH=OFF -DFRUGAL_SANITIZE=ON > $(BUILD)/configure-sanitize.log
	@cmake --build $(BUILD)/sanitize -j $(JOBS)
	@ctest --test-dir $(BUILD)/sanitize -j $(JOBS) --output-on-failure
	@cmake -S . -B $(BUILD)/tsan -G Ninja -DFRUGAL_TSAN=ON > $(BUILD)/configure-tsan.log
	@cmake --build $(BUILD)/tsan -j $(JOBS)
	@ctest --test-dir $(BUILD)/tsan --output-on-failure

# build/docs: a page a verb, and systems.md with all of them.
docs: build

# Ill-treats every job: kills, full disks, flipped bits, short memory; docs/reliability.md. make torture [ARGS="--minutes 5"].
torture: build
	@python3 scripts/torture/torture.py $(BUILD)/bin/frugal $(ARGS)

# The long claims of a system, from frugal/*/NAME/acceptance: make acceptance SYSTEM=swarm [ARGS=...]. Goes on where it stopped.
acceptance: build
	@scripts/acceptance.sh $(BUILD) "$(SYSTEM)" $(ARGS)

demo: build model
	@scripts/demo.sh

# Ours against PyTorch, PEFT, badam and the published MeZO loop, interleaved; GSM8K=train.jsonl and SST2=train.jsonl add natural
# lengths.
# What --memory promises, for every method and kind of data at the least that each asks for: docs/memory.md. Half an hour.
bench-memory: build model
	@python3 bench/memory.py $(BUILD)/bin/frugal $$(scripts/setup.sh model) $(ARGS)

bench-peers: build model
	@scripts/setup.sh peers
	@[ -d $(BUILD)/peers/model ] || $(BUILD)/bin/frugal convert $$(scripts/setup.sh model) --out $(BUILD)/peers/model --dtype f32
	@$(BUILD)/peers/venv/bin/python bench/peers/compare.py $$(scripts/setup.sh model) $(BUILD)/peers/model $(BUILD)/peers/results $(if $(GSM8K),--gsm8k $(GSM8K)) $(if $(SST2),--sst2 $(SST2)) $(ARGS)

# Text from the same weights: ours, llama.cpp (built here, ten minutes) and PyTorch, interleaved.
bench-generation: build model
	@scripts/setup.sh llama_cpp
	@[ -d $(BUILD)/peers/model ] || $(BUILD)/bin/frugal convert $$(scripts/setup.sh model) --out $(BUILD)/peers/model --dtype f32
	@$(BUILD)/peers/venv/bin/python bench/peers/generation.py $$(scripts/setup.sh model) $(BUILD)/peers/model $(BUILD)/peers/results $(ARGS)

# One minute for each parser.
fuzz:
	@scripts/setup.sh packages fuzz
	@scripts/fuzz.sh 60

clean:
	rm -rf $(BUILD)/bin $(BUILD)/lib $(BUILD)/CMakeFiles $(BUILD)/sanitize $(BUILD)/tsan $(BUILD)/fuzz
