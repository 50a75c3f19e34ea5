#include "frugal/core/kernels/backward.h"
#include "frugal/nn/decoder_backward.h"

namespace frugal {

template <class T>
void WeightGradients<T>::add(const GradientSum& to, const T* dy, std::int64_t dy_stride, const T* x,
                             std::int64_t x_stride, std::int64_t tokens, std::int64_t m, std::int64_t k) {
  if (to.sum == nullptr) return;
  const bool some = !to.rows.empty();
  const auto all = some ? static_cast<std::int64_t>(to.rows.size()) : m;
  for (std::int64_t row = 0; row < all; row += kTile) {
    items_.push_back({some ? dy : dy + row, x, dy_stride, x_stride, tokens, std::min(kTile, all - row), k,
                      to.sum + row * k, some ? to.rows.data() + row : nullptr});
  }
}

template <class T>
void WeightGradients<T>::add_bias(float* sum, const T* dy, std::int64_t stride, std::int64_t tokens, std::int64_t m) {
  if (sum != nullptr) items_.push_back({dy, nullptr, stride, 0, tokens, m, 0, sum, nullptr});
}

template <class T>
void WeightGradients<T>::run(std::int64_t index, Buffer& scratch) const {
  const Item& it = items_[static_cast<std::size_t>(index)];
  if (it.x == nullptr) {
    return kernels::add_column_sums(it.dy, static_cast<std::size_t>(it.tokens), static_cast<std::size_t>(it.m),
                                    static_cast<std::size_t>(it.dy_stride), it.sum);
  }
  const T* dy = it.dy;
  std::int64_t stride = it.dy_stride;
  std::vector<T> chosen;
  if (it.rows != nullptr) {
    chosen.resize(static_cast<std::size_t>(it.tokens * it.m));
    for (std::int64_t t = 0; t < it.tokens; ++t) {
      for (std::int64_t j = 0; j < it.m; ++j)
        chosen[static_cast<std::size_t>(t * it.m + j)] = it.dy[t * stride + it.rows[j]];
    }
    dy = chosen.data();
    stride = it.m;
  }
  linear_weight_gradient(dy, it.x, it.sum, it.k, {it.tokens, it.k, it.m, it.x_stride, stride}, scratch);
}

template class WeightGradients<float>;
template class WeightGradients<kernels::Bf16>;

}  // namespace frugal
