#include "frugal/train/loop/job.h"

#include <cstdio>
#include <filesystem>

#include "frugal/base/error.h"
#include "frugal/base/settings.h"
#include "frugal/base/sha256.h"
#include "frugal/base/units.h"

namespace frugal {

std::string settings_sha256(const std::string& action, Json settings) {
  for (const auto& info : describe_fields<RunConfig>()) {
    if (info.field.name != "seed") settings.erase(std::string(info.field.name));
  }
  Sha256 sha;
  const std::string text = action + settings.dump(-1, ' ', false, Json::error_handler_t::replace);
  sha.update(text.data(), text.size());
  return sha.hex();
}

std::vector<std::string> settings_of_legs(const std::string& action, const Json& record) {
  std::vector<std::string> known = {settings_sha256(action, record["settings"])};
  for (const Json& leg : record.value("legs", Json::array()))
    known.push_back(leg["settings_sha256"].get<std::string>());
  return known;
}

std::string StepUnit::text(std::int64_t steps) const {
  char number[40];
  std::snprintf(number, sizeof number, " %.10g", at(steps));
  return name + number;
}

void require_model(const RunFolder& run) {
  const std::string model = run.record().value("results", Json::object()).value("model", "");
  std::error_code failed;
  if (model.empty() || std::filesystem::exists(model, failed)) return;
  throw Error(Exit::input, "the run is done, but its model " + model + " is not there",
              "put it back, or make it again: frugal rerun " + run.path().string() + " --out ANOTHER");
}

std::string Job::shown(const Json& evaluation) const {
  std::string line;
  for (const auto& [name, value] : evaluation.items()) {
    if (!value.is_number() || name == "step" || name == "seconds") continue;
    char text[40];
    std::snprintf(text, sizeof text, value.is_number_float() ? " %.4f" : " %.0f", value.get<double>());
    line += " " + name + text;
  }
  return line;
}

std::string Job::closing(const Json& results, const RunFolder& folder) const {
  const auto line = [](const std::string& name, const std::string& text) {
    return name + std::string(name.size() < 10 ? 10 - name.size() : 1, ' ') + text + "\n";
  };
  std::string text = line("run", folder.path().string());
  text += line("steps", results["steps"].dump() + " in " + format_seconds(results["seconds"].get<double>()) +
                            ", peak memory " + format_bytes(results["peak_rss_bytes"].get<std::uint64_t>()));
  for (const auto& [name, value] : results.items()) {
    if (name == "steps" || name == "skipped" || name == "seconds" || name.ends_with("_bytes") || name == "state_sha256")
      continue;
    if (value.is_number() || value.is_string())
      text += line(name, value.is_string() ? value.get<std::string>() : value.dump());
    else if (name == "best")
      text += line(name, "step " + value["step"].dump() + ", " + value["metric_name"].get<std::string>() + " " +
                             value["metric"].dump());
  }
  return text;
}

}  // namespace frugal
