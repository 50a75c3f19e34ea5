// From the command line to settings: default < --config file < environment FRUGAL_* < flag.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "frugal/base/system.h"

namespace frugal {

// Where a command line leads: a verb, one of its actions, and what is left.
struct Asked {
  const SystemInfo* system = nullptr;
  const Action* action = nullptr;  // null: only help can be given
  std::vector<std::string> arguments;
  std::string name() const;  // "swarm train"
};

struct Parsed {
  bool wants_help = false;
  Settings settings;                               // the action's, those every run has, then those of what is chosen
  std::map<std::string, std::string> chosen = {};  // with wants_help: what is given of the action's choices
};

// words: the verb, perhaps an action's name, arguments. The name of an action wins over a file of that name.
// Error(Exit::usage): no such verb or action, with the nearest name.
// for_help: none is needed.
Asked asked_for(const std::vector<std::string>& words, bool for_help = false);

// The options an action has beside those of its choices.
std::vector<FieldInfo> own_fields(const Action& action);

// Error(Exit::usage): an unknown option (with the nearest), a value missing or of the wrong kind, an option of another
// choice.
Parsed parse_arguments(const Asked& asked);

struct GivenValue {
  std::string name;
  Json value;          // a text is read as on the command line
  std::string origin;  // "--lr", "FRUGAL_LR", a file's name
};
// Settings from values alone, without arguments and environment. Those from the environment are passed over where the
// choices have no such option, as they are elsewhere. Same errors.
Settings settings_of(const Asked& asked, const std::vector<GivenValue>& values);
// What the environment gives of all options that the action has by any of its choices.
std::vector<GivenValue> environment_of(const Action& action);

}  // namespace frugal
