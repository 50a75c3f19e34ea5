// What a plan decided where the settings leave it open. It travels beside the settings and is kept in a run's record.
#pragma once
#include <cstdint>
#include <string>

#include "frugal/base/json.h"

namespace frugal {

struct PlanChoices {
  std::string activations;        // "keep" or "checkpoint"; empty: not planned, as where there is no limit
  std::uint64_t file_window = 0;  // bytes of the file that stay resident where weights are streamed; 0: all of it

  bool operator==(const PlanChoices&) const = default;
};

inline void to_json(Json& json, const PlanChoices& c) {
  json = Json::object();
  if (!c.activations.empty()) json["activations"] = c.activations;
  if (c.file_window > 0) json["file_window"] = c.file_window;
}

// Of resolved settings: their member "choices". Runs of before 0.2 have them among the settings.
inline PlanChoices choices_of(const Json& settings) {
  const Json own = settings.value("choices", Json());
  const Json& from = own.is_object() ? own : settings;
  PlanChoices choices;
  if (const auto at = from.find("activations"); at != from.end() && at->is_string() && *at != "auto")
    choices.activations = at->get<std::string>();
  if (const auto at = from.find("file_window"); at != from.end() && at->is_number_unsigned())
    choices.file_window = at->get<std::uint64_t>();
  return choices;
}

}  // namespace frugal
