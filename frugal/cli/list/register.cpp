#include <algorithm>
#include <filesystem>
#include <iostream>

#include "frugal/base/atomic_file.h"
#include "frugal/base/json_text.h"
#include "frugal/base/log.h"
#include "frugal/base/output_config.h"
#include "frugal/base/print.h"
#include "frugal/base/system.h"
#include "frugal/base/units.h"
#include "frugal/tune/registry.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

struct ListConfig {
  std::string folder = ".";
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "folder",
       .help = "where models and runs are looked for, three folders deep",
       .group = "arguments",
       .is_path = true},
      c.folder);
    OutputConfig::fields(c.output, v);
  }
};

struct Found {
  Json models = Json::array(), runs = Json::array();
};

bool is_hf_model(const fs::path& folder) {
  std::error_code failed;
  return fs::exists(folder / "config.json", failed) && (fs::exists(folder / "model.safetensors", failed) ||
                                                        fs::exists(folder / "model.safetensors.index.json", failed));
}

std::uint64_t weight_bytes(const fs::path& folder) {
  std::error_code failed;
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    if (entry.path().extension() == ".safetensors" && entry.is_regular_file(failed)) bytes += entry.file_size(failed);
  }
  return bytes;
}

// What run.json says of a run. Error(Exit::input): it is no file, too large, or not the record of a run.
Json run_of(const fs::path& folder) {
  constexpr std::uint64_t kMost = 64 << 20;
  const fs::path path = folder / "run.json";
  const Json run = json_of(read_file(path, kMost));
  const auto is_text = [&](const char* key) { return !run.contains(key) || run[key].is_string(); };
  if (!run.is_object() || !is_text("action") || !is_text("status"))
    throw Error(Exit::input, path.string() + " is not the record of a run", "move it elsewhere");
  return {{"path", folder.string()},
          {"action", run.value("action", "tune")},
          {"is_finished", run.value("status", "") == "done" || run.contains("weights_sha256")}};
}

// By names and sizes alone; no file but run.json is opened.
void look(const fs::path& folder, int depth, Found& found) {
  std::error_code failed;
  if (is_hf_model(folder))
    found.models.push_back({{"path", folder.string()}, {"format", "safetensors"}, {"bytes", weight_bytes(folder)}});
  if (fs::exists(fs::symlink_status(folder / "run.json", failed))) {
    try {
      found.runs.push_back(run_of(folder));
    } catch (const Error& error) {  // not ours to read; the rest is still listed
      note(std::string("left out: ") + error.what());
    }
  }
  std::vector<fs::directory_entry> entries;
  for (const auto& entry : fs::directory_iterator(folder, fs::directory_options::skip_permission_denied, failed))
    entries.push_back(entry);
  std::sort(entries.begin(), entries.end());
  for (const auto& entry : entries) {
    if (entry.is_regular_file(failed) && entry.path().extension() == ".gguf") {
      found.models.push_back({{"path", entry.path().string()}, {"format", "gguf"}, {"bytes", entry.file_size(failed)}});
    }
    const bool is_hidden = entry.path().filename().string().starts_with(".");
    if (depth > 0 && !is_hidden && entry.is_directory(failed) && !entry.is_symlink(failed))
      look(entry.path(), depth - 1, found);
  }
}

int list(const ListConfig& config) {
  const fs::path folder(config.folder);
  std::error_code failed;
  if (!fs::is_directory(folder, failed)) {
    throw Error(Exit::input,
                "'" + config.folder + "' " + (fs::exists(folder, failed) ? "is not a folder" : "does not exist"),
                "give a folder to look in");
  }
  Found found;
  look(folder == "." ? fs::path("./") : folder, 3, found);
  Json json = {{"methods", Json::array()},
               {"architectures", {"llama"}},
               {"formats", {{"read", {"gguf", "safetensors"}}, {"write", {"gguf", "safetensors"}}}}};
  std::vector<std::vector<std::string>> rows = {{"method", "what it does", "source"}};
  for (const auto& method : methods().all()) {
    json["methods"].push_back({{"name", method.name}, {"summary", method.summary}, {"source", method.source}});
    rows.push_back({std::string(method.name), std::string(method.summary), std::string(method.source)});
  }
  json["verbs"] = Json::array();
  std::vector<std::vector<std::string>> verbs = {{"verb", "what it does", "source"}};
  for (const SystemInfo& system : systems().all()) {
    json["verbs"].push_back(
        {{"verb", system.name}, {"summary", system.summary}, {"source", system.source}, {"folder", system.folder}});
    verbs.push_back({std::string(system.name), std::string(system.summary), std::string(system.source)});
  }
  json["models"] = found.models;
  json["runs"] = found.runs;
  if (config.output.json) return print_json(json), 0;
  std::cout << table(verbs) << '\n'
            << table(rows) << "\narchitectures  llama\nformats        GGUF v3, Hugging Face folders (safetensors)\n";
  rows = {{"model", "format", "size"}};
  for (const auto& model : found.models) {
    rows.push_back({model["path"].get<std::string>(), model["format"].get<std::string>(),
                    format_bytes(model["bytes"].get<std::uint64_t>())});
  }
  if (rows.size() > 1) std::cout << '\n' << table(rows, {2});
  rows = {{"run", "of", "state"}};
  for (const auto& run : found.runs)
    rows.push_back({run["path"].get<std::string>(), run["action"].get<std::string>(),
                    run["is_finished"].get<bool>() ? "finished" : "unfinished"});
  if (rows.size() > 1) std::cout << '\n' << table(rows);
  return 0;
}

}  // namespace

void register_cli_list(SystemTable& table) {
  Action all{.name = "", .summary = "what there is", .fields = describe_fields<ListConfig>()};
  all.run = [](const Settings& settings) { return list(from_json<ListConfig>(settings.values())); };
  table.add({.name = "list",
             .summary = "verbs, methods, architectures and formats; models and runs below a folder",
             .group = "frugal",
             .examples = {"frugal list", "frugal list ~/models", "frugal list --json"},
             .actions = {all}});
}

}  // namespace frugal
