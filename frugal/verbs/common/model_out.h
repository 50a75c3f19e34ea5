// Runs whose result is a model: --out names it, a folder or a .gguf file, and the run is beside it, in OUT.run.
#pragma once
#include <filesystem>
#include <string>

#include "frugal/base/json.h"

namespace frugal {

// Refuses an --out that the model could not be written to in the end, and names the run's folder in its place.
// settings: "out", where it is given, "dtype" and "dry_run".
void settle_model_out(Json& settings);
// SMALL of the run SMALL.run; RUN/model of a run that is called otherwise.
std::string model_of_run(const std::filesystem::path& run);

}  // namespace frugal
