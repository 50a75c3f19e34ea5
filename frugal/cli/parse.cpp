#include "frugal/cli/parse.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <optional>

#include "frugal/train/loop/run_config.h"
#include "frugal/train/run/run_folder.h"

extern char** environ;

namespace frugal {
namespace {

void add_missing(std::vector<FieldInfo>& fields, const std::vector<FieldInfo>& more) {
  for (const FieldInfo& info : more) {
    const bool is_known = std::any_of(fields.begin(), fields.end(),
                                      [&](const FieldInfo& each) { return each.field.name == info.field.name; });
    if (!is_known) fields.push_back(info);
  }
}

// Every option the action may have, whatever is chosen.
std::vector<FieldInfo> all_fields(const Action& action) {
  std::vector<FieldInfo> fields = own_fields(action);
  for (const Choice& choice : action.choices) {
    for (const Plugin& plugin : choice.all()) add_missing(fields, plugin.fields);
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
  std::vector<GivenValue> given;
};

// Names that other tools have for an option, without their dashes, and what is to be known of ours.
struct OtherName {
  std::string_view theirs, ours, remark = {};
};
constexpr OtherName kOtherNames[] = {
    {"num-epochs", "epochs"},
    {"num-train-epochs", "epochs"},
    {"early-stopping-patience", "patience"},
    {"lora", "adapter"},
    {"epochs", "steps", "a step is a batch of --batch examples"},
    {"num-epochs", "steps", "a step is a batch of --batch examples"},
    {"num-train-epochs", "steps", "a step is a batch of --batch examples"},
    {"max-steps", "steps"},
    {"iters", "steps"},
    {"iterations", "steps"},
    {"learning-rate", "lr"},
    {"batch-size", "batch"},
    {"per-device-train-batch-size", "batch"},
    {"train-batch-size", "batch"},
    {"output", "out"},
    {"output-dir", "out"},
    {"output-file", "out"},
    {"save-dir", "out"},
    {"lora-r", "rank"},
    {"lora-rank", "rank"},
    {"r", "rank"},
    {"lora-alpha", "alpha"},
    {"lora-dropout", "dropout"},
    {"gradient-accumulation-steps", "accumulation"},
    {"grad-accumulation-steps", "accumulation"},
    {"clip-grad", "max-grad-norm"},
    {"warmup-steps", "warmup"},
    {"lr-scheduler-type", "schedule"},
    {"scheduler", "schedule"},
    {"optim", "optimizer"},
    {"max-seq-length", "max-length"},
    {"max-seq-len", "max-length"},
    {"cutoff-len", "max-length"},
    {"seq-len", "length"},
    {"dataset", "data"},
    {"train-file", "data"},
    {"train-data", "data"},
    {"validation-file", "dev"},
    {"eval-steps", "eval-every"},
    {"save-steps", "checkpoint-every"},
    {"resume-from-checkpoint", "resume"},
    {"random-seed", "seed"},
    {"num-threads", "threads"},
    {"n-predict", "max-new-tokens"},
    {"max-tokens", "max-new-tokens"},
    {"temp", "temperature"},
    {"arms", "items"},
    {"rounds", "horizon"},
    {"policies", "policy"},
};

// Verbs of other tools.
constexpr OtherName kOtherVerbs[] = {{"export", "convert"},    {"quantize", "convert"}, {"finetune", "tune"},
                                     {"fine-tune", "tune"},    {"train", "tune"},       {"sample", "generate"},
                                     {"complete", "generate"}, {"evaluate", "eval"},    {"perplexity", "eval"},
                                     {"run", "chat"},          {"distill", "adapt"}};

// "; did you mean '--steps'?" of the table, where the action has the option, or of the nearest name.
std::string meant(const std::string& flag, const std::vector<std::string>& flags) {
  for (const OtherName& name : kOtherNames) {
    const std::string ours = flag_name(name.ours);
    if (flag_name(key_name(flag)) != flag_name(name.theirs) ||
        std::find(flags.begin(), flags.end(), ours) == flags.end())
      continue;
    return "; did you mean '" + ours + "'?" + (name.remark.empty() ? "" : " (" + std::string(name.remark) + ")");
  }
  return did_you_mean(flag, flags);
}

[[noreturn]] void refuse_leftover(const Asked& asked, const std::string& word, const std::vector<FieldInfo>& fields) {
  const std::string fix = "see frugal " + asked.name() + " --help";
  if (!word.starts_with("-")) throw Error(Exit::usage, "unexpected argument '" + word + "'", fix);
  std::vector<std::string> flags = {"--help", "--config"};
  for (const auto& info : fields) flags.push_back(flag_name(info.field.name));
  const std::string flag = word.substr(0, word.find('='));
  throw Error(Exit::usage, "unknown option '" + flag + "'" + meant(flag, flags), fix);
}

Flags read_flags(const Asked& asked, const std::vector<FieldInfo>& fields) {
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
        flags.given.push_back({name, count > 0, flag_name(name)});
      });
      continue;
    }
    const bool is_positional = info.field.group == "arguments";
    const auto take = [&flags, &fields, &asked, name](const CLI::results_t& texts) {
      for (const auto& text : texts) {  // CLI11 takes what follows, whatever it is
        const bool is_option =
            text.starts_with("--") && std::any_of(fields.begin(), fields.end(),
                                                  [&](const auto& each) { return flag_name(each.field.name) == text; });
        if (is_option) {
          throw Error(Exit::usage, flag_name(name) + " has no value: the option " + text + " follows",
                      "see frugal " + asked.name() + " --help");
        }
      }
      std::string joined;
      for (const auto& text : texts) joined += (joined.empty() ? "" : ",") + text;
      flags.given.push_back({name, joined, flag_name(name)});
      return true;
    };
    CLI::Option* option = app.add_option((is_positional ? name + "," : "") + spellings(name), take);
    if (info.type == "LIST") option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  try {
    app.parse(std::vector<std::string>(asked.arguments.rbegin(), asked.arguments.rend()));
  } catch (const CLI::ArgumentMismatch& error) {  // "--lr: 1 required TEXT missing", or more than it takes
    const std::string what = error.what();
    const bool is_missing = what.find("missing") != std::string::npos;
    throw Error(Exit::usage,
                what.substr(0, what.find(':')) + (is_missing ? " has no value" : " is given more than once"),
                "see frugal " + asked.name() + " --help");
  } catch (const CLI::ParseError& error) {
    throw Error(Exit::usage, error.what(), "see frugal " + asked.name() + " --help");
  }
  const auto left = app.remaining();
  for (const auto& word : left) {
    if (word.starts_with("-")) refuse_leftover(asked, word, fields);
  }
  if (!left.empty()) refuse_leftover(asked, left.front(), fields);
  return flags;
}

// FRUGAL_LERNING_RATE would otherwise be passed over in silence; a name that any verb has is left to that verb.
void check_environment() {
  std::vector<std::string> known = {"isa", "compute", "torch_library", "parent"};
  for (const SystemInfo& system : systems().all()) {
    for (const Action& action : system.actions) {
      for (auto& name : names_of(all_fields(action))) known.push_back(std::move(name));
    }
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

// The plug-in that a choice's field names. Error(Exit::usage): there is none.
Plugin chosen(const Action& action, const Choice& choice, const std::vector<GivenValue>& values) {
  Settings own(own_fields(action));
  const std::string field(choice.field);
  for (const GivenValue& value : values) {
    if (value.name == field) own.set_json(field, value.value, value.origin);
  }
  const auto name = own.at(field).value.get<std::string>();
  std::vector<std::string> names;
  std::string listed;
  for (Plugin& plugin : choice.all()) {
    if (plugin.name == name) return std::move(plugin);
    names.emplace_back(plugin.name);
    listed += (listed.empty() ? "" : ", ") + names.back();
  }
  throw Error(Exit::usage, flag_name(field) + " is '" + name + "', which there is not" + did_you_mean(name, names),
              "choose one of " + listed);
}

}  // namespace

std::string Asked::name() const {
  const std::string verb(system->name);
  return action == nullptr || action->name.empty() ? verb : verb + " " + std::string(action->name);
}

Asked asked_for(const std::vector<std::string>& words, bool for_help) {
  const SystemInfo* system = systems().find(words.front());
  std::vector<std::string> names;
  if (system == nullptr) {
    for (const SystemInfo& each : systems().all()) names.emplace_back(each.name);
    std::string hint = did_you_mean(words.front(), names);
    for (const OtherName& verb : kOtherVerbs) {
      if (words.front() == verb.theirs) hint = "; did you mean '" + std::string(verb.ours) + "'?";
    }
    throw Error(Exit::usage, "there is no verb '" + words.front() + "'" + hint, "see frugal --help");
  }
  Asked asked{system, nullptr, {words.begin() + 1, words.end()}};
  if (!asked.arguments.empty() && !asked.arguments.front().empty())
    asked.action = system->find(asked.arguments.front());
  if (asked.action != nullptr) {
    asked.arguments.erase(asked.arguments.begin());
    return asked;
  }
  asked.action = system->find("");
  const auto is_help = [](const std::string& word) { return word == "--help" || word == "-h"; };
  if (asked.action != nullptr || for_help || std::any_of(asked.arguments.begin(), asked.arguments.end(), is_help))
    return asked;
  std::string listed;
  for (const Action& action : system->actions) {
    names.emplace_back(action.name);
    listed += (listed.empty() ? "" : ", ") + names.back();
  }
  const std::string verb(system->name), fix = "the actions are: " + listed + "; see frugal " + verb + " --help";
  if (asked.arguments.empty() || asked.arguments.front().starts_with("-"))
    throw Error(Exit::usage, "frugal " + verb + " needs an action", fix);
  const std::string& word = asked.arguments.front();
  throw Error(Exit::usage, "frugal " + verb + " has no action '" + word + "'" + did_you_mean(word, names), fix);
}

std::vector<FieldInfo> own_fields(const Action& action) {
  std::vector<FieldInfo> fields = action.fields;
  if (action.is_run) add_missing(fields, describe_fields<RunConfig>());
  return fields;
}

Settings settings_of(const Asked& asked, const std::vector<GivenValue>& values) {
  const Action& action = *asked.action;
  std::vector<FieldInfo> fields = own_fields(action);
  std::string shown_choices;  // "--method lora"
  for (const Choice& choice : action.choices) {
    const Plugin plugin = chosen(action, choice, values);
    add_missing(fields, plugin.fields);
    shown_choices += (shown_choices.empty() ? "" : " ") + flag_name(choice.field) + " " + std::string(plugin.name);
  }
  Settings settings(std::move(fields));
  const auto possible = names_of(all_fields(action));
  for (const auto& [name, value, origin] : values) {
    if (settings.has(name)) {
      settings.set_json(name, value, origin);
      continue;
    }
    if (origin == variable_name(name)) continue;
    const bool is_flag = origin == flag_name(name);
    if (std::find(possible.begin(), possible.end(), name) == possible.end()) {
      throw Error(Exit::usage,
                  (is_flag ? "unknown option '" + origin + "'" : "unknown key '" + name + "' in " + origin) +
                      did_you_mean(name, possible),
                  "see frugal " + asked.name() + " --help");
    }
    throw Error(Exit::usage,
                (is_flag ? origin : "'" + name + "' in " + origin) + " is not an option of " + shown_choices,
                "leave it out, or choose another " + flag_name(action.choices.front().field) + " that has it");
  }
  return settings;
}

std::vector<GivenValue> environment_of(const Action& action) {
  std::vector<GivenValue> values;
  for (const std::string& name : names_of(all_fields(action))) {
    const std::string variable = variable_name(name);
    if (const char* text = std::getenv(variable.c_str())) values.push_back({name, text, variable});
  }
  return values;
}

namespace {

// A run that goes on has chosen already: its options are those of its method. What cannot be read is refused later.
std::vector<GivenValue> choices_of_run(const Action& action, const Flags& flags) {
  std::vector<GivenValue> values;
  for (const GivenValue& given : flags.given) {
    if (given.name != "resume" || !action.is_run) continue;
    try {
      const Json settings = RunFolder::read_untrusted(given.value.get<std::string>()).value("settings", Json::object());
      for (const Choice& choice : action.choices) {
        const std::string field(choice.field);
        if (!settings.is_object()) continue;
        for (const Plugin& plugin : choice.all()) {
          if (settings.value(field, Json()) == plugin.name) values.push_back({field, settings[field], "default"});
        }
      }
    } catch (const Error&) {
    }
  }
  return values;
}

}  // namespace

Parsed parse_arguments(const Asked& asked) {
  const Flags flags = read_flags(asked, all_fields(*asked.action));
  if (flags.wants_help) {
    Parsed help{true, Settings({})};
    for (const Choice& choice : asked.action->choices) {
      for (const GivenValue& given : flags.given) {
        if (given.name == choice.field) help.chosen[given.name] = given.value.get<std::string>();
      }
    }
    return help;
  }
  check_environment();
  std::vector<GivenValue> values = choices_of_run(*asked.action, flags);
  const Json file = flags.config.empty() ? Json::object() : read_settings_file(flags.config);
  for (const auto& [name, value] : file.items()) values.push_back({name, value, flags.config});
  const std::vector<GivenValue> environment = environment_of(*asked.action);
  values.insert(values.end(), environment.begin(), environment.end());
  values.insert(values.end(), flags.given.begin(), flags.given.end());
  return {false, settings_of(asked, values)};
}

}  // namespace frugal
