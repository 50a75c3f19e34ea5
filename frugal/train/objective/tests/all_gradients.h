// The gradient of every weight of a model.
#pragma once
#include <vector>

#include "frugal/nn/model/gradients.h"
#include "frugal/nn/model/weight_store.h"

namespace frugal {

class AllGradients : public Gradients {
 public:
  explicit AllGradients(const WeightStore& store) : store_(store), sums(store.size()) {
    for (std::size_t id = 0; id < store.size(); ++id) sums[id].resize(static_cast<std::size_t>(store.elements(id)));
  }
  std::int64_t lowest_layer() const override { return -1; }
  GradientSum of(std::size_t id) override { return {sums[id].data(), {}}; }

 private:
  const WeightStore& store_;

 public:
  std::vector<std::vector<float>> sums;
};

}  // namespace frugal
