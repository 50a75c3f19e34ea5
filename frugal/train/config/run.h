// What of a run's settings a method may need beside its own: read once, where the run begins.
#pragma once
#include <cstdint>

#include "frugal/base/config.h"
#include "frugal/base/weight_type.h"
#include "frugal/plan/choices.h"

namespace frugal {

struct RunSettings {
  std::uint64_t seed = 1;
  std::int64_t batch = 16;
  std::int64_t steps = -1;  // -1: not known, as in a plan of no run
  WeightType weights = WeightType::bf16;
  PlanChoices choices;
};

// Of resolved settings; what they leave out is as above. Error(Exit::usage): one is of another type.
inline RunSettings run_settings(const Json& settings) {
  const auto read = [&](const char* name, auto usual) {
    const auto found = settings.find(name);
    return found == settings.end()
               ? usual
               : get_field<decltype(usual)>(*found, {.name = name, .help = "see frugal tune --help"});
  };
  RunSettings run;
  run.seed = static_cast<std::uint64_t>(read("seed", std::int64_t{1}));
  run.batch = read("batch", run.batch);
  run.steps = read("steps", run.steps);
  run.weights = parse_weight_type(read("weights", std::string(name(run.weights))));
  run.choices = choices_of(settings);
  return run;
}

}  // namespace frugal
