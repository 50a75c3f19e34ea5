// From the command line to settings: default < --config file < environment FRUGAL_* < flag.
#pragma once
#include <string>
#include <vector>

#include "frugal/cli/verb.h"

namespace frugal {

struct Parsed {
  bool wants_help = false;
  Settings settings;  // the verb's, then those of its method
};

// arguments: what follows the verb. Error(Exit::usage): an unknown option (with the nearest), a value missing or of the
// wrong kind, an option of another method.
Parsed parse_arguments(const Verb& verb, const std::vector<std::string>& arguments);

}  // namespace frugal
