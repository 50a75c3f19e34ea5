#include "frugal/signals/swarm/corpus.h"

#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/normal.h"
#include "frugal/base/parallel.h"

namespace frugal::swarm {
namespace {

void shuffle(std::vector<std::int64_t>& order, PhiloxSequence random) {
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
}

}  // namespace

Corpus simulate_corpus(const EngagementConfig& config, std::int64_t runs, std::uint32_t first_seed, int threads) {
  const std::int64_t all = kTactics * runs, agents = config.attackers, features = 4 * agents;
  std::vector<std::vector<float>> tracks(static_cast<std::size_t>(all));
  std::atomic<int> shortest = std::numeric_limits<int>::max();
  // Who communicates is done first, as a rule: backwards, the shortest length is known early.
  in_parallel(all, threads, [&](std::int64_t k) {
    throw_if_interrupted();
    const std::int64_t r = all - 1 - k;
    const int most = shortest;
    const Track track =
        simulate(config, static_cast<Tactic>(r / runs), first_seed + static_cast<std::uint32_t>(r % runs), most);
    for (int seen = shortest; track.steps < seen && !shortest.compare_exchange_weak(seen, track.steps);) {
    }
    tracks[static_cast<std::size_t>(r)].assign(track.data.begin(), track.data.end());
  });
  Corpus corpus{.runs = all, .steps = shortest, .agents = agents};
  const auto kept = static_cast<std::size_t>(corpus.steps * features);
  corpus.values.reserve(static_cast<std::size_t>(all) * kept);
  for (std::int64_t r = 0; r < all; ++r) {
    auto& track = tracks[static_cast<std::size_t>(r)];
    corpus.values.insert(corpus.values.end(), track.begin(), track.begin() + static_cast<std::ptrdiff_t>(kept));
    std::vector<float>().swap(track);
    corpus.labels.push_back(static_cast<std::int32_t>(r / runs));
    corpus.names.push_back(static_cast<std::int64_t>(first_seed) + r % runs);
  }
  return corpus;
}

void add_noise(Corpus& corpus, double s, std::uint64_t seed) {
  if (s == 0) return;
  const std::int64_t T = corpus.steps, F = corpus.features();
  const std::uint64_t key = philox_key(seed, 0);
  std::vector<double> noise(static_cast<std::size_t>(T));
  for (std::int64_t r = 0; r < corpus.runs; ++r) {
    float* run = &corpus.values[static_cast<std::size_t>(r * T * F)];
    for (std::int64_t f = 0; f < F; ++f) {
      const double sigma = f < F / 2 ? 40 * s : s;
      const std::uint64_t first = static_cast<std::uint64_t>(f) << 32;
      PhiloxBlock words{};
      double sum = 0;
      for (std::int64_t t = 0; t < T; ++t) {
        if (t % 4 == 0)
          words = philox(key, first + static_cast<std::uint64_t>(t / 4), static_cast<std::uint32_t>(r),
                         named_stream("swarm.noise"));
        sum += noise[static_cast<std::size_t>(t)] = sigma * normal_of(words[static_cast<std::size_t>(t % 4)]);
      }
      const double mean = sum / static_cast<double>(T);
      for (std::int64_t t = 0; t < T; ++t)
        run[t * F + f] += static_cast<float>(noise[static_cast<std::size_t>(t)] - mean);
    }
  }
}

Scaler fit_scaler(const Corpus& corpus, std::span<const std::int64_t> of) {
  const std::int64_t T = corpus.steps, F = corpus.features();
  const double count = static_cast<double>(T) * static_cast<double>(of.size());
  std::vector<double> sums(static_cast<std::size_t>(F), 0), squares = sums;
  const auto each_row = [&](const auto& work) {
    for (const std::int64_t r : of) {
      for (std::int64_t t = 0; t < T; ++t) work(&corpus.values[static_cast<std::size_t>((r * T + t) * F)]);
    }
  };
  each_row([&](const float* row) {
    for (std::size_t f = 0; f < sums.size(); ++f) sums[f] += row[f];
  });
  for (double& sum : sums) sum /= count;
  each_row([&](const float* row) {  // about the mean, so that nothing cancels
    for (std::size_t f = 0; f < sums.size(); ++f) squares[f] += (row[f] - sums[f]) * (row[f] - sums[f]);
  });
  Scaler scaler;
  for (std::size_t f = 0; f < sums.size(); ++f) {
    const auto deviation = static_cast<float>(std::sqrt(squares[f] / count));
    scaler.mean.push_back(static_cast<float>(sums[f]));
    scaler.deviation.push_back(deviation > 0 ? deviation : 1);
  }
  return scaler;
}

void standardise(Corpus& corpus, const Scaler& scaler) {
  const auto F = static_cast<std::size_t>(corpus.features());
  if (scaler.mean.size() != F || scaler.deviation.size() != F)
    throw Error(Exit::internal,
                "a scaler of " + std::to_string(scaler.mean.size()) + " features is used on " + std::to_string(F),
                "fit one on these tracks");
  for (std::size_t at = 0; at < corpus.values.size(); at += F) {
    for (std::size_t f = 0; f < F; ++f)
      corpus.values[at + f] = (corpus.values[at + f] - scaler.mean[f]) / scaler.deviation[f];
  }
}

Split split_corpus(const Corpus& corpus, double test_fraction, double validation_fraction, std::uint64_t seed) {
  const std::int64_t runs = corpus.runs / kTactics;
  const auto tested = static_cast<std::int64_t>(test_fraction * static_cast<double>(runs));
  std::vector<std::int64_t> order(static_cast<std::size_t>(runs));
  std::iota(order.begin(), order.end(), 0);
  shuffle(order, {seed, named_stream("swarm.split")});
  Split split;
  for (std::int64_t tactic = 0; tactic < kTactics; ++tactic) {
    for (std::int64_t k = 0; k < runs; ++k)
      (k < tested ? split.test : split.train).push_back(tactic * runs + order[static_cast<std::size_t>(k)]);
  }
  shuffle(split.train, {seed, named_stream("swarm.validation")});
  const auto held = static_cast<std::ptrdiff_t>(validation_fraction * static_cast<double>(split.train.size()));
  split.validation.assign(split.train.end() - held, split.train.end());
  split.train.resize(split.train.size() - static_cast<std::size_t>(held));
  return split;
}

std::int64_t feature_count(std::int64_t agents, const std::string& features) {
  return (features == "pv" ? 4 : 2) * agents;
}

std::vector<float> windows(const Corpus& corpus, std::int64_t window, const std::string& features) {
  const std::int64_t T = corpus.steps, F = corpus.features(), kept = feature_count(corpus.agents, features);
  const std::int64_t first = features == "v" ? F / 2 : 0;
  std::vector<float> x(static_cast<std::size_t>(corpus.runs * kept * window));
  float* to = x.data();
  for (std::int64_t r = 0; r < corpus.runs; ++r) {
    for (std::int64_t f = first; f < first + kept; ++f) {
      const float* from = &corpus.values[static_cast<std::size_t>(r * T * F + f)];
      for (std::int64_t t = 0; t < window; ++t) *to++ = from[t * F];
    }
  }
  return x;
}

}  // namespace frugal::swarm
