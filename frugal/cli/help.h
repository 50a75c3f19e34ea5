// Help texts, made from the field lists.
#pragma once
#include <string>

#include "frugal/cli/verb.h"

namespace frugal {

std::string overview();                 // frugal --help
std::string help_of(const Verb& verb);  // frugal VERB --help: examples first, then options by group

}  // namespace frugal
