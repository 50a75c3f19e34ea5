#include "frugal/cli/parse.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <set>

#include "frugal/base/error.h"
#include "frugal/cli/help.h"
#include "frugal/tune/mezo/config.h"
#include "frugal/tune/registry.h"
#include "frugal/tune/sparse_mezo/config.h"
#include "run_program.h"

namespace frugal {
namespace {

// A value that is not the field's default, as typed.
std::string other_value(const FieldInfo& info) {
  if (info.type == "flag") return info.initial.get<bool>() ? "false" : "true";
  if (!info.field.choices.empty()) {
    for (const auto choice : info.field.choices) {
      if (info.initial != std::string(choice)) return std::string(choice);
    }
    return {};  // a single choice
  }
  if (info.type == "N" || info.type == "N|auto") return "37";
  if (info.type == "NUMBER" || info.type == "NUMBER|auto") return "0.4375";
  if (info.type == "SIZE") return "123MiB";
  if (info.type == "LIST") return "b,a";
  return "mezo";
}

Settings parsed(std::vector<std::string> words) { return parse_arguments(asked_for(words)).settings; }

std::string refusal(const std::string& verb, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), verb);
  try {
    parsed(arguments);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::usage);
    EXPECT_FALSE(error.fix().empty());
    return error.what();
  }
  return "accepted";
}

// The words that lead to each action, once for each plug-in of its choices.
std::vector<std::vector<std::string>> ways() {
  std::vector<std::vector<std::string>> all;
  for (const SystemInfo& system : systems().all()) {
    for (const Action& action : system.actions) {
      std::vector<std::string> words = {std::string(system.name)};
      if (!action.name.empty()) words.emplace_back(action.name);
      all.push_back(words);
      for (const Choice& choice : action.choices) {
        for (const Plugin& plugin : choice.all()) {
          all.push_back(words);
          all.back().insert(all.back().end(), {flag_name(choice.field), std::string(plugin.name)});
        }
      }
    }
  }
  return all;
}

bool is_choice(const Action& action, std::string_view field) {
  return std::any_of(action.choices.begin(), action.choices.end(), [&](const Choice& c) { return c.field == field; });
}

// Every field of every action and of every plug-in's options changes what is parsed, in both spellings.
TEST(Parse, EveryFieldIsParsedAndKept) {
  for (const auto& words : ways()) {
    const Asked asked = asked_for(words);
    const Settings defaults = parse_arguments(asked).settings;
    for (const auto& info : defaults.fields()) {
      const std::string text = other_value(info), name(info.field.name);
      if (text.empty() || asked.system->name == "config" || is_choice(*asked.action, name)) continue;
      for (const std::string& flag : {flag_name(name), "--" + name}) {
        auto more = words;
        more.push_back(flag + "=" + text);
        const Settings found = parsed(more);
        Json expected = defaults.values();
        EXPECT_NE(found.at(name).value, expected[name]) << asked.name() << " " << flag;
        EXPECT_EQ(found.at(name).origin, flag_name(name));
        expected[name] = found.at(name).value;
        EXPECT_EQ(found.values(), expected) << asked.name() << " " << flag;
      }
    }
  }
}

// An option has one meaning in an action: no two of its fields have a name.
TEST(Systems, NoActionHasAnOptionTwice) {
  for (const SystemInfo& system : systems().all()) {
    for (const Action& action : system.actions) {
      std::set<std::string_view> names;
      for (const FieldInfo& info : action.fields)
        EXPECT_TRUE(names.insert(info.field.name).second)
            << system.name << " " << action.name << " " << info.field.name;
      for (const Choice& choice : action.choices) {
        for (const Plugin& plugin : choice.all()) {
          std::set<std::string_view> own;
          for (const FieldInfo& info : plugin.fields)
            EXPECT_TRUE(own.insert(info.field.name).second) << plugin.name << " " << info.field.name;
        }
      }
    }
  }
}

TEST(Systems, EveryActionDoesSomethingAndEveryExampleParses) {
  for (const SystemInfo& system : systems().all()) {
    EXPECT_FALSE(system.summary.empty()) << system.name;
    EXPECT_FALSE(system.examples.empty()) << system.name;
    for (const Action& action : system.actions)
      EXPECT_EQ(action.is_run || !action.sweeps.empty(), static_cast<bool>(action.check))
          << system.name << " " << action.name;
    for (const std::string_view example : system.examples) {
      const std::string line(example.substr(0, example.find("   ")));
      EXPECT_NE(line.find("frugal " + std::string(system.name)), std::string::npos) << line;
      const auto outcome = run_program("config show" + line.substr(line.find("frugal ") + 6) + " --json");
      if (system.name != "config") {
        EXPECT_EQ(outcome.code, 0) << line << "\n" << outcome.err << outcome.out;
      }
    }
  }
}

// The settings object that is handed on gives the method's struct its values.
template <class Config>
void expect_reaches_struct(const std::string& method) {
  const Json plain = to_json(Config{});
  for (const auto& info : methods().at(method).fields) {
    const std::string name(info.field.name);
    const Settings found = parsed({"tune", "--method", method, flag_name(name) + "=" + other_value(info)});
    Json changed = to_json(from_json<Config>(found.values()));
    EXPECT_NE(changed[name], plain[name]) << name;
    changed[name] = plain[name];
    EXPECT_EQ(changed, plain) << name;
  }
}

TEST(Parse, MethodOptionsReachTheirStructs) {
  expect_reaches_struct<MezoConfig>("mezo");
  expect_reaches_struct<SparseMezoConfig>("sparse-mezo");
}

TEST(Parse, MethodsHaveTheirOwnDefaults) {
  const auto lr = [](const std::string& method) {
    return from_json<MezoConfig>(parsed({"tune", "--method", method}).values()).step.lr.value;
  };
  EXPECT_EQ(lr("mezo"), MezoConfig{}.step.lr.value);
  EXPECT_EQ(lr("sparse-mezo"), SparseMezoConfig{}.mezo.step.lr.value);
  EXPECT_NE(lr("mezo"), lr("sparse-mezo"));
  const auto automatic = parsed({"tune", "--method", "mezo", "--lr", "auto"});
  EXPECT_TRUE(from_json<MezoConfig>(automatic.values()).step.lr.is_automatic);
}

TEST(Parse, PositionalsAndFlags) {
  const auto s = parsed({"merge", "m.gguf", "--out", "o", "run", "--dtype", "f32", "--json"});
  EXPECT_EQ(s.at("model").value, "m.gguf");
  EXPECT_EQ(s.at("run").value, "run");
  EXPECT_EQ(s.at("out").value, "o");
  EXPECT_EQ(s.at("json").value, true);
  const auto bench = parsed({"bench", "step", "m", "--no-evaluated-direction"});
  EXPECT_EQ(bench.at("evaluated_direction").value, false);
  const auto text = parsed({"tune", "--template", "-- {a} [b], \"c\"\n", "--labels", "a,b", "--labels", "c"});
  EXPECT_EQ(text.at("template").value, "-- {a} [b], \"c\"\n");
  EXPECT_EQ(text.at("labels").value, Json({"a", "b", "c"}));
}

TEST(Parse, Refusals) {
  EXPECT_EQ(refusal("tune", {"m", "--lerning-rate", "1"}).substr(0, 31), "unknown option '--lerning-rate'");
  EXPECT_EQ(refusal("tune", {"m", "--stpes", "1"}), "unknown option '--stpes'; did you mean '--steps'?");
  EXPECT_EQ(refusal("tune", {"m", "n"}), "unexpected argument 'n'");
  EXPECT_EQ(refusal("tune", {"m", "--steps", "many"}), "--steps is 'many', expected a whole number");
  EXPECT_NE(refusal("tune", {"m", "--steps"}), "accepted");
  EXPECT_NE(refusal("tune", {"m", "--steps", "1", "--steps", "2"}), "accepted");
  EXPECT_EQ(refusal("tune", {"m", "--method", "mezo", "--sparsity", "0.5"}),
            "--sparsity is not an option of --method mezo");
  EXPECT_EQ(refusal("bench", {"step", "m", "--method", "forward", "--eps", "0.5"}),
            "--eps is not an option of --method forward");
  EXPECT_EQ(refusal("tune", {"m", "--method", "sparse_mezo"}),
            "--method is 'sparse_mezo', which there is not; did you mean 'sparse-mezo'?");
  EXPECT_EQ(refusal("tune", {"--method", "mezo", "--lr", "-1"}), "--lr is '-1', expected a number >= 0 or auto");
}

// Names that other tools have: ours is named where the action has it, and only there.
TEST(Parse, NamesOfOtherTools) {
  for (const auto& [theirs, ours] :
       std::vector<std::pair<std::string, std::string>>{{"--learning-rate", "--lr"},
                                                        {"--learning_rate", "--lr"},
                                                        {"--batch-size", "--batch"},
                                                        {"--output-dir", "--out"},
                                                        {"--lora-r", "--rank"},
                                                        {"--lora_alpha", "--alpha"},
                                                        {"--per-device-train-batch-size=8", "--batch"},
                                                        {"--max-seq-length", "--max-length"}})
    EXPECT_EQ(refusal("tune", {"m", theirs, "3"}),
              "unknown option '" + theirs.substr(0, theirs.find('=')) + "'; did you mean '" + ours + "'?");
  EXPECT_EQ(refusal("tune", {"m", "--num-train-epochs", "3"}),
            "unknown option '--num-train-epochs'; did you mean '--epochs'?");
  EXPECT_EQ(refusal("merge", {"m", "run", "--epochs", "3"}).find("--steps"), std::string::npos);
  EXPECT_EQ(parsed({"swarm", "train", "--epochs", "3"}).at("epochs").value, 3);  // where it is one of ours
}

TEST(Parse, LayersInOrder) {
  const auto path = scratch() / "run.toml";
  write_file(path, "steps = 5\nbatch = 6\nmax-length = 77\nmethod = \"mezo\"\n");
  ::setenv("FRUGAL_STEPS", "50", 1);
  ::setenv("FRUGAL_SEED", "9", 1);
  const auto s = parsed({"tune", "--config", path.string(), "--seed", "10"});
  ::unsetenv("FRUGAL_STEPS");
  ::unsetenv("FRUGAL_SEED");
  EXPECT_EQ(s.at("steps").value, 50);
  EXPECT_EQ(s.at("steps").origin, "FRUGAL_STEPS");
  EXPECT_EQ(s.at("batch").origin, path.string());
  EXPECT_EQ(s.at("max_length").value, 77);
  EXPECT_EQ(s.at("seed").value, 10);
  EXPECT_FALSE(s.has("sparsity"));
  write_file(path, "stesp = 5\n");
  EXPECT_EQ(refusal("tune", {"--config", path.string()}),
            "unknown key 'stesp' in " + path.string() + "; did you mean 'steps'?");
}

TEST(Parse, UnknownEnvironment) {
  ::setenv("FRUGAL_BLANACE", "1", 1);
  EXPECT_EQ(refusal("tune", {}), "the environment has FRUGAL_BLANACE, which is no setting; did you mean 'balance'?");
  ::unsetenv("FRUGAL_BLANACE");
}

TEST(Methods, RangesNameOptionAndValue) {
  const auto what = [](const char* method, const Json& settings) -> std::string {
    try {
      methods().at(method).validate(settings);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(what("mezo", {{"eps", 0.0}}), "--eps is 0.0, expected a number in (0, 1]");
  EXPECT_EQ(what("mezo", {{"samples", 0}}), "--samples is 0, expected 1 to 1024");
  EXPECT_EQ(what("sparse-mezo", {{"sparsity", 1.0}}), "--sparsity is 1.0, expected a number in [0, 1)");
  EXPECT_EQ(what("sparse-mezo", {{"mask", "tiny"}}),
            "--mask is 'tiny', expected one of small, large, random, file:PATH");
  EXPECT_EQ(what("sparse-mezo", {{"mask", "file:x"}, {"sparsity", 0.0}}), "accepted");
}

// Help comes from the same lists as parsing, and leads with examples.
TEST(Help, ShowsExamplesFirstAndEveryOption) {
  for (const SystemInfo& system : systems().all()) {
    for (const Action& action : system.actions) {
      const std::string text = help_of(system, &action);
      EXPECT_LT(text.find("examples:"), text.find("\n\n", text.find("examples:")));
      for (const auto example : system.examples) EXPECT_NE(text.find(example), std::string::npos);
      for (const auto& info : own_fields(action)) {
        if (info.field.group != "arguments") {
          EXPECT_NE(text.find("  " + flag_name(info.field.name)), std::string::npos) << system.name << info.field.name;
        }
      }
    }
  }
}

// With a method given the help has its options alone.
TEST(Help, OfOneMethod) {
  const Asked asked = asked_for({"tune", "--method", "mezo", "--help"});
  const Parsed parsed = parse_arguments(asked);
  ASSERT_TRUE(parsed.wants_help);
  const std::string text = help_of(*asked.system, asked.action, parsed.chosen);
  for (const char* there : {"--eps NUMBER", "--samples N", "--method may also be auto, "})
    EXPECT_NE(text.find(there), std::string::npos) << there;
  for (const char* absent : {"--sparsity", "--switch-every", "--rows N"})
    EXPECT_EQ(text.find(absent), std::string::npos) << absent;
}

TEST(Help, ExplainsWhatAListOfNamesMayHold) {
  const Asked asked = asked_for({"bandit", "run"});
  const std::string text = help_of(*asked.system, asked.action);
  EXPECT_NE(text.find("\npolicies:\n"), std::string::npos);
  EXPECT_NE(text.find("\n  cos-v                           sampling by estimated variances"), std::string::npos)
      << text;
  const Asked begin = asked_for({"bandit", "new"});
  EXPECT_NE(help_of(*begin.system, begin.action).find("\n  cucb "), std::string::npos);
}

TEST(Help, GroupsTheVerbs) {
  const std::string text = overview();
  for (const SystemInfo& system : systems().all())
    EXPECT_NE(text.find("\n  " + std::string(system.name) + " "), std::string::npos) << system.name;
  EXPECT_LT(text.find("language models:"), text.find("frugal:\n"));
}

}  // namespace
}  // namespace frugal
