#include "frugal/nn/generate/generate.h"

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
  // Puts the n likeliest of `ids` in front, in order, given that the first `ordered` are already.
  const auto order = [&](std::size_t ordered, std::size_t n) {
    const auto at = [&](std::size_t i) { return ids.begin() + static_cast<std::ptrdiff_t>(i); };
    if (n < ids.size()) std::nth_element(at(ordered), at(n), ids.end(), likelier);
    std::sort(at(ordered), at(n), likelier);
  };
  std::size_t ordered = 0;
  if (options.top_k > 0 && static_cast<std::size_t>(options.top_k) < ids.size()) {
    ordered = static_cast<std::size_t>(options.top_k);
    order(0, ordered);
    ids.resize(ordered);
  }
  const float largest = *std::max_element(logits.begin(), logits.end());
  const auto weight = [&](std::int32_t id) {
    return std::exp((static_cast<double>(logits[static_cast<std::size_t>(id)]) - static_cast<double>(largest)) /
                    options.temperature);
  };
  double sum = 0;
  for (const std::int32_t id : ids) sum += weight(id);
  if (options.top_p < 1) {  // the nucleus is small as a rule, so no more is put in order than it takes
    double reached = 0;
    std::size_t kept = 0;
    while (kept < ids.size() && (kept == 0 || reached < options.top_p * sum)) {
      if (kept == ordered) {
        const std::size_t more = std::min(ids.size(), std::max<std::size_t>(64, 4 * ordered));
        order(ordered, more);
        ordered = more;
      }
      reached += weight(ids[kept++]);
    }
    ids.resize(kept);
    sum = reached;
  }
  double at = random.uniform() * sum;
  for (const std::int32_t id : ids) {
    if ((at -= weight(id)) < 0) return id;
  }
  return ids.back();
}

std::vector<std::int32_t> generate(Model& model, const WeightView& view, KvCache& cache,
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
    const std::int32_t token =
        sample_token(model.forward(view, batch, cache)->logits(batch.size() - 1), options.sampling, random);
    if (std::find(options.stop_tokens.begin(), options.stop_tokens.end(), token) != options.stop_tokens.end()) break;
    result.push_back(token);
    if (!on_token(token) || cache.length == cache.capacity()) break;
    input.assign(1, token);
  }
  return result;
}

}  // namespace frugal
