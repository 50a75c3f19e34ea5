#include "frugal/verbs/common/options.h"

#include <filesystem>

#include "frugal/base/new_file.h"
#include "frugal/base/processor.h"
#include "frugal/base/validate.h"
#include "frugal/formats/export_dtype.h"
#include "frugal/tune/registry.h"

namespace frugal {

namespace fs = std::filesystem;

void require_model(const std::string& path) {
  if (path.empty()) throw Error(Exit::usage, "MODEL is missing", "give a GGUF file or a Hugging Face folder");
  std::error_code failed;
  if (!fs::exists(path, failed)) {
    throw Error(Exit::input, "model " + path + " does not exist",
                "give a GGUF file or a Hugging Face folder; make model fetches a small one");
  }
}

void validate(const ComputeConfig& config) {
  require_between("--threads", static_cast<double>(config.threads), 0, 1024);
}

void require_changeable_weights(const std::string& method, const Json& settings) {
  const WeightType weights = from_json<ComputeConfig>(settings).weight_type();
  if (can_change(weights) || methods().at(method).leaves_weights(settings)) return;
  throw Error(Exit::usage,
              std::string("--weights is ") + name(weights) + ", but --method " + method +
                  " changes the weights, expected bf16 or f32",
              settings.contains("train") ? "leave --weights out, or train low-rank pairs beside them with --train lora"
                                         : "leave --weights out, or --method lora");
}

bool computes_in_bf16(const ComputeConfig& config) {
  if (config.compute == "auto") return config.weight_type() != WeightType::f32 && computes_in_bf16();
  return config.compute == "bf16";
}

Field dtype_field() {
  static const std::string help =
      "of the matrices; what is not " + export_dtype_text(true) + " is for a GGUF file alone";
  return {.name = "dtype", .help = help, .group = "output", .choices = export_dtype_names()};
}

void require_dtype_of(const std::string& dtype, const std::string& out) {
  if (out.ends_with(".gguf") || find_export_dtype(dtype, false, "a GGUF file").is_plain()) return;
  const std::string name = out.substr(0, out.find_last_not_of('/') + 1);
  throw Error(Exit::usage, "--dtype is " + dtype + ", but --out " + name + " is a Hugging Face folder",
              "write a GGUF file: --out " + name + ".gguf");
}

void validate(const ExportConfig& config) {
  std::string out = config.out;
  require_given("--out", out, "--out tuned or --out tuned.gguf");
  require_writable_parent("--out", out);
  require_dtype_of(config.dtype, out);
  if (out.ends_with(".gguf") || out.ends_with(".safetensors")) {
    require_new_file("--out", out);
    return require_writable_file("--out", out);
  }
  while (out.size() > 1 && out.ends_with('/')) out.pop_back();
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
