#include "frugal/signals/swarm/torch/data.h"

#include "frugal/base/log.h"

namespace frugal::swarm {

torch::Tensor indices(const std::vector<std::int64_t>& of) { return torch::tensor(of, torch::kLong); }

torch::Tensor windows_of(Corpus corpus, const Scaler& scaler, std::int64_t window, const std::string& features) {
  standardise(corpus, scaler);
  std::vector<float> values = windows(corpus, window, features);
  return torch::from_blob(values.data(), {corpus.runs, feature_count(corpus.agents, features), window}).clone();
}

Data make_data(const TrainConfig& c, std::uint64_t seed, int threads) {
  Corpus corpus = simulate_corpus(c.engagement.engagement(), c.runs, 1, threads);
  Data data{.steps = corpus.steps, .window = std::min(c.window, corpus.steps)};
  if (data.window < c.window) {
    note("the window is " + std::to_string(data.window) + " steps, not " + std::to_string(c.window) +
         ": the shortest engagement has no more");
  }
  add_noise(corpus, c.noise, seed);
  data.split = split_corpus(corpus, c.test_fraction, c.validation_fraction, seed);
  std::vector<std::int64_t> fitted = data.split.train;
  fitted.insert(fitted.end(), data.split.validation.begin(), data.split.validation.end());
  data.scaler = fit_scaler(corpus, fitted);
  data.labels = torch::tensor(corpus.labels, torch::kInt).to(torch::kLong);
  data.x = windows_of(std::move(corpus), data.scaler, data.window, c.features);
  return data;
}

}  // namespace frugal::swarm
