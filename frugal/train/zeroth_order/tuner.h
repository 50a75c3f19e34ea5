// Zeroth-order tuning of label words: the engine with the classification objective as its loss.
#pragma once
#include "frugal/train/objective/label_objective.h"
#include "frugal/train/tuner.h"
#include "frugal/train/zeroth_order/engine.h"

namespace frugal {

class ZerothOrderTuner : public Tuner {
 public:
  enum class Objective { cross_entropy, error_rate };
  // accumulation: parts a batch is evaluated in, one after the other; the losses are summed before the difference is taken.
  ZerothOrderTuner(WeightStore& store, Decoder& decoder, const PromptTask& task, ZerothOrderOptions options, Objective objective,
                   std::int64_t accumulation);
  StepResult step(std::uint64_t step, double lr, std::span<const Example* const> batch) override;
  void replay(std::uint64_t step, double lr, std::span<const float> record) override;
  std::size_t record_size() const override { return static_cast<std::size_t>(engine_.options().samples); }
  Json trajectory_header() const override;

 private:
  ZerothOrderEngine engine_;
  LabelObjective loss_;
  Objective objective_;
  std::int64_t accumulation_;
};

// The settings a trajectory header holds, back as options. Error(Exit::input) when one is missing or unknown.
ZerothOrderOptions options_from_header(const Json& header);

kernels::Direction parse_direction(const std::string& name);  // Error(Exit::usage)
kernels::Mask::Rule parse_mask_rule(const std::string& name);  // small, large, random, none, file:PATH; Error(Exit::usage)

}  // namespace frugal
