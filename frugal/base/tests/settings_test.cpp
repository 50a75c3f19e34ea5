#include "frugal/base/settings.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "frugal/base/atomic_file.h"
#include "frugal/base/log.h"
#include "frugal/base/progress.h"

namespace frugal {
namespace {

struct SampleConfig {
  double lr = 0.5;
  std::int64_t max_length = 7;
  bool balance = false;
  std::string dtype = "bf16";
  std::vector<std::string> labels;
  Bytes memory;
  std::string run;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "lr", .help = "step size"}, c.lr);
    v({.name = "max_length", .help = "tokens"}, c.max_length);
    v({.name = "balance", .help = "classes"}, c.balance);
    v({.name = "dtype", .help = "type", .choices = {"bf16", "f32"}}, c.dtype);
    v({.name = "labels", .help = "words"}, c.labels);
    v({.name = "memory", .help = "budget"}, c.memory);
    v({.name = "run", .help = "folder", .is_path = true}, c.run);
  }
};

std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::usage);
    return error.what();
  }
  return "accepted";
}

TEST(Settings, TextBecomesTheFieldOfItsType) {
  Settings s(describe_fields<SampleConfig>());
  EXPECT_EQ(s.values(), to_json(SampleConfig{}));
  s.set("lr", "1e-3", "--lr");
  s.set("max_length", "-3", "--max-length");
  s.set("balance", "true", "--balance");
  s.set("dtype", "f32", "--dtype");
  s.set("labels", "no,yes,", "--labels");
  s.set("memory", "1GiB", "--memory");
  const auto c = from_json<SampleConfig>(s.values());
  EXPECT_EQ(c.lr, 1e-3);
  EXPECT_EQ(c.max_length, -3);
  EXPECT_TRUE(c.balance);
  EXPECT_EQ(c.dtype, "f32");
  EXPECT_EQ(c.labels, (std::vector<std::string>{"no", "yes", ""}));
  EXPECT_EQ(c.memory.count, 1u << 30);
}

TEST(Settings, RefusalsNameTheOptionAndBothValues) {
  Settings s(describe_fields<SampleConfig>());
  EXPECT_EQ(refusal([&] { s.set("lr", "fast", ""); }), "--lr is 'fast', expected a number");
  EXPECT_EQ(refusal([&] { s.set("lr", "nan", ""); }), "--lr is 'nan', expected a number");
  EXPECT_EQ(refusal([&] { s.set("max_length", "7.5", ""); }), "--max-length is '7.5', expected a whole number");
  EXPECT_EQ(refusal([&] { s.set("max_length", "99999999999999999999", ""); }),
            "--max-length is '99999999999999999999', expected a whole number, at most 9223372036854775807");
  EXPECT_EQ(refusal([&] { s.set("max_length", "-99999999999999999999", ""); }),
            "--max-length is '-99999999999999999999', expected a whole number, at least -9223372036854775808");
  EXPECT_EQ(refusal([&] { s.set("memory", "abc", "--memory"); }), "--memory is 'abc', expected a size");
  EXPECT_EQ(refusal([&] { s.set("dtype", "f8", ""); }), "--dtype is 'f8', expected one of bf16, f32");
  EXPECT_EQ(refusal([&] { s.set("dtype", "f8", "--dtype"); }), "--dtype is 'f8', expected one of bf16, f32");
  EXPECT_EQ(refusal([&] { s.set_json("dtype", "f8", "a.toml"); }),
            "--dtype is 'f8', expected one of bf16, f32 (from a.toml)");
  EXPECT_EQ(refusal([&] { s.set("dtype", "\xff", ""); }), "--dtype holds bytes that are not UTF-8");
  EXPECT_EQ(refusal([&] { s.set("max_lenght", "1", ""); }), "unknown key 'max_lenght'; did you mean 'max_length'?");
  EXPECT_EQ(refusal([&] { s.set("zzzzz", "1", ""); }), "unknown key 'zzzzz'");
}

TEST(Settings, NamesOfFilesAreOfAnyBytes) {
  Settings s(describe_fields<SampleConfig>());
  s.set("run", "caf\xe9", "--run");
  EXPECT_EQ(from_json<SampleConfig>(s.values()).run, "caf\xe9");
}

TEST(Settings, ARecordedValueOfAnotherKindIsNamed) {
  const auto refused = [](const char* name, const Json& value) -> std::string {
    try {
      from_json<SampleConfig>({{name, value}});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::input);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(refused("dtype", 7), "the recorded setting 'dtype' is 7, expected a text");
  EXPECT_EQ(refused("max_length", {1}), "the recorded setting 'max_length' is [1], expected a whole number");
  EXPECT_EQ(refused("balance", nullptr), "the recorded setting 'balance' is null, expected true or false");
  EXPECT_EQ(refused("memory", Json::object()), "the recorded setting 'memory' is {}, expected a size");
  EXPECT_EQ(refused("lr", 1), "accepted");
}

TEST(Settings, TheLastOneCountsAndSaysWhereItIsFrom) {
  Settings s(describe_fields<SampleConfig>());
  s.set_json("lr", 0.125, "run.toml");
  s.set_json("balance", true, "run.toml");
  s.set("lr", "0.25", variable_name("lr"));
  s.set("dtype", "f32", "--dtype");
  EXPECT_EQ(s.at("lr").value, 0.25);
  EXPECT_EQ(s.at("lr").origin, "FRUGAL_LR");
  EXPECT_EQ(s.at("balance").origin, "run.toml");
  EXPECT_EQ(s.at("dtype").origin, "--dtype");
  EXPECT_EQ(s.at("max_length").origin, "default");
  EXPECT_FALSE(s.is_given("max_length"));
  EXPECT_TRUE(s.is_given("lr"));
}

TEST(Settings, TomlFile) {
  const std::string path = ::testing::TempDir() + "settings_" + std::to_string(::getpid()) + ".toml";
  write_file(path, "lr = 1e-3\nmax-length = 9\nlabels = [\"a\", \"b,c\"]\nmemory = \"2GiB\"\n");
  Settings s(describe_fields<SampleConfig>());
  const Json file = read_settings_file(path);
  for (const auto& [key, value] : file.items()) s.set_json(key, value, path);
  const auto c = from_json<SampleConfig>(s.values());
  EXPECT_EQ(c.max_length, 9);
  EXPECT_EQ(c.labels, (std::vector<std::string>{"a", "b,c"}));
  EXPECT_EQ(c.memory.count, 2ull << 30);
  write_file(path, "lr = 1\n[deep]\nx = 1\n");
  EXPECT_NE(refusal([&] { read_settings_file(path); }), "accepted");
  write_file(path, "lr = 1\nlr = = 2\n");
  EXPECT_NE(refusal([&] { read_settings_file(path); }).find("line 2"), std::string::npos);
  write_file(path, "max_length = 1.5\n");
  const Json fraction = read_settings_file(path);
  EXPECT_EQ(refusal([&] { s.set_json("max_length", fraction["max_length"], path); }),
            "--max-length is '1.5', expected a whole number (from " + path + ")");
  std::filesystem::remove(path);
}

TEST(Settings, AFileOfSettingsReadsAsItWasWritten) {
  const Json values = {{"lr", 1e-5},
                       {"large", 1e20},
                       {"whole", 3.0},
                       {"max_length", -7},
                       {"balance", false},
                       {"dtype", "a \"quoted\\ text\",\n\tand \xC3\xA9 \x01\x7f"},
                       {"labels", {"a,b", "", "c=\"d\""}},
                       {"none", Json::array()}};
  const auto path = std::filesystem::temp_directory_path() / ("settings_" + std::to_string(::getpid()) + ".toml");
  write_file(path, settings_file_text(values));
  Json again = read_settings_file(path);  // by name
  EXPECT_EQ(again.size(), values.size());
  for (const auto& [name, value] : values.items()) EXPECT_EQ(again[name], value) << name;
  std::filesystem::remove(path);
}

TEST(Settings, NamesOfFlagsAndKeys) {
  EXPECT_EQ(variable_name("max_length"), "FRUGAL_MAX_LENGTH");
  EXPECT_EQ(flag_name("max_length"), "--max-length");
  EXPECT_EQ(key_name("--max-length"), "max_length");
  EXPECT_EQ(key_name("--max_length"), "max_length");
  EXPECT_EQ(nearest_name("lerning_rate", {"eps", "learning_rate"}), "learning_rate");
  EXPECT_EQ(nearest_name("stesp", {"test", "steps", "step_size"}), "steps");
  EXPECT_EQ(nearest_name("qqq", {"eps", "lr"}), "");
}

TEST(Progress, Line) {
  EXPECT_EQ(progress_line(412, 2000, 2.2, "it", "loss 0.5127  mem 3.00 GiB"),
            " 20.6% 412/2000  2.20 it/s  ETA 12:01  loss 0.5127  mem 3.00 GiB");
  EXPECT_EQ(progress_line(5, 5, 1, "it", ""), "100.0% 5/5  1.00 it/s");
  EXPECT_EQ(progress_line(0, 0, 0, "it", ""), "100.0% 0/0");
}

TEST(Progress, ShortWorkIsSilent) {
  ::testing::internal::CaptureStderr();
  {
    Progress progress(3);
    for (std::uint64_t i = 1; i <= 3; ++i) progress.update(i);
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Log, QuietKeepsWarnings) {
  ::testing::internal::CaptureStderr();
  set_quiet(true);
  say("a");
  note("b");
  warn("c");
  set_quiet(false);
  note("d");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "warning: c\nnote: d\n");
}

}  // namespace
}  // namespace frugal
