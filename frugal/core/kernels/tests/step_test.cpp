// perturb and update: the same bits as the plain implementation, on every instruction set, however the tensor is cut.
#include <cmath>

#include "frugal/base/error.h"
#include "frugal/core/kernels/tests/fixture.h"
#include "frugal/core/kernels/tests/reference.h"

namespace frugal::kernels {
namespace {

constexpr std::size_t kMost = 576 * 7, kLongestFirst = 70000;
constexpr std::uint64_t kFirsts[] = {0, 1, 576, 1000, 1023, 1024, 33 * 576, 65536 + 5};
constexpr std::size_t kLengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 576, 1023, 1024, 1025, kMost};
constexpr Direction kDirections[] = {Direction::sign, Direction::gaussian, Direction::gaussian16,
                                     Direction::gaussian_exact};

std::vector<Mask> masks() {
  static const std::vector<std::uint8_t> bits = [] {
    std::vector<std::uint8_t> b(kLongestFirst / 8 + kMost);
    PhiloxSequence random(3, Stream::initial);
    for (auto& byte : b) byte = static_cast<std::uint8_t>(random.next());
    return b;
  }();
  return {{},
          {.rule = Mask::Rule::small, .threshold = 0x1.4p-7f},
          {.rule = Mask::Rule::large, .threshold = 0x1.4p-7f},
          {.rule = Mask::Rule::random, .density = 0.3, .key = 99},
          {.rule = Mask::Rule::file, .bits = bits.data()}};
}

std::string describe(Direction d, const Mask& m, std::uint64_t first, std::size_t n) {
  return "direction " + std::to_string(static_cast<int>(d)) + ", mask " + std::to_string(static_cast<int>(m.rule)) +
         ", first " + std::to_string(first) + ", n " + std::to_string(n);
}

template <class W, class Out>
void check_perturb() {
  const std::vector<W> weights = sample_weights<W>(kMost + 1);
  const W* w = weights.data() + 1;  // off any vector boundary
  for (const Direction direction : kDirections) {
    for (const Mask& mask : masks()) {
      for (const std::uint64_t first : kFirsts) {
        const Noise noise{.direction = direction, .key = 0x1234567890ABCDEF, .tensor = 5, .eps = 1e-3f};
        std::vector<Out> plus(kMost), minus(kMost), got(kMost + 3), got_minus(kMost + 3);
        reference::perturb(w, plus.data(), minus.data(), first, kMost, noise, mask);
        on_every_isa([&] {
          for (const std::size_t n : kLengths) {
            std::memset(got.data(), 0x55, got.size() * sizeof(Out));
            perturb(w, got.data() + 1, got_minus.data() + 1, first, n, noise, mask);
            ASSERT_EQ(first_difference(plus.data(), got.data() + 1, n), n) << describe(direction, mask, first, n);
            ASSERT_EQ(first_difference(minus.data(), got_minus.data() + 1, n), n)
                << describe(direction, mask, first, n);
            Out guard;
            std::memset(&guard, 0x55, sizeof(guard));
            ASSERT_TRUE(same_bits(&guard, got.data(), 1) && same_bits(&guard, got.data() + 1 + n, 1))
                << "wrote outside the range";
          }
          for (std::size_t done = 0, piece = 1; done < kMost;
               done += piece, piece = std::min(piece * 3 + 1, kMost - done)) {
            perturb(w + done, got.data() + done, static_cast<Out*>(nullptr), first + done,
                    std::min(piece, kMost - done), noise, mask);
          }
          ASSERT_EQ(first_difference(plus.data(), got.data(), kMost), kMost)
              << "in pieces; " << describe(direction, mask, first, kMost);
        });
      }
    }
  }
}

TEST(Perturb, Bf16ToBf16) { check_perturb<Bf16, Bf16>(); }
TEST(Perturb, Bf16ToFloat) { check_perturb<Bf16, float>(); }
TEST(Perturb, FloatToFloat) { check_perturb<float, float>(); }
TEST(Perturb, FloatToBf16) { check_perturb<float, Bf16>(); }

template <class W>
void check_update(bool evaluated, bool stochastic) {
  const std::vector<W> weights = sample_weights<W>(kMost + 1);
  const Sample samples[] = {{11, 3e-4f}, {12, -2e-3f}, {13, 1e-5f}};
  for (const Direction direction : kDirections) {
    for (const Mask& mask : masks()) {
      for (const std::uint64_t first : {kFirsts[0], kFirsts[2], kFirsts[4], kFirsts[7]}) {
        for (const std::size_t count : {0, 1, 3}) {
          const Update u{.direction = direction,
                         .tensor = 8,
                         .eps = 1e-3f,
                         .decay = count == 1 ? 0.0f : 1e-3f,
                         .evaluated = evaluated,
                         .stochastic = stochastic,
                         .rounding_key = 17,
                         .samples = {samples, count}};
          std::vector<W> want(weights.begin() + 1, weights.end());
          reference::update(want.data(), first, kMost, u, mask);
          on_every_isa([&] {
            for (const std::size_t n : kLengths) {
              std::vector<W> got = weights;
              update(got.data() + 1, first, n, u, mask);
              ASSERT_EQ(first_difference(want.data(), got.data() + 1, n), n) << describe(direction, mask, first, n);
              ASSERT_TRUE(same_bits(weights.data() + 1 + n, got.data() + 1 + n, kMost - n)) << "wrote past the range";
            }
            std::vector<W> got = weights;
            for (std::size_t done = 0; done < kMost; done += 576)
              update(got.data() + 1 + done, first + done, 576, u, mask);
            ASSERT_EQ(first_difference(want.data(), got.data() + 1, kMost), kMost) << "in pieces";
          });
        }
      }
    }
  }
}

TEST(Update, Bf16EvaluatedStochastic) { check_update<Bf16>(true, true); }
TEST(Update, Bf16PlainNearest) { check_update<Bf16>(false, false); }
TEST(Update, FloatEvaluated) { check_update<float>(true, true); }
TEST(Update, FloatPlain) { check_update<float>(false, true); }

TEST(Update, FrozenWeightsKeepTheirBits) {
  std::vector<Bf16> w = sample_weights<Bf16>(5000);
  w[7].bits = 0x8000, w[8].bits = 0x7FC1, w[9].bits = 0xFF80;  // -0, a NaN with a payload, -infinity
  const std::vector<Bf16> before = w;
  const Sample sample{5, 1.0f};
  const Update u{.tensor = 1, .decay = 0.5f, .samples = {&sample, 1}};
  for (const Mask& mask :
       {Mask{.rule = Mask::Rule::small, .threshold = -1}, Mask{.rule = Mask::Rule::random, .density = 0},
        Mask{.rule = Mask::Rule::large, .threshold = std::bit_cast<float>(0x7FFFFFFF)}}) {
    update(w.data(), 100, w.size(), u, mask);
    EXPECT_TRUE(same_bits(w.data(), before.data(), w.size()));
  }
}

// 1e5 updates of 1e-5 walk from 0.1 to 1.1 only if the rounding is unbiased: bf16 steps near 0.1 are 4.9e-4, 49 times
// the update. Averaged over 256 weights one standard error of the walk is sqrt(1e5 * 1e-5 * ulp / 256) <= 0.006 at ulp
// = 2^-7.
TEST(Update, StochasticRoundingIsUnbiasedAndNearestStandsStill) {
  constexpr std::size_t n = 256, steps = 100000;
  std::vector<Bf16> w(n, Bf16{0x3DCD}), still = w;  // 0.1
  const std::vector<Bf16> start = w;
  // sign: one sample with coefficient -1e-5 on weights whose direction is +1, checked as progress along the direction
  std::vector<float> z(n);
  directions({.direction = Direction::sign, .key = 4, .tensor = 2}, 0, n, z.data());
  const Sample sample{4, -1e-5f};
  Update u{.direction = Direction::sign, .tensor = 2, .evaluated = false, .samples = {&sample, 1}};
  std::vector<std::uint8_t> forward(n / 8);
  for (std::size_t i = 0; i < n; ++i)
    forward[i / 8] = static_cast<std::uint8_t>(forward[i / 8] | (z[i] > 0) << (i % 8));
  const Mask mask{.rule = Mask::Rule::file, .bits = forward.data()};
  for (std::size_t step = 0; step < steps; ++step) {
    u.rounding_key = philox_key(1, step);
    update(w.data(), 0, n, u, mask);
  }
  double moved = 0, count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (z[i] > 0) moved += reference::value(w[i]) - reference::value(start[i]), count += 1;
  }
  EXPECT_NEAR(moved / count / (steps * 1e-5), 1, 0.02);
  u.stochastic = false;
  for (int step = 0; step < 100; ++step) update(still.data(), 0, n, u, mask);
  EXPECT_TRUE(same_bits(still.data(), start.data(), n));
}

// eps z is representable next to w for signs with eps = 2^-10 and 2^-9 <= |w| < 2^-2 away from binade edges: d == z
// exactly.
TEST(Update, EvaluatedDirectionEqualsZWhereTheGridAllows) {
  constexpr std::size_t n = 4096;
  std::vector<float> z(n);
  directions({.direction = Direction::sign, .key = 4, .tensor = 2}, 0, n, z.data());
  std::vector<Bf16> a(n, Bf16{0x3E13}), b = a;  // 0.1435546875
  const Sample sample{4, 0.01f};
  Update u{.direction = Direction::sign, .tensor = 2, .rounding_key = 3, .samples = {&sample, 1}};
  update(a.data(), 0, n, u, {});
  u.evaluated = false;
  update(b.data(), 0, n, u, {});
  EXPECT_TRUE(same_bits(a.data(), b.data(), n));
}

TEST(Isa, ForcedByNameInAnyCaseAndRefusedIfUnknown) {
  for (const std::string& name : isa_available()) {
    force_isa(name);
    EXPECT_EQ(isa(), name);
  }
  force_isa("");
  EXPECT_EQ(isa(), isa_available().front());
  EXPECT_THROW(force_isa("mmx"), Error);
}

}  // namespace
}  // namespace frugal::kernels
