// A golden model with sequences, and gradients of all of it, for the tests of the backward.
#pragma once
#include <cmath>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/nn/model/decoder.h"

namespace frugal::backward_tests {

// Gradients of every tensor, of everything down to `lowest`.
class AllGradients : public Gradients {
 public:
  explicit AllGradients(const WeightStore& store, std::int64_t lowest = -1) : lowest_(lowest), sums_(store.size()) {
    for (std::size_t id = 0; id < store.size(); ++id) sums_[id].resize(static_cast<std::size_t>(store.elements(id)));
  }
  std::int64_t lowest_layer() const override { return lowest_; }
  GradientSum of(std::size_t id) override { return {sums_[id].data()}; }
  void layer_done(std::size_t layer) override { done.push_back(layer); }
  const std::vector<float>& operator[](std::size_t id) const { return sums_[id]; }
  std::vector<std::size_t> done;

 private:
  std::int64_t lowest_;
  std::vector<std::vector<float>> sums_;
};

struct SmallDecoder {
  explicit SmallDecoder(const std::string& name, int threads = 2, Compute compute = Compute::f32,
                        WeightType type = WeightType::f32)
      : team(threads, single_threaded_torch),
        folder(std::string(FRUGAL_SOURCE_DIR) + "/frugal/nn/tests/golden/" + name),
        source(ModelSource::open(folder)),
        store(source, type, team),
        view(store),
        decoder(store.shape(), team, compute) {
    std::ifstream in(folder + "/logits.json");
    sequences = Json::parse(in)["sequences"].get<std::vector<std::vector<std::int32_t>>>();
  }
  // So long that its attention is cut by heads.
  std::vector<std::int32_t> long_sequence() const {
    std::vector<std::int32_t> all = sequences[3];
    while (all.size() < 300) all.push_back((all[all.size() - 7] * 5 + 3) % 60);
    return all;
  }
  // Mean cross-entropy of every next token of `batch`, and its gradients.
  double loss_and_gradients(const WeightView& of, const PackedBatch& batch, bool keeps, Gradients& gradients) {
    std::vector<Pass::Query> queries;
    for (const Segment& s : batch.segments) {
      for (std::int64_t t = 0; t + 1 < s.length; ++t)
        queries.push_back({s.begin + t, batch.tokens[static_cast<std::size_t>(s.begin + t) + 1]});
      if (s.parent >= 0) {
        const Segment& p = batch.segments[static_cast<std::size_t>(s.parent)];
        queries.push_back({p.begin + p.length - 1, batch.tokens[static_cast<std::size_t>(s.begin)]});
      }
    }
    const std::vector<double> weights(queries.size(), 1.0 / static_cast<double>(queries.size()));
    const auto pass = decoder.record(of, batch, {gradients.lowest_layer(), keeps});
    double loss = 0;
    for (const double value : pass->log_probabilities(queries)) loss -= value / static_cast<double>(queries.size());
    pass->backward_log_probabilities(queries, weights, gradients);
    pass->backward(gradients);
    return loss;
  }

  Threads team;
  std::string folder;
  std::shared_ptr<const ModelSource> source;
  WeightStore store;
  BaseView view;
  Decoder decoder;
  std::vector<std::vector<std::int32_t>> sequences;
};

inline double norm(const std::vector<float>& g) {
  double sum = 0;
  for (const float x : g) sum += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(sum);
}
inline double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
  return std::sqrt(sum);
}

}  // namespace frugal::backward_tests
