// What first-order methods tell the plan, as far as their shared settings decide it. No LibTorch.
#pragma once
#include <algorithm>
#include <map>
#include <string>

#include "frugal/base/settings.h"
#include "frugal/plan/plan.h"
#include "frugal/train/config/first_order.h"

namespace frugal {

// Error(Exit::usage): an option of the optimiser that is not chosen. A name in the environment is left alone.
inline void refuse_unused_first_order_options(const Settings& settings) {
  const bool is_adamw = settings.at("optimizer").value == "adamw";
  for (const std::string_view name : {"momentum", "adam_beta1", "adam_beta2", "adam_epsilon"}) {
    if (!settings.is_given(name) || settings.at(name).origin.starts_with("FRUGAL_") || (name == "momentum") != is_adamw)
      continue;
    const std::string flag = flag_name(name);
    throw Error(Exit::usage, flag + " is given, but --optimizer is " + (is_adamw ? "adamw" : "sgd"),
                "leave " + flag + " out, or choose --optimizer " + (is_adamw ? "sgd" : "adamw"));
  }
}

inline FirstOrderPlan first_order_plan(const FirstOrderConfig& c, const PlanRequest& request, bool trains_weights) {
  const bool has_master = trains_weights && c.update == "master" && request.weights == WeightType::bf16;
  return {.optimizer_bytes = (c.optimizer == "adamw" ? 8u : 4u) + (has_master ? 4u : 0u),
          .accumulation = c.step.accumulation};
}

// Floats of gradients held at once when numbers_of(spec) of each tensor have one: with one backward a step and no
// clipping, layers take turns.
template <class NumbersOf>
std::uint64_t gradients_held(const FirstOrderConfig& c, const PlanRequest& request, const NumbersOf& numbers_of) {
  std::uint64_t all = 0, outside = 0, most = 0;
  std::map<std::int64_t, std::uint64_t> layers;
  for (const TensorSpec& spec : tensor_specs(request.shape)) {
    const std::uint64_t count = numbers_of(spec);
    all += count;
    if (spec.is_of_layer())
      most = std::max(most, layers[spec.layer] += count);
    else
      outside += count;
  }
  const bool takes_turns =
      c.step.accumulation == 1 && c.max_grad_norm == 0 &&
      tokens_of_step(request) <= static_cast<std::uint64_t>(std::max<std::int64_t>(1024, request.length));
  return takes_turns ? outside + most : all;
}

inline std::uint64_t numbers_in(const TensorSpec& spec) {
  return static_cast<std::uint64_t>(spec.rows) * static_cast<std::uint64_t>(spec.cols);
}

}  // namespace frugal
