// Bytes by purpose and seconds of a forward and of a zeroth-order step. The sizes mirror what the decoder and the weight store
// reserve. Letters: B branches, N packed tokens of a forward, C hidden size, D head size, F feed-forward width, V vocabulary.
#include <algorithm>

#include "frugal/plan/plan.h"
#include "frugal/plan/saturating.h"

namespace frugal {
namespace {

using Size = Saturating;

constexpr std::uint64_t kVocabularyBlock = 2048;       // rows of the head made at a time
constexpr std::uint64_t kPackedTokens = 1024;          // sequences with label words are packed up to here; a longer one goes alone
constexpr std::uint64_t kEvaluatedTogether = 32;       // sequences of one call of an evaluation
constexpr std::uint64_t kTileBytes = 1 << 20;          // fp32 weights a thread converts at a time while reading
constexpr std::uint64_t kTokenizerEntry = 240;         // a vocabulary entry: its text, its places in two tables, its merge
constexpr std::uint64_t kSnapshotBuffer = 1 << 20;
constexpr std::uint64_t kProductsThread = 4ull << 20;  // repacked operands of oneDNN and MKL, stack, allocator's arena

Size ceil_divide(Size a, std::uint64_t b) { return a.count() / b + (a.count() % b != 0); }
double number(Size size) { return static_cast<double>(size.count()); }
Size at_least_one(std::int64_t value) { return std::max<std::int64_t>(1, value); }

// Numbers of weights: of all, and the most any layer has, since scratch serves one layer after the other.
struct Sizes {
  explicit Sizes(const ModelShape& s) {
    const Size C = s.hidden, D = s.head_dim;
    embedding = Size(s.vocab) * C;
    if (!s.tied_embeddings) head = embedding;
    vectors = C;
    for (const LayerShape& layer : s.layers) {
      const Size q = Size(layer.heads) * D, row = q + Size(2) * layer.kv_heads * D, F = layer.ffn;
      linears += row * C + q * C + Size(3) * F * C;
      vectors += Size(2) * C;
      if (s.attention_bias) vectors += row + C;
      if (s.mlp_bias) vectors += Size(2) * F + C;
      most_qkv = std::max(most_qkv, row * C);
      most_rest = std::max(most_rest, q * C + Size(3) * F * C);
      most_qkv_row = std::max(most_qkv_row, row);
      most_q_row = std::max(most_q_row, q);
      most_ffn = std::max(most_ffn, F);
    }
  }
  Size embedding, head, linears, vectors;
  Size most_qkv, most_rest, most_qkv_row, most_q_row, most_ffn;
  Size matrices() const { return embedding + head + linears; }
};

// Tokens that go through the model.
struct Work {
  explicit Work(const PlanRequest& r) : has_whole_head(r.all_tokens || r.whole_head) {
    const Size length = at_least_one(r.length), together = std::max(Size(kPackedTokens), length);
    of_step = of_forward = at_least_one(r.batch) * length;
    if (!r.all_tokens) {
      of_forward = std::min(of_forward, together);
      of_evaluation = std::min(Size(kEvaluatedTogether) * length, together);
    }
    forwards = ceil_divide(of_step, of_forward.count());
  }
  bool has_whole_head;                      // every word of the vocabulary is scored
  Size of_step, of_forward, of_evaluation;  // tokens; an evaluation beside a step uses the same buffers with one branch
  Size forwards;                            // of a step
};

// Tokens of a work item, as the decoder cuts a batch.
Size chunk_of(Size tokens, std::uint64_t branches) {
  for (const std::uint64_t chunk : {512, 256, 128}) {
    if (tokens > Size(chunk * (4 / branches - 1))) return chunk;
  }
  return 64;
}

// While the model is read: pages of the largest tensor, and a tile of fp32 a thread.
Size reading(const PlanRequest& r, const Sizes& s) {
  const Size tiles = at_least_one(r.threads) * kTileBytes;
  if (r.largest_tensor > 0) return tiles + r.largest_tensor;
  const Size largest = std::max({s.embedding, s.most_qkv, s.most_rest});
  const double share = number(largest) / std::max(1.0, number(s.matrices()));
  return tiles + static_cast<std::uint64_t>(std::min(share * static_cast<double>(r.file_bytes), 0x1p62));
}

std::vector<PlanPart> memory(const PlanRequest& r, std::uint64_t branches, bool is_tuning, bool has_mask) {
  const Sizes s(r.shape);
  const Work work(r);
  const Size B = branches, T = r.bf16_compute ? 2 : 4, C = r.shape.hidden, threads = at_least_one(r.threads);
  const Size rows = std::max(B * work.of_forward, work.of_evaluation), tokens = std::max(work.of_forward, work.of_evaluation);
  const Size block = work.has_whole_head ? std::min(Size(r.shape.vocab), Size(kVocabularyBlock)) : Size(0);
  const Size chunk = std::max(chunk_of(work.of_forward, branches), work.of_evaluation > Size(0) ? chunk_of(work.of_evaluation, 1) : Size(0));
  const bool is_stored = r.weights == "stored" && !is_tuning;

  const Size weights = (is_stored ? Size(r.file_bytes) : s.matrices() * (r.weights == "f32" ? 4 : 2)) + s.vectors * 4;
  const Size mask = has_mask ? ceil_divide(s.matrices(), 8) : Size(0);
  // Weights of a layer's linears for each branch; two blocks of the head's rows.
  const Size scratch = B * (s.most_qkv + s.most_rest + Size(2) * block * C) * T;
  // Residual stream in fp32, q k v and attention's output, sines and cosines; normed rows before the head.
  const Size activations = rows * (C * 4 + (s.most_qkv_row + s.most_q_row) * T) + tokens * r.shape.head_dim * 4 +
                           (work.has_whole_head ? rows * C * T : Size(0));
  // A chunk between norm and down projection, or its logits over a block; attention's result for one sequence.
  const Size per_thread = chunk * std::max(Size(2) * C + Size(2) * s.most_ffn, block) * T + Size(r.length) * s.most_q_row * T + kProductsThread;
  const Size snapshot = is_tuning ? kSnapshotBuffer : 0;

  const Size stepping = scratch + activations + threads * per_thread + snapshot, read = is_stored ? Size(0) : reading(r, s);
  std::vector<PlanPart> parts = {{"libtorch", r.floor},
                                 {"weights", weights.count()},
                                 {"tokenizer", (Size(r.shape.vocab) * kTokenizerEntry).count()},
                                 {"activations", activations.count()},
                                 {"scratch", scratch.count()},
                                 {"threads", (threads * per_thread).count()},
                                 {"mask", mask.count()},
                                 {"snapshot", snapshot.count()},
                                 // Reading ends before the first step, so only what it takes beyond a step counts.
                                 {"reading", read > stepping ? read.count() - stepping.count() : 0}};
  std::erase_if(parts, [](const PlanPart& part) { return part.bytes == 0; });
  return parts;
}

double seconds(const PlanRequest& r, std::uint64_t branches, bool is_tuning) {
  const Sizes s(r.shape);
  const Work work(r);
  const double team = number(at_least_one(r.threads)), tokens = number(work.of_step);
  const Size made = s.linears + (work.has_whole_head ? s.embedding : Size(0));  // weights that products use
  double flops = 2 * number(made) * tokens;
  for (const LayerShape& layer : r.shape.layers) {  // attention: scores and sums over half the length on average
    flops += 2 * tokens * number(r.length) * number(Size(layer.heads) * r.shape.head_dim);
  }
  const double evaluation = static_cast<double>(branches) * flops / (r.bf16_compute ? r.rates.bf16_flops : r.rates.f32_flops) +
                            number(made) * number(work.forwards) / (is_tuning ? r.rates.panel_weights : r.rates.plain_weights);
  const double update = is_tuning ? number(s.matrices()) / r.rates.update_weights : 0;
  return (is_tuning ? number(at_least_one(r.samples)) : 1.0) * (evaluation + update) / team;
}

}  // namespace

std::uint64_t peak_of(const MethodPlan& plan) {
  Size sum;
  for (const PlanPart& part : plan.parts) sum += part.bytes;
  return sum.count();
}

MethodPlan plan_forward(const PlanRequest& request) { return {memory(request, 1, false, false), seconds(request, 1, false)}; }

MethodPlan plan_zeroth_order(const PlanRequest& request, bool is_sparse) {
  return {memory(request, 2, true, is_sparse && request.constant_mask), seconds(request, 2, true)};
}

}  // namespace frugal
