// Engagements of all tactics, cut to the length of the shortest, as the rows a classifier learns from. No LibTorch.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "frugal/signals/swarm/simulator.h"

namespace frugal::swarm {

// R runs, T steps, N agents, F = 4 N features a step: positions x, positions y, velocities x, velocities y.
struct Corpus {
  std::int64_t runs = 0, steps = 0, agents = 0;
  std::vector<float> values;         // [R, T, F]
  std::vector<std::int32_t> labels;  // [R]: a Tactic; -1: not known
  std::vector<std::int64_t> names;   // [R]: what a run is called; engagements that share a start share it
  std::int64_t features() const { return 4 * agents; }
};

// `runs` engagements of each tactic with the seeds first_seed, first_seed + 1, ..., tactic by tactic, all cut to the
// shortest of them, so that length tells nothing. What is computed does not depend on threads (>= 1). Memory: 4 bytes a
// number kept; engagements stop where the shortest one known so far has ended.
Corpus simulate_corpus(const EngagementConfig& config, std::int64_t runs, std::uint32_t first_seed, int threads);

// Adds sensor noise: standard deviation 40 s for positions and s for velocities, shifted to mean 0 over each run and
// feature. A function of (seed, the run's number r, feature, step) alone.
void add_noise(Corpus& corpus, double s, std::uint64_t seed);

// Mean and standard deviation (population; 1 where it is 0) of each of the F features over the steps of `of`.
struct Scaler {
  std::vector<float> mean, deviation;  // [F]
};
Scaler fit_scaler(const Corpus& corpus, std::span<const std::int64_t> of);
// Error(Exit::internal) when it has another number of features.
void standardise(Corpus& corpus, const Scaler& scaler);

// Which runs are for what. Classes are parted alike: engagements of one start are all tested on or none is.
struct Split {
  std::vector<std::int64_t> train, validation, test;
};
// A corpus of simulate_corpus. The training part is shuffled, its last share is the validation set.
Split split_corpus(const Corpus& corpus, double test_fraction, double validation_fraction, std::uint64_t seed);

// The first W steps of the features chosen ("pv", "p", "v") as [R, F', W]: features before steps, which convolutions
// read.
std::vector<float> windows(const Corpus& corpus, std::int64_t window, const std::string& features);
std::int64_t feature_count(std::int64_t agents, const std::string& features);

}  // namespace frugal::swarm
