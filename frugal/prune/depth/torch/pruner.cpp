#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>

#include "frugal/prune/depth/config.h"
#include "frugal/prune/torch/pruner.h"

namespace frugal {
namespace {

// Block influence of each layer: 1 - the mean cosine of its input and its output (ShortGPT, arXiv:2403.03853, eq. 1).
class BlockInfluence : public UnitObserver {
 public:
  explicit BlockInfluence(const ModelShape& shape) : C_(shape.hidden), cosines_(shape.layers.size()) {}
  void hidden(std::size_t layer, std::int64_t begin, std::int64_t count, const float* h) override {
    const std::lock_guard lock(mutex_);
    std::vector<float>& to = layer % 2 == 0 ? even_ : odd_;
    const auto end = static_cast<std::size_t>((begin + count) * C_);
    if (to.size() < end) to.resize(end);
    std::copy_n(h, count * C_, to.begin() + begin * C_);
    if (layer == 0) return;
    const std::vector<float>& before = layer % 2 == 0 ? odd_ : even_;
    for (std::int64_t row = begin; row < begin + count; ++row) {
      double dot = 0, a = 0, b = 0;
      for (std::int64_t j = row * C_; j < (row + 1) * C_; ++j) {
        const double x = before[static_cast<std::size_t>(j)], y = to[static_cast<std::size_t>(j)];
        dot += x * y, a += x * x, b += y * y;
      }
      rows_.push_back({layer - 1, row, dot / std::max(1e-30, std::sqrt(a * b))});
    }
  }
  void end_forward() {
    std::sort(rows_.begin(), rows_.end(),
              [](const Row& x, const Row& y) { return std::tie(x.layer, x.row) < std::tie(y.layer, y.row); });
    for (const Row& row : rows_) cosines_[row.layer] += row.cosine;
    tokens_ += static_cast<double>(rows_.size()) / static_cast<double>(cosines_.size());
    rows_.clear();
  }
  double of(std::size_t layer) const { return 1 - cosines_[layer] / tokens_; }

 private:
  struct Row {
    std::size_t layer;
    std::int64_t row;
    double cosine;
  };
  std::int64_t C_;
  std::mutex mutex_;
  std::vector<float> even_, odd_;
  std::vector<Row> rows_;
  std::vector<double> cosines_;
  double tokens_ = 0;
};

// Layers with the least influence, as many as the budget holds; the last one stays.
std::vector<Unit> layers_that_go(const ModelShape& shape, const std::vector<std::size_t>& order, std::int64_t budget) {
  const std::vector<Unit> units = units_of(shape);
  std::vector<Unit> gone;
  for (const std::size_t layer : order) {
    std::vector<Unit> own;
    std::int64_t cost = 0;
    for (const Unit& unit : units) {
      if (unit.layer == static_cast<std::int32_t>(layer)) own.push_back(unit), cost += unit.cost;
    }
    if (cost > budget || gone.size() + own.size() == units.size()) continue;
    budget -= cost;
    gone.insert(gone.end(), own.begin(), own.end());
  }
  return gone;
}

std::unique_ptr<Pruner> make(const DepthConfig&, PruneContext context) {
  return one_shot(std::move(context), [](PruneModel& model, const Windows& windows) -> UnitChoice {
    BlockInfluence influence(model.shape());
    for (const auto& window : windows) {
      model.watch({window}, influence);
      influence.end_forward();
    }
    std::vector<std::size_t> order(model.shape().layers.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return influence.of(a) < influence.of(b); });
    return [order = std::move(order), shape = model.shape()](std::int64_t budget) {
      return layers_that_go(shape, order, budget);
    };
  });
}

}  // namespace

void register_pruner_prune_depth(PrunerRegistry& registry) { registry.add<DepthConfig>("depth", make); }

}  // namespace frugal
