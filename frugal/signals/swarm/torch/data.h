// The engagements of a run as tensors, made once.
#pragma once
#include "frugal/nn/modules/torch_nn.h"
#include "frugal/signals/swarm/config.h"
#include "frugal/signals/swarm/corpus.h"

namespace frugal::swarm {

struct Data {
  torch::Tensor x;       // [R, F, W], standardised; one piece, so that a batch is one index_select
  torch::Tensor labels;  // [R] int64
  Split split;
  Scaler scaler;
  std::int64_t steps = 0, window = 0;  // of the shortest engagement; observed, at most as many
};

// Simulated, with noise, parted, standardised by the training part (validation included) over all steps, cut.
Data make_data(const TrainConfig& config, std::uint64_t seed, int threads);

// [runs, F, W] of tracks that are standardised here.
torch::Tensor windows_of(Corpus corpus, const Scaler& scaler, std::int64_t window, const std::string& features);

torch::Tensor indices(const std::vector<std::int64_t>& of);  // a copy

}  // namespace frugal::swarm
