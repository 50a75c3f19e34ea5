// Bytes by purpose and seconds of a forward and of a zeroth-order step. The sizes mirror what the decoder and the weight store
// reserve; tests compare them with measured peaks.
#include <algorithm>

#include "frugal/plan/plan.h"
#include "frugal/plan/saturating.h"

namespace frugal {
namespace {

using Size = Saturating;

constexpr std::uint64_t kVocabularyBlock = 2048;       // rows of the head made at a time
constexpr std::uint64_t kTileBytes = 1 << 20;          // fp32 weights a thread converts at a time while reading
constexpr std::uint64_t kTokenizerEntry = 240;         // a vocabulary entry: its text, its places in two tables, its merge
constexpr std::uint64_t kSnapshotBuffer = 1 << 20;
constexpr std::uint64_t kProductsThread = 4ull << 20;  // repacked operands of oneDNN and MKL, stack, allocator's arena

Size ceil_divide(Size a, std::uint64_t b) { return a.count() / b + (a.count() % b != 0); }
double number(Size size) { return static_cast<double>(size.count()); }
Size at_least_one(std::int64_t value) { return std::max<std::int64_t>(1, value); }

// Numbers of weights: of all, and the most any layer has, since scratch serves one layer after the other.
struct Sizes {
  Size embedding, head, linears, vectors;
  Size most_qkv, most_rest, most_qkv_row, most_attended_row, most_ffn;
  Size matrices() const { return embedding + head + linears; }
};

Sizes sizes_of(const ModelShape& s) {
  const Size C = s.hidden, D = s.head_dim;
  Sizes sizes;
  sizes.embedding = Size(s.vocab) * C;
  if (!s.tied_embeddings) sizes.head = sizes.embedding;
  sizes.vectors = C;
  for (const LayerShape& layer : s.layers) {
    const Size q = Size(layer.heads) * D, row = q + Size(2) * layer.kv_heads * D, F = layer.ffn;
    const Size qkv = row * C, rest = q * C + Size(3) * F * C;
    sizes.linears += qkv + rest;
    sizes.vectors += Size(2) * C;
    if (s.attention_bias) sizes.vectors += row + C;
    if (s.mlp_bias) sizes.vectors += Size(2) * F + C;
    sizes.most_qkv = std::max(sizes.most_qkv, qkv);
    sizes.most_rest = std::max(sizes.most_rest, rest);
    sizes.most_qkv_row = std::max(sizes.most_qkv_row, row);
    sizes.most_attended_row = std::max(sizes.most_attended_row, q);
    sizes.most_ffn = std::max(sizes.most_ffn, F);
  }
  return sizes;
}

// What a step runs through the model.
struct Work {
  explicit Work(const PlanRequest& r) : whole_head(r.labels == 0 || !r.single_token_labels) {
    const Size batch = at_least_one(r.batch), length = at_least_one(r.length);
    step_tokens = batch * length;
    step_targets = r.labels == 0 ? step_tokens : batch * Size(r.labels);
    tokens = ceil_divide(batch, at_least_one(r.accumulation).count()) * length;
    if (r.labels > 0) tokens = std::min(tokens, std::max(Size(kPackedTokens), length));
    forwards = ceil_divide(step_tokens, std::max<std::uint64_t>(1, tokens.count()));
    targets = ceil_divide(step_targets, std::max<std::uint64_t>(1, forwards.count()));
    if (r.labels > 0 && whole_head) tokens += targets;  // a word's tokens but the last go on behind the prompt
  }
  bool whole_head;             // every word of the vocabulary is scored
  Size tokens, targets;        // of one forward
  Size step_tokens, step_targets, forwards;
};

// Tokens of a work item, as the decoder cuts a batch.
std::uint64_t chunk_of(Size tokens, std::uint64_t branches) {
  for (const std::uint64_t chunk : {512, 256, 128}) {
    if (tokens > Size(chunk * (4 / branches - 1))) return chunk;
  }
  return 64;
}

Size file_pages(const PlanRequest& r, const Sizes& s) {
  if (r.largest_tensor > 0) return r.largest_tensor;
  const double share = number(std::max({s.embedding, s.most_qkv, s.most_rest})) / std::max(1.0, number(s.matrices()));
  return static_cast<std::uint64_t>(std::min(share * static_cast<double>(r.file_bytes), 0x1p62));
}

std::vector<PlanItem> memory(const PlanRequest& r, std::uint64_t branches, bool is_updated) {
  const Sizes s = sizes_of(r.shape);
  const Work work(r);
  const Size B = branches, T = bytes_of(r.arithmetic), C = r.shape.hidden, V = r.shape.vocab, threads = at_least_one(r.threads);
  const Size block = work.whole_head ? std::min(V, Size(kVocabularyBlock)) : Size(0), chunk = chunk_of(work.tokens, branches);
  const bool is_stored = r.weights == PlanWeights::stored && !is_updated;

  std::vector<PlanItem> items;
  const auto add = [&](const char* purpose, Size bytes, Phase phase) { items.push_back({purpose, bytes.count(), phase}); };
  add("libtorch", r.floor, Phase::always);
  add("weights", (is_stored ? Size(r.file_bytes) : s.matrices() * (r.weights == PlanWeights::f32 ? 4 : 2)) + s.vectors * 4, Phase::always);
  if (r.stored_mask && is_updated) add("mask", ceil_divide(s.matrices(), 8), Phase::always);
  add("tokenizer", V * kTokenizerEntry, Phase::always);
  add("reading", (is_stored ? Size(0) : file_pages(r, s)) + threads * kTileBytes, Phase::reading);
  // Weights of a layer's linears for each branch; two blocks of the head's rows.
  add("scratch", B * (s.most_qkv + s.most_rest + Size(2) * block * C) * T, Phase::stepping);
  // Residual stream in fp32, q k v and what attention gives, sine and cosine; normed rows before the head.
  add("activations", B * work.tokens * (C * 4 + (s.most_qkv_row + s.most_attended_row) * T) + work.tokens * r.shape.head_dim * 4 +
      (work.whole_head ? B * work.targets * C * T : Size(0)), Phase::stepping);
  // A chunk between norm and down projection, or its logits over a block of the vocabulary.
  add("threads", threads * (chunk * std::max(Size(2) * C + Size(2) * s.most_ffn, block) * T + kProductsThread), Phase::stepping);
  if (is_updated) add("snapshot", kSnapshotBuffer, Phase::stepping);
  return items;
}

double seconds(const PlanRequest& r, std::uint64_t branches, bool is_updated) {
  const Sizes s = sizes_of(r.shape);
  const Work work(r);
  const double team = std::max(1, r.threads), tokens = number(work.step_tokens);
  double flops = 2 * number(s.linears) * tokens;
  for (const LayerShape& layer : r.shape.layers) {  // scores and sums over half the length on average
    flops += 2 * tokens * number(r.length) * number(Size(layer.heads) * r.shape.head_dim);
  }
  if (work.whole_head) flops += 2 * number(s.embedding) * number(work.step_targets);
  const double made = number(s.linears + (work.whole_head ? s.embedding : Size(0))) * number(work.forwards);
  const double evaluation = static_cast<double>(branches) * flops / (flops_of(r.rates, r.arithmetic) * team) +
                            made / ((is_updated ? r.rates.panel_weights : r.rates.plain_weights) * team);
  const double update = is_updated ? number(s.matrices()) / (r.rates.update_weights * team) : 0;
  return (is_updated ? number(at_least_one(r.samples)) : 1.0) * (evaluation + update);
}

}  // namespace

std::uint64_t peak_of(const MethodPlan& plan) {
  Size always, reading, stepping;
  for (const PlanItem& item : plan.items) {
    (item.phase == Phase::always ? always : item.phase == Phase::reading ? reading : stepping) += item.bytes;
  }
  return (always + std::max(reading, stepping)).count();
}

MethodPlan plan_forward(const PlanRequest& request) { return {memory(request, 1, false), seconds(request, 1, false)}; }
MethodPlan plan_zeroth_order(const PlanRequest& request) { return {memory(request, 2, true), seconds(request, 2, true)}; }

}  // namespace frugal
