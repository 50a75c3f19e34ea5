// Answers to many prompts, several at a time: the weights are read once for a token of each.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "frugal/nn/generate/generate.h"
#include "frugal/nn/model/model.h"
#include "frugal/plan/cuts.h"

namespace frugal {

struct ManyOptions {
  SamplingOptions sampling{.temperature = 0};
  std::int64_t continuations = 1;  // of every prompt, >= 1; the i-th draws as if the seed were seed + i
  std::int64_t max_new_tokens = 256;
  std::int64_t together = 8;                   // sequences that are generated at once, >= 1; each has its own KvCache
  std::int64_t packed_tokens = kPackedTokens;  // of prompts in one forward; a longer prompt goes alone
  std::vector<std::int32_t> stop_tokens{};     // end an answer and are left out of it
  // Called as soon as an answer has ended, with its place in the result; answers end in any order.
  std::function<void(std::size_t answer, const std::vector<std::int32_t>& tokens)> on_answer{};
};

// What follows each prompt (none empty) until a stop token, max_new_tokens or the end of the model's context, in the
// order of the prompts, the continuations of one beside each other: they share its forward. A prompt draws numbers of
// its own, by its place, and takes the place of an answer that has ended, so no place waits. after_forward(answers that
// have ended, tokens made) is called after each forward and may throw to stop. An answer depends on the others only by
// the rounding of products that share a forward.
std::vector<std::vector<std::int32_t>> generate_many(
    Model& model, const WeightView& view, std::span<const std::vector<std::int32_t>> prompts,
    const ManyOptions& options, const std::function<void(std::size_t, std::size_t)>& after_forward = {});

}  // namespace frugal
