// The rates with which a plan's seconds are those that were measured.
#pragma once
#include "frugal/plan/plan.h"

namespace frugal {

// Seconds of a step, and the request a plan would be made from: all tokens are targets.
struct MeasuredSteps {
  PlanRequest many, few;  // one forward each, of many tokens and of few
  double forward_many = 0, forward_few = 0;
  double zeroth_order_few = 0;  // a MeZO step of `few`
};

// Products at their rate and weights at theirs explain both forwards; what the MeZO step takes more is panels and
// update, whose rates keep the proportion that request.rates has. A rate that the times do not show (they do not rise
// with the tokens) stays as it was.
MachineRates fit_rates(const MeasuredSteps& measured);

}  // namespace frugal
