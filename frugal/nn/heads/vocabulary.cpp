// The language-model head on chosen rows: the whole vocabulary in blocks, candidate tokens only, or rows of logits.
#include <cmath>
#include <numeric>

#include "frugal/base/error.h"
#include "frugal/core/kernels/backward.h"
#include "frugal/nn/model/decoder_pass.h"

namespace frugal {
std::vector<std::int64_t> distinct_rows(std::span<const Pass::Query> queries) {
  std::vector<std::int64_t> rows;
  for (const auto& query : queries) rows.push_back(query.row);
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

std::vector<float> DecoderState::final_gain(const WeightView& view) {
  std::vector<float> gain(static_cast<std::size_t>(view.branches() * shape.hidden));
  float* out[Preparation<float>::kMaxBranches];
  for (int b = 0; b < view.branches(); ++b) out[b] = gain.data() + b * shape.hidden;
  view.rows(ids.norm, 0, 1, out);
  return gain;
}

// out[b * rows + i] = log sum_v exp(logit_v) of rows[i]. expected: a sum over v of exp(logit_v - running maximum) times
// the head's row v, rescaled when the maximum rises, as attention is made block by block (arXiv:2205.14135, algorithm
// 1); so the head's backward needs no further pass over the vocabulary.
template <class T>
void DecoderState::log_sum_exps(PassMemory& pass, const WeightView& view, std::span<const std::int64_t> rows,
                                std::vector<double>& out, float* expected, MostLikely* likeliest) {
  const Hidden& hidden = pass.hidden;
  const int B = view.branches();
  const auto n = static_cast<std::int64_t>(rows.size()), C = shape.hidden, V = shape.vocab;
  const std::int64_t chunk = chunk_tokens(n, B), chunks = (n + chunk - 1) / chunk;
  const std::vector<float> gain = final_gain(view);
  BranchBuffer running;        // [2, n]: maximum and sum so far
  BranchBuffer& x = work.qkv;  // [n, C] in T, in place of what the layers had there
  x.grow(B, static_cast<std::size_t>(n * C) * sizeof(T));
  running.grow(B, static_cast<std::size_t>(2 * n) * sizeof(float));
  for (int b = 0; b < B; ++b) {
    for (std::int64_t i = 0; i < n; ++i) {
      final_norm(gain, b).forward(hidden.at(b, rows[static_cast<std::size_t>(i)]),
                                  x.at<T>(b, static_cast<std::size_t>(i * C)), 1);
    }
    std::fill_n(running.at<float>(b), n, -INFINITY);
    std::fill_n(running.at<float>(b, static_cast<std::size_t>(n)), n, 0.0f);
  }
  if (expected != nullptr) std::fill_n(expected, n * C, 0.0f);
  {
    const Preparation<T> first = head_block<T>(view, 0);
    threads.run(first.size(), [&](std::int64_t item, int) { first.run(view, item); });
  }
  for (std::int64_t index = 0; index * kVocabularyBlock < V; ++index) {
    const Preparation<T> next = head_block<T>(view, index + 1);
    const std::int64_t width = std::min(V, (index + 1) * kVocabularyBlock) - index * kVocabularyBlock;
    threads.run(B * chunks + next.size(), [&](std::int64_t item, int thread) {
      if (item >= B * chunks) return next.run(view, item - B * chunks);
      const int b = static_cast<int>(item % B);
      const std::int64_t begin = item / B * chunk, count = std::min(n, begin + chunk) - begin;
      Buffer& mine = work.scratch[static_cast<std::size_t>(thread)];
      const std::int64_t columns = kVocabularyBlock + (expected != nullptr ? C : 0);
      mine.grow(static_cast<std::size_t>(chunk * columns) * sizeof(T));
      T* logits = mine.as<T>();
      const T* panel = head_panel<T>(b, index);
      linear(x.at<T>(b, static_cast<std::size_t>(begin * C)), panel, logits, {count, C, width, C, width});
      for (std::int64_t i = 0; likeliest != nullptr && i < count; ++i) {
        float words[kVocabularyBlock];
        convert(logits + i * width, words, width);
        likeliest->take(begin + i, static_cast<std::int32_t>(index * kVocabularyBlock), words, width);
      }
      float* most = running.at<float>(b, static_cast<std::size_t>(begin));
      std::vector<float> before;
      if (expected != nullptr) before.assign(most, most + count);
      kernels::log_sum_exp(logits, static_cast<std::size_t>(count), static_cast<std::size_t>(width),
                           static_cast<std::size_t>(width), most,
                           running.at<float>(b, static_cast<std::size_t>(n + begin)));
      if (expected == nullptr) return;
      const std::vector<float> ones(static_cast<std::size_t>(count), 1.0f);
      kernels::weighted_softmax(logits, static_cast<std::size_t>(count), static_cast<std::size_t>(width),
                                static_cast<std::size_t>(width), most, ones.data());
      T* part = logits + chunk * kVocabularyBlock;
      linear_input_gradient(logits, panel, part, {count, C, width, C, width});
      float* sum = expected + begin * C;
      for (std::int64_t i = 0; i < count; ++i) {
        if (before[static_cast<std::size_t>(i)] == most[i]) continue;
        const float scale = std::exp(before[static_cast<std::size_t>(i)] - most[i]);
        for (std::int64_t j = 0; j < C; ++j) sum[i * C + j] *= scale;
      }
      kernels::add(sum, part, static_cast<std::size_t>(count * C));
    });
  }
  for (std::int64_t i = 0; expected != nullptr && i < n; ++i) {
    const float scale = 1 / *running.at<float>(0, static_cast<std::size_t>(n + i));
    for (std::int64_t j = 0; j < C; ++j) expected[i * C + j] *= scale;
  }
  out.resize(static_cast<std::size_t>(B * n));
  for (int b = 0; b < B; ++b) {
    for (std::int64_t i = 0; i < n; ++i) {
      out[static_cast<std::size_t>(b * n + i)] =
          static_cast<double>(*running.at<float>(b, static_cast<std::size_t>(i))) +
          std::log(static_cast<double>(*running.at<float>(b, static_cast<std::size_t>(n + i))));
    }
  }
}

void DecoderState::record_head(PassMemory& pass, const WeightView& view, const std::vector<std::int64_t>& rows) {
  HeadTape& head_tape = pass.head_tape;
  head_tape.rows = rows;
  head_tape.expected.grow(rows.size() * static_cast<std::size_t>(shape.hidden) * sizeof(float));
  if (compute == Compute::f32)
    log_sum_exps<float>(pass, view, rows, head_tape.sums, head_tape.expected.as<float>());
  else
    log_sum_exps<kernels::Bf16>(pass, view, rows, head_tape.sums, head_tape.expected.as<float>());
}

std::vector<double> DecoderPass::log_probabilities(std::span<const Query> queries) {
  DecoderState& s = state_;
  PassMemory& pass = usable();
  const std::vector<std::int64_t> rows = distinct_rows(queries);
  if (pass.is_recorded) {
    s.record_head(pass, view_, rows);
    return log_probabilities(queries, rows, pass.head_tape.sums);
  }
  std::vector<double> sums;
  if (s.compute == Compute::f32)
    s.log_sum_exps<float>(pass, view_, rows, sums, nullptr);
  else
    s.log_sum_exps<kernels::Bf16>(pass, view_, rows, sums, nullptr);
  return log_probabilities(queries, rows, sums);
}

// The target's own logit is an fp32 dot product, so that a bf16 product's rounding does not reach it.
std::vector<double> DecoderPass::log_probabilities(std::span<const Query> queries, std::span<const std::int64_t> rows,
                                                   const std::vector<double>& sums) {
  DecoderState& s = state_;
  const PassMemory& pass = usable();
  const WeightView& view = view_;
  const int B = view.branches();
  const std::int64_t C = s.shape.hidden;
  const auto count = static_cast<std::int64_t>(queries.size());
  const std::vector<float> gain = s.final_gain(view);
  std::vector<double> result(static_cast<std::size_t>(B * count));
  constexpr std::int64_t kStep = 16;
  s.threads.run((count + kStep - 1) / kStep, [&](std::int64_t item, int) {
    std::vector<float> weight(static_cast<std::size_t>(B * C)), x(static_cast<std::size_t>(C));
    float* out[Preparation<float>::kMaxBranches];
    for (int b = 0; b < B; ++b) out[b] = weight.data() + b * C;
    for (std::int64_t i = item * kStep; i < std::min(count, (item + 1) * kStep); ++i) {
      const Query& query = queries[static_cast<std::size_t>(i)];
      const auto row = std::lower_bound(rows.begin(), rows.end(), query.row) - rows.begin();
      view.rows(s.ids.head, query.target, query.target + 1, out);
      for (int b = 0; b < B; ++b) {
        s.final_norm(gain, b).forward(pass.hidden.at(b, query.row), x.data(), 1);
        float logit = 0;
        kernels::matvec(out[b], x.data(), &logit, 1, 1, static_cast<std::size_t>(C), 1);
        result[static_cast<std::size_t>(b * count + i)] =
            logit - sums[static_cast<std::size_t>(b * static_cast<std::int64_t>(rows.size()) + row)];
      }
    }
  });
  return result;
}

LikelyWords DecoderPass::likeliest_words(std::span<const std::int64_t> rows, std::int64_t k) {
  DecoderState& s = state_;
  PassMemory& pass = usable();
  if (k < 1 || k > s.shape.vocab)
    throw Error(Exit::internal, std::to_string(k) + " words of " + std::to_string(s.shape.vocab), "report this");
  std::vector<std::int64_t> rising(rows.begin(), rows.end());
  std::sort(rising.begin(), rising.end());
  rising.erase(std::unique(rising.begin(), rising.end()), rising.end());
  MostLikely likeliest(static_cast<std::int64_t>(rising.size()), k);
  std::vector<double> sums;
  if (s.compute == Compute::f32)
    s.log_sum_exps<float>(pass, view_, rising, sums, nullptr, &likeliest);
  else
    s.log_sum_exps<kernels::Bf16>(pass, view_, rising, sums, nullptr, &likeliest);
  std::vector<Query> queries;
  for (const std::int64_t row : rows) {
    const auto at = std::lower_bound(rising.begin(), rising.end(), row) - rising.begin();
    for (const std::int32_t word : likeliest.words(at)) queries.push_back({row, word});
  }
  const std::vector<double> log_p = log_probabilities(queries, rising, sums);
  LikelyWords found{k, {}, {}};
  std::vector<std::size_t> order(static_cast<std::size_t>(k));
  for (std::size_t begin = 0; begin < queries.size(); begin += order.size()) {
    std::iota(order.begin(), order.end(), begin);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return log_p[a] > log_p[b]; });
    for (const std::size_t i : order) {
      found.words.push_back(queries[i].target);
      found.log_p.push_back(static_cast<float>(log_p[i]));
    }
  }
  return found;
}

std::vector<float> DecoderPass::candidate_logits(std::span<const std::int64_t> rows,
                                                 std::span<const std::int32_t> candidates) {
  DecoderState& s = state_;
  PassMemory& pass = usable();
  const WeightView& view = view_;
  const int B = view.branches();
  const std::int64_t C = s.shape.hidden;
  const std::size_t n = rows.size(), m = candidates.size(), c = static_cast<std::size_t>(C);
  const std::vector<float> gain = s.final_gain(view);
  std::vector<float> weights(static_cast<std::size_t>(B) * m * c), result(static_cast<std::size_t>(B) * n * m), x(c);
  for (std::size_t i = 0; i < m; ++i) {
    float* out[Preparation<float>::kMaxBranches];
    for (int b = 0; b < B; ++b) out[b] = weights.data() + (static_cast<std::size_t>(b) * m + i) * c;
    view.rows(s.ids.head, candidates[i], candidates[i] + 1, out);
  }
  for (int b = 0; b < B; ++b) {
    for (std::size_t i = 0; i < n; ++i) {
      s.final_norm(gain, b).forward(pass.hidden.at(b, rows[i]), x.data(), 1);
      kernels::matvec(weights.data() + static_cast<std::size_t>(b) * m * c, x.data(),
                      result.data() + (static_cast<std::size_t>(b) * n + i) * m, 1, m, c, m);
    }
  }
  return result;
}

std::vector<float> DecoderState::final_rows(const PassMemory& pass, const WeightView& view,
                                            std::span<const std::int64_t> rows) {
  const std::vector<float> gain = final_gain(view);
  const auto c = static_cast<std::size_t>(shape.hidden);
  std::vector<float> x(rows.size() * c);
  for (std::size_t i = 0; i < rows.size(); ++i)
    final_norm(gain).forward(pass.hidden.at(0, rows[i]), x.data() + i * c, 1);
  return x;
}

void DecoderState::word_logits(const WeightView& view, const float* x, std::int64_t n, std::int64_t begin,
                               std::int64_t end, float* out, std::size_t stride) const {
  const auto c = static_cast<std::size_t>(shape.hidden), m = static_cast<std::size_t>(end - begin),
             count = static_cast<std::size_t>(n);
  if (view.takes_few_tokens()) return view.store().matvec(ids.head, begin, end, x, count, out, stride);
  std::vector<float> made(m * c);
  float* to[1] = {made.data()};
  view.rows(ids.head, begin, end, to);
  for (std::size_t i = 0; i < count; i += kernels::kMatvecTokens)
    kernels::matvec(made.data(), x + i * c, out + i * stride, std::min(kernels::kMatvecTokens, count - i), m, c,
                    stride);
}

namespace {
constexpr std::int64_t kWords = 512;  // of the vocabulary in one work item
}

std::vector<float> DecoderPass::logits(std::span<const std::int64_t> rows) {
  const std::int64_t V = state_.shape.vocab, n = static_cast<std::int64_t>(rows.size());
  const std::vector<float> x = state_.final_rows(usable(), view_, rows);
  std::vector<float> result(static_cast<std::size_t>(n * V));
  state_.threads.run((V + kWords - 1) / kWords, [&](std::int64_t item, int) {
    const std::int64_t begin = item * kWords;
    state_.word_logits(view_, x.data(), n, begin, std::min(V, begin + kWords), result.data() + begin,
                       static_cast<std::size_t>(V));
  });
  return result;
}

std::vector<std::int32_t> DecoderPass::likeliest(std::span<const std::int64_t> rows) {
  const std::int64_t V = state_.shape.vocab, items = (V + kWords - 1) / kWords;
  const std::size_t n = rows.size();
  const std::vector<float> x = state_.final_rows(usable(), view_, rows);
  struct Best {
    float logit = -INFINITY;
    std::int32_t word = 0;
  };
  std::vector<Best> best(static_cast<std::size_t>(items) * n);  // [item, row]
  state_.threads.run(items, [&](std::int64_t item, int) {
    const std::int64_t begin = item * kWords, end = std::min(V, begin + kWords);
    const auto m = static_cast<std::size_t>(end - begin);
    std::vector<float> block(n * m);
    state_.word_logits(view_, x.data(), static_cast<std::int64_t>(n), begin, end, block.data(), m);
    for (std::size_t i = 0; i < n; ++i) {
      const float* row = block.data() + i * m;
      const float* most = std::max_element(row, row + m);
      best[static_cast<std::size_t>(item) * n + i] = {*most, static_cast<std::int32_t>(begin + (most - row))};
    }
  });
  std::vector<std::int32_t> words(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    Best of_all;
    for (std::int64_t item = 0; item < items; ++item) {
      const Best& each = best[static_cast<std::size_t>(item) * n + i];
      if (each.logit > of_all.logit) of_all = each;
    }
    words[i] = of_all.word;
  }
  return words;
}

}  // namespace frugal
