#include "frugal/cli/parse.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "frugal/base/error.h"
#include "frugal/cli/help.h"
#include "frugal/tune/mezo/config.h"
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
  if (info.type == "N") return "37";
  if (info.type == "NUMBER" || info.type == "NUMBER|auto") return "0.4375";
  if (info.type == "SIZE") return "123MiB";
  if (info.type == "LIST") return "b,a";
  return "mezo";
}

std::string refusal(const std::string& verb, const std::vector<std::string>& arguments) {
  try {
    parse_arguments(verb_named(verb), arguments);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::usage);
    EXPECT_FALSE(error.fix().empty());
    return error.what();
  }
  return "accepted";
}

// Every field of every verb and of every method's options changes what is parsed, in both spellings.
TEST(Parse, EveryFieldIsParsedAndKept) {
  for (const auto& verb : verbs()) {
    const auto defaults = parse_arguments(verb, {}).settings;
    for (const auto& info : defaults.fields()) {
      const std::string text = other_value(info);
      if (text.empty() || verb.name == "config") continue;
      const std::string name(info.field.name);
      for (const std::string& flag : {flag_name(name), "--" + name}) {
        const auto parsed = parse_arguments(verb, {flag + "=" + text}).settings;
        if (name == "method") {
          EXPECT_EQ(parsed.at(name).value, text);
          continue;
        }
        Json expected = defaults.values();
        EXPECT_NE(parsed.at(name).value, expected[name]) << verb.name << " " << flag;
        EXPECT_EQ(parsed.at(name).origin, flag_name(name));
        expected[name] = parsed.at(name).value;
        EXPECT_EQ(parsed.values(), expected) << verb.name << " " << flag;
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
    const auto parsed =
        parse_arguments(verb_named("tune"), {"--method", method, flag_name(name) + "=" + other_value(info)}).settings;
    Json changed = to_json(from_json<Config>(parsed.values()));
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
    return from_json<MezoConfig>(parse_arguments(verb_named("tune"), {"--method", method}).settings.values())
        .step.lr.value;
  };
  EXPECT_EQ(lr("mezo"), MezoConfig{}.step.lr.value);
  EXPECT_EQ(lr("sparse-mezo"), SparseMezoConfig{}.mezo.step.lr.value);
  EXPECT_NE(lr("mezo"), lr("sparse-mezo"));
  const auto automatic = parse_arguments(verb_named("tune"), {"--lr", "auto"}).settings;
  EXPECT_TRUE(from_json<MezoConfig>(automatic.values()).step.lr.is_automatic);
}

TEST(Parse, PositionalsAndFlags) {
  const auto s =
      parse_arguments(verb_named("merge"), {"m.gguf", "--out", "o", "run", "--dtype", "f32", "--json"}).settings;
  EXPECT_EQ(s.at("model").value, "m.gguf");
  EXPECT_EQ(s.at("run").value, "run");
  EXPECT_EQ(s.at("out").value, "o");
  EXPECT_EQ(s.at("json").value, true);
  const auto bench = parse_arguments(verb_named("bench"), {"step", "m", "--no-evaluated-direction"}).settings;
  EXPECT_EQ(bench.at("what").value, "step");
  EXPECT_EQ(bench.at("evaluated_direction").value, false);
  const auto text =
      parse_arguments(verb_named("tune"), {"--template", "-- {a} [b], \"c\"\n", "--labels", "a,b", "--labels", "c"})
          .settings;
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
  EXPECT_EQ(refusal("tune", {"--lr", "-1"}), "--lr is '-1', expected a number >= 0 or auto");
}

TEST(Parse, LayersInOrder) {
  const auto path = scratch() / "run.toml";
  write_file(path, "steps = 5\nbatch = 6\nmax-length = 77\nmethod = \"mezo\"\n");
  ::setenv("FRUGAL_STEPS", "50", 1);
  ::setenv("FRUGAL_SEED", "9", 1);
  const auto s = parse_arguments(verb_named("tune"), {"--config", path.string(), "--seed", "10"}).settings;
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

// Help comes from the same lists as parsing, and leads with three examples.
TEST(Help, ShowsExamplesFirstAndEveryOption) {
  for (const auto& verb : verbs()) {
    const std::string text = help_of(verb);
    EXPECT_LT(text.find("examples:"), text.find("\n\n", text.find("examples:")));
    for (const auto example : verb.examples) EXPECT_NE(text.find(example), std::string::npos);
    for (const auto& info : verb.fields) {
      if (info.field.group != "arguments") {
        EXPECT_NE(text.find("  " + flag_name(info.field.name)), std::string::npos) << verb.name;
      }
    }
  }
}

}  // namespace
}  // namespace frugal
