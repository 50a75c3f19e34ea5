#include "frugal/train/objective/window_loss.h"

#include "frugal/base/interrupt.h"

namespace frugal {

WindowLoss window_loss(Model& model, const WeightView& view, std::span<const std::vector<std::int32_t>> windows,
                       std::int64_t together, std::int64_t rows, LayerRange layers,
                       const std::function<void(std::size_t done)>& after) {
  WindowLoss loss{std::vector<double>(static_cast<std::size_t>(view.branches()))};
  for (std::size_t begin = 0; begin < windows.size();) {
    throw_if_interrupted();
    PackedBatch batch;
    std::vector<Pass::Query> queries;
    do {
      const auto& window = windows[begin++];
      const std::int64_t first = batch.size();
      batch.append(window);
      // The last token is asked, too, and not counted: products of whole windows are of whole pieces (see piece_of).
      for (std::size_t t = 0; t < window.size(); ++t)
        queries.push_back({first + static_cast<std::int64_t>(t), window[(t + 1) % window.size()]});
    } while (begin < windows.size() && static_cast<std::int64_t>(batch.segments.size()) < together &&
             view.branches() * (batch.size() + static_cast<std::int64_t>(windows[begin].size())) <= rows);
    const std::vector<double> found = model.forward(view, batch, {}, layers)->log_probabilities(queries);
    if (layers.hidden != nullptr) layers.hidden += batch.size() * model.shape().hidden;
    for (std::size_t b = 0; b < loss.sums.size(); ++b) {
      const double* row = found.data() + b * queries.size();
      for (const Segment& segment : batch.segments) {
        for (std::int64_t t = segment.begin; t + 1 < segment.begin + segment.length; ++t) loss.sums[b] -= row[t];
      }
    }
    loss.predicted += batch.size() - static_cast<std::int64_t>(batch.segments.size());
    if (after) after(begin);
  }
  return loss;
}

}  // namespace frugal
