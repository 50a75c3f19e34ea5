// What zeroth-order methods share in a plan. No LibTorch.
#pragma once
#include "frugal/plan/plan.h"
#include "frugal/train/config/zeroth_order.h"
#include "frugal/tune/low_rank_plan.h"

namespace frugal {

// Accumulation evaluates a batch in parts, one after the other.
inline PlanRequest in_parts(PlanRequest request, const ZerothOrderConfig& config) {
  request.batch = (request.batch + config.step.accumulation - 1) / config.step.accumulation;
  return request;
}

// Numbers in pairs that are trained instead of the weights; 0: the weights are.
inline std::uint64_t pairs_of(const PlanRequest& request, const ZerothOrderConfig& config) {
  return config.trained.is_lora() ? PairSizes(request.shape, config.trained.low_rank).all() : 0;
}

}  // namespace frugal
