#include "frugal/train/zeroth_order/tuner.h"

#include <algorithm>

namespace frugal {

ZerothOrderTuner::ZerothOrderTuner(std::unique_ptr<Parametrisation> what, Threads& threads, Objective* objective,
                                   const LoggedEngine& settings, Json description)
    : what_(std::move(what)),
      engine_(*what_, threads, settings.config, settings.seed, settings.mask),
      objective_(objective),
      accumulation_(static_cast<std::size_t>(std::max<std::int64_t>(1, settings.config.step.accumulation))),
      description_(std::move(description)) {}

std::vector<double> ZerothOrderTuner::likely_rates() const {
  if (what_->has_pairs()) return {1e-4, 3e-4, 1e-3, 3e-3};
  return {1e-5, 3e-5, 1e-4, 3e-4};
}

TuningStep ZerothOrderTuner::step(std::uint64_t step, double lr, std::span<const std::uint32_t> batch) {
  const std::size_t n = batch.size(), part = (n + accumulation_ - 1) / accumulation_;
  const double terms = objective_->terms(batch);
  const bool counts_errors = engine_.settings().config.objective == "accuracy";
  const auto estimate = engine_.estimate(step, [&](const WeightView& view) {
    double sums[2] = {0, 0};
    for (std::size_t begin = 0; begin < n; begin += part) {
      const auto examples = batch.subspan(begin, std::min(part, n - begin));
      const auto found = counts_errors ? objective_->error_sums(view, examples) : objective_->loss_sums(view, examples);
      for (std::size_t b = 0; b < 2; ++b) sums[b] += found[b];
    }
    return ZerothOrderEngine::BranchLosses{sums[0] / terms, sums[1] / terms};
  });
  if (estimate.finite) engine_.update(step, static_cast<float>(lr), estimate.projected_gradients);
  return {estimate.loss,
          !estimate.finite,
          estimate.projected_gradients,
          {{"projected_gradients", estimate.projected_gradients}}};
}

void ZerothOrderTuner::replay(std::uint64_t step, double lr, std::span<const float> record) {
  engine_.update(step, static_cast<float>(lr), record);
}

Json ZerothOrderTuner::trajectory_header() const {
  Json header = frugal::trajectory_header(engine_.settings());
  header.update(description_);
  return header;
}

}  // namespace frugal
