// What --help prints.
#pragma once
#include <string>

#include "frugal/base/system.h"

namespace frugal {

std::string overview();
// Of a verb, with the options of one of its actions. action: null lists the actions.
std::string help_of(const SystemInfo& system, const Action* action);

}  // namespace frugal
