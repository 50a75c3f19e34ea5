// Quantised blocks by vector code against the plain code of formats/ggml, on random bytes and every instruction set.
#include "frugal/core/kernels/blocks.h"

#include <gtest/gtest.h>

#include "frugal/core/kernels/tests/fixture.h"
#include "frugal/formats/ggml/blocks.h"
#include "frugal/formats/ggml/half.h"

namespace frugal {
namespace {

using kernels::Bf16;

constexpr const char* kFormats[] = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"};

// Random codes; scales and minimums of any finite binary16, subnormals and zeros of both signs among them.
std::vector<std::byte> random_blocks(const BlockType& type, std::size_t count, bool is_tame) {
  PhiloxSequence random(3, Stream::initial);
  const auto bytes = static_cast<std::size_t>(type.bytes);
  std::vector<std::byte> blocks(count * bytes);
  for (std::byte& byte : blocks) byte = static_cast<std::byte>(random.below(256));
  const std::size_t half = type.name == "Q6_K" ? 208 : 0;
  const bool has_two = type.name.ends_with("_1") || type.name == "Q4_K" || type.name == "Q5_K";
  for (std::size_t block = 0; block < count; ++block) {
    for (std::size_t i = 0; i < (has_two ? 2u : 1u); ++i) {
      std::uint16_t bits = is_tame ? float_to_half(static_cast<float>(random.uniform() - 0.5) * 0.02f)
                                   : static_cast<std::uint16_t>(random.below(0x10000));
      if ((bits & 0x7C00) == 0x7C00) bits &= 0x8000;
      std::memcpy(blocks.data() + block * bytes + half + 2 * i, &bits, 2);
    }
  }
  return blocks;
}

class Blocks : public ::testing::TestWithParam<const char*> {
 protected:
  const BlockType& type = *find_block_type(std::string_view(GetParam()));
  const kernels::BlockFormat format = *kernels::find_block_format(GetParam());
  std::vector<float> reference(const std::vector<std::byte>& blocks, std::size_t count) const {
    std::vector<float> values(count * static_cast<std::size_t>(type.elements));
    type.dequantize(blocks.data(), static_cast<std::int64_t>(count), values.data());
    return values;
  }
};

TEST_P(Blocks, HaveTheReferencesBits) {
  ASSERT_EQ(kernels::block_elements(format), static_cast<std::size_t>(type.elements));
  constexpr std::size_t kCount = 400;
  const auto blocks = random_blocks(type, kCount, false);
  const std::vector<float> expected = reference(blocks, kCount);
  std::vector<Bf16> rounded(expected.size());
  kernels::to_bf16(expected.data(), rounded.data(), rounded.size());
  kernels::on_every_isa([&] {
    std::vector<float> values(expected.size());
    kernels::dequantize(format, blocks.data(), kCount, values.data());
    const std::size_t at = kernels::first_difference(values.data(), expected.data(), values.size());
    ASSERT_EQ(at, values.size()) << values[at] << " instead of " << expected[at];
    std::vector<Bf16> halves(expected.size());
    kernels::dequantize(format, blocks.data(), kCount, halves.data());
    ASSERT_EQ(kernels::first_difference(halves.data(), rounded.data(), halves.size()), halves.size());
  });
}

TEST_P(Blocks, TimesRowsIsTheProductWithTheirValues) {
  constexpr std::size_t kRows = 5, kMost = 9;
  const std::size_t blocks_of_row = 3, cols = blocks_of_row * static_cast<std::size_t>(type.elements);
  const auto blocks = random_blocks(type, kRows * blocks_of_row, true);
  const std::vector<float> w = reference(blocks, kRows * blocks_of_row),
                           x = kernels::sample_weights<float>(kMost * cols);
  std::vector<const std::byte*> rows;  // in another order than they lie
  for (const std::size_t r : {3u, 0u, 4u, 1u, 2u})
    rows.push_back(blocks.data() + r * blocks_of_row * static_cast<std::size_t>(type.bytes));
  kernels::on_every_isa([&] {
    std::vector<float> alone(kMost * kRows);
    for (std::size_t t = 0; t < kMost; ++t)
      kernels::matvec(format, rows.data(), kRows, x.data() + t * cols, alone.data() + t * kRows, 1, cols, kRows);
    for (std::size_t tokens = 1; tokens <= kMost; ++tokens) {
      std::vector<float> y(tokens * (kRows + 2), -7.0f);
      kernels::matvec(format, rows.data(), kRows, x.data(), y.data(), tokens, cols, kRows + 2);
      for (std::size_t t = 0; t < tokens; ++t) {
        for (std::size_t r = 0; r < kRows; ++r) {
          const auto row = static_cast<std::size_t>((rows[r] - blocks.data()) /
                                                    (static_cast<std::ptrdiff_t>(blocks_of_row) * type.bytes));
          double exact = 0, size = 0;
          for (std::size_t c = 0; c < cols; ++c) {
            const double term = static_cast<double>(w[row * cols + c]) * static_cast<double>(x[t * cols + c]);
            exact += term, size += std::abs(term);
          }
          const float value = y[t * (kRows + 2) + r];
          ASSERT_NEAR(static_cast<double>(value), exact, 1e-5 * size);
          ASSERT_EQ(value, alone[t * kRows + r]) << "a token's result depends on its company";
        }
        ASSERT_EQ(y[t * (kRows + 2) + kRows], -7.0f);
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(All, Blocks, ::testing::ValuesIn(kFormats), [](const auto& info) { return info.param; });

TEST(BlockFormats, OthersAreNotTaken) {
  EXPECT_FALSE(kernels::find_block_format("BF16"));
  EXPECT_FALSE(kernels::find_block_format("Q3_K"));
}

}  // namespace
}  // namespace frugal
