// tune --method auto: of the methods that fit the memory, the one that learns most by the measurements of
// docs/choosing.md.
#pragma once
#include <string>
#include <string_view>

#include "frugal/plan/plan.h"

namespace frugal {

inline constexpr std::string_view kAuto = "auto";

struct AutoMethod {
  std::string method;
  WeightType weights = WeightType::bf16;
  std::string reason;  // "lora with --weights bf16 needs 531 MiB of 600 MiB; before it full needs 1.77 GiB"
};

// By preference, of those that minimise `objective`, each with request.weights and then, unless those are fixed, with
// the weights as stored. Where request.memory is 0 the limit is what the machine has available, and request.memory
// becomes that. Error(Exit::budget): none fits; the cheapest is named with what it needs.
AutoMethod choose_method(PlanRequest& request, bool has_fixed_weights, const std::string& objective);

// Of `all` that minimise `objective` the one that needs the least memory, with its weights as above and, where the
// budget needs it, streamed; what to type for it, and what it needs.
struct CheapestMethod {
  std::string options;  // "--method lora --weights stored"
  std::uint64_t bytes = 0;
};
CheapestMethod cheapest_method(const std::vector<Planner>& all, const PlanRequest& request, bool has_fixed_weights,
                               const std::string& objective);

}  // namespace frugal
