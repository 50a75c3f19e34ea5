// The actions that play one round at a time from a shell. Each prints its result and returns the exit code.
#pragma once
#include "frugal/decide/bandit/config.h"

namespace frugal::bandit {

int begin_player(const BanditNewConfig& config);
// The same items until tell(). Keeps in the file that they were asked for.
int suggest(const BanditSuggestConfig& config);
// Rewards of what was suggested. Error(Exit::input), with the file as it was: nothing was suggested since the last time
// and --items does not say whose they are; what Policy::update refuses.
int tell(const BanditTellConfig& config);

}  // namespace frugal::bandit
