#include "frugal/cli/verbs/common.h"

#include <filesystem>

#include "frugal/cli/validate.h"
#include "frugal/tune/lora/config.h"
#include "frugal/tune/registry.h"
#include "frugal/tune/spruft/config.h"

namespace frugal {

namespace fs = std::filesystem;

void validate(const ComputeConfig& config) {
  require_between("--threads", static_cast<double>(config.threads), 0, 1024);
}

void require_changeable_weights(const std::string& method, const Json& settings) {
  const auto weights = settings.value("weights", std::string());
  if (weights == "bf16" || weights == "f32" || methods().at(method).leaves_weights(settings)) return;
  throw Error(Exit::usage,
              "--weights is " + weights + ", but --method " + method + " changes the weights, expected bf16 or f32",
              settings.contains("train") ? "leave --weights out, or train low-rank pairs beside them with --train lora"
                                         : "leave --weights out, or --method lora");
}

void refuse_unused_pair_options(const Settings& settings) {
  const auto is_given = [&](std::string_view name) {  // a name in the environment is left to the verb that has it
    return settings.is_given(name) && !settings.at(name).origin.starts_with("FRUGAL_");
  };
  const bool has_train = settings.has("train"), has_pairs = settings.has("rank"),
             has_rows = settings.has("score_batches");
  if (!has_pairs && !has_rows) return;
  const auto adapter = settings.at("adapter").value.get<std::string>();
  if (has_rows) {
    for (const std::string_view name : SpruftConfig::kChoosing) {
      if (adapter.empty() || !is_given(name)) continue;
      const std::string flag = flag_name(name);
      throw Error(Exit::usage, flag + " is given, but --adapter " + adapter + " says which rows are trained",
                  "leave " + flag + " out, or --adapter");
    }
    return;
  }
  for (const FieldInfo& info : describe_fields<LowRankConfig>()) {
    const std::string_view name = info.field.name;
    if (!is_given(name)) continue;
    const std::string flag = flag_name(name);
    if (has_train && settings.at("train").value == "all") {
      throw Error(Exit::usage, flag + " is given, but --train is all, and no low-rank pairs are trained",
                  "--train lora trains them; or leave " + flag + " out");
    }
    if (!adapter.empty() && name != "adapter" && name != "dropout") {
      throw Error(Exit::usage, flag + " is given, but --adapter " + adapter + " has its own",
                  "leave " + flag + " out, or --adapter");
    }
  }
}

void validate(const ExportConfig& config) {
  std::string out = config.out;
  require_given("--out", out, "--out tuned or --out tuned.gguf");
  require_writable_parent("--out", out);
  if (out.ends_with(".gguf") || out.ends_with(".safetensors")) {
    std::error_code failed;
    if (fs::exists(out, failed)) throw Error(Exit::input, "--out: " + out + " is there already", "name another file");
    return require_writable_file("--out", out);
  }
  while (out.size() > 1 && out.ends_with('/')) out.pop_back();
  if (config.dtype == "q8_0")
    throw Error(Exit::usage, "--dtype is q8_0, but --out " + out + " is a Hugging Face folder",
                "write a GGUF file: --out " + out + ".gguf");
  require_new_folder(out);
}

void validate(const SamplingConfig& config) {
  require_at_least("--max-new-tokens", config.max_new_tokens, 1);
  require_between("--temperature", config.temperature, 0, 100);
  require_at_least("--top-k", config.top_k, 0);
  if (!(config.top_p > 0 && config.top_p <= 1)) {
    throw Error(Exit::usage, "--top-p is " + Json(config.top_p).dump() + ", expected a number in (0, 1]",
                "--top-p 0.95 leaves out the least likely tokens, --top-p 1 none");
  }
  require_at_least("--seed", config.seed, 0);
}

void refuse_unused_sampling(const Settings& settings, const SamplingConfig& config) {
  if (config.greedy && config.temperature > 0)
    refuse_flags(settings, {"temperature", "top_k", "top_p"}, "--greedy always takes the likeliest token");
}

}  // namespace frugal
