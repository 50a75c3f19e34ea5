// Zeroth-order tuning of all weights or of low-rank pairs: the engine with an objective as its loss.
#pragma once
#include <memory>

#include "frugal/nn/decoder.h"
#include "frugal/train/objective/objective.h"
#include "frugal/train/tuner.h"
#include "frugal/train/zeroth_order/engine.h"

namespace frugal {

class ZerothOrderTuner : public Tuner {
 public:
  enum class Loss { cross_entropy, error_rate };
  // accumulation: parts a batch is evaluated in, one after the other; the losses are summed before the difference is
  // taken. description: what `what` is, for the trajectory's header; empty: all weights.
  ZerothOrderTuner(std::unique_ptr<Parametrisation> what, Threads& threads, Objective* objective,
                   ZerothOrderOptions options, Loss loss, std::int64_t accumulation, Json description = Json::object());
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
  std::size_t record_size() const override { return static_cast<std::size_t>(engine_.options().samples); }
  Json trajectory_header() const override;

 private:
  std::unique_ptr<Parametrisation> what_;
  ZerothOrderEngine engine_;
  Objective* objective_;
  Loss loss_;
  std::size_t accumulation_;
  Json description_;
};

// The settings a trajectory header holds, back as options. Error(Exit::input) when one is missing or unknown.
ZerothOrderOptions options_from_header(const Json& header);

kernels::Direction parse_direction(const std::string& name);  // Error(Exit::usage)
kernels::Mask::Rule parse_mask_rule(
    const std::string& name);  // small, large, random, none, file:PATH; Error(Exit::usage)

}  // namespace frugal
