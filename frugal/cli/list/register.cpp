#include <algorithm>
#include <filesystem>
#include <iostream>

#include "frugal/base/output_config.h"
#include "frugal/base/print.h"
#include "frugal/base/system.h"
#include "frugal/base/units.h"
#include "frugal/cli/run_rows.h"
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

// By names and sizes alone; no file is opened.
void look(const fs::path& folder, int depth, Json& models) {
  std::error_code failed;
  if (is_hf_model(folder))
    models.push_back({{"path", folder.string()}, {"format", "safetensors"}, {"bytes", weight_bytes(folder)}});
  std::vector<fs::directory_entry> entries;
  for (const auto& entry : fs::directory_iterator(folder, fs::directory_options::skip_permission_denied, failed))
    entries.push_back(entry);
  std::sort(entries.begin(), entries.end());
  for (const auto& entry : entries) {
    if (entry.is_regular_file(failed) && entry.path().extension() == ".gguf") {
      models.push_back({{"path", entry.path().string()}, {"format", "gguf"}, {"bytes", entry.file_size(failed)}});
    }
    const bool is_hidden = entry.path().filename().string().starts_with(".");
    if (depth > 0 && !is_hidden && entry.is_directory(failed) && !entry.is_symlink(failed))
      look(entry.path(), depth - 1, models);
  }
}

// What an option may name: the methods of tune, which adapt and bench have, too; those of prune.
struct NamedPlugins {
  std::vector<std::string> verbs;
  std::string option;
  std::vector<Plugin> all;

  bool has(const Plugin& one) const {
    return std::any_of(all.begin(), all.end(),
                       [&](const Plugin& each) { return each.name == one.name && each.summary == one.summary; });
  }
};

// Of all systems; options of one name that share plug-ins are one.
std::vector<NamedPlugins> all_plugins() {
  std::vector<NamedPlugins> found;
  const auto entry = [&](const Choice& choice, const std::vector<Plugin>& plugins) -> NamedPlugins& {
    const std::string option = flag_name(choice.field);
    for (NamedPlugins& each : found) {
      if (each.option == option &&
          std::any_of(plugins.begin(), plugins.end(), [&](const Plugin& one) { return each.has(one); }))
        return each;
    }
    return found.emplace_back(NamedPlugins{{}, option, {}});
  };
  for (const SystemInfo& system : systems().all()) {
    for (const Action& action : system.actions) {
      for (const Choice& choice : action.choices) {
        const std::vector<Plugin> plugins = choice.all();
        NamedPlugins& of = entry(choice, plugins);
        if (of.verbs.empty() || of.verbs.back() != system.name) of.verbs.emplace_back(system.name);
        for (const Plugin& one : plugins) {
          if (!of.has(one)) of.all.push_back(one);
        }
      }
    }
  }
  return found;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

int list(const ListConfig& config) {
  const fs::path folder(config.folder);
  std::error_code failed;
  if (!fs::is_directory(folder, failed)) {
    throw Error(Exit::input,
                "'" + config.folder + "' " + (fs::exists(folder, failed) ? "is not a folder" : "does not exist"),
                "give a folder to look in");
  }
  const fs::path from = folder == "." ? fs::path("./") : folder;
  constexpr int kDepth = 3;
  Json models = Json::array(), runs = Json::array();
  look(from, kDepth, models);
  const std::vector<RunRow> rows = find_runs(from, kDepth);
  for (const RunRow& row : rows) runs.push_back(to_json(row));
  Json json = {{"methods", Json::array()},
               {"architectures", {"llama"}},
               {"formats", {{"read", {"gguf", "safetensors"}}, {"write", {"gguf", "safetensors"}}}}};
  for (const auto& method : methods().all())
    json["methods"].push_back({{"name", method.name}, {"summary", method.summary}, {"source", method.source}});
  json["verbs"] = Json::array();
  std::vector<std::vector<std::string>> verbs = {{"verb", "what it does", "source"}};
  for (const SystemInfo& system : systems().all()) {
    json["verbs"].push_back(
        {{"verb", system.name}, {"summary", system.summary}, {"source", system.source}, {"folder", system.folder}});
    verbs.push_back({std::string(system.name), std::string(system.summary), std::string(system.source)});
  }
  const std::vector<NamedPlugins> plugins = all_plugins();
  json["plugins"] = Json::array();
  for (const NamedPlugins& each : plugins) {
    for (const Plugin& one : each.all)
      json["plugins"].push_back({{"verbs", each.verbs},
                                 {"option", each.option},
                                 {"name", one.name},
                                 {"summary", one.summary},
                                 {"source", one.source}});
  }
  json["models"] = models;
  json["runs"] = runs;
  if (config.output.json) return print_json(json), 0;
  std::cout << table(verbs);
  for (const NamedPlugins& each : plugins) {
    std::vector<std::vector<std::string>> cells = {{joined(each.verbs) + " " + each.option, "what it does", "source"}};
    for (const Plugin& one : each.all)
      cells.push_back({std::string(one.name), std::string(one.summary), std::string(one.source)});
    std::cout << '\n' << table(cells);
  }
  std::cout << "\narchitectures  llama\nformats        GGUF v3, Hugging Face folders (safetensors)\n";
  std::vector<std::vector<std::string>> cells = {{"model", "format", "size"}};
  for (const auto& model : models) {
    cells.push_back({model["path"].get<std::string>(), model["format"].get<std::string>(),
                     format_bytes(model["bytes"].get<std::uint64_t>())});
  }
  if (cells.size() > 1) std::cout << '\n' << table(cells, {2});
  if (!rows.empty()) std::cout << '\n' << table_of_runs(rows);
  return 0;
}

}  // namespace

void register_cli_list(SystemTable& table) {
  Action all{.name = "", .summary = "what there is", .fields = describe_fields<ListConfig>()};
  all.run = [](const Settings& settings) { return list(from_json<ListConfig>(settings.values())); };
  table.add({.name = "list",
             .summary = "verbs, methods, architectures and formats; models and runs below a folder, with their scores",
             .group = "frugal",
             .examples = {"frugal list", "frugal list ~/models", "frugal list --json"},
             .actions = {all}});
}

}  // namespace frugal
