// What --help prints.
#pragma once
#include <map>
#include <string>

#include "frugal/base/system.h"

namespace frugal {

std::string overview();
// Of a verb, with the options of one of its actions. action: null lists the actions. chosen: by the field of a choice
// the one plug-in whose options are shown, with its defaults; the others are named.
std::string help_of(const SystemInfo& system, const Action* action,
                    const std::map<std::string, std::string>& chosen = {});

}  // namespace frugal
