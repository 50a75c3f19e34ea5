#include "frugal/prune/torch/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "frugal/nn/model/tensor_ids.h"

namespace frugal {
namespace {

void widen(const float* from, float* to, std::int64_t n) { std::copy_n(from, n, to); }
void widen(const kernels::Bf16* from, float* to, std::int64_t n) {
  kernels::to_float(from, to, static_cast<std::size_t>(n));
}

ColumnSums empty(std::int64_t columns) {
  const auto n = static_cast<std::size_t>(columns);
  return {std::vector<double>(n), std::vector<double>(n), std::vector<double>(n)};
}

// Sums over the rows of |w| and of w^2, for each column of a weight.
struct ColumnNorms {
  std::vector<double> absolute, squares;
};
ColumnNorms column_norms(const WeightStore& store, std::size_t id) {
  const TensorSpec& spec = store.spec(id);
  const auto cols = static_cast<std::size_t>(spec.cols);
  ColumnNorms norms{std::vector<double>(cols), std::vector<double>(cols)};
  std::vector<float> row(cols);
  for (std::int64_t r = 0; r < spec.rows; ++r) {
    store.read_rows(id, r, r + 1, row.data());
    for (std::size_t j = 0; j < cols; ++j) {
      norms.absolute[j] += std::abs(static_cast<double>(row[j]));
      norms.squares[j] += static_cast<double>(row[j]) * static_cast<double>(row[j]);
    }
  }
  return norms;
}

// power_of_input: mean square of the layer's input.
std::vector<double> column_scores(const WeightStore& store, std::size_t id, const ColumnSums& sums, double tokens,
                                  double power_of_input, Prior prior) {
  const ColumnNorms norms = column_norms(store, id);
  const auto rows = static_cast<double>(store.spec(id).rows);
  std::vector<double> scores(sums.sum.size());
  for (std::size_t j = 0; j < scores.size(); ++j) {
    const double mean = sums.sum[j] / tokens, power = sums.squares[j] / tokens;
    scores[j] = prior == Prior::wanda        ? norms.absolute[j] / rows * std::sqrt(power / power_of_input)
                : prior == Prior::activation ? sums.absolute[j] / tokens
                                             : std::max(0.0, power - mean * mean) * norms.squares[j] / power_of_input;
    if (!std::isfinite(scores[j])) scores[j] = 0;
  }
  return scores;
}

void standardise(std::vector<double>& scores) {
  const auto count = static_cast<double>(scores.size());
  const double mean = std::accumulate(scores.begin(), scores.end(), 0.0) / count;
  double power = 0;
  for (const double score : scores) power += (score - mean) * (score - mean) / count;
  for (double& score : scores) score = power > 0 ? (score - mean) / std::sqrt(power) : 0;
}

}  // namespace

UnitStatistics::UnitStatistics(const ModelShape& shape) : powers(shape.layers.size()), hidden_(shape.hidden) {
  for (const LayerShape& layer : shape.layers) {
    heads.push_back(empty(layer.heads * shape.head_dim));
    neurons.push_back(empty(layer.ffn));
  }
}

void UnitStatistics::hidden(std::size_t layer, std::int64_t begin, std::int64_t count, const float* h) {
  if (layer == powers.size()) return;
  double power = 0;
  for (std::int64_t i = 0; i < count * hidden_; ++i) power += static_cast<double>(h[i]) * static_cast<double>(h[i]);
  const std::lock_guard lock(mutex_);
  parts_.push_back({layer, Of::hidden, begin, {static_cast<float>(power / static_cast<double>(hidden_))}});
}

template <class T>
void UnitStatistics::add(std::size_t layer, Of of, std::int64_t begin, std::int64_t count, const T* x,
                         std::int64_t stride) {
  const std::size_t columns = (of == Of::heads ? heads : neurons)[layer].sum.size();
  Part part{layer, of, begin, std::vector<float>(3 * columns)};
  float *sum = part.sums.data(), *squares = sum + columns, *absolute = squares + columns;
  std::vector<float> row(columns);
  for (std::int64_t r = 0; r < count; ++r) {
    widen(x + r * stride, row.data(), static_cast<std::int64_t>(columns));
    for (std::size_t j = 0; j < columns; ++j) {
      sum[j] += row[j];
      squares[j] += row[j] * row[j];
      absolute[j] += std::abs(row[j]);
    }
  }
  const std::lock_guard lock(mutex_);
  parts_.push_back(std::move(part));
}

void UnitStatistics::attended(std::size_t layer, std::int64_t begin, std::int64_t count, const float* x,
                              std::int64_t stride) {
  add(layer, Of::heads, begin, count, x, stride);
}
void UnitStatistics::attended(std::size_t layer, std::int64_t begin, std::int64_t count, const kernels::Bf16* x,
                              std::int64_t stride) {
  add(layer, Of::heads, begin, count, x, stride);
}
void UnitStatistics::activated(std::size_t layer, std::int64_t begin, std::int64_t count, const float* x,
                               std::int64_t stride) {
  add(layer, Of::neurons, begin, count, x, stride);
}
void UnitStatistics::activated(std::size_t layer, std::int64_t begin, std::int64_t count, const kernels::Bf16* x,
                               std::int64_t stride) {
  add(layer, Of::neurons, begin, count, x, stride);
}

void UnitStatistics::end_forward(std::int64_t more) {
  std::sort(parts_.begin(), parts_.end(), [](const Part& a, const Part& b) {
    return std::tie(a.layer, a.of, a.begin) < std::tie(b.layer, b.of, b.begin);
  });
  for (const Part& part : parts_) {
    if (part.of == Of::hidden) {
      powers[part.layer] += static_cast<double>(part.sums[0]);
      continue;
    }
    ColumnSums& to = (part.of == Of::heads ? heads : neurons)[part.layer];
    const std::size_t columns = to.sum.size();
    for (std::size_t j = 0; j < columns; ++j) {
      to.sum[j] += static_cast<double>(part.sums[j]);
      to.squares[j] += static_cast<double>(part.sums[columns + j]);
      to.absolute[j] += static_cast<double>(part.sums[2 * columns + j]);
    }
  }
  parts_.clear();
  tokens += more;
}

std::vector<double> unit_scores(PruneModel& model, const Windows& windows, Prior prior, bool is_standardised) {
  UnitStatistics statistics(model.shape());
  for (const auto& window : windows) {
    model.watch({window}, statistics);
    statistics.end_forward(static_cast<std::int64_t>(window.size()));
  }
  const ModelShape& shape = model.shape();
  const DecoderIds ids(shape);
  const auto tokens = static_cast<double>(statistics.tokens);
  std::vector<double> scores;
  // Of `units` units, each of as many columns of the projection.
  const auto append = [&](std::size_t l, Slot slot, const ColumnSums& sums, std::int64_t units) {
    if (units == 0) return;
    std::vector<double> columns =
        column_scores(model.store(), ids.layers[l][slot].weight, sums, tokens, statistics.powers[l] / tokens, prior);
    if (is_standardised) standardise(columns);
    const auto width = columns.size() / static_cast<std::size_t>(units);
    for (auto at = columns.begin(); at != columns.end(); at += static_cast<std::ptrdiff_t>(width))
      scores.push_back(std::accumulate(at, at + static_cast<std::ptrdiff_t>(width), 0.0) / static_cast<double>(width));
  };
  for (std::size_t l = 0; l < shape.layers.size(); ++l) {
    append(l, kO, statistics.heads[l], shape.layers[l].kv_heads);
    append(l, kDown, statistics.neurons[l], shape.layers[l].ffn);
  }
  return scores;
}

}  // namespace frugal
