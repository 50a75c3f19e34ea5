#include "frugal/train/first_order/selected_rows.h"

#include <algorithm>

#include "frugal/base/error.h"

namespace frugal {
namespace {

void place(const float* from, float* to, std::int64_t n) { std::copy_n(from, n, to); }
void place(const float* from, kernels::Bf16* to, std::int64_t n) {
  kernels::to_bf16(from, to, static_cast<std::size_t>(n));
}

}  // namespace

template <class T>
void RowsView::make(std::size_t id, std::int64_t begin, std::int64_t end, T* out) const {
  store_.read_rows(id, begin, end, out);
  const Rows& own = rows_[id];
  const std::int64_t cols = store_.spec(id).cols;
  for (auto at = std::lower_bound(own.indices.begin(), own.indices.end(), begin); at != own.indices.end() && *at < end;
       ++at) {
    place(own.values + (at - own.indices.begin()) * cols, out + (*at - begin) * cols, cols);
  }
}

SelectedRows::SelectedRows(const WeightStore& store, const std::vector<std::vector<std::int32_t>>& chosen)
    : store_(store), rows_(store.size()), view_(store, rows_) {
  const DecoderIds ids(store.shape());
  std::size_t end = 0;
  for (std::size_t id = 0; id < store.size(); ++id) {
    if (chosen[id].empty()) continue;
    const std::int64_t cols = store.spec(id).cols, count = static_cast<std::int64_t>(chosen[id].size()) * cols;
    rows_[id].indices = chosen[id];
    parameters_.push_back({.name = store.spec(id).name + ".rows",
                           .id = id,
                           .part = Parameter::Part::rows,
                           .rows = chosen[id],
                           .cols = cols,
                           .count = count,
                           .layer = layer_of(ids, id)});
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
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& p = parameters_[i];
    for (std::size_t r = 0; r < p.rows.size(); ++r) {
      store_.read_rows(p.id, p.rows[r], p.rows[r] + 1,
                       memory_.as<float>() + places_[i] + static_cast<std::int64_t>(r) * p.cols);
    }
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

}  // namespace frugal
