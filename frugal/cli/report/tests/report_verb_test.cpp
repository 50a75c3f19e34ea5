// frugal report: where pages go, and what is refused.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/cli/parse.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

class ReportVerb : public testing::Test {
 protected:
  std::string run(const std::string& name) {
    const fs::path path = folder_ / name;
    fs::create_directories(path);
    write_file(path / "run.json", R"({"format": 1, "settings": {"method": "mezo"}, "status": "done"})");
    write_file(path / "events.jsonl", "{\"event\": \"step\", \"step\": 1, \"loss\": 0.5}\n");
    return path.string();
  }
  TemporaryFolder folder_;
};

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

int call_verb(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "report");
  const Asked asked = asked_for(arguments);
  return asked.action->run(parse_arguments(asked).settings);
}

// A folder of runs: a line each, the best of those that were measured on the same data marked; what is no record is
// left out.
TEST_F(ReportVerb, ListsRunsBelowAFolder) {
  const auto scored = [&](const std::string& name, double score, const std::string& sha256) {
    fs::create_directories(folder_ / "runs" / name);
    write_file(
        folder_ / "runs" / name / "run.json",
        Json{{"action", "tune"},
             {"settings", {{"method", "lora"}}},
             {"status", "done"},
             {"files",
              {{"data", {{"path", "/t.jsonl"}, {"sha256", "0"}}}, {"dev", {{"path", "/d.jsonl"}, {"sha256", sha256}}}}},
             {"results", {{"best", {{"metric", score}, {"metric_name", "loss"}}}, {"peak_rss_bytes", 1 << 20}}}}
            .dump());
  };
  scored("a", 0.5, "1"), scored("b", 0.25, "1"), scored("c", 0.125, "2");
  fs::create_directories(folder_ / "runs/broken");
  write_file(folder_ / "runs/broken/run.json", "[]");
  testing::internal::CaptureStdout();
  EXPECT_EQ(call_verb({(folder_ / "runs").string(), "--json"}), 0);
  const Json found = Json::parse(testing::internal::GetCapturedStdout());
  ASSERT_EQ(found["runs"].size(), 3u);
  for (const Json& row : found["runs"]) {
    EXPECT_EQ(row["is_best"], fs::path(row["path"].get<std::string>()).filename() == "b") << row;
    EXPECT_EQ(row["data"], "/d.jsonl");
    EXPECT_EQ(row["method"], "lora");
  }
  testing::internal::CaptureStdout();
  EXPECT_EQ(call_verb({(folder_ / "runs").string()}), 0);
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_TRUE(contains(text, "0.25 *")) << text;
  EXPECT_FALSE(contains(text, "0.125 *")) << text;
  EXPECT_FALSE(fs::exists(folder_ / "runs/report.html"));
}

Exit refusal(const std::vector<std::string>& arguments) {
  try {
    call_verb(arguments);
  } catch (const Error& error) {
    EXPECT_FALSE(error.fix().empty());
    return error.code();
  }
  return Exit::ok;
}

TEST_F(ReportVerb, WritesAndOverwrites) {
  const std::string one = run("one"), two = run("two"), out = (folder_ / "page.html").string();
  testing::internal::CaptureStdout();
  EXPECT_EQ(call_verb({one}), 0);
  EXPECT_EQ(call_verb({one}), 0);
  EXPECT_EQ(call_verb({one, "--compare", two}), 0);
  EXPECT_EQ(call_verb({one, "--compare", two + "," + one, "--out", out, "--json"}), 0);
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_TRUE(contains(read_file(one + "/report.html"), "<h1>one"));
  EXPECT_TRUE(contains(read_file(one + "/compare.html"), "2 runs compared"));
  const Json line = Json::parse(said.substr(said.find('{')), nullptr, false);
  EXPECT_EQ(line, Json({{"out", out}, {"runs", {one, two, one}}}));
  EXPECT_TRUE(contains(read_file(out), "3 runs compared"));
}

TEST_F(ReportVerb, Refuses) {
  const std::string one = run("one"), nothing = (folder_ / "nothing").string();
  EXPECT_EQ(refusal({}), Exit::usage);
  EXPECT_EQ(refusal({nothing}), Exit::input);
  EXPECT_EQ(refusal({one, "--compare", nothing}), Exit::input);
  EXPECT_EQ(refusal({one, "--out", one + "/run.json"}), Exit::usage);
  EXPECT_EQ(refusal({one, "--out", nothing + "/page.html"}), Exit::input);
  write_file(fs::path(one) / "run.json", "{\"format\": 1");
  EXPECT_EQ(refusal({one}), Exit::input);
  EXPECT_FALSE(fs::exists(one + "/report.html"));
}

// A link with the right ending must not lead a page over a record.
TEST_F(ReportVerb, RefusesToOverwriteWhatItReads) {
  const std::string one = run("one"), two = run("two");
  const std::string before = read_file(two + "/events.jsonl");
  fs::create_symlink("two/events.jsonl", folder_ / "page.html");
  EXPECT_EQ(refusal({one, "--compare", two, "--out", (folder_ / "page.html").string()}), Exit::usage);
  EXPECT_EQ(read_file(two + "/events.jsonl"), before);
}

TEST_F(ReportVerb, DrawsRunsWhoseNamesAreNotUtf8) {
  const std::string odd = run("caf\xe9"), out = (folder_ / "p\xe4ge.html").string();
  testing::internal::CaptureStdout();
  EXPECT_EQ(call_verb({odd, "--compare", odd, "--out", out, "--json"}), 0);
  const Json line = Json::parse(testing::internal::GetCapturedStdout(), nullptr, false);
  EXPECT_EQ(line["out"], (folder_ / "p\xEF\xBF\xBDge.html").string());
  const std::string page = read_file(out);
  EXPECT_TRUE(contains(page, "caf\xEF\xBF\xBD"));
  EXPECT_FALSE(contains(page, "\xe9<"));
}

TEST_F(ReportVerb, WaitsForNoPipeInAFolder) {
  const std::string one = run("one");
  fs::remove(one + "/events.jsonl");
  ASSERT_EQ(::mkfifo((one + "/events.jsonl").c_str(), 0600), 0);
  testing::internal::CaptureStdout();
  EXPECT_EQ(call_verb({one}), 0);
  testing::internal::GetCapturedStdout();
  EXPECT_TRUE(contains(read_file(one + "/report.html"), "no step is recorded"));
  fs::remove(one + "/run.json");
  ASSERT_EQ(::mkfifo((one + "/run.json").c_str(), 0600), 0);
  EXPECT_EQ(refusal({one}), Exit::input);
}

}  // namespace
}  // namespace frugal
