// frugal config show VERB [ACTION] ...: every setting of an action with where it comes from.
#pragma once
#include <string>
#include <vector>

#include "frugal/cli/parse.h"

namespace frugal {

bool is_config_show(const Asked& asked);
int show_config(const std::vector<std::string>& arguments);  // what follows `config`

}  // namespace frugal
