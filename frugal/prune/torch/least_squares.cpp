#include "frugal/prune/torch/least_squares.h"

#include <ATen/ops/cholesky_solve.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_cholesky_ex.h>

#include <algorithm>
#include <cmath>

#include "frugal/base/error.h"
#include "frugal/core/products.h"

namespace frugal {
namespace {

constexpr std::int64_t kTile = 128;  // columns of x whose products with all others are one item

std::size_t bytes_of(std::int64_t numbers) { return static_cast<std::size_t>(numbers) * sizeof(float); }

// rows <- s rows, and sums += s of these.
void scale_rows(float* rows, const float* s, std::int64_t n, std::vector<double>& sums) {
  for (std::int64_t r = 0; r < n; ++r) {
    for (double& sum : sums) {
      *rows *= s[r];
      sum += static_cast<double>(s[r]) * static_cast<double>(*rows++);
    }
  }
}

}  // namespace

LeastSquares::LeastSquares(std::int64_t in, std::int64_t out)
    : in_(in),
      out_(out),
      gram_(bytes_of(in * in)),
      cross_(bytes_of(in * out)),
      x_(static_cast<std::size_t>(in)),
      e_(static_cast<std::size_t>(out)) {}

void LeastSquares::add(Threads& threads, float* x, float* e, const float* s, std::int64_t n) {
  for (std::int64_t r = 0; r < n; ++r) weight_ += static_cast<double>(s[r]) * static_cast<double>(s[r]);
  threads.run(2, [&](std::int64_t item, int) { item == 0 ? scale_rows(x, s, n, x_) : scale_rows(e, s, n, e_); });
  const std::int64_t tiles = (in_ + kTile - 1) / kTile;
  threads.run(2 * tiles, [&](std::int64_t item, int) {
    const std::int64_t begin = item % tiles * kTile, end = std::min(in_, begin + kTile), m = end - begin;
    Buffer none;
    if (item < tiles)
      linear_weight_gradient(x + begin, x, gram_.as<float>() + begin * in_, in_, {n, end, m, in_, in_}, none);
    else
      linear_weight_gradient(x + begin, e, cross_.as<float>() + begin * out_, out_, {n, out_, m, out_, in_}, none);
  });
}

LeastSquares::Change LeastSquares::solve(double ridge, bool has_weight, bool has_bias) const {
  Change change{std::vector<float>(static_cast<std::size_t>(in_ * out_)),
                std::vector<float>(static_cast<std::size_t>(out_))};
  const double share = weight_ > 0 ? 1 / weight_ : 0, about = has_bias ? share : 0;
  std::vector<double> c(e_);  // times the weight
  if (has_weight && in_ > 0) {
    at::Tensor A = at::empty({in_, in_}, at::kDouble), B = at::empty({in_, out_}, at::kDouble);
    double *a = A.mutable_data_ptr<double>(), *b = B.mutable_data_ptr<double>(), trace = 0;
    for (std::int64_t i = 0; i < in_; ++i) {
      const double mean = about * x_[static_cast<std::size_t>(i)];
      for (std::int64_t j = 0; j <= i; ++j)  // Cholesky reads no more
        a[i * in_ + j] = static_cast<double>(gram_.as<float>()[i * in_ + j]) - mean * x_[static_cast<std::size_t>(j)];
      for (std::int64_t j = 0; j < out_; ++j)
        b[i * out_ + j] =
            static_cast<double>(cross_.as<float>()[i * out_ + j]) - mean * e_[static_cast<std::size_t>(j)];
      trace += a[i * in_ + i];
    }
    // Sums in fp32 may be off by their rounding, which must not make the system singular: then a stronger ridge.
    const double least = trace > 0 ? trace / static_cast<double>(in_) : 1;
    if (!std::isfinite(trace))
      throw Error(Exit::diverged, "what a projection reads is no number on this text",
                  "check the model with frugal eval");
    at::Tensor L, failed;
    for (double added = 0; added == 0 || failed.item<int>() != 0; ridge *= 10) {
      for (std::int64_t i = 0; i < in_; ++i) a[i * in_ + i] += ridge * least - added;
      added = ridge * least;
      std::tie(L, failed) = at::linalg_cholesky_ex(A);
    }
    const at::Tensor D = at::cholesky_solve(B, L).t().contiguous();  // [out, in]
    const double* d = D.const_data_ptr<double>();
    for (std::int64_t j = 0; j < out_; ++j) {
      for (std::int64_t i = 0; i < in_; ++i, ++d) {
        change.weight[static_cast<std::size_t>(j * in_ + i)] = static_cast<float>(*d);
        c[static_cast<std::size_t>(j)] -= *d * x_[static_cast<std::size_t>(i)];
      }
    }
  }
  if (has_bias) std::transform(c.begin(), c.end(), change.bias.begin(), [&](double sum) { return sum * share; });
  return change;
}

}  // namespace frugal
