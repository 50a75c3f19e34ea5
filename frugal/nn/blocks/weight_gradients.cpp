#include "frugal/core/kernels/backward.h"
#include "frugal/nn/blocks/backward_state.h"

namespace frugal {

// sum += dy^T x as items of at most kTile rows of the weight: whole; of chosen rows that lie together, the same from
// their first row on; of chosen columns, x taken apart.
template <class T>
void WeightGradients<T>::add(const GradientSum& to, const T* dy, std::int64_t dy_stride, const T* x,
                             std::int64_t x_stride, std::int64_t tokens, std::int64_t m, std::int64_t k) {
  Item item{Kind::product, dy, x, dy_stride, x_stride, tokens, m, k, to.sum};
  if (to.inputs != nullptr) {
    item.kind = Kind::input_squares;
    item.inputs = to.inputs;
    items_.push_back(item);
    item.kind = Kind::product;
  }
  if (to.sum == nullptr) return;
  std::int64_t width = k;
  if (!to.columns.empty()) {
    item.kind = Kind::chosen_columns;
    item.columns = to.columns;
    width = static_cast<std::int64_t>(to.columns.size());
  }
  if (!to.rows.empty()) {
    item.m = static_cast<std::int64_t>(to.rows.size());
    if (to.rows.back() - to.rows.front() + 1 != item.m) return add_chosen(to, item);
    item.dy += to.rows.front();  // rows that lie together
  }
  const std::int64_t all = item.m;
  for (std::int64_t row = 0; row < all; row += kTile) {
    item.m = std::min(kTile, all - row);
    items_.push_back(item);
    item.dy += item.m;
    item.sum += item.m * width;
  }
}

// Fills up the last item when its rows read the same x and end where these begin.
template <class T>
void WeightGradients<T>::add_chosen(const GradientSum& to, Item item) {
  item.kind = Kind::chosen_rows;
  for (std::size_t row = 0; row < to.rows.size();) {
    float* sum = to.sum + static_cast<std::int64_t>(row) * item.k;
    const bool goes_on = !items_.empty() && items_.back().kind == Kind::chosen_rows && items_.back().x == item.x &&
                         items_.back().k == item.k && items_.back().dy_stride == item.dy_stride &&
                         items_.back().sum + items_.back().m * item.k == sum && items_.back().m < kChosenTile;
    if (!goes_on) {
      item.m = 0;
      item.sum = sum;
      item.first = chosen_.size();
      items_.push_back(item);
    }
    Item& last = items_.back();
    for (; row < to.rows.size() && last.m < kChosenTile; ++row, ++last.m)
      chosen_.push_back(item.dy - last.dy + to.rows[row]);
  }
}

template <class T>
void WeightGradients<T>::add_bias(float* sum, const T* dy, std::int64_t stride, std::int64_t tokens, std::int64_t m) {
  if (sum != nullptr) items_.push_back({Kind::column_sums, dy, nullptr, stride, 0, tokens, m, 0, sum});
}

template <class T>
void WeightGradients<T>::run(std::int64_t index, Buffer& scratch) const {
  const Item& it = items_[static_cast<std::size_t>(index)];
  const T *dy = it.dy, *x = it.x;
  std::int64_t dy_stride = it.dy_stride, x_stride = it.x_stride, k = it.k;
  std::vector<T> chosen;
  // chosen[t, j] = from[t, place(j)]
  const auto gather = [&](const T* from, std::int64_t stride, std::int64_t n, const auto& place) {
    chosen.resize(static_cast<std::size_t>(it.tokens * n));
    for (std::int64_t t = 0; t < it.tokens; ++t) {
      for (std::int64_t j = 0; j < n; ++j)
        chosen[static_cast<std::size_t>(t * n + j)] = from[t * stride + place(static_cast<std::size_t>(j))];
    }
    return chosen.data();
  };
  switch (it.kind) {
    case Kind::column_sums:
      return kernels::add_column_sums(it.dy, static_cast<std::size_t>(it.tokens), static_cast<std::size_t>(it.m),
                                      static_cast<std::size_t>(it.dy_stride), it.sum);
    case Kind::input_squares: {
      std::vector<float> row(static_cast<std::size_t>(k));
      for (std::int64_t t = 0; t < it.tokens; ++t) {
        convert(x + t * x_stride, row.data(), k);
        for (std::size_t j = 0; j < row.size(); ++j)
          it.inputs->sums[j] += static_cast<double>(row[j]) * static_cast<double>(row[j]);
      }
      it.inputs->tokens += it.tokens;
      return;
    }
    case Kind::chosen_rows:
      dy = gather(dy, dy_stride, it.m, [&](std::size_t j) { return chosen_[it.first + j]; });
      dy_stride = it.m;
      break;
    case Kind::chosen_columns:
      k = static_cast<std::int64_t>(it.columns.size());
      x = gather(x, x_stride, k, [&](std::size_t j) { return it.columns[j]; });
      x_stride = k;
      break;
    case Kind::product:
      break;
  }
  linear_weight_gradient(dy, x, it.sum, k, {it.tokens, k, it.m, x_stride, dy_stride}, scratch);
}

template class WeightGradients<float>;
template class WeightGradients<kernels::Bf16>;

}  // namespace frugal
