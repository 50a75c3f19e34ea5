#include "frugal/formats/ggml/blocks.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "frugal/base/atomic_file.h"
#include "frugal/base/json.h"
#include "frugal/formats/ggml/half.h"
#include "frugal/formats/ggml/quantize.h"

namespace frugal {
namespace {

std::vector<std::byte> from_hexadecimal(const std::string& digits) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::vector<float> floats(const std::string& digits) {
  const auto bytes = from_hexadecimal(digits);
  std::vector<float> values(bytes.size() / 4);
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

Json golden() { return Json::parse(read_file(FRUGAL_SOURCE_DIR "/frugal/formats/ggml/tests/golden/blocks.json")); }

TEST(Blocks, DequantizeToTheReferencesBits) {
  const Json types = golden().at("types");
  EXPECT_EQ(types.size(), 10u);
  for (const auto& [name, entry] : types.items()) {
    const BlockType* type = find_block_type(std::string_view(name));
    ASSERT_NE(type, nullptr) << name;
    const auto blocks = from_hexadecimal(entry.at("blocks"));
    const auto expected = floats(entry.at("values"));
    const auto count = static_cast<std::int64_t>(blocks.size()) / type->bytes;
    ASSERT_EQ(static_cast<std::size_t>(count * type->elements), expected.size()) << name;
    std::vector<float> values(expected.size());
    type->dequantize(blocks.data(), count, values.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(expected[i]))
          << name << " value " << i << ": " << values[i] << ", expected " << expected[i];
    }
  }
}

TEST(Blocks, QuantizeQ8AsTheReference) {
  const Json entry = golden().at("q8_0");
  const auto values = floats(entry.at("values"));
  std::vector<std::byte> blocks(values.size() / 32 * 34);
  quantize_q8_0(values.data(), static_cast<std::int64_t>(values.size()) / 32, blocks.data());
  EXPECT_EQ(blocks, from_hexadecimal(entry.at("blocks")));
}

// |x - dequantised| <= d/2 for the rounding, and 127 steps of the scale's own rounding to binary16 (2^-11 of it).
TEST(Blocks, Q8StaysWithinHalfAStep) {
  std::mt19937 random(3);
  std::vector<float> values(32 * 64), again(values.size());
  for (float& value : values) value = std::normal_distribution<float>()(random);
  std::vector<std::byte> blocks(64 * 34);
  quantize_q8_0(values.data(), 64, blocks.data());
  find_block_type("Q8_0")->dequantize(blocks.data(), 64, again.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    float largest = 0;
    for (std::size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) largest = std::max(largest, std::fabs(values[j]));
    ASSERT_NEAR(again[i], values[i], largest / 127 * (0.5 + 127 * 0x1p-11) * (1 + 1e-6)) << i;
  }
}

// Scales too small for binary16 make blocks of zeros: no value overflows the byte it is rounded to.
TEST(Blocks, Q8OfSubnormalValuesIsZero) {
  std::vector<float> values(32, 1e-40f), again(32, 1);
  std::vector<std::byte> block(34);
  quantize_q8_0(values.data(), 1, block.data());
  find_block_type("Q8_0")->dequantize(block.data(), 1, again.data());
  EXPECT_EQ(again, std::vector<float>(32, 0));
}

TEST(Half, EveryFiniteNumberReturnsToItsBits) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = half_to_float(static_cast<std::uint16_t>(bits));
    if ((bits & 0x7fff) > 0x7c00) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      ASSERT_TRUE(std::isnan(half_to_float(float_to_half(value)))) << bits;
    } else {
      ASSERT_EQ(float_to_half(value), bits);
    }
  }
}

// Between two neighbours a and b = a + 1 ulp: just below the middle goes to a, just above to b, the middle to the even
// one.
TEST(Half, RoundsToNearestEven) {
  for (std::uint32_t a = 0; a < 0x7bff; ++a) {
    const float low = half_to_float(static_cast<std::uint16_t>(a)),
                high = half_to_float(static_cast<std::uint16_t>(a + 1));
    const float middle = low + (high - low) / 2;  // exact: a half has 11 significant bits
    ASSERT_EQ(float_to_half(middle), a % 2 == 0 ? a : a + 1);
    ASSERT_EQ(float_to_half(std::nextafter(middle, 0.0f)), a);
    ASSERT_EQ(float_to_half(std::nextafter(middle, high)), a + 1);
    ASSERT_EQ(float_to_half(-middle), 0x8000 | (a % 2 == 0 ? a : a + 1));
  }
}

TEST(Half, OverflowIsInfinity) {
  EXPECT_EQ(float_to_half(65504), 0x7bff);
  EXPECT_EQ(float_to_half(65519.99f), 0x7bff);
  EXPECT_EQ(float_to_half(65520), 0x7c00);
  EXPECT_EQ(float_to_half(-std::numeric_limits<float>::infinity()), 0xfc00);
}

TEST(Blocks, UnknownTypesAreNotFound) {
  EXPECT_EQ(find_block_type(4u), nullptr);
  EXPECT_EQ(find_block_type(0xffffffffu), nullptr);
  EXPECT_EQ(find_block_type("Q4_7"), nullptr);
}

}  // namespace
}  // namespace frugal
