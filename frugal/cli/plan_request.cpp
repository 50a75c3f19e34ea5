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

}  // namespace frugal
