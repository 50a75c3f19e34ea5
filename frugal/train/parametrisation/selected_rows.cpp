#include "frugal/train/parametrisation/selected_rows.h"

#include <algorithm>

#include "frugal/base/error.h"

namespace frugal {
namespace {

void place_values(const float* from, float* to, std::int64_t n) { std::copy_n(from, n, to); }
void place_values(const float* from, kernels::Bf16* to, std::int64_t n) {
  kernels::to_bf16(from, to, static_cast<std::size_t>(n));
}

}  // namespace

template <class T>
void RowsView::make(std::size_t id, std::int64_t begin, std::int64_t end, T* out) const {
  store_.read_rows(id, begin, end, out);
  const Rows& own = rows_[id];
  const std::int64_t cols = store_.spec(id).cols, count = static_cast<std::int64_t>(own.indices.size());
  if (own.is_columns) {
    std::vector<T> values(own.indices.size());
    for (std::int64_t row = begin; row < end; ++row) {
      place_values(own.values + row * count, values.data(), count);
      for (std::size_t j = 0; j < values.size(); ++j) out[(row - begin) * cols + own.indices[j]] = values[j];
    }
    return;
  }
  for (auto at = std::lower_bound(own.indices.begin(), own.indices.end(), begin); at != own.indices.end() && *at < end;
       ++at) {
    place_values(own.values + (at - own.indices.begin()) * cols, out + (*at - begin) * cols, cols);
  }
}

SelectedRows::SelectedRows(const WeightStore& store, const std::vector<std::vector<std::int32_t>>& chosen,
                           bool is_columns)
    : store_(store), rows_(store.size()), view_(store, rows_) {
  place(chosen, is_columns);
}

SelectedRows::SelectedRows(const WeightStore& store, RowsAdapter start)
    : store_(store), start_(std::move(start)), rows_(store.size()), view_(store, rows_) {
  std::vector<std::vector<std::int32_t>> chosen(store.size());
  for (const TrainedLines& part : start_.parts) {
    for (std::size_t id = 0; id < store.size(); ++id) {
      if (store.spec(id).name == part.tensor) chosen[id] = part.indices;
    }
  }
  place(chosen, !start_.parts.empty() && start_.parts.front().is_columns);
}

void SelectedRows::place(const std::vector<std::vector<std::int32_t>>& chosen, bool is_columns) {
  std::size_t end = 0;
  for (std::size_t id = 0; id < store_.size(); ++id) {
    if (chosen[id].empty()) continue;
    const TensorSpec& spec = store_.spec(id);
    // The gradients of an embedding, a head and of vectors are made whole, not by lines.
    if (!spec.is_layer_linear()) {
      throw Error(Exit::input, spec.name + " has trained rows, expected them in the layers' linears alone",
                  "give an adapter of the layers' linears alone");
    }
    const auto lines = static_cast<std::int64_t>(chosen[id].size());
    const std::int64_t cols = is_columns ? lines : spec.cols, count = (is_columns ? spec.rows : lines) * cols;
    rows_[id].indices = chosen[id];
    rows_[id].is_columns = is_columns;
    parameters_.push_back({.name = spec.name + (is_columns ? ".columns" : ".rows"),
                           .id = id,
                           .part = is_columns ? Parameter::Part::columns : Parameter::Part::rows,
                           .rows = chosen[id],
                           .cols = cols,
                           .count = count,
                           .layer = spec.layer});
    places_.push_back(end);
    end += static_cast<std::size_t>((count + 15) / 16 * 16);
  }
  if (parameters_.empty())
    throw Error(Exit::usage, "nothing is trained: no row is chosen",
                "raise --rows or --ratio, or choose other --targets");
  memory_ = Buffer(end * sizeof(float));
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    rows_[parameters_[i].id].values = memory_.as<float>() + places_[i];
  restart();
}

void SelectedRows::restart() {
  const ModelSource& file = store_.source();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& p = parameters_[i];
    const TensorSpec& spec = store_.spec(p.id);
    float* to = memory_.as<float>() + places_[i];
    const auto start = std::find_if(start_.parts.begin(), start_.parts.end(),
                                    [&](const TrainedLines& part) { return part.tensor == spec.name; });
    if (start != start_.parts.end()) {
      std::copy_n(start->values.data(), p.count, to);
      continue;
    }
    if (p.part == Parameter::Part::rows) {
      for (const std::int32_t row : p.rows) {
        file.read_rows(p.id, row, row + 1, to);
        to += p.cols;
      }
    } else {
      std::vector<float> whole(static_cast<std::size_t>(spec.cols));
      for (std::int64_t row = 0; row < spec.rows; ++row) {
        file.read_rows(p.id, row, row + 1, whole.data());
        for (const std::int32_t column : p.rows) *to++ = whole[static_cast<std::size_t>(column)];
      }
    }
    file.release(p.id);
  }
}

std::byte* SelectedRows::values(std::size_t parameter) {
  return reinterpret_cast<std::byte*>(memory_.as<float>() + places_[parameter]);
}

std::vector<NamedBytes> SelectedRows::state() {
  std::vector<NamedBytes> all;
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    all.push_back({parameters_[i].name, {values(i), static_cast<std::size_t>(parameters_[i].count) * sizeof(float)}});
  return all;
}

void SelectedRows::merged_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const {
  float* to[1] = {out};
  view_.rows(id, begin, end, to);
}

std::optional<RowsAdapter> SelectedRows::rows_adapter() const {
  RowsAdapter adapter;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& p = parameters_[i];
    const float* from = memory_.as<float>() + places_[i];
    adapter.parts.push_back(
        {store_.spec(p.id).name, p.part == Parameter::Part::columns, p.rows, std::vector<float>(from, from + p.count)});
  }
  return adapter;
}

}  // namespace frugal
