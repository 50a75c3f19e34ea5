// Products in bf16, whatever the number of rows: against sums in fp64, and without a kernel for each number.
#include "frugal/core/products.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "frugal/base/philox.h"
#include "frugal/base/processor.h"
#include "frugal/base/threads.h"
#include "frugal/core/budget/memory_usage.h"
#include "frugal/plan/cuts.h"

namespace frugal {
namespace {

using kernels::Bf16;

struct Matrix {
  Matrix(std::int64_t rows, std::int64_t cols, std::uint32_t stream) : rows(rows), cols(cols) {
    PhiloxSequence random(3, Stream::initial, stream);
    std::vector<float> values(static_cast<std::size_t>(rows * cols));
    for (float& value : values) value = static_cast<float>(random.uniform() - 0.5);
    data.resize(values.size());
    kernels::to_bf16(values.data(), data.data(), data.size());
    exact.resize(values.size());
    kernels::to_float(data.data(), exact.data(), data.size());
  }
  double at(std::int64_t r, std::int64_t c) const { return exact[static_cast<std::size_t>(r * cols + c)]; }
  std::int64_t rows, cols;
  std::vector<Bf16> data;
  std::vector<float> exact;
};

float as_float(Bf16 value) {
  float out;
  kernels::to_float(&value, &out, 1);
  return out;
}

TEST(Products, AnyNumberOfRowsGivesTheSums) {
  single_threaded_torch();
  constexpr std::int64_t k = 24, m = 40;
  const Matrix w(m, k, 1);
  for (const std::int64_t n : {1, 31, 32, 33, 95, 160, 225, 256, 257, 321, 449, 511, 512, 600, 1023}) {
    const Matrix x(n, k, 2), dy(n, m, 3);
    const Matrix before(n, m, 4), dx_before(n, k, 5);
    Buffer scratch;
    for (const bool add : {false, true}) {
      std::vector<Bf16> y = before.data, dx = dx_before.data;
      linear(x.data.data(), w.data.data(), y.data(), {n, k, m, k, m, add});
      linear_input_gradient(dy.data.data(), w.data.data(), dx.data(), {n, k, m, k, m, add});
      for (std::int64_t r = 0; r < n; ++r) {
        for (std::int64_t j = 0; j < m; ++j) {
          double sum = add ? before.at(r, j) : 0;
          for (std::int64_t i = 0; i < k; ++i) sum += x.at(r, i) * w.at(j, i);
          ASSERT_NEAR(as_float(y[static_cast<std::size_t>(r * m + j)]), sum, 0.01 + 0.01 * std::abs(sum)) << n;
        }
        for (std::int64_t i = 0; i < k; ++i) {
          double sum = add ? dx_before.at(r, i) : 0;
          for (std::int64_t j = 0; j < m; ++j) sum += dy.at(r, j) * w.at(j, i);
          ASSERT_NEAR(as_float(dx[static_cast<std::size_t>(r * k + i)]), sum, 0.01 + 0.01 * std::abs(sum)) << n;
        }
      }
    }
    std::vector<float> dw(static_cast<std::size_t>(m * k), 1);
    linear_weight_gradient(dy.data.data(), x.data.data(), dw.data(), k, {n, k, m, k, m}, scratch);
    for (std::int64_t j = 0; j < m; ++j) {
      for (std::int64_t i = 0; i < k; ++i) {
        double sum = 1;
        for (std::int64_t r = 0; r < n; ++r) sum += dy.at(r, j) * x.at(r, i);
        ASSERT_NEAR(dw[static_cast<std::size_t>(j * k + i)], sum, 0.02 + 0.01 * std::abs(sum)) << n;
      }
    }
  }
}

// Whatever the number of rows: no piece is longer than the rows but the last, which is filled up, and five sizes do.
TEST(Products, RowsAreCutToFewSizes) {
  std::set<std::int64_t> sizes;
  for (std::int64_t n = 1; n <= 4096; ++n) {
    std::int64_t left = n;
    while (left > 0) {
      const std::int64_t piece = piece_of(left);
      sizes.insert(piece);
      ASSERT_TRUE(piece <= left || piece == 32) << n;
      left -= piece;
    }
    ASSERT_GT(left, -32) << n;
  }
  EXPECT_EQ(sizes, (std::set<std::int64_t>{32, 64, 128, 256, 512}));
}

// A kernel is half a megabyte: one for each of the 1,024 numbers of rows would be hundreds of megabytes, one for each
// multiple of 32 thirty.
TEST(Products, NumbersOfRowsShareTheirKernels) {
  if (!computes_in_bf16()) GTEST_SKIP() << "bf16 products do not go to oneDNN here, which is what keeps kernels";
  single_threaded_torch();
  constexpr std::int64_t k = 40, m = 56, most = 1024;
  const Matrix w(m, k, 1), x(most, k, 2), dy(most, m, 3);
  std::vector<Bf16> y(dy.data.size()), dx(x.data.size());
  std::vector<float> dw(static_cast<std::size_t>(m * k));
  Buffer scratch;
  const auto run = [&](std::int64_t n) {
    linear(x.data.data(), w.data.data(), y.data(), {n, k, m, k, m});
    linear_input_gradient(dy.data.data(), w.data.data(), dx.data(), {n, k, m, k, m});
    linear_weight_gradient(dy.data.data(), x.data.data(), dw.data(), k, {n, k, m, k, m}, scratch);
  };
  run(most);
  const std::uint64_t before = memory_usage().anonymous;
  for (std::int64_t n = 1; n <= most; ++n) run(n);
  const std::uint64_t after = memory_usage().anonymous;
  EXPECT_LT(after - std::min(before, after), 16u << 20);
}

}  // namespace
}  // namespace frugal
