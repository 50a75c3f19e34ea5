#include "frugal/core/kernels/bf16_attention.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "frugal/base/error.h"
#include "frugal/base/processor.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace frugal::kernels {

#ifdef __x86_64__
namespace {

// Two numbers that a dot product takes together. A packed matrix [k, n] is in panels of kPanel columns, each
// [k / 2][columns] pairs; its columns are filled up with zeros to a multiple of kLanes.
using Pair = std::uint32_t;
constexpr std::size_t kLanes = 16, kPanel = 4 * kLanes, kTile = 6;  // columns of a vector, of a panel; rows of a tile

constexpr std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

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
void pack_transposed(const Bf16* b, std::size_t n, std::size_t k, std::size_t stride, Pair* out) {
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
void pack(const Bf16* b, std::size_t k, std::size_t n, std::size_t stride, Pair* out) {
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

// A tile of kRows x (kVectors * kLanes) sums.
template <int kRows, int kVectors>
FRUGAL_BF16 void tile(const Bf16* a, std::size_t a_stride, const Pair* b, std::size_t pairs, float* c,
                      std::size_t c_stride) {
  __m512 sum[kRows][kVectors];
  for (auto& row : sum) {
    for (__m512& vector : row) vector = _mm512_setzero_ps();
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

using Tile = void (*)(const Bf16*, std::size_t, const Pair*, std::size_t, float*, std::size_t);
template <int kRows>
constexpr Tile kTilesOf[] = {tile<kRows, 1>, tile<kRows, 2>, tile<kRows, 3>, tile<kRows, 4>};
constexpr const Tile* kTiles[] = {kTilesOf<1>, kTilesOf<2>, kTilesOf<3>, kTilesOf<4>, kTilesOf<5>, kTilesOf<6>};

// c[m, n] = a[m, k] b, of b packed [k_of_b, n_of_b] the first k rows and n columns; k even, k <= k_of_b. c is written
// up to the end of the last panel.
void product(const Bf16* a, std::size_t a_stride, const Pair* b, std::size_t k_of_b, std::size_t n_of_b, float* c,
             std::size_t c_stride, std::size_t m, std::size_t k, std::size_t n) {
  for (std::size_t begin = 0; begin < n; begin += kPanel) {
    const std::size_t columns = std::min(kPanel, n_of_b - begin);
    for (std::size_t row = 0; row < m; row += kTile) {
      const Tile some_rows = kTiles[std::min(kTile, m - row) - 1][columns / kLanes - 1];
      some_rows(a + row * a_stride, a_stride, b, k / 2, c + row * c_stride + begin, c_stride);
    }
    b += k_of_b / 2 * columns;
  }
}

}  // namespace

bool has_bf16_attention() {
  static const bool has = has_processor_flag("avx512_bf16") && !has_processor_flag("amx_bf16");
  return has && isa().starts_with("AVX3");
}

void bf16_attention(const Bf16* q, const Bf16* k, const Bf16* v, Bf16* out, const Bf16AttentionShape& s) {
  if (s.queries == 0 || s.keys < s.queries || s.head_dim % 2 != 0) {
    throw Error(Exit::internal,
                "attention over " + std::to_string(s.queries) + " queries, " + std::to_string(s.keys) +
                    " keys and a head size of " + std::to_string(s.head_dim) +
                    ", expected at least as many keys as queries and an even size",
                "report this");
  }
  constexpr std::size_t kMostQueries = 48, kLeastQueries = 12, kScores = 1 << 17;  // at a time; their scores
  const std::size_t D = s.head_dim, width = round_up(D, kLanes), all = round_up(s.keys, kLanes),
                    block = std::clamp(kScores / all / kTile * kTile, kLeastQueries, kMostQueries);
  const float scale = static_cast<float>(1 / std::sqrt(static_cast<double>(D)));
  Room room;
  auto* const packed_keys = room.take<Pair>(D / 2 * all);
  auto* const packed_values = room.take<Pair>(all / 2 * width);
  auto* const p = room.take<float>(block * all);
  auto* const p_bf16 = room.take<Bf16>(block * all);
  auto* const y = room.take<float>(block * width);
  pack_transposed(k, s.keys, D, s.kv_stride, packed_keys);
  pack(v, s.keys, D, s.kv_stride, packed_values);
  for (std::size_t begin = 0; begin < s.queries; begin += block) {
    const std::size_t rows = std::min(block, s.queries - begin), visible = s.keys - s.queries + begin + 1,
                      seen = round_up(visible + rows - 1, kLanes), stride = std::min(all, round_up(seen, kPanel));
    for (std::size_t head = 0; head < s.heads; ++head) {
      product(q + begin * s.q_stride + head * D, s.q_stride, packed_keys, D, all, p, stride, rows, D, seen);
      causal_softmax(p, rows, seen, stride, visible, scale);
      to_bf16(p, p_bf16, rows * stride);
      product(p_bf16, stride, packed_values, all, width, y, width, rows, seen, width);
      for (std::size_t r = 0; r < rows; ++r) to_bf16(y + r * width, out + (begin + r) * s.out_stride + head * D, D);
    }
  }
}

#else

bool has_bf16_attention() { return false; }
void bf16_attention(const Bf16*, const Bf16*, const Bf16*, Bf16*, const Bf16AttentionShape&) {
  throw Error(Exit::internal, "attention by AVX512-BF16 is asked for on another processor", "report this");
}

#endif

}  // namespace frugal::kernels
