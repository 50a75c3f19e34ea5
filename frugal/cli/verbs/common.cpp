#include "frugal/cli/verbs/common.h"

#include <filesystem>

#include "frugal/cli/validate.h"

namespace frugal {

void validate(const ComputeConfig& config) {
  require_between("--threads", static_cast<double>(config.threads), 0, 1024);
}

void validate(const ExportConfig& config) {
  const std::string& out = config.out;
  require_given("--out", out, "--out tuned or --out tuned.gguf");
  if (out.ends_with(".gguf")) {
    std::error_code failed;
    if (std::filesystem::exists(out, failed))
      throw Error(Exit::input, "--out: " + out + " is there already", "name another file");
    return;
  }
  if (config.dtype == "q8_0")
    throw Error(Exit::usage, "--dtype is q8_0, but --out " + out + " is a Hugging Face folder",
                "write a GGUF file: --out " + out + ".gguf");
  require_new_folder(out);
}

void validate(const SamplingConfig& config) {
  require_at_least("--max-new-tokens", config.max_new_tokens, 1);
  require_between("--temperature", config.temperature, 0, 100);
  require_at_least("--top-k", config.top_k, 0);
  if (!(config.top_p > 0)) require_between("--top-p", config.top_p, 1e-6, 1);
  require_between("--top-p", config.top_p, 0, 1);
}

}  // namespace frugal
