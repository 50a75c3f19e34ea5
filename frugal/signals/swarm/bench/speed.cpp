// Acceptance item 9 and what else is fast about the simulator, measured in one run.
//   speed [RUNS] [REPEATS]      one JSON object on stdout
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "frugal/base/json.h"
#include "frugal/base/parallel.h"
#include "frugal/signals/swarm/corpus.h"
#include "frugal/train/run/machine.h"

namespace {
using namespace frugal;
using namespace frugal::swarm;

double seconds(const auto& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

Json quartiles(std::vector<double> all) {
  std::sort(all.begin(), all.end());
  const auto at = [&](double share) {
    return all[static_cast<std::size_t>(share * static_cast<double>(all.size() - 1))];
  };
  return {{"median", at(0.5)}, {"first_quartile", at(0.25)}, {"third_quartile", at(0.75)}, {"runs", all.size()}};
}

// Whole engagements, to the end: nothing is saved by stopping at the shortest.
void simulate_all(std::int64_t runs, int threads) {
  in_parallel(kTactics * runs, threads, [&](std::int64_t k) {
    const Track track = simulate({}, static_cast<Tactic>(k / runs), static_cast<std::uint32_t>(1 + k % runs));
    if (track.steps < 2) std::abort();
  });
}

// The auction of 100 against 100, both ways; false unless they are the same to the bit.
bool auction(std::uint32_t seed, double& fast_seconds, double& slow_seconds) {
  Engagement fast({.attackers = 100, .decoys = 100}, Tactic::auction, seed), slow = fast;
  slow.search_exhaustively();
  fast_seconds = seconds([&] {
    while (!fast.is_over()) fast.step();
  });
  slow_seconds = seconds([&] {
    while (!slow.is_over()) slow.step();
  });
  return fast.steps() == slow.steps() && fast.attackers().px == slow.attackers().px &&
         fast.attackers().py == slow.attackers().py && fast.attackers().vx == slow.attackers().vx;
}

}  // namespace

int main(int count, char** values) {
  const std::int64_t runs = count > 1 ? std::atoll(values[1]) : 1200;
  const int repeats = count > 2 ? std::atoi(values[2]) : 10;
  std::vector<double> one, two, corpus, fast, slow;
  bool is_same = true;
  for (int k = 0; k < repeats; ++k) {
    one.push_back(seconds([&] { simulate_all(runs, 1); }));
    two.push_back(seconds([&] { simulate_all(runs, 2); }));
    corpus.push_back(seconds([&] { simulate_corpus({}, runs, 1, 1); }));
    double fast_seconds = 0, slow_seconds = 0;
    is_same &= auction(static_cast<std::uint32_t>(k + 1), fast_seconds, slow_seconds);
    fast.push_back(fast_seconds), slow.push_back(slow_seconds);
  }
  std::vector<double> scaling, gain;
  for (std::size_t k = 0; k < one.size(); ++k) scaling.push_back(one[k] / two[k]), gain.push_back(slow[k] / fast[k]);
  const Json result = {{"machine", machine_record()},
                       {"engagements", kTactics * runs},
                       {"seconds_one_thread", quartiles(one)},
                       {"seconds_two_threads", quartiles(two)},
                       {"two_threads_gain", quartiles(scaling)},
                       {"seconds_cut_to_the_shortest", quartiles(corpus)},
                       {"auction_100_seconds", quartiles(fast)},
                       {"auction_100_exhaustive_seconds", quartiles(slow)},
                       {"auction_gain", quartiles(gain)},
                       {"auction_same_bits", is_same}};
  std::printf("%s\n", result.dump(1).c_str());
  return is_same ? 0 : 1;
}
