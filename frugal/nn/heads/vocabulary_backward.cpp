// Gradients through the head: blocks of the vocabulary over all scored rows, as the forward in head.cpp.
#include <cmath>

#include "frugal/base/error.h"
#include "frugal/nn/blocks/backward_state.h"
#include "frugal/nn/model/decoder_pass.h"

namespace frugal {

void DecoderState::start_backward(PassMemory& pass, const WeightView& view) {
  if (view.branches() != 1 || !pass.is_recorded)
    throw Error(Exit::internal, "a backward pass has one branch and a tape", "report this with the command you ran");
  if (!work.back) work.back = std::make_unique<BackwardState>();
  work.back->attention.resize(static_cast<std::size_t>(threads.slots()));
  if (pass.dhidden_tokens > 0) return;
  pass.dhidden_tokens = pass.hidden.tokens;
  pass.dhidden.grow(static_cast<std::size_t>(pass.hidden.tokens * shape.hidden) * sizeof(float));
  std::fill_n(pass.dhidden.as<float>(), pass.hidden.tokens * shape.hidden, 0.0f);
}

// From the gradient of the normed rows to that of the hidden states and of the norm's gain.
void DecoderState::backward_final_norm(PassMemory& pass, const WeightView& view, std::span<const std::int64_t> rows,
                                       const float* dnormed, Gradients& gradients) {
  const std::vector<float> gain = final_gain(view);
  const auto C = static_cast<std::size_t>(shape.hidden);
  float* dgain = gradients.of(ids.norm).sum;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int64_t at = rows[i] * shape.hidden;
    final_norm(gain).backward(pass.hidden.at(0, rows[i]), dnormed + i * C, pass.dhidden.as<float>() + at, dgain, 1);
  }
}

// d/dx of -sum_i w_i log p(target_i) at the normed row x is the sum of w_i times (the mean of the head's rows under the
// softmax, less the target's row).
void DecoderState::backward_head(PassMemory& pass, const WeightView& view, std::span<const Pass::Query> queries,
                                 std::span<const double> weights, Gradients& gradients) {
  const std::vector<std::int64_t> rows = distinct_rows(queries);
  HeadTape& head_tape = pass.head_tape;
  if (head_tape.rows != rows) record_head(pass, view, rows);
  const auto C = static_cast<std::size_t>(shape.hidden);
  std::vector<double> row_weights(rows.size(), 0);
  std::vector<std::size_t> order(queries.size()), row_of(queries.size());
  for (std::size_t i = 0; i < queries.size(); ++i) {
    order[i] = i;
    row_of[i] = static_cast<std::size_t>(std::lower_bound(rows.begin(), rows.end(), queries[i].row) - rows.begin());
    row_weights[row_of[i]] += weights[i];
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return row_of[a] < row_of[b]; });
  Buffer dnormed(rows.size() * C * sizeof(float));
  constexpr std::size_t kStep = 32;
  threads.run(static_cast<std::int64_t>((rows.size() + kStep - 1) / kStep), [&](std::int64_t item, int) {
    std::vector<float> target(C);
    const std::size_t begin = static_cast<std::size_t>(item) * kStep, end = std::min(rows.size(), begin + kStep);
    auto next = std::lower_bound(order.begin(), order.end(), begin,
                                 [&](std::size_t i, std::size_t row) { return row_of[i] < row; });
    for (std::size_t row = begin; row < end; ++row) {
      float* to = dnormed.as<float>() + row * C;
      const float* expected = head_tape.expected.as<float>() + row * C;
      for (std::size_t j = 0; j < C; ++j) to[j] = static_cast<float>(row_weights[row]) * expected[j];
      for (; next != order.end() && row_of[*next] == row; ++next) {
        float* out[1] = {target.data()};
        view.rows(ids.head, queries[*next].target, queries[*next].target + 1, out);
        const auto weight = static_cast<float>(weights[*next]);
        for (std::size_t j = 0; j < C; ++j) to[j] -= weight * target[j];
      }
    }
  });
  if (const GradientSum head = gradients.of(ids.head); head.sum != nullptr) {
    if (compute == Compute::f32)
      backward_head_weights<float>(pass, view, queries, weights, head);
    else
      backward_head_weights<kernels::Bf16>(pass, view, queries, weights, head);
  }
  backward_final_norm(pass, view, rows, dnormed.as<float>(), gradients);
}

// The gradient of the head's rows, block by block of the vocabulary: the logits are made again.
template <class T>
void DecoderState::backward_head_weights(PassMemory& pass, const WeightView& view, std::span<const Pass::Query> queries,
                                         std::span<const double> weights, const GradientSum& head) {
  const HeadTape& head_tape = pass.head_tape;
  const std::vector<std::int64_t>& rows = head_tape.rows;
  const auto n = static_cast<std::int64_t>(rows.size()), C = shape.hidden, V = shape.vocab;
  const std::int64_t chunk = chunk_tokens(n, 1), chunks = (n + chunk - 1) / chunk;
  struct Target {
    std::int64_t row;
    std::int32_t token;
    float weight;
  };
  std::vector<Target> targets;  // by row, so that a chunk finds its own
  std::vector<float> row_weights(rows.size(), 0), shifts(head_tape.sums.begin(), head_tape.sums.end());
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const auto row = std::lower_bound(rows.begin(), rows.end(), queries[i].row) - rows.begin();
    targets.push_back({row, queries[i].target, static_cast<float>(weights[i])});
    row_weights[static_cast<std::size_t>(row)] += static_cast<float>(weights[i]);
  }
  std::stable_sort(targets.begin(), targets.end(), [](const Target& a, const Target& b) { return a.row < b.row; });

  const std::vector<float> gain = final_gain(view);
  Buffer x(static_cast<std::size_t>(n * C) * sizeof(T)),
      dlogits(static_cast<std::size_t>(n * kVocabularyBlock) * sizeof(T));
  for (std::int64_t i = 0; i < n; ++i) {
    final_norm(gain).forward(pass.hidden.at(0, rows[static_cast<std::size_t>(i)]), x.as<T>() + i * C, 1);
  }
  const Preparation<T> first = head_block<T>(view, 0);
  threads.run(first.size(), [&](std::int64_t item, int) { first.run(view, item); });
  for (std::int64_t index = 0; index * kVocabularyBlock < V; ++index) {
    const Preparation<T> next = head_block<T>(view, index + 1);
    const std::int64_t from = index * kVocabularyBlock, width = std::min(V, from + kVocabularyBlock) - from;
    const T* panel = head_panel<T>(0, index);
    threads.run(chunks + next.size(), [&](std::int64_t item, int) {
      if (item >= chunks) return next.run(view, item - chunks);
      const std::int64_t begin = item * chunk, count = std::min(n, begin + chunk) - begin;
      T* logits = dlogits.as<T>() + begin * width;
      linear(x.as<T>() + begin * C, panel, logits, {count, C, width, C, width});
      kernels::weighted_softmax(logits, static_cast<std::size_t>(count), static_cast<std::size_t>(width),
                                static_cast<std::size_t>(width), shifts.data() + begin, row_weights.data() + begin);
      auto target = std::lower_bound(targets.begin(), targets.end(), begin,
                                     [](const Target& a, std::int64_t row) { return a.row < row; });
      for (; target != targets.end() && target->row < begin + count; ++target) {
        if (target->token < from || target->token >= from + width) continue;
        T* logit = logits + (target->row - begin) * width + target->token - from;
        float value;
        convert(logit, &value, 1);
        value -= target->weight;
        convert(&value, logit, 1);
      }
    });
    WeightGradients<T> sums;
    sums.add({head.sum + from * C}, dlogits.as<T>(), width, x.as<T>(), C, n, width, C);
    threads.run(sums.size(),
                [&](std::int64_t item, int thread) { sums.run(item, work.scratch[static_cast<std::size_t>(thread)]); });
  }
}

void DecoderPass::backward_log_probabilities(std::span<const Query> queries, std::span<const double> weights,
                                             Gradients& gradients) {
  state_.start_backward(usable(), view_);
  state_.backward_head(*memory_, view_, queries, weights, gradients);
}

void DecoderPass::backward_candidates(std::span<const std::int64_t> rows, std::span<const std::int32_t> candidates,
                                      std::span<const float> gradient, Gradients& gradients) {
  DecoderState& s = state_;
  PassMemory& pass = usable();
  const WeightView& view = view_;
  s.start_backward(pass, view);
  const auto C = static_cast<std::size_t>(s.shape.hidden);
  const std::vector<float> gain = s.final_gain(view);
  std::vector<float> dnormed(rows.size() * C, 0), weights(C), x(C), part(C);
  const GradientSum head = gradients.of(s.ids.head);
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    float* out[1] = {weights.data()};
    view.rows(s.ids.head, candidates[c], candidates[c] + 1, out);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const float g = gradient[i * candidates.size() + c];
      for (std::size_t j = 0; j < C; ++j) dnormed[i * C + j] += g * weights[j];
      if (head.sum == nullptr) continue;
      s.final_norm(gain).forward(pass.hidden.at(0, rows[i]), x.data(), 1);
      float* to = head.sum + static_cast<std::size_t>(candidates[c]) * C;
      for (std::size_t j = 0; j < C; ++j) to[j] += g * x[j];
    }
  }
  s.backward_final_norm(pass, view, rows, dnormed.data(), gradients);
}

}  // namespace frugal
