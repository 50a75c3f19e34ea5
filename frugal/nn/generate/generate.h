// Text from a model, token by token, with a cache of keys and values.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "frugal/base/philox.h"
#include "frugal/nn/model/model.h"

namespace frugal {

struct SamplingOptions {
  double temperature = 1;  // 0: greedy
  std::int64_t top_k = 0;  // keep the k likeliest tokens; 0: all
  double top_p =
      1;  // keep the smallest set of likeliest tokens whose probability reaches p (nucleus, arXiv:1904.09751)
  std::uint64_t seed = 0;
};

// One token from logits [vocab]: temperature, then top-k, then top-p, as transformers' logits processors do. Ties go to
// the lower id.
std::int32_t sample_token(std::span<const float> logits, const SamplingOptions& options, PhiloxSequence& random);

struct GenerationOptions {
  SamplingOptions sampling;
  std::int64_t max_new_tokens = 128;
  std::vector<std::int32_t> stop_tokens;
};

// Appends to what `cache` already holds: `prompt` (not empty), then new tokens until a stop token, max_new_tokens or a
// full cache. The cache then holds all of them but the last. on_token may return false to stop. Returns the new tokens,
// stop token left out.
std::vector<std::int32_t> generate(Model& model, const WeightView& view, KvCache& cache,
                                   std::span<const std::int32_t> prompt, const GenerationOptions& options,
                                   const std::function<bool(std::int32_t)>& on_token);

}  // namespace frugal
