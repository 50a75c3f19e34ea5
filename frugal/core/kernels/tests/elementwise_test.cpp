// Elementwise loops, quantiles and matrix-vector products against double, on every instruction set and awkward lengths.
#include <algorithm>
#include <cmath>

#include "frugal/core/kernels/tests/fixture.h"
#include "frugal/core/kernels/tests/reference.h"

namespace frugal::kernels {
namespace {

constexpr std::size_t kLengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 100, 576};
constexpr double kUlp = 0x1p-23, kBf16 = 0x1p-8;  // spacing of fp32 at 1; half the spacing of bf16 at 1

std::vector<float> numbers(std::size_t n, double scale, std::uint64_t seed = 1) {
  PhiloxSequence random(seed, Stream::initial);
  std::vector<float> x(n);
  for (float& value : x) value = static_cast<float>(scale * (2 * random.uniform() - 1));
  return x;
}
std::vector<Bf16> halves_of(const std::vector<float>& x) {
  std::vector<Bf16> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) reference::write(&y[i], x[i]);
  return y;
}
template <class T>
std::vector<T> as(const std::vector<float>& x) {
  if constexpr (std::is_same_v<T, float>)
    return x;
  else
    return halves_of(x);
}
template <class T>
constexpr double kStorage = std::is_same_v<T, float> ? 0 : kBf16;

TEST(Convert, RoundsToNearestEvenAndKeepsNan) {
  std::vector<float> x;
  for (const std::uint32_t upper :
       {0x0000u, 0x0001u, 0x007Fu, 0x0080u, 0x3F80u, 0x3F81u, 0x7F7Fu, 0x8000u, 0xBF80u, 0xBF81u}) {
    for (const std::uint32_t lower : {0x0000u, 0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu})
      x.push_back(std::bit_cast<float>(upper << 16 | lower));
  }
  for (const std::uint32_t special : {0x7F800000u, 0xFF800000u, 0x7F800001u, 0x7FFFFFFFu, 0xFFFFFFFFu, 0x7FC00000u})
    x.push_back(std::bit_cast<float>(special));
  on_every_isa([&] {
    std::vector<Bf16> y(x.size());
    to_bf16(x.data(), y.data(), x.size());
    std::vector<float> back(x.size());
    to_float(y.data(), back.data(), y.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i]))
        EXPECT_TRUE(std::isnan(back[i]));
      else
        EXPECT_EQ(std::bit_cast<std::uint32_t>(back[i]), std::bit_cast<std::uint32_t>(reference::nearest_bf16(x[i])))
            << x[i];
    }
  });
}

template <class Y>
void check_add() {
  on_every_isa([] {
    for (const std::size_t n : kLengths) {
      std::vector<float> h = numbers(n + 2, 3);
      const std::vector<float> before = h;
      const std::vector<Y> y = as<Y>(numbers(n + 1, 3, 2));
      add(h.data() + 1, y.data() + 1, n);
      for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(h[i + 1], before[i + 1] + reference::value(y[i + 1]));
      EXPECT_EQ(h.front(), before.front());
      EXPECT_EQ(h.back(), before.back());
    }
  });
}
TEST(Add, Float) { check_add<float>(); }
TEST(Add, Bf16) { check_add<Bf16>(); }

template <class Out>
void check_rms_norm() {
  on_every_isa([] {
    for (const std::size_t cols : kLengths) {
      if (cols == 0) continue;
      constexpr std::size_t rows = 3;
      const std::vector<float> h = numbers(rows * cols, 5), gain = numbers(cols, 2, 3);
      std::vector<Out> out(rows * cols);
      rms_norm(h.data(), gain.data(), out.data(), rows, cols, 1e-5f);
      for (std::size_t r = 0; r < rows; ++r) {
        double square = 0;
        for (std::size_t c = 0; c < cols; ++c) square += double{h[r * cols + c]} * h[r * cols + c];
        const double scale = 1 / std::sqrt(square / static_cast<double>(cols) + double{1e-5f});
        for (std::size_t c = 0; c < cols; ++c) {
          const double want = h[r * cols + c] * scale * gain[c];
          const double tolerance = std::abs(want) * (kUlp * (6 + static_cast<double>(cols) / 16) + kStorage<Out>);
          EXPECT_NEAR(reference::value(out[r * cols + c]), want, tolerance)
              << "row " << r << ", column " << c << " of " << cols;
        }
      }
    }
  });
}
TEST(RmsNorm, Float) { check_rms_norm<float>(); }
TEST(RmsNorm, Bf16) { check_rms_norm<Bf16>(); }

template <class T>
void check_rope() {
  constexpr std::size_t rows = 3, heads = 2;
  on_every_isa([] {
    for (const std::size_t head_dim : {2, 6, 16, 34, 64, 128}) {
      const std::size_t half = head_dim / 2, stride = heads * head_dim + 5;
      std::vector<float> cos(rows * half), sin(rows * half);
      for (std::size_t i = 0; i < cos.size(); ++i) {
        const double angle = 0.37 * static_cast<double>(i);
        cos[i] = static_cast<float>(std::cos(angle)), sin[i] = static_cast<float>(std::sin(angle));
      }
      std::vector<T> x = as<T>(numbers(rows * stride, 2));
      const std::vector<T> before = x;
      rope(x.data(), cos.data(), sin.data(), rows, heads, head_dim, stride);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const std::size_t r = i / stride, c = i % stride, k = c % head_dim;
        if (c >= heads * head_dim) {
          EXPECT_TRUE(same_bits(&x[i], &before[i], 1)) << "wrote between rows";
          continue;
        }
        const double a = reference::value(before[i]), other = reference::value(before[k < half ? i + half : i - half]);
        const double want = a * cos[r * half + k % half] + (k < half ? -other : other) * sin[r * half + k % half];
        EXPECT_NEAR(reference::value(x[i]), want,
                    2 * kUlp * (std::abs(a) + std::abs(other)) + std::abs(want) * kStorage<T>);
      }
    }
  });
}
TEST(Rope, Float) { check_rope<float>(); }
TEST(Rope, Bf16) { check_rope<Bf16>(); }

// exp 2 ulp, the sum and the division half an ulp each, the product half: 4 ulp of the result.
template <class T>
void check_silu() {
  on_every_isa([] {
    for (const std::size_t n : kLengths) {
      std::vector<T> gate = as<T>(numbers(n, 30)), up = as<T>(numbers(n, 2, 5));
      const std::vector<T> before = gate;
      silu_mul(gate.data(), up.data(), n);
      for (std::size_t i = 0; i < n; ++i) {
        const double x = reference::value(before[i]), want = x / (1 + std::exp(-x)) * reference::value(up[i]);
        EXPECT_NEAR(reference::value(gate[i]), want, std::abs(want) * (4 * kUlp + kStorage<T>)) << x;
      }
    }
    float ends[] = {-200, 200}, ones[] = {1, 1, 1};
    silu_mul(ends, ones, 2);
    EXPECT_NEAR(ends[0], 0, 1e-35);
    EXPECT_EQ(ends[1], 200);
    float bad[] = {NAN, std::bit_cast<float>(0x7FFFFFFF), std::bit_cast<float>(0xFF80ABCD)};
    silu_mul(bad, ones, 3);
    for (const float x : bad) EXPECT_TRUE(std::isnan(x));
  });
}
TEST(Silu, Float) { check_silu<float>(); }
TEST(Silu, Bf16) { check_silu<Bf16>(); }

template <class T>
void check_log_sum_exp() {
  constexpr std::size_t rows = 3, cols = 1000;
  std::vector<float> values = numbers(rows * cols, 20);
  for (std::size_t c = 0; c < cols; ++c) values[cols + c] -= 500;          // all far below zero
  for (std::size_t c = 0; c < 700; ++c) values[2 * cols + c] = -INFINITY;  // nothing at first
  const std::vector<T> logits = as<T>(values);
  on_every_isa([&] {
    for (const std::size_t block : {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{333}, cols}) {
      std::vector<float> max(rows, -INFINITY), sum(rows, 0);
      for (std::size_t c = 0; c < cols; c += block) {
        log_sum_exp(logits.data() + c, rows, std::min(block, cols - c), cols, max.data(), sum.data());
      }
      for (std::size_t r = 0; r < rows; ++r) {
        double top = -INFINITY, want = 0;
        for (std::size_t c = 0; c < cols; ++c) top = std::max(top, double{reference::value(logits[r * cols + c])});
        for (std::size_t c = 0; c < cols; ++c) want += std::exp(reference::value(logits[r * cols + c]) - top);
        EXPECT_EQ(max[r], top);
        EXPECT_NEAR(sum[r], want, want * kUlp * (4 + static_cast<double>(cols))) << "block " << block;
        EXPECT_NEAR(sum[r], want, want * 2e-6) << "block " << block;  // roundings do not line up
      }
    }
    const T bad = as<T>({NAN})[0];
    std::vector<T> row(40, as<T>({1.0f})[0]);
    row[11] = bad;
    float max = -INFINITY, sum = 0;
    log_sum_exp(row.data(), 1, row.size(), row.size(), &max, &sum);
    EXPECT_TRUE(std::isnan(sum)) << "a NaN logit must not vanish";
  });
}
TEST(LogSumExp, Float) { check_log_sum_exp<float>(); }
TEST(LogSumExp, Bf16) { check_log_sum_exp<Bf16>(); }

// With (max, sum) = (0, 0) before, one logit x <= 0 gives sum = e^x: the vector exp itself.
TEST(LogSumExp, ExponentialIsWithinTwoUlp) {
  std::vector<float> x;
  for (float value = -87; value < 0; value += 0.00131f) x.push_back(value);
  on_every_isa([&] {
    std::vector<float> max(x.size(), 0), sum(x.size(), 0);
    log_sum_exp(x.data(), x.size(), 1, 1, max.data(), sum.data());
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double want = std::exp(double{x[i]}), ulp = std::ldexp(kUlp, std::ilogb(want));
      worst = std::max(worst, std::abs(sum[i] - want) / ulp);
    }
    EXPECT_LT(worst, 2);
    EXPECT_GT(worst, 0.5) << "no rounded result can be this good: the test measures nothing";
    const float far[] = {-87.01f, -1e30f, -INFINITY};
    float top[3] = {}, none[3] = {};
    log_sum_exp(far, 3, 1, 1, top, none);
    for (const float value : none) EXPECT_EQ(value, 0);
  });
}

template <class T>
void check_quantile() {
  for (const std::size_t n : {1, 2, 10, 1000, 4097}) {
    const std::vector<T> w = sample_weights<T>(n, n);
    std::vector<float> sizes(n);
    std::transform(w.begin(), w.end(), sizes.begin(), [](T x) { return std::abs(reference::value(x)); });
    for (const double share : {1e-9, 0.1, 0.25, 0.5, 0.75, 0.999, 1.0}) {
      const auto rank = static_cast<std::ptrdiff_t>(std::ceil(share * static_cast<double>(n))) - 1;
      std::nth_element(sizes.begin(), sizes.begin() + rank, sizes.end());
      EXPECT_EQ(magnitude_quantile(w.data(), n, share), sizes[static_cast<std::size_t>(rank)]) << n << " " << share;
    }
    EXPECT_EQ(magnitude_quantile(w.data(), n, 0), -1);
  }
}
TEST(Quantile, Float) { check_quantile<float>(); }
TEST(Quantile, Bf16) { check_quantile<Bf16>(); }

template <class W>
void check_matvec() {
  constexpr std::size_t rows = 5;
  on_every_isa([] {
    for (const std::size_t cols : kLengths) {
      const std::vector<W> w = as<W>(numbers(rows * cols + 1, 1));
      const std::vector<float> x = numbers(8 * cols, 1, 9);
      std::vector<float> alone(8 * rows);
      for (std::size_t t = 0; t < 8; ++t)
        matvec(w.data() + 1, x.data() + t * cols, alone.data() + t * rows, 1, rows, cols, rows);
      for (std::size_t tokens = 1; tokens <= 8; ++tokens) {
        std::vector<float> y(tokens * (rows + 2), 7.0f);
        matvec(w.data() + 1, x.data(), y.data(), tokens, rows, cols, rows + 2);
        for (std::size_t t = 0; t < tokens; ++t) {
          for (std::size_t r = 0; r < rows; ++r) {
            double want = 0, size = 0;
            for (std::size_t c = 0; c < cols; ++c) {
              const double term = double{reference::value(w[1 + r * cols + c])} * x[t * cols + c];
              want += term, size += std::abs(term);
            }
            EXPECT_NEAR(y[t * (rows + 2) + r], want, kUlp * (2 + static_cast<double>(cols) / 8) * size)
                << cols << " columns, token " << t;
            EXPECT_EQ(y[t * (rows + 2) + r], alone[t * rows + r]) << "depends on the other tokens";
          }
          EXPECT_EQ(y[t * (rows + 2) + rows], 7.0f) << "wrote past the row";
        }
      }
    }
  });
}
TEST(Matvec, Float) { check_matvec<float>(); }
TEST(Matvec, Bf16) { check_matvec<Bf16>(); }

template <class T>
void check_attend() {
  on_every_isa([] {
    for (const std::size_t head_dim : {2u, 20u, 64u, 128u}) {
      for (const std::size_t count : {1u, 2u, 17u, 130u}) {
        for (const std::size_t heads : {1u, 3u, 5u}) {
          const std::size_t stride = 2 * head_dim + 3;
          const std::vector<T> keys = as<T>(numbers(count * stride, 1)), values = as<T>(numbers(count * stride, 1, 5));
          const std::vector<float> q = numbers(heads * head_dim, 1, 9);
          std::vector<float> out(heads * head_dim + 1, 7.0f), scores(heads * count);
          attend(q.data(), keys.data(), values.data(), out.data(), heads, count, head_dim, stride, scores.data());
          for (std::size_t h = 0; h < heads; ++h) {
            std::vector<double> p(count);
            for (std::size_t k = 0; k < count; ++k) {
              for (std::size_t i = 0; i < head_dim; ++i)
                p[k] += double{q[h * head_dim + i]} * reference::value(keys[k * stride + i]);
              p[k] /= std::sqrt(static_cast<double>(head_dim));
            }
            const double largest = *std::max_element(p.begin(), p.end());
            double sum = 0;
            for (double& each : p) sum += each = std::exp(each - largest);
            for (std::size_t i = 0; i < head_dim; ++i) {
              double want = 0, size = 0;
              for (std::size_t k = 0; k < count; ++k) {
                const double term = p[k] / sum * reference::value(values[k * stride + i]);
                want += term, size += std::abs(term);
              }
              ASSERT_NEAR(out[h * head_dim + i], want, 2e-5 * size + 1e-12) << head_dim << " " << count << " " << heads;
            }
          }
          EXPECT_EQ(out[heads * head_dim], 7.0f) << "wrote past the end";
        }
      }
    }
  });
}
TEST(Attend, Float) { check_attend<float>(); }
TEST(Attend, Bf16) { check_attend<Bf16>(); }

}  // namespace
}  // namespace frugal::kernels
