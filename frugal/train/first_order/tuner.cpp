#include "frugal/train/first_order/tuner.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "frugal/core/kernels/optimizers.h"

namespace frugal {

FirstOrderTuner::FirstOrderTuner(std::unique_ptr<Parametrisation> what, Threads& threads, Objective* objective,
                                 const FirstOrderConfig& config, FirstOrderRun run,
                                 std::optional<BlockSchedule> schedule)
    : what_(std::move(what)),
      threads_(threads),
      objective_(objective),
      config_(config),
      run_(std::move(run)),
      schedule_(std::move(schedule)) {
  if (run_.keeps_residuals) residuals_ = std::make_unique<Residuals>(*what_, threads_);
}

void FirstOrderTuner::retire(std::unique_ptr<Optimizer>& optimizer) {
  for (std::size_t i = 0; residuals_ && optimizer && i < what_->parameters().size(); ++i) {
    if (const float* master = optimizer->master(i)) residuals_->keep(i, master);
  }
  optimizer.reset();
}

std::unique_ptr<Optimizer> FirstOrderTuner::fresh(const std::vector<std::size_t>& members) {
  auto optimizer = std::make_unique<Optimizer>(*what_, members, threads_, config_, run_.seed);
  for (const std::size_t i : members) {
    if (float* master = residuals_ ? optimizer->master(i) : nullptr) residuals_->add_to(i, master);
  }
  return optimizer;
}

// The block's parameters become the trained ones; state and gradients of the one before are dropped first.
void FirstOrderTuner::activate(std::uint64_t turn, std::size_t block) {
  retire(optimizer_);
  buffers_.reset();
  turn_ = turn;
  what_->begin_turn(turn);
  if (schedule_) {
    active_ = schedule_->blocks[block];
  } else {
    active_.resize(what_->parameters().size());
    std::iota(active_.begin(), active_.end(), std::size_t{0});
  }
  optimizer_ = fresh(active_);
  if (schedule_ && !schedule_->always.empty()) {
    if (schedule_->resets_always) retire(always_);
    if (!always_) always_ = fresh(schedule_->always);
    active_.insert(active_.end(), schedule_->always.begin(), schedule_->always.end());
    std::sort(active_.begin(), active_.end());
  }
}

void FirstOrderTuner::activate_for(std::uint64_t step) {
  const std::uint64_t turn = schedule_ ? schedule_->turn(step) : 0;
  if (turn_ != turn) activate(turn, schedule_ ? schedule_->active(step) : 0);
}

GradientBuffers& FirstOrderTuner::gradients(bool by_layer) {
  if (!buffers_ || buffers_by_layer_ != by_layer) {
    buffers_.reset();
    buffers_ = std::make_unique<GradientBuffers>(what_->parameters(), active_, what_->view().store().size(),
                                                 static_cast<std::int64_t>(what_->view().store().shape().layers.size()),
                                                 by_layer);
    buffers_by_layer_ = by_layer;
  }
  return *buffers_;
}

void FirstOrderTuner::restart() {
  what_->restart();
  turn_.reset();
  optimizer_.reset();
  always_.reset();
  buffers_.reset();
  if (residuals_) residuals_->clear();
}

double FirstOrderTuner::squared_norm(const GradientBuffers& gradients, std::span<const std::size_t> parameters) const {
  constexpr std::int64_t kTile = 1 << 16;
  struct Item {
    std::size_t parameter;
    std::int64_t begin, end;
  };
  std::vector<Item> items;
  for (const std::size_t i : parameters) {
    const std::int64_t count = what_->parameters()[i].count;
    for (std::int64_t at = 0; at < count; at += kTile) items.push_back({i, at, std::min(count, at + kTile)});
  }
  std::vector<double> sums(items.size());
  threads_.run(static_cast<std::int64_t>(items.size()), [&](std::int64_t item, int) {
    const auto& [parameter, begin, end] = items[static_cast<std::size_t>(item)];
    const float* g = gradients.sum(parameter);
    std::vector<float> gathered;
    if (const auto& window = what_->parameters()[parameter].window) {
      gathered.resize(static_cast<std::size_t>(end - begin));
      window->gather(g, begin, end, gathered.data());
      g = gathered.data();
    } else {
      g += begin;
    }
    sums[static_cast<std::size_t>(item)] = kernels::sum_of_squares(g, static_cast<std::size_t>(end - begin));
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

// Gradients of the batch's mean loss, part by part, and one update of every active parameter by them, scaled down to
// max_grad_norm where they are longer. A step whose loss or gradient is not finite is skipped; layers that have stepped
// before it was seen have.
TuningStep FirstOrderTuner::step(std::uint64_t step, double lr, std::span<const std::uint32_t> batch) {
  activate_for(step);
  const std::size_t n = batch.size(),
                    parts = static_cast<std::size_t>(std::max<std::int64_t>(1, config_.step.accumulation)),
                    size = (n + parts - 1) / parts;
  // A single backward without clipping: each layer steps as soon as its gradients are in, and no gradient of the whole
  // model exists.
  const bool by_layer = config_.max_grad_norm == 0 && size == n && objective_->forwards(batch) == 1;
  GradientBuffers& sums = gradients(by_layer);
  sums.zero();
  double norm = 0;
  bool is_finite = true, has_begun = false;
  const auto update = [&](std::span<const std::size_t> parameters, float scale) {
    if (!std::exchange(has_begun, true)) {
      optimizer_->begin_step(step, lr);
      if (always_) always_->begin_step(step, lr);
    }
    for (const std::size_t i : parameters) (optimizer_->has(i) ? *optimizer_ : *always_).update(i, sums.sum(i), scale);
  };
  sums.on_layer = [&](std::size_t layer) {
    std::vector<std::size_t> own;
    for (const std::size_t i : active_) {
      if (what_->parameters()[i].layer == static_cast<std::int64_t>(layer)) own.push_back(i);
    }
    const double squares = squared_norm(sums, own);
    norm += squares;
    is_finite = is_finite && std::isfinite(squares);
    if (is_finite) update(own, 1);
  };
  const WeightView& view = what_->training_view(step);
  const double terms = objective_->terms(batch);
  double loss = 0;
  for (std::size_t begin = 0; begin < n && std::isfinite(loss); begin += size) {
    const auto examples = batch.subspan(begin, std::min(size, n - begin));
    loss += objective_->loss_and_gradients(view, examples, 1 / terms, run_.keeps_activations, sums) / terms;
  }
  if (std::isfinite(loss)) {
    std::vector<std::size_t> left;
    for (const std::size_t i : active_) {
      if (!sums.takes_turns(i)) left.push_back(i);
    }
    norm += squared_norm(sums, left);
    const double length = std::sqrt(norm);
    is_finite = is_finite && std::isfinite(norm);
    if (is_finite)
      update(left, static_cast<float>(config_.max_grad_norm > 0 && length > config_.max_grad_norm
                                          ? config_.max_grad_norm / length
                                          : 1));
  }
  TuningStep result{loss, !is_finite || !std::isfinite(loss), {}, {{"gradient_norm", std::sqrt(norm)}}};
  if (schedule_) result.details["active_block"] = schedule_->names[schedule_->active(step)];
  return result;
}

// The optimiser's state is that of the block of the last step taken: the next step may begin another.
std::vector<NamedBytes> FirstOrderTuner::state(std::uint64_t steps) {
  activate_for(steps > 0 ? steps - 1 : 0);
  std::vector<NamedBytes> all = what_->state();
  all.push_back({"optimizer", optimizer_->state()});
  if (always_) all.push_back({"optimizer.always", always_->state()});
  if (residuals_) {
    for (const NamedBytes& part : residuals_->state()) all.push_back(part);
  }
  return all;
}

}  // namespace frugal
