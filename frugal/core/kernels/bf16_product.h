// Products of bf16 with fp32 sums by AVX512-BF16's dot products, one operand packed. Private to bf16_*.cpp.
#pragma once
#ifdef __x86_64__
// GCC 12 takes what its own _mm512_undefined functions leave open for a mistake (its bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "frugal/core/kernels/kernels.h"

namespace frugal::kernels::bf16_product {

// Two numbers that a dot product takes together. A packed matrix [k, n] is in panels of kPanel columns, each
// [k / 2][columns] pairs; its columns are filled up with zeros to a multiple of kLanes.
using Pair = std::uint32_t;
inline constexpr std::size_t kLanes = 16, kPanel = 4 * kLanes,
                             kTile = 6;  // columns of a vector, of a panel; rows of a tile

inline constexpr std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

// Arrays that are not filled, each from a cache line on.
class Room {
 public:
  template <class T>
  T* take(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    return static_cast<T*>(parts_.emplace_back(::operator new(bytes, kLine)).get());
  }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Free {
    void operator()(void* part) const { ::operator delete(part, kLine); }
  };
  std::vector<std::unique_ptr<void, Free>> parts_;
};

// b [k, n], its rows filled up with zeros to a multiple of kLanes.
inline void pack(const Bf16* b, std::size_t k, std::size_t n, std::size_t stride, Pair* out) {
  static const Bf16 kZeros[kPanel] = {};
  for (std::size_t begin = 0; begin < n; begin += kPanel) {
    const std::size_t filled = std::min(kPanel, n - begin), columns = round_up(filled, kLanes);
    const auto row = [&](std::size_t i) { return i < k ? b + i * stride + begin : kZeros; };
    for (std::size_t i = 0; i < round_up(k, kLanes); i += 2, out += columns) {
      const Bf16 *low = row(i), *high = row(i + 1);
      for (std::size_t j = 0; j < filled; ++j) out[j] = low[j].bits | static_cast<Pair>(high[j].bits) << 16;
      std::fill(out + filled, out + columns, 0);
    }
  }
}

// Functions of these instructions; only where can_run_bf16_products().
#define FRUGAL_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

// 16 x 16 numbers of 32 bits, row i in x[i]: as columns.
FRUGAL_BF16 inline void transpose(__m512i (&x)[kLanes]) {
  __m512i y[kLanes];
  for (std::size_t i = 0; i < kLanes; i += 2) {  // pairs of rows, number by number within 128 bits
    y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
  for (std::size_t i = 0; i < kLanes; i += 4) {  // fours of rows: x[i + c] has columns c, c + 4, c + 8, c + 12
    x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
    x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
    x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
    x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
  }
  for (std::size_t c = 0; c < 4; ++c) {  // then the 128-bit parts
    const __m512i even[2] = {_mm512_shuffle_i32x4(x[c], x[c + 4], 0x88),
                             _mm512_shuffle_i32x4(x[c + 8], x[c + 12], 0x88)},
                  odd[2] = {_mm512_shuffle_i32x4(x[c], x[c + 4], 0xdd),
                            _mm512_shuffle_i32x4(x[c + 8], x[c + 12], 0xdd)};
    y[c] = _mm512_shuffle_i32x4(even[0], even[1], 0x88);
    y[c + 4] = _mm512_shuffle_i32x4(odd[0], odd[1], 0x88);
    y[c + 8] = _mm512_shuffle_i32x4(even[0], even[1], 0xdd);
    y[c + 12] = _mm512_shuffle_i32x4(odd[0], odd[1], 0xdd);
  }
  for (std::size_t i = 0; i < kLanes; ++i) x[i] = y[i];
}

// b^T, b [n, k].
FRUGAL_BF16 inline void pack_transposed(const Bf16* b, std::size_t n, std::size_t k, std::size_t stride, Pair* out) {
  const std::size_t pairs = k / 2;
  for (std::size_t begin = 0; begin < n; begin += kPanel) {
    const std::size_t columns = std::min(kPanel, round_up(n - begin, kLanes));
    for (std::size_t j = 0; j < columns; j += kLanes) {
      const std::size_t rows = std::min(kLanes, n - begin - j);
      const Bf16* from = b + (begin + j) * stride;
      for (std::size_t i = 0; i < pairs; i += kLanes) {
        const std::size_t some = std::min(kLanes, pairs - i);
        const auto mask = static_cast<__mmask16>((1u << some) - 1);
        __m512i block[kLanes];
        for (std::size_t r = 0; r < kLanes; ++r)
          block[r] = r < rows ? _mm512_maskz_loadu_epi32(mask, from + r * stride + 2 * i) : _mm512_setzero_si512();
        transpose(block);
        for (std::size_t c = 0; c < some; ++c) _mm512_storeu_si512(out + (i + c) * columns + j, block[c]);
      }
    }
    out += pairs * columns;
  }
}

// A tile of kRows x (kVectors * kLanes) sums; with `add`, on top of those that are there.
template <int kRows, int kVectors>
FRUGAL_BF16 inline void tile(const Bf16* a, std::size_t a_stride, const Pair* b, std::size_t pairs, float* c,
                             std::size_t c_stride, bool add) {
  __m512 sum[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v)
      sum[r][v] =
          add ? _mm512_loadu_ps(c + static_cast<std::size_t>(r) * c_stride + static_cast<std::size_t>(v) * kLanes)
              : _mm512_setzero_ps();
  }
  for (std::size_t i = 0; i < pairs; ++i, b += kVectors * kLanes) {
    __m512i columns[kVectors];
    for (int v = 0; v < kVectors; ++v) columns[v] = _mm512_loadu_si512(b + static_cast<std::size_t>(v) * kLanes);
    for (int r = 0; r < kRows; ++r) {
      int pair;
      std::memcpy(&pair, a + static_cast<std::size_t>(r) * a_stride + 2 * i, sizeof(pair));
      const __m512i both = _mm512_set1_epi32(pair);
      for (int v = 0; v < kVectors; ++v)
        sum[r][v] =
            _mm512_dpbf16_ps(sum[r][v], reinterpret_cast<__m512bh>(both), reinterpret_cast<__m512bh>(columns[v]));
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v)
      _mm512_storeu_ps(c + static_cast<std::size_t>(r) * c_stride + static_cast<std::size_t>(v) * kLanes, sum[r][v]);
  }
}

using Tile = void (*)(const Bf16*, std::size_t, const Pair*, std::size_t, float*, std::size_t, bool);
template <int kRows>
inline constexpr Tile kTilesOf[] = {tile<kRows, 1>, tile<kRows, 2>, tile<kRows, 3>, tile<kRows, 4>};
inline constexpr const Tile* kTiles[] = {kTilesOf<1>, kTilesOf<2>, kTilesOf<3>, kTilesOf<4>, kTilesOf<5>, kTilesOf<6>};

// c[m, n] = a[m, k] b (+ c with `add`), of b packed [k_of_b, n_of_b] the first k rows and n columns; k even, k <=
// k_of_b. c is written up to the end of the last panel.
inline void product(const Bf16* a, std::size_t a_stride, const Pair* b, std::size_t k_of_b, std::size_t n_of_b,
                    float* c, std::size_t c_stride, std::size_t m, std::size_t k, std::size_t n, bool add = false) {
  for (std::size_t begin = 0; begin < n; begin += kPanel) {
    const std::size_t columns = std::min(kPanel, n_of_b - begin);
    for (std::size_t row = 0; row < m; row += kTile) {
      const Tile some_rows = kTiles[std::min(kTile, m - row) - 1][columns / kLanes - 1];
      some_rows(a + row * a_stride, a_stride, b, k / 2, c + row * c_stride + begin, c_stride, add);
    }
    b += k_of_b / 2 * columns;
  }
}

// Queries that attention takes at a time over `keys` keys: their scores stay in the second-level cache.
inline std::size_t query_block(std::size_t keys) {
  constexpr std::size_t kMostQueries = 48, kLeastQueries = 12, kScores = 1 << 17;
  return std::clamp(kScores / keys / kTile * kTile, kLeastQueries, kMostQueries);
}

}  // namespace frugal::kernels::bf16_product
#endif
