// What a method with low-rank pairs says of them at its registration. No LibTorch.
#pragma once
#include <filesystem>
#include <set>
#include <string>

#include "frugal/base/validate.h"
#include "frugal/formats/adapter/lora_adapter.h"
#include "frugal/train/config/low_rank.h"
#include "frugal/tune/registry.h"

namespace frugal {

// A name in the environment is left to the method that has it.
inline bool is_given_here(const Settings& settings, std::string_view name) {
  return settings.is_given(name) && !settings.at(name).origin.starts_with("FRUGAL_");
}

// Error(Exit::usage): an option of pairs where none are trained, or where an adapter says what they are.
inline void refuse_unused_pair_options(const Settings& settings) {
  const auto adapter = settings.at("adapter").value.get<std::string>();
  const bool trains_none = settings.has("train") && settings.at("train").value == "all";
  for (const FieldInfo& info : describe_fields<LowRankConfig>()) {
    const std::string_view name = info.field.name;
    if (!is_given_here(settings, name)) continue;
    const std::string flag = flag_name(name);
    if (trains_none) {
      throw Error(Exit::usage, flag + " is given, but --train is all, and no low-rank pairs are trained",
                  "--train lora trains them; or leave " + flag + " out");
    }
    if (!adapter.empty() && name != "adapter" && name != "dropout") {
      throw Error(Exit::usage, flag + " is given, but --adapter " + adapter + " has its own",
                  "leave " + flag + " out, or --adapter");
    }
  }
}

// What an adapter that a run goes on from says of its pairs; and its dropout, where none is given. has_dropout: there
// is a backward pass to drop in.
inline void take_pairs(const Settings& given, const ModelShape& shape, Json& settings, bool has_dropout) {
  const std::string path = settings.value("adapter", std::string());
  if (path.empty()) return;
  const LoraAdapter adapter = read_peft_adapter(path, shape);
  if (adapter.factors.empty()) return;
  const LowRankFactor& first = adapter.factors.front();
  std::set<std::string> targets;
  bool is_of_one_rank = true;
  for (const LowRankFactor& factor : adapter.factors) {
    targets.insert(factor.module.substr(factor.module.rfind('.') + 1));
    is_of_one_rank &= factor.rank == first.rank && factor.alpha == first.alpha;
  }
  if (is_of_one_rank) settings["rank"] = first.rank, settings["alpha"] = first.alpha;
  settings["targets"] = targets;
  settings["rslora"] = adapter.use_rslora;
  settings["dora"] = adapter.use_dora();
  if (has_dropout && !given.is_given("dropout")) settings["dropout"] = adapter.dropout;
}

// The two files of a PEFT adapter's folder.
inline std::vector<InputFile> pair_files(const Json& settings) {
  const std::string path = settings.value("adapter", std::string());
  if (path.empty()) return {};
  const std::filesystem::path folder = std::filesystem::absolute(path).lexically_normal();
  std::vector<InputFile> files;
  for (const char* file : {"adapter_config.json", "adapter_model.safetensors"})
    files.push_back({file, (folder / file).string(), "adapter", folder.string()});
  return files;
}

// Pairs beside the weights, or instead of them where --train says so.
inline void add_pair_faces(MethodInfo& method, bool has_dropout) {
  method.refuse_unused = refuse_unused_pair_options;
  method.resolve = [has_dropout](const Settings& given, const ModelShape& shape, Json& settings) {
    take_pairs(given, shape, settings, has_dropout);
  };
  method.input_files = pair_files;
}

inline bool trains_pairs(const Json& settings) { return settings.value("train", std::string()) == "lora"; }

}  // namespace frugal
