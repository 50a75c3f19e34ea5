// What this program knows of the action a run is of: what its settings mean, which metrics it has. Of an action that is
// not registered it knows what every run has, and the page shows the rest as it is recorded.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/system.h"

namespace frugal::report {

struct RunKind {
  std::string action;                     // "tune", "swarm train"; empty: the record holds none that could be one
  const SystemInfo* system = nullptr;     // null: not registered here
  std::vector<FieldInfo> fields = {};     // the action's, those every run has, those of the plug-ins it chose
  std::vector<std::string> choices = {};  // the plug-ins' names: {"cnn"}
  std::vector<NextCommand> next = {};     // what one does with a run that is done
  bool is_last_best = false;              // what its last step leaves is the result

  bool is_tune() const { return action == "tune"; }
  const FieldInfo* field(std::string_view name) const;  // null: unknown
  const Metric* metric(std::string_view name) const;    // null: unknown
  std::string unit_of(std::string_view metric) const;   // empty: none is known
  bool is_lower_better(std::string_view metric) const;  // loss and perplexity, where the system does not say
};

RunKind kind_of(const Json& record, const SystemTable& table);

// "frugal swarm train", each word quoted for a shell where it must be.
std::string command_of(const RunKind& kind);

}  // namespace frugal::report
