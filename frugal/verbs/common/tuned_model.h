// A model with what was tuned laid over it: MODEL and --adapter of the verbs that use one.
#pragma once
#include <cstdint>
#include <string>

#include "frugal/base/settings.h"
#include "frugal/plan/plan.h"

namespace frugal {

struct AdapterConfig {
  std::string adapter;
  std::int64_t step = -1;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "adapter",
       .help = "laid over MODEL: a run of tune or adapt, a PEFT adapter's folder, or a file of trained rows "
               "(.safetensors). A run as MODEL brings its base along",
       .group = "model"},
      c.adapter);
    v({.name = "step",
       .help = "of a run: its weights after this step; -1: the best, or the last where there was no validation",
       .group = "model"},
      c.step);
  }
};

// Settles MODEL and --adapter: where MODEL is a run, its base is the model and the run is laid over it; --weights,
// where they are not given, are those that it trained with. Error(Exit::usage): the run changed weights that --weights
// keeps as they are, or --step is given without a run. Error(Exit::input): what is named is neither.
void settle_adapter(const Settings& given, Json& settings);
inline Json with_adapter(const Settings& given) {
  Json settings = given.values();
  settle_adapter(given, settings);
  return settings;
}
// The record of a run that tuned a language model. Error(Exit::usage): the run did something else.
Json record_of_tuning(const std::string& run);
// Those of them that say how examples are read, where they are not given, from the record of the run that is used; and
// where no examples are given its own: --test, else --dev.
void take_data_of_run(const Settings& given, Json& settings);

bool is_run(const std::string& path);            // a folder with a record
bool is_adapter_alone(const std::string& path);  // a PEFT folder, or trained rows
// What is laid over the model takes in memory, for its plan; settings: of with_adapter().
std::uint64_t adapter_bytes(const Json& settings, const PlanRequest& request);

}  // namespace frugal
