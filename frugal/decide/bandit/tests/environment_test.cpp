// Rewards against the distributions they are said to have.
#include "frugal/decide/bandit/environment.h"

#include <algorithm>
#include <cmath>

#include "frugal/base/atomic_file.h"
#include "frugal/decide/bandit/problem.h"
#include "frugal/decide/bandit/tests/helpers.h"

namespace frugal::bandit {
namespace {

struct Moments {
  std::vector<double> mean{0, 0, 0}, variance{0, 0, 0};
  double correlation01 = 0, correlation02 = 0;
};

constexpr std::int64_t kRounds = 40'000;

Moments moments_of(const Environment& environment) {
  std::vector<std::vector<double>> all;
  Moments m;
  for (std::int64_t t = 0; t < kRounds; ++t) {
    all.emplace_back(3);
    EXPECT_EQ(environment.draw(t, Items{0, 1, 2}, all.back()), t + 1);
    for (std::size_t i = 0; i < 3; ++i) m.mean[i] += all.back()[i] / kRounds;
  }
  for (const auto& y : all) {
    for (std::size_t i = 0; i < 3; ++i) m.variance[i] += (y[i] - m.mean[i]) * (y[i] - m.mean[i]) / kRounds;
    m.correlation01 += (y[0] - m.mean[0]) * (y[1] - m.mean[1]) / kRounds;
    m.correlation02 += (y[0] - m.mean[0]) * (y[2] - m.mean[2]) / kRounds;
  }
  m.correlation01 /= std::sqrt(m.variance[0] * m.variance[1]);
  m.correlation02 /= std::sqrt(m.variance[0] * m.variance[2]);
  return m;
}

TEST(Environment, GaussianHasTheMeansAndCorrelationsItSays) {
  for (const double rho : {-0.8, 0.0, 0.5}) {
    // Means near 0 and spreads up to a half: much is cut off, and the mean moves with it.
    for (const double low : {0.05, 0.4}) {
      const EnvironmentConfig config{
          .rho = rho, .mean_low = low, .mean_high = 0.5, .sd_low = 0.01, .sd_high = low < 0.1 ? 0.5 : 0.08};
      const auto environment = make_environment(config, 3, 2, 4, nullptr);
      const Moments m = moments_of(*environment);
      for (std::size_t i = 0; i < 3; ++i)
        EXPECT_NEAR(m.mean[i], environment->means()[i], 5 * std::sqrt(m.variance[i] / kRounds)) << rho << " " << i;
      if (low < 0.1) continue;  // nothing is cut off here, and correlations are rho
      EXPECT_NEAR(m.correlation01, rho, 5 / std::sqrt(kRounds));
      EXPECT_NEAR(m.correlation02, std::abs(rho), 5 / std::sqrt(kRounds));
    }
  }
}

TEST(Environment, BernoulliHasTheMeansItSaysAndMovesTogether) {
  for (const double rho : {-0.9, 0.0, 0.9}) {
    const EnvironmentConfig config{.env = "bernoulli", .rho = rho, .mean_low = 0.5, .mean_high = 0.5};
    const auto environment = make_environment(config, 3, 3, 4, nullptr);
    const Moments m = moments_of(*environment);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(environment->means()[i], 1.5);
      EXPECT_NEAR(m.mean[i], 1.5, 5 * 1.5 / std::sqrt(kRounds));
    }
    // Of p = 1/2: both take the common number with probability |rho|, and then are equal, or opposite.
    EXPECT_NEAR(m.correlation01, rho, 5 / std::sqrt(kRounds));
    EXPECT_NEAR(m.correlation02, std::abs(rho), 5 / std::sqrt(kRounds));
  }
}

TEST(Environment, ARewardIsTheSameWhoeverPlaysIt) {
  for (const char* name : {"gaussian", "bernoulli"}) {
    const auto environment = make_environment({.env = name, .rho = 0.3}, 6, 1, 8, nullptr);
    std::vector<double> all(6), two(2);
    environment->draw(41, Items{0, 1, 2, 3, 4, 5}, all);
    environment->draw(41, Items{2, 5}, two);
    EXPECT_EQ(two, (std::vector<double>{all[2], all[5]}));
  }
}

TEST(Replay, GoesThroughTheLogOnceBeforeItComesAgain) {
  const TemporaryFile file("log.csv");
  std::string text = "round,item,reward\n";
  for (int r = 0; r < 20; ++r) {
    for (int i = 0; i < 3; ++i) {
      if (i == 2 && r % 4 != 0) continue;  // item 2 in every fourth round
      text += std::to_string(100 + r) + "," + std::to_string(i) + "," + Json(r / 100.0 + i * 0.25).dump() + "\n";
    }
  }
  write_file(file.path(), text);
  const EnvironmentConfig config{.env = "replay:" + file.path()};
  const auto log = read_log(config, 1);
  EXPECT_EQ(log->items(), 3);
  EXPECT_EQ(log->rounds(), 20u);
  EXPECT_NEAR(log->means()[1], 0.095 + 0.25, 1e-12);
  EXPECT_NEAR(log->means()[2], 0.08 + 0.5, 1e-12);
  const auto environment = make_environment(config, 3, 1, 5, log);
  std::vector<double> seen, y(2);
  std::int64_t position = 0;
  for (int k = 0; k < 20; ++k) {
    position = environment->draw(position, Items{0, 1}, y);
    EXPECT_NEAR(y[1] - y[0], 0.25, 1e-12);  // of one round
    seen.push_back(y[0]);
  }
  EXPECT_EQ(position, 20);
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
  position = 0;
  for (int k = 0; k < 5; ++k) position = environment->draw(position, Items{0, 2}, y);
  EXPECT_LE(position, 20);  // the five rounds that hold both lie in one time through
}

TEST(Replay, RefusesWhatIsNoLog) {
  const TemporaryFile file("bad.csv");
  const auto says = [&](const std::string& text) {
    write_file(file.path(), text);
    const auto [code, what] = error_of([&] { RewardLog::read(file.path()); });
    EXPECT_EQ(code, Exit::input) << text;
    return what.substr(std::min(what.size(), file.path().size()));
  };
  EXPECT_EQ(says("round,item,reward\n"), " has 0 rewards, expected at least 1");
  EXPECT_EQ(says("1,2\n"), " line 1 is '1,2', expected round,item,reward");
  EXPECT_EQ(says("1,2,0.5,7\n"), " line 1 is '1,2,0.5,7', expected round,item,reward");
  EXPECT_EQ(says("1,0,0.5\n1,-1,0.5\n"), " line 2 has item -1, expected 0 to 999999");
  EXPECT_EQ(says("1,0,nan\n"), " line 1 has a reward that is not finite, expected a number");
  EXPECT_EQ(says("1,0,0.5\n2,0,0.5\n1,0,0.25\n"), " line 3 has item 0 in round 1 again, expected once");
  write_file(file.path(), "1,0,0.5\n1,1,1.5\n");
  EXPECT_NE(error_of([&] { read_log({.env = "replay:" + file.path()}, 1); }).second.find("0.5 to 1.5"),
            std::string::npos);
  write_file(file.path(), "1,0,0.5\n2,1,0.5\n");
  const auto environment =
      make_environment({.env = "replay:"}, 2, 1, 1, std::make_shared<RewardLog>(RewardLog::read(file.path())));
  std::vector<double> y(2);
  EXPECT_NE(error_of([&] {
              environment->draw(0, Items{0, 1}, y);
            }).second.find("items 0,1 together"),
            std::string::npos);
}

}  // namespace
}  // namespace frugal::bandit
