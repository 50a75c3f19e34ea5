#include "frugal/formats/adapter/lora_adapter.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "frugal/base/error.h"

namespace frugal {

double lora_scale(double alpha, std::int64_t rank, bool use_rslora) {
  const auto r = static_cast<double>(rank);
  return alpha / (use_rslora ? std::sqrt(r) : r);
}

std::vector<TensorSpec> adaptable_linears(const ModelShape& shape) {
  std::vector<TensorSpec> linears = tensor_specs(shape);
  std::erase_if(linears, [](const TensorSpec& spec) { return spec.is_vector || spec.role == Role::embedding; });
  return linears;
}

void check_adapter(const LoraAdapter& adapter, const ModelShape& shape) {
  const auto fail = [](const std::string& what) {
    return Error(Exit::internal, "adapter: " + what, "report this with the command line");
  };
  std::map<std::string, TensorSpec> linears;
  for (const TensorSpec& spec : adaptable_linears(shape)) linears.emplace(spec.name, spec);
  if (adapter.factors.empty()) throw fail("it has no factors");
  for (const LowRankFactor& factor : adapter.factors) {
    const auto found = linears.find(factor.module + ".weight");
    if (found == linears.end()) throw fail("the model has no linear " + factor.module + ", or it occurs twice");
    const auto size = [](std::int64_t rows, std::int64_t cols) { return static_cast<std::size_t>(rows * cols); };
    if (factor.rank < 1 || factor.out != found->second.rows || factor.in != found->second.cols ||
        factor.a.size() != size(factor.rank, factor.in) || factor.b.size() != size(factor.out, factor.rank)) {
      throw fail(factor.module + " has the wrong size");
    }
    if (factor.magnitude.size() != (adapter.use_dora() ? size(factor.out, 1) : 0))
      throw fail(factor.module + " has " + std::to_string(factor.magnitude.size()) + " magnitudes");
    const double scale = lora_scale(factor.alpha, factor.rank, adapter.use_rslora);
    if (!(factor.alpha > 0) || !(std::abs(factor.scale - scale) <= 1e-9 * scale)) {
      throw fail(factor.module + " has scale " + std::to_string(factor.scale) + ", expected " + std::to_string(scale));
    }
    linears.erase(found);
  }
}

}  // namespace frugal
