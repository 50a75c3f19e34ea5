// Bytes by purpose and seconds of a forward and of a zeroth-order step.
#include <algorithm>
#include <cmath>

#include "frugal/plan/sizes.h"

namespace frugal {
using namespace plan_sizes;  // NOLINT: private to this folder

namespace {

constexpr double kReadBytes = 1e9;              // a second, of a file: a solid-state disk's
constexpr std::uint64_t kPlanError = 16 << 20;  // that a plan may be wrong by

// While the model is read: pages of a span of the largest tensor, and a tile of fp32 a thread.
Size reading(const PlanRequest& r, const Sizes& s) {
  const Size tiles = at_least_one(r.threads) * kConvertedBytes;
  if (r.largest_tensor > 0) return tiles + std::min(Size(r.largest_tensor), Size(kResidentBytes));
  const Size largest = std::max({s.embedding, s.most_qkv, s.most_rest});
  const double share = number(largest) / std::max(1.0, number(s.matrices()));
  return tiles +
         std::min(Size(kResidentBytes),
                  Size(static_cast<std::uint64_t>(std::min(share * static_cast<double>(r.file_bytes), 0x1p62))));
}

// Columns of the feed-forward whose weights are made at a time. bytes: of a number in all branches.
Size ffn_block(const ModelShape& s, const LayerShape& layer, Size bytes) {
  const Size column = std::clamp(Size(3) * s.hidden * bytes, Size(1), Size(kFfnBlockBytes));
  const bool is_plain = !s.biases.of_feed_forward() && Size(layer.heads) * s.head_dim == Size(s.hidden);
  return is_plain ? ffn_block_width(layer.ffn, static_cast<std::int64_t>(column.count())) : layer.ffn;
}

// Weights that the products of a forward use.
Size weights_read(const PlanRequest& r) {
  const Sizes s(r.shape);
  return s.linears + (Work(r).has_whole_head ? s.embedding : Size(0));
}

}  // namespace

std::vector<PlanPart> plan_sizes::forward_memory(const PlanRequest& r, std::uint64_t branches, bool changes_weights,
                                                 bool is_tuning) {
  const Sizes s(r.shape);
  const Work work(r);
  const Size B = branches, T = r.bf16_compute ? 2 : 4, C = r.shape.hidden, threads = at_least_one(r.threads);
  const Size rows = std::max(B * work.of_forward, work.of_evaluation),
             tokens = std::max(work.of_forward, work.of_evaluation);
  const Size block = work.has_whole_head ? std::min(Size(r.shape.vocab), Size(kVocabularyBlock)) : Size(0);
  const bool is_stored = r.weights == WeightType::stored && !changes_weights;

  const Size kept = is_stored ? Size(r.file_bytes)
                    : r.weights == WeightType::nf4
                        ? (s.embedding + s.head) * 2 + ceil_divide(s.linears * 9, 16)  // 4.5 bits
                        : s.matrices() * (r.weights == WeightType::f32 ? 4 : 2);
  const Size weights = kept + s.vectors * 4;
  // Weights of a layer's linears for each branch that has its own, the feed-forward's of a large layer in parts; two
  // blocks of the head's rows take their place.
  Size rest, widest;
  for (const LayerShape& layer : r.shape.layers) {
    const Size width = changes_weights && branches > 1 ? ffn_block(r.shape, layer, B * T) : Size(layer.ffn);
    rest = std::max(rest, LayerSizes<Size>(r.shape, layer).behind(width));
    widest = std::max(widest, width);
  }
  // An evaluation beside the steps has one branch, whose feed-forward is made whole.
  const bool evaluates = work.of_evaluation > Size(0);
  const Size own = changes_weights ? B : Size(1);
  const Size panels = std::max(own * std::max(rest, Size(2) * block * C), evaluates ? s.most_rest : Size(0));
  const Size scratch = (own * s.most_qkv + panels) * T;
  // Residual stream in fp32, q k v and attention's output, sines and cosines. Normed rows before the head take the
  // place of q k v.
  const Size before = work.has_whole_head ? std::max(s.most_qkv_row, C) : s.most_qkv_row;
  const Size activations = rows * (C * 4 + (before + s.most_q_row) * T) + tokens * r.shape.head_dim * 4;
  // A chunk between norm and down projection, or its logits over a block; attention's result, or keys and values of a
  // head in the order of its products.
  const auto chunk = [&](Size tokens, std::uint64_t of_branches, Size width) {
    return chunk_of(tokens, of_branches) * std::max(Size(2) * C + Size(2) * width, block);
  };
  const Size chunks = std::max(chunk(work.of_forward, branches, widest),
                               evaluates ? chunk(work.of_evaluation, 1, s.most_ffn) : Size(0));
  const Size attention =
      std::max(attention_rows(s, r.length) * s.most_q_row * T, Size(r.length) * r.shape.head_dim * 4);
  const Size per_thread = chunks * T + attention + kProductsThread;
  const Size snapshot = is_tuning ? kSnapshotBuffer : 0;

  const Size stepping = scratch + activations + threads * per_thread + snapshot,
             read = is_stored ? Size(0) : reading(r, s);
  std::vector<PlanPart> parts = {{"libtorch", r.floor},
                                 {"code", kLibTorchCode},
                                 {"weights", weights.count()},
                                 {"tokenizer", (Size(r.shape.vocab) * kTokenizerEntry).count()},
                                 {"examples", r.example_bytes},
                                 {"adapter", r.adapter_bytes},
                                 {"activations", activations.count()},
                                 {"scratch", scratch.count()},
                                 {"cache", (Size(r.cached_tokens) * s.key_values * T).count()},
                                 {"threads", (threads * per_thread).count()},
                                 {"kernels", r.bf16_compute ? kernel_bytes(kept_kernels(s.other_products)) : 0},
                                 {"snapshot", snapshot.count()},
                                 // Reading ends before the first step, so only what it takes beyond a step counts.
                                 {"reading", read > stepping ? read.count() - stepping.count() : 0}};
  std::erase_if(parts, [](const PlanPart& part) { return part.bytes == 0; });
  return parts;
}

void plan_sizes::add_teacher(const PlanRequest& r, MethodPlan& plan) {
  Size stepping;  // what is not there yet while the other model runs
  for (const PlanPart& part : plan.parts) {
    const bool stays = part.purpose == "libtorch" || part.purpose == "code" || part.purpose == "weights" ||
                       part.purpose == "tokenizer" || part.purpose == "examples" || part.purpose == "beside";
    if (!stays) stepping += part.bytes;
  }
  const std::uint64_t bytes = (Size(r.beside) + (r.before - std::min(r.before, stepping.count()))).count();
  if (bytes > 0) plan.parts.push_back({"teacher", bytes});
  plan.seconds_per_step += r.beside_seconds;
}

void plan_sizes::stream_weights(const PlanRequest& r, double passes, MethodPlan& plan) {
  if (r.weights != WeightType::stored || r.file_window == 0) return;
  const std::uint64_t peak = peak_of(plan), others = peak - r.file_bytes;
  // The rest of the plan may be wrong by as much as it says itself.
  const std::uint64_t reserve = std::max(kPlanError, (others - std::min(others, r.floor + kLibTorchCode)) / 10),
                      beside = (Size(others) + reserve).count(), least = (Size(beside) + r.file_window).count();
  if (least >= peak) return;  // all of the file takes no more
  plan.least = least;
  if (r.memory == 0 || peak <= r.memory) return;
  const auto weights = std::find_if(plan.parts.begin(), plan.parts.end(),
                                    [](const PlanPart& part) { return part.purpose == "weights"; });
  const std::uint64_t window = std::max(r.file_window, r.memory - std::min(r.memory, beside));
  weights->bytes -= r.file_bytes - window;
  plan.parts.push_back({"reserve", reserve});
  plan.choices.file_window = window;
  const auto read = static_cast<double>(r.file_bytes - (window - r.file_window));
  plan.seconds_per_step = std::max(plan.seconds_per_step, passes * read / kReadBytes);  // read while others compute
}

double plan_sizes::forward_flops(const PlanRequest& r) {
  const double length = r.mean_length > 0 ? r.mean_length : static_cast<double>(r.length),
               tokens = number(at_least_one(r.batch)) * length;
  double flops = 2 * number(weights_read(r)) * tokens;
  for (const LayerShape& layer : r.shape.layers) {  // attention: scores and sums over half the length on average
    flops += 2 * tokens * length * number(Size(layer.heads) * r.shape.head_dim);
  }
  return flops;
}

double plan_sizes::panel_weights(const PlanRequest& r) { return number(weights_read(r)) * number(Work(r).forwards); }

double plan_sizes::forward_seconds(const PlanRequest& r, std::uint64_t branches, bool is_perturbed) {
  const double products =
      static_cast<double>(branches) * forward_flops(r) / (r.bf16_compute ? r.rates.bf16_flops : r.rates.f32_flops);
  return (products + panel_weights(r) / (is_perturbed ? r.rates.panel_weights : r.rates.plain_weights)) /
         number(at_least_one(r.threads));
}

std::uint64_t tokens_of_step(const PlanRequest& r) {
  const Size all = at_least_one(r.batch) * at_least_one(r.length);
  if (r.mean_length <= 0) return all.count();
  const double batch = number(at_least_one(r.batch));
  const double most = std::ceil(batch * r.mean_length + 5 * r.length_deviation * std::sqrt(batch));
  const Size likely = most < 0x1p62 ? static_cast<std::uint64_t>(most) : all.count();
  return std::min(all, std::max(likely, at_least_one(r.length))).count();
}

std::uint64_t kernel_bytes(std::uint64_t shapes) {
  constexpr std::uint64_t kKernelBytes = 540'000;
  return (Saturating(shapes) * kKernelBytes).count();
}

std::uint64_t peak_of(const MethodPlan& plan) {
  Size sum;
  for (const PlanPart& part : plan.parts) sum += part.bytes;
  return sum.count();
}

MethodPlan plan_forward(const PlanRequest& request) {
  MethodPlan plan{plan_sizes::forward_memory(request, 1, false, false), plan_sizes::forward_seconds(request, 1, false)};
  plan_sizes::stream_weights(request, 1, plan);
  return plan;
}

MethodPlan plan_zeroth_order(const PlanRequest& request, const ZerothOrderPlan& method) {
  const Sizes s(request.shape);
  const bool has_pairs = method.pairs > 0;
  const Size trained = has_pairs ? Size(method.pairs) : s.matrices();
  MethodPlan plan{plan_sizes::forward_memory(request, 2, !has_pairs, true), 0};
  if (has_pairs) plan.parts.push_back({"beside", (trained * 4).count()});
  if (method.has_mask) plan.parts.push_back({"mask", ceil_divide(trained, 8).count()});
  const double update = number(trained) / request.rates.update_weights / number(at_least_one(request.threads));
  plan.seconds_per_step =
      number(at_least_one(method.samples)) * (plan_sizes::forward_seconds(request, 2, !has_pairs) + update);
  plan_sizes::add_teacher(request, plan);
  if (has_pairs) plan_sizes::stream_weights(request, number(at_least_one(method.samples)), plan);
  return plan;
}

}  // namespace frugal
