// The door to LibTorch: opened by the verbs that compute, after everything that can be refused without it has been.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "frugal/base/json.h"

namespace frugal {

// Loads libfrugal_torch.so and calls its `int frugal_torch_run(const char* verb, const char* settings_json)`, which
// prints results and errors itself and returns the exit code. Waiting threads sleep (OMP_WAIT_POLICY=passive) and
// products are single-threaded: the team above them is ours. Error(Exit::internal) when the library is not there or
// does not load.
int run_torch(std::string_view verb, const Json& settings);

std::filesystem::path
torch_library();            // FRUGAL_TORCH_LIBRARY, ../lib or beside the program; empty: none of them is there
void load_torch_library();  // for doctor

}  // namespace frugal
