// A plan's request as far as the model, the machine and what every verb has decide it.
#pragma once
#include "frugal/cli/verbs/common.h"
#include "frugal/formats/model_source.h"
#include "frugal/plan/plan.h"

namespace frugal {

PlanRequest plan_request(const ModelSource& model, const ComputeConfig& compute, Bytes memory);

}  // namespace frugal
