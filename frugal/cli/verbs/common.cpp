#include "frugal/cli/verbs/common.h"

#include "frugal/cli/validate.h"

namespace frugal {

void validate(const ComputeConfig& config) {
  require_between("--threads", static_cast<double>(config.threads), 0, 1024);
}

void validate(const SamplingConfig& config) {
  require_at_least("--max-new-tokens", config.max_new_tokens, 1);
  require_between("--temperature", config.temperature, 0, 100);
  require_at_least("--top-k", config.top_k, 0);
  if (!(config.top_p > 0)) require_between("--top-p", config.top_p, 1e-6, 1);
  require_between("--top-p", config.top_p, 0, 1);
}

}  // namespace frugal
