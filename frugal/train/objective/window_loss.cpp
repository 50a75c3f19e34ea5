#include "frugal/train/objective/window_loss.h"

#include "frugal/base/interrupt.h"

namespace frugal {

WindowLoss window_loss(Model& model, const WeightView& view, const std::vector<std::vector<std::int32_t>>& windows,
                       std::int64_t together, std::int64_t rows, const std::function<void(std::size_t done)>& after) {
  WindowLoss loss{std::vector<double>(static_cast<std::size_t>(view.branches()))};
  for (std::size_t begin = 0; begin < windows.size();) {
    throw_if_interrupted();
    PackedBatch batch;
    std::vector<Pass::Query> queries;
    do {
      const auto& window = windows[begin++];
      const std::int64_t first = batch.size();
      batch.append(window);
      for (std::size_t t = 0; t + 1 < window.size(); ++t)
        queries.push_back({first + static_cast<std::int64_t>(t), window[t + 1]});
    } while (begin < windows.size() && static_cast<std::int64_t>(batch.segments.size()) < together &&
             view.branches() * (batch.size() + static_cast<std::int64_t>(windows[begin].size())) <= rows);
    const std::vector<double> found = model.forward(view, batch)->log_probabilities(queries);
    for (std::size_t i = 0; i < found.size(); ++i) loss.sums[i / queries.size()] -= found[i];
    loss.predicted += static_cast<std::int64_t>(queries.size());
    if (after) after(begin);
  }
  return loss;
}

}  // namespace frugal
