// Zeroth-order tuning of all weights or of low-rank pairs: the engine with an objective as its loss.
#pragma once
#include <memory>

#include "frugal/train/objective/objective.h"
#include "frugal/train/tuner.h"
#include "frugal/train/zeroth_order/engine.h"

namespace frugal {

class ZerothOrderTuner : public Tuner {
 public:
  // objective null: no steps are taken, as in a replay. A batch goes through in config.step.accumulation parts, one
  // after the other; the losses are summed before the difference is taken. description: what `what` is, for the
  // trajectory's header; empty: all weights.
  ZerothOrderTuner(std::unique_ptr<Parametrisation> what, Threads& threads, Objective* objective,
                   const LoggedEngine& settings, Json description = Json::object());
  TuningStep step(std::uint64_t step, double lr, std::span<const std::uint32_t> batch) override;
  const WeightView& view() const override { return what_->view(); }
  std::uint64_t trained() const override { return what_->trained(); }
  std::vector<double> likely_rates() const override;
  void restart() override { what_->restart(); }
  std::vector<NamedBytes> state(std::uint64_t) override { return result(); }
  std::vector<NamedBytes> result() override { return what_->state(); }
  void merged_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const override {
    what_->merged_rows(id, begin, end, out);
  }
  std::optional<LoraAdapter> adapter() const override { return what_->adapter(); }
  void replay(std::uint64_t step, double lr, std::span<const float> record) override;
  std::size_t record_size() const override { return static_cast<std::size_t>(engine_.settings().config.samples); }
  Json trajectory_header() const override;

 private:
  std::unique_ptr<Parametrisation> what_;
  ZerothOrderEngine engine_;
  Objective* objective_;
  std::size_t accumulation_;
  Json description_;
};

}  // namespace frugal
