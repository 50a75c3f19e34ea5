// From a verb over language models to its part that computes.
#pragma once
#include <string_view>

#include "frugal/base/room.h"
#include "frugal/base/system.h"
#include "frugal/plan/choices.h"

namespace frugal {

inline constexpr std::string_view kLanguageModels = "language models";  // their group in the help

// settings: resolved, "choices" of a plan among them. Opens the library with LibTorch; returns the exit code.
inline int compute(std::string_view action, const Json& settings) {
  return run_in_room("frugal_torch", action, {{"settings", settings}});
}

}  // namespace frugal
