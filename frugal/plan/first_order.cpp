// Bytes by purpose and seconds of a step with a backward pass. The sizes mirror nn/blocks/backward_state.h and
// nn/model/tape.h.
#include "frugal/plan/sizes.h"

namespace frugal {
using namespace plan_sizes;  // NOLINT: private to this folder

namespace {

MethodPlan plan_with(const PlanRequest& r, const FirstOrderPlan& m, bool keeps) {
  const Sizes s(r.shape);
  const Work work(r);
  const Size N = work.of_forward, C = r.shape.hidden, T = r.bf16_compute ? 2 : 4, length = r.length,
             threads = at_least_one(r.threads);
  Size recorded, taped;  // layers, and numbers of a token that they leave beside their input
  for (std::size_t l = m.lowest_layer; l < r.shape.layers.size(); ++l) {
    recorded += 1;
    taped += LayerSizes<Size>(r.shape, r.shape.layers[l]).taped();
  }
  const bool changes_weights = m.beside == 0;
  MethodPlan plan{forward_memory(r, 1, changes_weights, true), 0};

  // Each layer's input; of one layer at a time, or of all, its middle and what lies between its products.
  const Size inputs = recorded * N * C * 4, checkpoints = inputs + N * (C * 4 + s.most_taped * T),
             tape = keeps ? inputs + N * (recorded * C * 4 + taped * T) : checkpoints;
  // Gradient of the residual stream; what products read; one layer's activations and their gradients.
  const Size backward = N * (C * 4 + (Size(4) * C + s.most_ffn + s.most_q_row + s.most_qkv_row) * T) +
                        (m.has_dropout ? N * (Size(5) * C + s.most_q_row + s.most_ffn) * T : Size(0));
  // The head's mean rows and the gradient of what it read; where it is trained, what it read and the logits of a block.
  const Size own = m.trains_head ? (C + std::min(Size(r.shape.vocab), Size(kVocabularyBlock))) * T : Size(0),
             head = work.has_whole_head ? N * (C * 8 + own) : Size(0);
  // What attention's gradient has for each key: scores of a block of queries, in bf16 also keys and values in the order
  // of their products and the sums of their gradients.
  const Size for_keys = length * std::max(Size(2 * 128 * 4), Size(14) * r.shape.head_dim + 600);
  const Size rows = attention_rows(s, length),  // keys are also those of a parent, which is as short
      keys = std::max(rows, std::min(length, Size(2 * (kLongSegment - 1))));
  const Size attention =
      threads * ((rows * (Size(3) * s.most_q_row) + keys * (Size(2) * s.most_qkv_row)) * 4 + for_keys);
  // What a pair read, with dropout; DoRA's product a second time and its row factors; rows whose lengths are found
  // together.
  const Size widest = std::max({s.most_ffn, s.most_q_row, C});
  const Size lengths = threads * widest *
                       (chunk_of(N, 1) * ((m.has_magnitudes ? 2 : 0) + (m.has_dropout ? 1 : 0)) * T +
                        Size(m.has_magnitudes ? 64 * 4 : 0));
  // Products of a backward and of pairs have other shapes than those of a forward. Of rows: four kinds, two of a head,
  // of pairs twelve, more that go past dropout or a magnitude; of terms: those of the linears' four widths, or of the
  // pairs' factors.
  const bool are_natural = r.length_deviation > 0;
  const Size of_rows = (m.has_pairs ? 16 : 4) + (work.has_whole_head ? 2 : 0) + (m.has_dropout ? 4 : 0) +
                       (m.has_magnitudes ? 6 : 0),
             of_terms = m.has_pairs ? 6 : 4;
  // Of layers of other sizes each has its own, in the forward, in the backward, and twice as many with pairs.
  const Size of_others = s.other_products * (m.has_pairs ? 4 : 2);
  const Size kernels = r.bf16_compute
                           ? s.other_products + (of_rows + of_others) * row_shapes(chunk_of(N, 1), are_natural) +
                                 (of_terms + s.other_products) * term_shapes(N, are_natural)
                           : Size(0);
  std::erase_if(plan.parts, [](const PlanPart& part) { return part.purpose == "kernels"; });
  for (PlanPart& part : plan.parts) {
    if (part.purpose == "activations") part.bytes = (Size(part.bytes) + tape).count();
    if (part.purpose == "threads" && !r.bf16_compute)
      part.bytes = (Size(part.bytes) + threads * kProductsThread * (m.has_pairs ? 2 : 1)).count();
    if (part.purpose == "scratch") part.bytes = (Size(part.bytes) + backward + head + attention + lengths).count();
  }
  const auto add = [&](const char* purpose, Size bytes) {
    if (bytes > Size(0)) plan.parts.push_back({purpose, bytes.count()});
  };
  add("kernels", kernel_bytes(kept_kernels(kernels)));
  add("beside", m.beside);
  add("residual", m.kept);
  add("gradients", Size(m.gradients) * 4);
  add("optimizer", Size(m.trained) * m.optimizer_bytes);
  // What is scored before the first step holds no state, so only what it takes beyond a step counts.
  const Size scoring = m.scored > 0 ? checkpoints + Size(m.scored) * 4 : Size(0),
             stepping = tape + m.beside + Size(m.gradients) * 4 + Size(m.trained) * m.optimizer_bytes;
  if (scoring > stepping) add("scoring", scoring.count() - stepping.count());

  // A forward; activation gradients as far down as anything is trained; a forward again there unless kept; weight
  // gradients.
  const double forward = forward_seconds(r, 1, false);
  plan.seconds_per_step =
      forward * (1 + m.depth * (keeps ? 1 : 2) + m.weight_gradients + (m.has_magnitudes ? m.depth : 0)) +
      number(m.trained) / r.rates.update_weights / number(threads);
  plan.choices.activations = keeps ? "keep" : "checkpoint";
  add_teacher(r, plan);
  if (!changes_weights) stream_weights(r, 2, plan);
  return plan;
}

}  // namespace

MethodPlan plan_first_order(const PlanRequest& request, const FirstOrderPlan& method, const std::string& activations) {
  PlanRequest part = request;  // accumulation: a batch goes through in parts
  const std::int64_t parts = std::max<std::int64_t>(1, method.accumulation);
  part.batch = (request.batch + parts - 1) / parts;
  const auto of_all = [&](bool keeps) {
    MethodPlan plan = plan_with(part, method, keeps);
    plan.seconds_per_step *= static_cast<double>(parts);
    return plan;
  };
  if (activations != "auto") return of_all(activations == "keep");
  MethodPlan kept = of_all(true);
  const bool fits = request.memory == 0 || (peak_of(kept) <= request.memory && kept.choices.file_window == 0);
  if (fits && kept.least == 0) return kept;
  MethodPlan checkpoints = of_all(false);  // rather a forward again than the file
  if (!fits) return checkpoints;
  kept.least = checkpoints.least;
  return kept;
}

}  // namespace frugal
