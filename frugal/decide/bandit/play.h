// The actions that play one round at a time from a shell. Each prints its result and returns the exit code.
#pragma once
#include "frugal/decide/bandit/config.h"

namespace frugal::bandit {

int begin_player(const BanditNewConfig& config);
int suggest(const BanditSuggestConfig& config);  // the same until tell()
int tell(const BanditTellConfig& config);

}  // namespace frugal::bandit
