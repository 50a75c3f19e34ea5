#include "frugal/nn/generate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "frugal/base/error.h"

namespace frugal {

std::int32_t sample_token(std::span<const float> logits, const SamplingOptions& options, PhiloxSequence& random) {
  if (options.temperature <= 0) {
    return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  std::vector<std::int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto likelier = [&](std::int32_t a, std::int32_t b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x > y || (x == y && a < b);
  };
  std::size_t kept = ids.size();
  if (options.top_k > 0) kept = std::min(kept, static_cast<std::size_t>(options.top_k));
  if (kept < ids.size())
    std::nth_element(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(kept), ids.end(), likelier);
  std::sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(kept), likelier);
  std::vector<double> weights(kept);
  double sum = 0;
  for (std::size_t i = 0; i < kept; ++i) {
    const double difference = static_cast<double>(logits[static_cast<std::size_t>(ids[i])]) -
                              static_cast<double>(logits[static_cast<std::size_t>(ids[0])]);
    sum += weights[i] = std::exp(difference / options.temperature);
  }
  if (options.top_p < 1) {
    double reached = 0;
    std::size_t n = 0;
    while (n < kept && reached < options.top_p * sum) reached += weights[n++];
    kept = std::max<std::size_t>(n, 1);
    sum = std::accumulate(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(kept), 0.0);
  }
  double at = random.uniform() * sum;
  for (std::size_t i = 0; i < kept; ++i) {
    if ((at -= weights[i]) < 0) return ids[i];
  }
  return ids[kept - 1];
}

std::vector<std::int32_t> generate(Decoder& decoder, const WeightView& view, KvCache& cache,
                                   std::span<const std::int32_t> prompt, const GenerationOptions& options,
                                   const std::function<bool(std::int32_t)>& on_token) {
  if (cache.length + static_cast<std::int64_t>(prompt.size()) > cache.capacity()) {
    throw Error(Exit::input,
                "the prompt has " + std::to_string(cache.length + static_cast<std::int64_t>(prompt.size())) +
                    " tokens but the context is " + std::to_string(cache.capacity()),
                "shorten the prompt");
  }
  PhiloxSequence random(options.sampling.seed, Stream::sampling, static_cast<std::uint32_t>(cache.length));
  std::vector<std::int32_t> result;
  std::vector<std::int32_t> input(prompt.begin(), prompt.end());
  while (static_cast<std::int64_t>(result.size()) < options.max_new_tokens) {
    PackedBatch batch;
    batch.append(input);
    decoder.forward(view, batch, &cache);
    const std::int32_t token = sample_token(decoder.logits(view, batch.size() - 1), options.sampling, random);
    if (std::find(options.stop_tokens.begin(), options.stop_tokens.end(), token) != options.stop_tokens.end()) break;
    result.push_back(token);
    if (!on_token(token) || cache.length == cache.capacity()) break;
    input.assign(1, token);
  }
  return result;
}

}  // namespace frugal
