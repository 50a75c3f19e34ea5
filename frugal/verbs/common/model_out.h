// Runs whose result is a model: --out names it, a folder or a .gguf file, and the run is beside it, in OUT.run.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "frugal/base/json.h"

namespace frugal {

inline constexpr std::string_view kRunEnd = ".run";

// Refuses an --out that the model could not be written to in the end, and names the run's folder in its place.
// settings: "out", where it is given, "dtype" and "dry_run". also: marks of further models, see marked_model.
void settle_model_out(Json& settings, const std::vector<std::string>& also = {});
// small-0.2, or small-0.2.gguf, of the model small or small.gguf and the mark 0.2.
std::string marked_model(const std::string& out, const std::string& mark);
// SMALL of the run SMALL.run; RUN/model of a run that is called otherwise.
std::string model_of_run(const std::filesystem::path& run);

}  // namespace frugal
