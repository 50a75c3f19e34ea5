#include "frugal/formats/ggml/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "frugal/base/atomic_file.h"
#include "frugal/base/json.h"
#include "frugal/formats/ggml/blocks.h"
#include "frugal/formats/ggml/half.h"

namespace frugal {
namespace {

const std::vector<std::string_view> kTypes = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"};
constexpr std::size_t kSize = 256;  // of every type a whole number of blocks

std::vector<float> through(const BlockType& type, const std::vector<float>& values) {
  const auto count = static_cast<std::int64_t>(values.size()) / type.elements;
  std::vector<std::byte> blocks(static_cast<std::size_t>(count * type.bytes));
  std::vector<float> again(values.size());
  type.quantize(values.data(), count, blocks.data());
  type.dequantize(blocks.data(), count, again.data());
  return again;
}

double rms_error(const BlockType& type, const std::vector<float>& values) {
  const std::vector<float> again = through(type, values);
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += std::pow(double{again[i]} - values[i], 2);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

// ggml's own quantiser, without an importance matrix, made the golden errors (scripts/make_quantize_golden.py).
TEST(Quantize, ErrorsAreAtMostThoseOfGgml) {
  const Json golden =
      Json::parse(read_file(FRUGAL_SOURCE_DIR "/frugal/formats/ggml/tests/golden/quantize.json")).at("kinds");
  ASSERT_EQ(golden.size(), 5u);
  for (const auto& [kind, entry] : golden.items()) {
    const auto digits = entry.at("values").get<std::string>();
    std::vector<float> values(digits.size() / 8);
    for (std::size_t i = 0; i < digits.size() / 2; ++i)
      reinterpret_cast<unsigned char*>(values.data())[i] =
          static_cast<unsigned char>(std::stoi(digits.substr(2 * i, 2), nullptr, 16));
    ASSERT_EQ(values.size(), 512u);
    for (const std::string_view name : kTypes) {
      const double theirs = entry.at("errors").at(std::string(name));
      EXPECT_LE(rms_error(*find_block_type(name), values), 1.02 * theirs) << name << " of " << kind;
      EXPECT_GT(theirs, 0) << name << " of " << kind;
    }
  }
}

// Values on a grid of 16 steps from a minimum below 0 are held by all that have a minimum, but for the rounding of the
// scales to binary16; multiples of a scale by all.
TEST(Quantize, WhatABlockCanHoldComesBack) {
  std::vector<float> values(kSize);
  for (std::size_t i = 0; i < kSize; ++i) values[i] = 0.25f * static_cast<float>(i * 7 % 16) - 1.5f;
  for (const std::string_view name : {"Q4_1", "Q5_1", "Q4_K", "Q5_K"})
    EXPECT_LE(rms_error(*find_block_type(name), values), 3.75 * 0x1p-11) << name;
  for (std::size_t i = 0; i < kSize; ++i) values[i] = 0.25f * (static_cast<float>(i * 7 % 16) - 8);
  for (const std::string_view name : {"Q4_0", "Q5_0", "Q6_K"})
    EXPECT_LE(rms_error(*find_block_type(name), values), 2 * 0x1p-11) << name;
}

// Of n random values in [-1, 1] a uniform quantiser with 2^b steps errs by at most its step 2 / (2^b - 1) / sqrt(12),
// and half of that would be more bits than there are.
TEST(Quantize, ErrorsAreThoseOfTheBits) {
  std::mt19937 random(3);
  std::vector<float> values(kSize * 16);
  for (float& value : values) value = std::uniform_real_distribution<float>(-1, 1)(random);
  const std::pair<std::string_view, int> kBits[] = {{"Q4_0", 4}, {"Q4_1", 4}, {"Q4_K", 4}, {"Q5_0", 5},
                                                    {"Q5_1", 5}, {"Q5_K", 5}, {"Q6_K", 6}, {"Q8_0", 8}};
  for (const auto& [name, bits] : kBits) {
    const double step = 2 / (std::exp2(bits) - 1), error = rms_error(*find_block_type(name), values);
    EXPECT_LT(error, 1.02 * step / std::sqrt(12)) << name;
    EXPECT_GT(error, 0.5 * step / std::sqrt(12)) << name;
  }
}

// Everything finite below the type's limit gives blocks of finite values, and nothing is farther off than the largest
// is large, but for some of binary16's least steps, 2^-24.
TEST(Quantize, ExtremeBlocksStayFinite) {
  for (const std::string_view name : kTypes) {
    const BlockType& type = *find_block_type(name);
    const auto limit = std::nextafter(static_cast<float>(type.overflows_from), 0.0f);
    std::mt19937 random(5);
    std::vector<std::vector<float>> kinds(9, std::vector<float>(kSize, 0));
    for (std::size_t i = 0; i < kSize; ++i) {
      const float sign = random() % 2 == 0 ? 1.0f : -1.0f;
      kinds[1][i] = limit;
      kinds[2][i] = -limit;
      kinds[3][i] = sign * limit;
      kinds[4][i] = sign * 1e-40f;  // subnormal
      kinds[5][i] = sign * 1e-7f;   // the scale is subnormal in binary16
      kinds[6][i] = i == 77 ? limit : sign * 1e-3f;
      kinds[7][i] = i == 200 ? -limit : -1.0f;
      kinds[8][i] = 0.75f;
    }
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      const std::vector<float> again = through(type, kinds[kind]);
      float largest = 0;
      for (const float value : kinds[kind]) largest = std::max(largest, std::fabs(value));
      for (std::size_t i = 0; i < kSize; ++i) {
        ASSERT_TRUE(std::isfinite(again[i])) << name << " kind " << kind;
        ASSERT_LE(std::fabs(again[i] - kinds[kind][i]), largest + 0x1p-22f) << name << " kind " << kind << " at " << i;
      }
    }
    EXPECT_EQ(through(type, kinds[0]), kinds[0]) << name;  // zeros
  }
}

// A block depends on its own values alone, so rows may be cut anywhere and made by any number of threads.
TEST(Quantize, BlocksAreIndependent) {
  std::mt19937 random(7);
  std::vector<float> values(4 * kSize);
  for (float& value : values) value = std::normal_distribution<float>()(random);
  for (const std::string_view name : kTypes) {
    const BlockType& type = *find_block_type(name);
    const auto count = static_cast<std::int64_t>(values.size()) / type.elements;
    std::vector<std::byte> whole(static_cast<std::size_t>(count * type.bytes)), parts(whole.size());
    type.quantize(values.data(), count, whole.data());
    for (std::int64_t i = count; i-- > 0;)
      type.quantize(values.data() + i * type.elements, 1, parts.data() + i * type.bytes);
    EXPECT_EQ(whole, parts) << name;
  }
}

}  // namespace
}  // namespace frugal
