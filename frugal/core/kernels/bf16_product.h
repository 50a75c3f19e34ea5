// Products of bf16 with fp32 sums by AVX512-BF16's dot products, one operand packed. Private to bf16_attention*.cpp.
#pragma once
#ifdef __x86_64__
#include <immintrin.h>

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

// b^T, b [n, k].
inline void pack_transposed(const Bf16* b, std::size_t n, std::size_t k, std::size_t stride, Pair* out) {
  for (std::size_t begin = 0; begin < n; begin += kPanel) {
    const std::size_t columns = std::min(kPanel, round_up(n - begin, kLanes));
    for (std::size_t j = 0; j < columns; ++j) {
      for (std::size_t i = 0; i < k / 2; ++i) {
        Pair pair = 0;
        if (begin + j < n) std::memcpy(&pair, b + (begin + j) * stride + 2 * i, sizeof(Pair));
        out[i * columns + j] = pair;
      }
    }
    out += k / 2 * columns;
  }
}

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

#define FRUGAL_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

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

#undef FRUGAL_BF16

}  // namespace frugal::kernels::bf16_product
#endif
