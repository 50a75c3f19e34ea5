// adapter_config.json of huggingface/peft (LoraConfig).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/formats/adapter/lora_adapter.h"
#include "frugal/formats/adapter/module_pattern.h"

namespace frugal {

// target_modules or exclude_modules: a regular expression for the whole name, "all-linear", or names that a module's
// name is or ends in after a dot.
struct ModuleSelector {
  std::optional<ModulePattern> pattern;
  bool all_linear = false;
  std::vector<std::string> names;
  bool selects(std::string_view module) const;
};

struct PeftConfig {
  bool use_rslora = false, use_dora = false;
  double dropout = 0;
  std::string base_model;
  ModuleSelector targets, excluded;

  bool adapts(std::string_view module) const { return !excluded.selects(module) && targets.selects(module); }
  std::int64_t rank(std::string_view module) const;  // in [1, 65536]
  double alpha(std::string_view module) const;       // > 0

  std::int64_t default_rank = 8;
  double default_alpha = 8;
  std::vector<std::pair<ModulePattern, std::int64_t>> rank_pattern;  // the first that matches counts
  std::vector<std::pair<ModulePattern, double>> alpha_pattern;
};

// name: for messages. Error(Exit::input) names the setting: of another type or out of range, or one that changes what
// the tensors mean and is not supported. Unknown settings are refused unless they are null, false or empty.
PeftConfig parse_peft_config(std::string_view text, const std::string& name);

// What PEFT needs to load the adapter: ranks and alphas that most factors have as r and lora_alpha, the others by
// module name; modules by their last part where the adapter has all of that name.
Json peft_config(const LoraAdapter& adapter, const ModelShape& shape);

}  // namespace frugal
