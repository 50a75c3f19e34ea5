#include "frugal/core/kernels/bf16_linear.h"

#include <string>

#include "frugal/base/error.h"
#include "frugal/core/kernels/bf16_product.h"

namespace frugal::kernels {

#ifdef __x86_64__
using namespace bf16_product;  // NOLINT: private to bf16_*.cpp

namespace {

constexpr std::size_t kOutputs = 48;  // of the layer at a time: whole tiles of each kind, and whole vectors

// Rows of the tile for so many vectors of tokens: as many sums as registers hold.
struct RowsAndTile {
  std::size_t rows;
  Tile tile;
};
constexpr RowsAndTile kWidest[] = {{12, tile<12, 1>}, {12, tile<12, 2>}, {8, tile<8, 3>}, {6, tile<6, 4>}};

// sums [outputs, columns] = w x^T for the tokens of one packed panel.
void make_sums(const Bf16* w, std::size_t k, const Pair* x, std::size_t columns, std::size_t outputs, float* sums) {
  const auto [whole, wide] = kWidest[columns / kLanes - 1];
  for (std::size_t row = 0; row < outputs;) {
    const std::size_t rows = outputs - row >= whole ? whole : std::min(kTile, outputs - row);
    const Tile make = rows == whole ? wide : kTiles[rows - 1][columns / kLanes - 1];
    make(w + row * k, k, x, k / 2, sums + row * columns, columns, false);
    row += rows;
  }
}

// y[tokens, outputs] = sums[kLanes, kLanes]^T (+ y with `add`).
FRUGAL_BF16 void store_transposed(const float* sums, std::size_t stride, Bf16* y, std::size_t y_stride,
                                  std::size_t tokens, std::size_t outputs, bool add) {
  __m512i block[kLanes];
  for (std::size_t r = 0; r < kLanes; ++r)
    block[r] = r < outputs ? _mm512_loadu_si512(sums + r * stride) : _mm512_setzero_si512();
  transpose(block);
  const auto mask = static_cast<__mmask16>((1u << outputs) - 1);
  for (std::size_t t = 0; t < tokens; ++t) {
    __m512 row = _mm512_castsi512_ps(block[t]);
    if (add) {
      const __m512i before = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, y + t * y_stride));
      row = _mm512_add_ps(row, _mm512_castsi512_ps(_mm512_slli_epi32(before, 16)));
    }
    _mm256_mask_storeu_epi16(y + t * y_stride, mask, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(row)));
  }
}

}  // namespace

void bf16_linear(const Bf16* x, const Bf16* w, Bf16* y, const Bf16LinearShape& s) {
  if (s.k % 2 != 0)
    throw Error(Exit::internal, "a product over " + std::to_string(s.k) + " terms, expected an even number",
                "report this");
  Room room;
  auto* const packed = room.take<Pair>(s.k / 2 * std::min(kPanel, round_up(s.n, kLanes)));
  auto* const sums = room.take<float>(kOutputs * kPanel);
  for (std::size_t begin = 0; begin < s.n; begin += kPanel) {
    const std::size_t tokens = std::min(kPanel, s.n - begin), columns = round_up(tokens, kLanes);
    pack_transposed(x + begin * s.x_stride, tokens, s.k, s.x_stride, packed);
    for (std::size_t first = 0; first < s.m; first += kOutputs) {
      const std::size_t outputs = std::min(kOutputs, s.m - first);
      make_sums(w + first * s.k, s.k, packed, columns, outputs, sums);
      for (std::size_t t = 0; t < tokens; t += kLanes) {
        for (std::size_t r = 0; r < outputs; r += kLanes)
          store_transposed(sums + r * columns + t, columns, y + (begin + t) * s.y_stride + first + r, s.y_stride,
                           std::min(kLanes, tokens - t), std::min(kLanes, outputs - r), s.add);
      }
    }
  }
}

#else

void bf16_linear(const Bf16*, const Bf16*, Bf16*, const Bf16LinearShape&) {
  throw Error(Exit::internal, "a product by AVX512-BF16 is asked for on another processor", "report this");
}

#endif

}  // namespace frugal::kernels
