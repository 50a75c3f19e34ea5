// A Hugging Face folder (config.json, model.safetensors or its shards, tokenizer.json) as a ModelSource.
#pragma once
#include "frugal/formats/model_source.h"

namespace frugal {
std::unique_ptr<ModelSource> open_hf_model(const std::filesystem::path& folder);
}
