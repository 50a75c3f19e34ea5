// Numbers that plans share: of weights, of tokens, of scratch. Letters: B branches, N packed tokens of a forward, C
// hidden size, D head size, F feed-forward width, V vocabulary. What a layer takes is in layer_sizes.h, which the
// decoder reserves by, too. Private to plan/.
#pragma once
#include <algorithm>
#include <set>

#include "frugal/base/room.h"
#include "frugal/plan/cuts.h"
#include "frugal/plan/layer_sizes.h"
#include "frugal/plan/plan.h"
#include "frugal/plan/saturating.h"

namespace frugal::plan_sizes {

using Size = Saturating;

inline constexpr std::uint64_t kConvertedBytes = 4 * kConvertedNumbers, kResidentBytes = 4 * kResidentNumbers;
inline constexpr std::uint64_t kTokenizerEntry =
    240;  // a vocabulary entry: its text, its places in two tables, its merge
inline constexpr std::uint64_t kSnapshotBuffer = 1 << 20;
inline constexpr std::uint64_t kProductsThread =
    4ull << 20;  // repacked operands of oneDNN and MKL, stack, allocator's arena

inline Size ceil_divide(Size a, std::uint64_t b) { return a.count() / b + (a.count() % b != 0); }
inline double number(Size size) { return static_cast<double>(size.count()); }
inline Size at_least_one(std::int64_t value) { return std::max<std::int64_t>(1, value); }

// Numbers of weights: of all, and the most any layer has, since scratch serves one layer after the other.
struct Sizes {
  explicit Sizes(const ModelShape& s) {
    const Size C = s.hidden;
    embedding = Size(s.vocab) * C;
    if (!s.tied_embeddings) head = embedding;
    vectors = C;
    std::set<std::int64_t> widths, heads;
    for (const LayerShape& layer : s.layers) {
      if (layer.ffn > 0) widths.insert(layer.ffn);
      if (layer.heads > 0) heads.insert(layer.heads);
      const LayerSizes<Size> of(s, layer);
      const Size F = of.feed_forward.F, behind = of.behind(F);
      linears += of.attention.qkv_weights() + behind;
      vectors += of.attention.vectors() + of.feed_forward.vectors();
      most_qkv = std::max(most_qkv, of.attention.qkv_weights());
      most_rest = std::max(most_rest, behind);
      most_qkv_row = std::max(most_qkv_row, of.attention.qkv_width);
      most_q_row = std::max(most_q_row, of.attention.q_width);
      most_ffn = std::max(most_ffn, F);
      most_taped = std::max(most_taped, of.taped());
      if (layer.kv_heads > 0) least_kv_heads = std::min(least_kv_heads, layer.kv_heads);
      key_values += Size(2) * of.attention.kv_width;
    }
    // Two products of a feed-forward and two of an attention are of other shapes where layers are.
    const auto more = [](const std::set<std::int64_t>& sizes) { return sizes.empty() ? 0 : 2 * (sizes.size() - 1); };
    other_products = more(widths) + more(heads);
  }
  Size embedding, head, linears, vectors;
  Size most_qkv, most_rest, most_qkv_row, most_q_row, most_ffn, most_taped;
  Size key_values;      // of a token, in all layers
  Size other_products;  // of a forward: shapes beside those of one layer
  std::int64_t least_kv_heads = kLongSegment;
  Size matrices() const { return embedding + head + linears; }
};

// Tokens that go through the model.
struct Work {
  explicit Work(const PlanRequest& r) : has_whole_head(r.all_tokens || r.whole_head) {
    const Size length = at_least_one(r.length), together = std::max(Size(kPackedTokens), length);
    of_step = tokens_of_step(r);
    of_forward = std::min(of_step, together);
    if (!r.all_tokens || r.evaluates) of_evaluation = std::min(Size(kEvaluatedTogether) * length, together);
    forwards = ceil_divide(of_step, of_forward.count());
  }
  bool has_whole_head;                      // every word of the vocabulary is scored
  Size of_step, of_forward, of_evaluation;  // tokens; an evaluation beside a step uses the same buffers with one branch
  Size forwards;                            // of a step
};

// chunk_tokens() of as many tokens.
inline Size chunk_of(Size tokens, std::int64_t branches) {
  return static_cast<std::uint64_t>(
      chunk_tokens(static_cast<std::int64_t>(std::min(tokens, Size(1 << 20)).count()), branches));
}

// Rows of all heads that one item of attention has at a time: of all tokens, or of a long segment a head of keys'.
inline Size attention_rows(const Sizes& s, Size length) {
  const auto shortest = static_cast<std::uint64_t>(kLongSegment - 1);
  return length <= Size(shortest)
             ? length
             : std::max(Size(shortest), ceil_divide(length, static_cast<std::uint64_t>(s.least_kv_heads)));
}

// Numbers of rows that the pieces of a chunk have, and numbers of terms of sums over tokens: each is a shape of its
// own. Lengths that are all the same make two.
inline Size row_shapes(Size chunk, bool are_natural) {
  std::uint64_t shapes = 1;
  for (std::int64_t rows = kLeastRows; Size(rows) < chunk; rows *= 2) ++shapes;
  return are_natural ? shapes : std::min<std::uint64_t>(2, shapes);
}
inline Size term_shapes(Size tokens, bool are_natural) {
  std::uint64_t shapes = 1;
  for (const std::int64_t terms : kLeftTerms) shapes += terms < kWholeTerms && Size(terms) < tokens;
  if (tokens > Size(kWholeTerms)) shapes += (tokens.count() - 1) / kWholeTerms;
  return are_natural ? shapes : std::min<std::uint64_t>(2, shapes);
}

inline std::uint64_t kept_kernels(Size shapes) { return std::min(shapes, Size(kKeptKernels)).count(); }

// Parts of a forward over `branches` branches and whatever is trained beside it. changes_weights: they cannot stay as
// stored, and each branch has its own.
std::vector<PlanPart> forward_memory(const PlanRequest& request, std::uint64_t branches, bool changes_weights,
                                     bool is_tuning);
// Another model's memory and time, see PlanRequest::beside; behind every other part.
void add_teacher(const PlanRequest& request, MethodPlan& plan);
// Where weights that are used as stored do not all fit, lets as many of them stay as do. passes: over them, in a step.
void stream_weights(const PlanRequest& request, double passes, MethodPlan& plan);
double forward_flops(const PlanRequest& request);  // of the products of a forward of one branch
double panel_weights(const PlanRequest& request);  // that are made ready for them
double forward_seconds(const PlanRequest& request, std::uint64_t branches, bool is_perturbed);

}  // namespace frugal::plan_sizes
