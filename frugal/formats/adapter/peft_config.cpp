#include "frugal/formats/adapter/peft_config.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "frugal/base/error.h"
#include "frugal/formats/json_file.h"
#include "frugal/formats/names.h"

namespace frugal {
namespace {

constexpr std::size_t kMostConfig = 1 << 18, kMostPatterns = 4096;
constexpr std::int64_t kMostRank = 1 << 16;

// They change nothing about a linear's low-rank factors once these are trained.
constexpr std::string_view kWithoutEffect[] = {"auto_mapping", "inference_mode", "eva_config",     "megatron_core",
                                               "peft_version", "revision",       "runtime_config", "qalora_group_size"};

std::string last_part(const std::string& module) { return module.substr(module.rfind('.') + 1); }  // npos + 1 is 0

class Reader {
 public:
  Reader(const Json& json, const std::string& name) : json_(json), name_(name) {}

  // Null counts as absent, as in PEFT's defaults.
  const Json* find(std::string_view key) {
    known_.push_back(key);
    const auto found = json_.find(key);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  bool flag(std::string_view key) {
    const Json* value = find(key);
    if (value != nullptr && !value->is_boolean()) refuse(key, *value, "expected true or false");
    return value != nullptr && value->get<bool>();
  }
  std::string text(std::string_view key, const std::string& otherwise) {
    const Json* value = find(key);
    if (value != nullptr && !value->is_string()) refuse(key, *value, "expected text");
    return value == nullptr ? otherwise : value->get<std::string>();
  }
  std::int64_t rank(std::string_view key, const Json& value) const {
    if (!value.is_number_integer() || !(value.get<double>() >= 1 && value.get<double>() <= kMostRank))
      refuse(key, value, "expected 1 to 65536");
    return value.get<std::int64_t>();
  }
  double alpha(std::string_view key, const Json& value) const {
    if (!value.is_number() || !(value.get<double>() > 0 && std::isfinite(value.get<double>())))
      refuse(key, value, "expected a number above 0");
    return value.get<double>();
  }
  ModuleSelector modules(std::string_view key) {
    ModuleSelector selector;
    const Json* value = find(key);
    if (value == nullptr) return selector;
    if (value->is_string()) {
      const auto source = value->get<std::string>();
      if (source == "all-linear") {
        selector.all_linear = true;
      } else if (!source.empty()) {
        selector.pattern.emplace(source, ModulePattern::Match::whole, where(key));
      }
      return selector;
    }
    if (!value->is_array()) refuse(key, *value, "expected names or a pattern");
    for (const Json& item : *value) {
      if (!item.is_string()) refuse(key, item, "expected text");
      selector.names.push_back(item.get<std::string>());
    }
    return selector;
  }
  template <class T, class Parse>
  void patterns(std::string_view key, std::vector<std::pair<ModulePattern, T>>& out, Parse&& parse) {
    const Json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_object() || value->size() > kMostPatterns)
      refuse(key, *value, "expected an object of at most 4096 patterns");
    for (const auto& item : value->items())
      out.emplace_back(ModulePattern(item.key(), ModulePattern::Match::tail, where(key)), parse(key, item.value()));
  }
  void refuse_the_rest() const {
    for (const auto& item : json_.items()) {
      const Json& value = item.value();
      const bool is_off = value.is_null() || value == false ||
                          (!value.is_number() && !value.is_boolean() && value.empty()) || value == "";
      if (!is_off && std::find(known_.begin(), known_.end(), item.key()) == known_.end())
        refuse(item.key(), value, "which is not supported");
    }
  }
  [[noreturn]] void refuse(std::string_view key, const Json& value, const std::string& why) const {
    throw Error(Exit::input,
                name_ + ": " + printable(key) + " is " +
                    printable(value.dump(-1, ' ', false, Json::error_handler_t::replace)) + ", " + why,
                "use an adapter of plain LoRA, rsLoRA or DoRA factors for the linears of the layers");
  }

 private:
  std::string where(std::string_view key) const { return name_ + ": " + std::string(key); }
  const Json& json_;
  const std::string& name_;
  std::vector<std::string_view> known_;
};

// The value most factors have; of equally frequent ones the smallest.
template <class T, class Get>
T most_common(const std::vector<LowRankFactor>& factors, Get&& get) {
  std::map<T, int> counts;
  for (const LowRankFactor& factor : factors) ++counts[get(factor)];
  return std::max_element(counts.begin(), counts.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

Json plain_number(double value) {  // 8 rather than 8.0
  return value == std::floor(value) && value < 1e15 ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

}  // namespace

bool ModuleSelector::selects(std::string_view module) const {
  if (pattern) return pattern->matches(module);
  if (all_linear) return module != "lm_head" && module != "model.embed_tokens";
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return module == name ||
           (module.size() > name.size() && module.ends_with(name) && module[module.size() - name.size() - 1] == '.');
  });
}

std::int64_t PeftConfig::rank(std::string_view module) const {
  for (const auto& [pattern, value] : rank_pattern) {
    if (pattern.matches(module)) return value;
  }
  return default_rank;
}

double PeftConfig::alpha(std::string_view module) const {
  for (const auto& [pattern, value] : alpha_pattern) {
    if (pattern.matches(module)) return value;
  }
  return default_alpha;
}

PeftConfig parse_peft_config(std::string_view text, const std::string& name) {
  if (text.size() > kMostConfig) {
    throw Error(Exit::input,
                name + " has " + std::to_string(text.size()) + " bytes, at most " + std::to_string(kMostConfig) +
                    " are expected",
                "download the adapter again");
  }
  const Json json = parse_json(text, name);
  if (!json.is_object()) throw Error(Exit::input, name + " is not an object", "download the adapter again");
  Reader read(json, name);
  const auto expect = [&](std::string_view key, const std::string& only, const std::string& otherwise) {
    if (const std::string value = read.text(key, otherwise); value != only)
      read.refuse(key, Json(value), "only " + only + " is supported");
  };
  expect("peft_type", "LORA", "");
  expect("task_type", "CAUSAL_LM", "CAUSAL_LM");
  expect("bias", "none", "none");
  // Others start from factors that are part of the base model's weights, and change these.
  if (const Json* init = read.find("init_lora_weights");
      init != nullptr && !init->is_boolean() && *init != "gaussian" && *init != "orthogonal" && *init != "eva") {
    read.refuse("init_lora_weights", *init, "which changes the base model");
  }
  PeftConfig config;
  if (const Json* rank = read.find("r")) config.default_rank = read.rank("r", *rank);
  if (const Json* alpha = read.find("lora_alpha")) config.default_alpha = read.alpha("lora_alpha", *alpha);
  if (const Json* dropout = read.find("lora_dropout")) {
    if (!dropout->is_number() || !(dropout->get<double>() >= 0 && dropout->get<double>() < 1))
      read.refuse("lora_dropout", *dropout, "expected a number in [0, 1)");
    config.dropout = dropout->get<double>();
  }
  config.use_rslora = read.flag("use_rslora");
  config.use_dora = read.flag("use_dora");
  config.base_model = read.text("base_model_name_or_path", "");
  config.targets = read.modules("target_modules");
  config.excluded = read.modules("exclude_modules");
  read.patterns("rank_pattern", config.rank_pattern,
                [&](std::string_view key, const Json& value) { return read.rank(key, value); });
  read.patterns("alpha_pattern", config.alpha_pattern,
                [&](std::string_view key, const Json& value) { return read.alpha(key, value); });
  for (const std::string_view key : kWithoutEffect) read.find(key);
  read.refuse_the_rest();
  return config;
}

Json peft_config(const LoraAdapter& adapter, const ModelShape& shape) {
  std::map<std::string, std::size_t> in_model, in_adapter;
  for (const TensorSpec& spec : adaptable_linears(shape))
    ++in_model[last_part(spec.name.substr(0, spec.name.size() - std::string_view(".weight").size()))];
  for (const LowRankFactor& factor : adapter.factors) ++in_adapter[last_part(factor.module)];
  const auto rank = most_common<std::int64_t>(adapter.factors, [](const LowRankFactor& factor) { return factor.rank; });
  const auto alpha = most_common<double>(adapter.factors, [](const LowRankFactor& factor) { return factor.alpha; });
  Json targets = Json::array(), ranks = Json::object(), alphas = Json::object();
  for (const LowRankFactor& factor : adapter.factors) {
    const std::string part = last_part(factor.module);
    const std::string target = in_adapter[part] == in_model[part] ? part : factor.module;
    if (std::find(targets.begin(), targets.end(), target) == targets.end()) targets.push_back(target);
    if (factor.rank != rank) ranks[factor.module] = factor.rank;
    if (factor.alpha != alpha) alphas[factor.module] = plain_number(factor.alpha);
  }
  return {{"peft_type", "LORA"},
          {"task_type", "CAUSAL_LM"},
          {"base_model_name_or_path", adapter.base_model.empty() ? Json() : Json(adapter.base_model)},
          {"r", rank},
          {"lora_alpha", plain_number(alpha)},
          {"lora_dropout", adapter.dropout},
          {"target_modules", targets},
          {"rank_pattern", ranks},
          {"alpha_pattern", alphas},
          {"use_rslora", adapter.use_rslora},
          {"use_dora", adapter.use_dora()},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"init_lora_weights", true},
          {"modules_to_save", nullptr},
          {"inference_mode", true}};
}

}  // namespace frugal
