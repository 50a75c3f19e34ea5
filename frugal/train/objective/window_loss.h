// The loss of a model on windows of text, several of which go through one forward.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "frugal/nn/model/model.h"

namespace frugal {

struct WindowLoss {
  std::vector<double> sums;    // of each branch: minus the log-probabilities of every token but a window's first
  std::int64_t predicted = 0;  // how many these are
  double mean(int branch = 0) const { return sums[static_cast<std::size_t>(branch)] / static_cast<double>(predicted); }
};

// Windows go together while they are at most `together` and their rows, of all branches, at most `rows`; a longer one
// goes alone. layers: as a forward over all windows, one behind the other, would have them. after: called behind each
// forward with the windows that are done. Error(Exit::interrupted).
WindowLoss window_loss(Model& model, const WeightView& view, std::span<const std::vector<std::int32_t>> windows,
                       std::int64_t together, std::int64_t rows, LayerRange layers = {},
                       const std::function<void(std::size_t done)>& after = {});

}  // namespace frugal
