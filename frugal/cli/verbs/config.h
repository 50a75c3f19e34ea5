// frugal config show VERB ...: the settings a command line would run with, and where each comes from.
#pragma once
#include <string>
#include <vector>

#include "frugal/cli/verb.h"

namespace frugal {

// Whether `arguments` of `verb` are to be taken as another verb's command line.
bool is_config_show(const Verb& verb, const std::vector<std::string>& arguments);
int show_config(const std::vector<std::string>& arguments);  // "show", VERB, its arguments

}  // namespace frugal
