// LoRA made from its settings as a struct.
#pragma once
#include <memory>

#include "frugal/train/tuner_registry.h"
#include "frugal/tune/lora/config.h"

namespace frugal {

// AdamW, or what the settings name, on fresh pairs beside the linears of the store, or on those of an adapter. The base
// stays as it is. What `context` refers to outlives the tuner. Error(Exit::usage): the settings do not fit the model;
// see LowRankPairs and read_peft_adapter.
std::unique_ptr<Tuner> make_lora_tuner(const LoraConfig& config, TunerContext& context);

}  // namespace frugal
