#include "frugal/formats/nf4.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "frugal/base/atomic_file.h"
#include "frugal/base/json.h"
#include "frugal/formats/tests/small_model.h"

namespace frugal {
namespace {

using formats_tests::error_of;

struct Encoded {
  std::vector<std::uint8_t> codes;
  std::vector<float> absmax;
};

Encoded encode(const std::vector<float>& values) {
  const auto n = static_cast<std::int64_t>(values.size());
  Encoded out{std::vector<std::uint8_t>(static_cast<std::size_t>(nf4::code_bytes(n))),
              std::vector<float>(static_cast<std::size_t>(nf4::blocks(n)))};
  nf4::encode(values.data(), n, out.codes.data(), out.absmax.data());
  return out;
}

std::vector<float> decode(const Encoded& from, std::int64_t begin, std::int64_t end) {
  std::vector<float> out(static_cast<std::size_t>(end - begin));
  nf4::decode(from.codes.data(), from.absmax.data(), begin, end, out.data());
  return out;
}

int code_at(const Encoded& from, std::size_t i) { return from.codes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15; }

std::vector<float> normal_values(std::size_t n, unsigned seed = 3) {
  std::mt19937 random(seed);
  std::vector<float> values(n);
  for (float& value : values) value = std::normal_distribution<float>(0, 0.02f)(random);
  return values;
}

template <class T>
std::vector<T> from_hexadecimal(const std::string& text) {
  std::vector<T> out(text.size() / 2 / sizeof(T));
  for (std::size_t i = 0; i < out.size() * sizeof(T); ++i) {
    reinterpret_cast<unsigned char*>(out.data())[i] =
        static_cast<unsigned char>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
  }
  return out;
}

// scripts/make_adapter_golden.py: the nearest code by argmin over distances in float64.
TEST(Nf4, SameBitsAsNumpy) {
  const Json golden = Json::parse(read_file(FRUGAL_SOURCE_DIR "/frugal/formats/tests/golden/nf4.json"));
  const auto values = from_hexadecimal<float>(golden["values"]), decoded = from_hexadecimal<float>(golden["decoded"]);
  ASSERT_EQ(values.size() % 64, 11u);
  const Encoded ours = encode(values);
  EXPECT_EQ(ours.codes, from_hexadecimal<std::uint8_t>(golden["codes"]));
  EXPECT_EQ(ours.absmax, from_hexadecimal<float>(golden["absmax"]));
  EXPECT_EQ(decode(ours, 0, static_cast<std::int64_t>(values.size())), decoded);
}

TEST(Nf4, ASecondRoundTripChangesNothing) {
  for (const std::size_t n : {1u, 63u, 64u, 65u, 6400u}) {
    const Encoded once = encode(normal_values(n));
    const auto values = decode(once, 0, static_cast<std::int64_t>(n));
    const Encoded twice = encode(values);
    EXPECT_EQ(twice.codes, once.codes) << n;
    EXPECT_EQ(twice.absmax, once.absmax) << n;
  }
}

// At most half the distance between the two neighbouring codes, times the block's scale, and the rounding of a quotient
// and a product.
TEST(Nf4, ErrorIsAtMostHalfAGap) {
  const auto values = normal_values(6400);
  const Encoded encoded = encode(values);
  const auto decoded = decode(encoded, 0, 6400);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double scale = encoded.absmax[i / 64], q = values[i] / scale;
    const auto upper = std::upper_bound(nf4::kCodes.begin(), nf4::kCodes.end() - 1, q);
    const double gap = upper == nf4::kCodes.begin() ? 0 : static_cast<double>(*upper) - *(upper - 1);
    EXPECT_LE(std::abs(values[i] - decoded[i]), scale * (gap / 2 + 2 * 0x1p-24))
        << i << ": " << values[i] << " is " << decoded[i];
  }
}

// Every code and every threshold, with scale 1: a code is its own, a tie takes the lower code, the next float above it
// the upper one.
TEST(Nf4, TiesGoToTheLowerCode) {
  int exact = 0;
  for (int k = 0; k < 15; ++k) {
    const auto at = [](int i) { return static_cast<double>(nf4::kCodes[static_cast<std::size_t>(i)]); };
    const double middle = (at(k) + at(k + 1)) / 2;
    auto below = static_cast<float>(middle);
    if (below > middle) below = std::nextafterf(below, -2);
    exact += below == middle;
    const Encoded encoded = encode({1.0f, below, std::nextafterf(below, 2), nf4::kCodes[static_cast<std::size_t>(k)]});
    EXPECT_EQ(code_at(encoded, 1), k);
    EXPECT_EQ(code_at(encoded, 2), k + 1);
    EXPECT_EQ(code_at(encoded, 3), k);
  }
  EXPECT_GE(exact, 2);  // those beside 0 are floats
}

TEST(Nf4, ZerosAndOneSidedBlocks) {
  std::vector<float> values(192, 0.0f);
  values[64] = -3;
  values[191] = std::numeric_limits<float>::denorm_min();
  const Encoded encoded = encode(values);
  EXPECT_EQ(encoded.absmax, (std::vector<float>{0, 3, std::numeric_limits<float>::denorm_min()}));
  EXPECT_EQ(decode(encoded, 0, 192), values);
}

TEST(Nf4, AnyRangeDecodesAsThePartOfTheWhole) {
  const Encoded encoded = encode(normal_values(200));
  const auto whole = decode(encoded, 0, 200);
  for (const auto& [begin, end] : {std::pair{0, 0}, {0, 1}, {1, 2}, {63, 65}, {5, 199}, {127, 200}, {199, 200}}) {
    EXPECT_EQ(decode(encoded, begin, end), std::vector<float>(whole.begin() + begin, whole.begin() + end))
        << begin << " " << end;
  }
}

TEST(Nf4, PartsOfWholeBlocksGiveTheSameCodes) {
  const auto values = normal_values(300);
  const Encoded whole = encode(values);
  Encoded parts = whole;
  std::fill(parts.codes.begin(), parts.codes.end(), std::uint8_t{0xee});
  nf4::encode(values.data() + 128, 172, parts.codes.data() + 64, parts.absmax.data() + 2);
  nf4::encode(values.data(), 128, parts.codes.data(), parts.absmax.data());
  EXPECT_EQ(parts.codes, whole.codes);
}

TEST(Nf4, RefusesWhatIsNotFinite) {
  auto values = normal_values(130);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    values[129] = bad;
    EXPECT_NE(error_of([&] { encode(values); }).find("element 129 is"), std::string::npos);
  }
}

}  // namespace
}  // namespace frugal
