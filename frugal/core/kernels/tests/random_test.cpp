// The random numbers themselves: known answers, moments, symmetry, accuracy.
#include <cmath>

#include "frugal/core/kernels/tests/fixture.h"
#include "frugal/core/kernels/tests/reference.h"

namespace frugal::kernels {
namespace {

TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, 0), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, ~0ull), (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// 512 signs are 16 words bit by bit, so these are the words of the kernels' own Philox, among them the first known
// answer (key 0, block 0, tensor 0, stream 0) and blocks whose number needs both counter words.
TEST(Philox, KernelsDrawTheSameWords) {
  for (const std::uint64_t chunk : {std::uint64_t{0}, std::uint64_t{5}, (std::uint64_t{1} << 29) - 1,
                                    std::uint64_t{1} << 29, std::uint64_t{1} << 40}) {
    for (const auto& [key, tensor] : {std::pair{0ull, 0u}, {0x299f31d0a4093822ull, 0x13198a2eu}, {~0ull, ~0u}}) {
      on_every_isa([&, key = key, tensor = tensor] {
        std::vector<float> z(1024);
        directions({.direction = Direction::sign, .key = key, .tensor = tensor}, chunk * 1024, z.size(), z.data());
        for (std::size_t w = 0; w < 32; ++w) {
          std::uint32_t word = 0;
          for (std::size_t v = 0; v < 32; ++v) word |= std::uint32_t{z[w / 16 * 512 + 16 * v + w % 16] < 0} << (31 - v);
          ASSERT_EQ(word, philox(key, chunk * 8 + w % 16 / 2, tensor, Stream::direction)[w / 16 * 2 + w % 2])
              << "word " << w << " of chunk " << chunk;
        }
      });
    }
  }
}

struct Moments {
  double mean = 0, variance = 0, kurtosis = 0, largest = 0;
};

Moments moments(Direction direction, std::size_t n) {
  std::vector<float> z(std::size_t{1} << 16);
  double s1 = 0, s2 = 0, s4 = 0, largest = 0;
  for (std::size_t done = 0; done < n; done += z.size()) {
    directions({.direction = direction, .key = 20240607, .tensor = 9}, done, z.size(), z.data());
    for (const float x : z) {
      const double square = double{x} * x;
      s1 += x, s2 += square, s4 += square * square, largest = std::max(largest, std::abs(double{x}));
    }
  }
  const auto count = static_cast<double>(n);
  return {s1 / count, s2 / count, s4 / count / (s2 / count * s2 / count), largest};
}

// One standard error at 2^24 values: mean 2.4e-4, variance 3.5e-4, kurtosis 1.2e-3 (Gaussian). Bounds are 3 to 8 of
// them.
TEST(Directions, MomentsOfTheGaussians) {
  for (const Direction direction : {Direction::gaussian, Direction::gaussian16, Direction::gaussian_exact}) {
    const Moments m = moments(direction, std::size_t{1} << 24);
    EXPECT_NEAR(m.mean, 0, 1e-3);
    EXPECT_NEAR(m.variance, 1, 1e-3);
    EXPECT_NEAR(m.kurtosis, 3, 0.01);
    EXPECT_LT(m.largest, direction == Direction::gaussian     ? 73 * 0.03541072
                         : direction == Direction::gaussian16 ? 254 * 0.01691881
                                                              : std::sqrt(48 * std::log(2)) + 1e-5);
  }
}

TEST(Directions, SignsAreBalanced) {
  const Moments m = moments(Direction::sign, std::size_t{1} << 24);
  EXPECT_EQ(m.variance, 1);
  EXPECT_EQ(m.largest, 1);
  EXPECT_NEAR(m.mean, 0, 5 * 0x1p-12);  // 5 standard errors
}

// Over the 256 bytes the sums of the two tables are symmetric; their scale is that of their variance, 797.5.
TEST(Directions, TableIsSymmetricWithTheStatedVariance) {
  std::vector<int> seen(256, 1000);
  std::size_t missing = 256;
  for (std::uint64_t i = 0; missing > 0 && i < 1 << 14; ++i) {
    const std::uint32_t byte =
        reference::word(1, 2, Stream::direction, i / 64 * 16 + i % 16) >> (i % 64 / 16 * 8) & 0xFF;
    float z;
    directions({.direction = Direction::gaussian, .key = 1, .tensor = 2}, i, 1, &z);
    if (seen[byte] == 1000) --missing, seen[byte] = static_cast<int>(std::lround(z / 0.0354107116f));
  }
  ASSERT_EQ(missing, 0u);
  double square = 0;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(seen[byte], -seen[255 - byte]) << byte;
    square += seen[byte] * seen[byte];
  }
  EXPECT_EQ(square / 256, 797.5);
  EXPECT_NEAR(0.0354107116, 1 / std::sqrt(797.5), 5e-11);
}

// Over the 65,536 halves: symmetric, the stated variance, kurtosis and distance from the normal distribution.
TEST(Directions, SixteenBitTablesAreCloseToNormal) {
  std::vector<int> counts(509);
  double square = 0, fourth = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const double s = reference::table16(bits);
    EXPECT_EQ(s, -reference::table16(65535 - bits));
    ++counts[static_cast<std::size_t>(s + 254)];
    square += s * s, fourth += s * s * s * s;
  }
  EXPECT_EQ(square / 65536, 3493.5);
  EXPECT_NEAR(table_deviation(Direction::gaussian16), 1 / std::sqrt(3493.5), 5e-11);
  EXPECT_NEAR(fourth / 65536 / (3493.5 * 3493.5), 3.006, 1e-3);
  double below = 0, worst = 0;  // largest difference of the distribution functions, at the middle of each step
  for (int s = -254; s <= 254; ++s) {
    const double share = counts[static_cast<std::size_t>(s + 254)] / 65536.0;
    const double normal = 0.5 * std::erfc(-s / std::sqrt(2 * 3493.5));
    worst = std::max(worst, std::abs(below + share / 2 - normal));
    below += share;
  }
  EXPECT_LT(worst, 8e-4);
}

// fp32 roundings: r carries about 4 ulp (2^-24 relative each), the trigonometric part about 3 ulp of 1.
TEST(Directions, BoxMullerAgreesWithDouble) {
  constexpr std::size_t n = 1 << 18;
  std::vector<float> z(n);
  directions({.direction = Direction::gaussian_exact, .key = 77, .tensor = 4}, 0, n, z.data());
  double worst = 0;
  for (std::size_t i = 0; i < n; ++i) worst = std::max(worst, std::abs(z[i] - reference::exact(77, 4, i)));
  EXPECT_LT(worst, 6 * 0x1p-24 * 5.77);
  RecordProperty("largest_error_e9", static_cast<int>(worst * 1e9));
}

TEST(Directions, TableScaleHasSixteenBits) {
  for (const Direction direction : {Direction::gaussian, Direction::gaussian16}) {
    for (float eps = 0x1p-14f; eps < 0.1f; eps *= 1.37f) {
      const float scale = table_scale(direction, eps);
      const double exact = static_cast<double>(eps) * table_deviation(direction);
      EXPECT_EQ(std::bit_cast<std::uint32_t>(scale) & 0xFF, 0u);
      EXPECT_NEAR(static_cast<double>(scale), exact, exact * 0x1p-16);
    }
  }
}

}  // namespace
}  // namespace frugal::kernels
