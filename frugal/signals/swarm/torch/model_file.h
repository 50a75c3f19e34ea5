// A trained classifier as files: model.safetensors (parameters, running means, "scaler.mean", "scaler.deviation") and
// model.json beside it.
#pragma once
#include <filesystem>

#include "frugal/signals/swarm/corpus.h"
#include "frugal/signals/swarm/model_card.h"
#include "frugal/signals/swarm/torch/classifier.h"

namespace frugal::swarm {

tsc::Classifier make_classifier(const ModelCard& card, std::uint64_t seed);

// Returns the SHA-256 of the tensors' bytes.
std::string write_model(const std::filesystem::path& folder, const ModelCard& card, tsc::Classifier& classifier,
                        const Scaler& scaler);

struct LoadedModel {
  tsc::Classifier classifier;
  Scaler scaler;
};
// Error(Exit::input): the file is damaged, or holds other tensors than the card describes, or one that is not finite.
LoadedModel read_model(const std::filesystem::path& folder, const ModelCard& card);

}  // namespace frugal::swarm
