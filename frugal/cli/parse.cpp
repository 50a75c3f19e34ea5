#include "frugal/cli/parse.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <optional>

extern char** environ;

namespace frugal {
namespace {

struct Given {
  std::string name, text;
};

// Every option the verb may have, whichever method is chosen.
std::vector<FieldInfo> all_fields(const Verb& verb) {
  std::vector<FieldInfo> fields = verb.fields;
  if (!verb.has_methods) return fields;
  for (const auto& method : methods().all()) {
    for (const auto& info : method.fields) {
      const bool is_known = std::any_of(fields.begin(), fields.end(),
                                        [&](const FieldInfo& each) { return each.field.name == info.field.name; });
      if (!is_known) fields.push_back(info);
    }
  }
  return fields;
}

std::vector<std::string> names_of(const std::vector<FieldInfo>& fields) {
  std::vector<std::string> names;
  for (const auto& info : fields) names.emplace_back(info.field.name);
  return names;
}

// Both spellings of a flag: --max-length and --max_length.
std::string spellings(std::string_view name, const std::string& prefix = "--") {
  const std::string kebab = prefix + flag_name(name).substr(2);
  const std::string snake = prefix + std::string(name);
  return kebab == snake ? kebab : kebab + "," + snake;
}

struct Flags {
  bool wants_help = false;
  std::string config;
  std::vector<Given> given;
};

[[noreturn]] void refuse_leftover(const Verb& verb, const std::string& word, const std::vector<FieldInfo>& fields) {
  const std::string fix = "see frugal " + std::string(verb.name) + " --help";
  if (!word.starts_with("-")) throw Error(Exit::usage, "unexpected argument '" + word + "'", fix);
  std::vector<std::string> flags = {"--help", "--config"};
  for (const auto& info : fields) flags.push_back(flag_name(info.field.name));
  const std::string flag = word.substr(0, word.find('='));
  throw Error(Exit::usage, "unknown option '" + flag + "'" + did_you_mean(flag, flags), fix);
}

Flags read_flags(const Verb& verb, const std::vector<FieldInfo>& fields, const std::vector<std::string>& arguments) {
  Flags flags;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.add_flag("-h,--help", flags.wants_help);
  app.add_option("--config", flags.config);
  for (const auto& info : fields) {
    const std::string name(info.field.name);
    if (info.type == "flag") {
      app.add_flag_function(spellings(name) + "," + spellings(name, "!--no-"), [&flags, name](std::int64_t count) {
        flags.given.push_back({name, count > 0 ? "true" : "false"});
      });
      continue;
    }
    const bool is_positional = info.field.group == "arguments";
    const auto take = [&flags, &fields, &verb, name](const CLI::results_t& texts) {
      for (const auto& text : texts) {  // CLI11 takes what follows, whatever it is
        const bool is_option =
            text.starts_with("--") && std::any_of(fields.begin(), fields.end(),
                                                  [&](const auto& each) { return flag_name(each.field.name) == text; });
        if (is_option) {
          throw Error(Exit::usage, flag_name(name) + " has no value: the option " + text + " follows",
                      "see frugal " + std::string(verb.name) + " --help");
        }
      }
      std::string joined;
      for (const auto& text : texts) joined += (joined.empty() ? "" : ",") + text;
      flags.given.push_back({name, joined});
      return true;
    };
    CLI::Option* option = app.add_option((is_positional ? name + "," : "") + spellings(name), take);
    if (info.type == "LIST") option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ArgumentMismatch& error) {  // "--lr: 1 required TEXT missing", or more than it takes
    const std::string what = error.what();
    const bool is_missing = what.find("missing") != std::string::npos;
    throw Error(Exit::usage,
                what.substr(0, what.find(':')) + (is_missing ? " has no value" : " is given more than once"),
                "see frugal " + std::string(verb.name) + " --help");
  } catch (const CLI::ParseError& error) {
    throw Error(Exit::usage, error.what(), "see frugal " + std::string(verb.name) + " --help");
  }
  const auto left = app.remaining();
  for (const auto& word : left) {
    if (word.starts_with("-")) refuse_leftover(verb, word, fields);
  }
  if (!left.empty()) refuse_leftover(verb, left.front(), fields);
  return flags;
}

// FRUGAL_LERNING_RATE would otherwise be passed over in silence; a name that any verb has is left to that verb.
void check_environment() {
  std::vector<std::string> known = {"isa", "compute", "torch_library"};
  for (const auto& verb : verbs()) {
    for (auto& name : names_of(all_fields(verb))) known.push_back(std::move(name));
  }
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string_view variable(*entry);
    if (!variable.starts_with("FRUGAL_")) continue;
    variable = variable.substr(0, variable.find('='));
    std::string name(variable.substr(7));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw Error(Exit::usage,
                  "the environment has " + std::string(variable) + ", which is no setting" + did_you_mean(name, known),
                  "unset it, or correct its name");
    }
  }
}

const MethodInfo* chosen_method(const Verb& verb, const Json& file, const std::vector<Given>& given) {
  if (!verb.has_methods) return nullptr;
  Settings own(verb.fields);
  if (file.contains("method")) own.set_json("method", file["method"], "");
  own.load_environment();
  for (const auto& [name, text] : given) {
    if (name == "method") own.set(name, text, "");
  }
  const auto name = own.at("method").value.get<std::string>();
  return name == verb.plain_method ? nullptr : &methods().at(name);
}

}  // namespace

Parsed parse_arguments(const Verb& verb, const std::vector<std::string>& arguments) {
  const std::vector<FieldInfo> possible = all_fields(verb);
  const Flags flags = read_flags(verb, possible, arguments);
  if (flags.wants_help) return {true, Settings({})};
  check_environment();
  const Json file = flags.config.empty() ? Json::object() : read_settings_file(flags.config);
  const MethodInfo* method = chosen_method(verb, file, flags.given);

  std::vector<FieldInfo> fields = verb.fields;
  const auto own = names_of(fields);
  for (const auto& info : method != nullptr ? method->fields : verb.plain_fields) {
    if (std::find(own.begin(), own.end(), info.field.name) == own.end()) fields.push_back(info);
  }
  Settings settings(std::move(fields));
  const auto possible_names = names_of(possible);
  const auto check = [&](const std::string& name, const std::string& shown) {
    if (settings.has(name)) return;
    if (std::find(possible_names.begin(), possible_names.end(), name) == possible_names.end()) {
      throw Error(Exit::usage, "unknown key '" + name + "' in " + flags.config + did_you_mean(name, possible_names),
                  "see frugal " + std::string(verb.name) + " --help");
    }
    const std::string chosen = method != nullptr ? std::string(method->name) : std::string(verb.plain_method);
    throw Error(Exit::usage, shown + " is not an option of --method " + chosen,
                method != nullptr ? "leave it out, or choose another --method" : "name a --method that has it");
  };
  for (const auto& [name, value] : file.items()) {
    check(name, "'" + name + "' in " + flags.config);
    settings.set_json(name, value, flags.config);
  }
  settings.load_environment();
  for (const auto& [name, text] : flags.given) {
    check(name, flag_name(name));
    settings.set(name, text, flag_name(name));
  }
  return {false, std::move(settings)};
}

}  // namespace frugal
