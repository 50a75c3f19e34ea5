// A plan's request as far as the model, the machine and what every verb has decide it.
#pragma once
#include "frugal/cli/inspect.h"
#include "frugal/cli/verbs/common.h"
#include "frugal/formats/model_source.h"
#include "frugal/plan/plan.h"

namespace frugal {

PlanRequest plan_request(const ModelSource& model, const ComputeConfig& compute, Bytes memory);
// The same for examples of a task whose longest prompt has that many tokens.
PlanRequest plan_request(const InspectedTask& task, std::size_t longest_prompt, const ComputeConfig& compute,
                         Bytes memory);

// A plan's advice with --length named as the verb names it: --max-length.
std::string with_option(std::string advice, const std::string& length_option);
// require_fit, naming --length in its fix as the verb does: --max-length.
const PlanRow& require_fit_as(const std::vector<PlanRow>& rows, const PlanRequest& request, const std::string& method,
                              const std::string& length_option);

}  // namespace frugal
