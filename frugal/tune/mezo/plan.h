// What zeroth-order methods share in a plan. No LibTorch.
#pragma once
#include "frugal/plan/plan.h"
#include "frugal/tune/mezo/config.h"

namespace frugal {

// Accumulation evaluates a batch in parts, one after the other.
inline PlanRequest in_parts(PlanRequest request, const MezoConfig& config) {
  request.batch = (request.batch + config.accumulation - 1) / config.accumulation;
  return request;
}

}  // namespace frugal
