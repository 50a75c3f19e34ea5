#include "frugal/cli/plan_request.h"

#include <algorithm>

#include "frugal/base/processor.h"

namespace frugal {

PlanRequest plan_request(const ModelSource& model, const ComputeConfig& compute, Bytes memory) {
  PlanRequest request;
  request.shape = model.shape();
  request.file_bytes = model.file_bytes();
  for (const auto& tensor : model.tensors()) request.largest_tensor = std::max(request.largest_tensor, tensor.bytes);
  request.weights = compute.weights;
  request.threads = compute.threads > 0 ? compute.threads : usable_cores();
  request.bf16_compute = computes_in_bf16();
  request.memory = memory.count;
  return request;
}

PlanRequest plan_request(const InspectedTask& task, std::size_t longest_prompt, const ComputeConfig& compute,
                         Bytes memory) {
  PlanRequest request = plan_request(task.model(), compute, memory);
  request.whole_head = !task.task().has_single_token_options();
  std::size_t words = 0;  // label words of several tokens all branch from their prompt
  for (const auto& option : task.task().options()) words = request.whole_head ? words + option.size() : 1;
  request.length = static_cast<std::int64_t>(longest_prompt + words);
  return request;
}

std::string with_option(std::string advice, const std::string& length_option) {
  if (const auto at = advice.find("--length"); at != std::string::npos) advice.replace(at, 8, length_option);
  return advice;
}

const PlanRow& require_fit_as(const std::vector<PlanRow>& rows, const PlanRequest& request, const std::string& method,
                              const std::string& length_option) {
  try {
    return require_fit(rows, request, method);
  } catch (const Error& error) {
    throw Error(error.code(), error.what(), with_option(error.fix(), length_option));
  }
}

}  // namespace frugal
