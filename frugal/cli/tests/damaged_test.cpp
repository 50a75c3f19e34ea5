// What lies about in a folder may be anything: records of other kinds, pipes, names that are no text. And output that
// nobody takes, or that would fall on what is read.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "frugal/base/json_text.h"
#include "run_program.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

const std::string kRun = "bandit run --items 4 --choose 2 --seeds 1 ";

class Damaged : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  std::string run(const std::string& name, const std::string& record) const {
    fs::create_directories(folder_ / name);
    write_file(folder_ / name / "run.json", record);
    return at(name);
  }
  const fs::path folder_ = scratch() / "damaged";
};

void expect_refused(const std::string& arguments, int code, const std::string& error) {
  const Outcome o = run_program(arguments);
  EXPECT_EQ(o.code, code) << arguments << "\n" << o.err;
  EXPECT_TRUE(o.err.starts_with("error: ")) << o.err;
  EXPECT_NE(o.err.find(error), std::string::npos) << arguments << "\n" << o.err;
  EXPECT_NE(o.err.find("\nfix: "), std::string::npos) << o.err;
}

TEST_F(Damaged, ListLeavesOutWhatIsNoRecord) {
  run("numbers", R"({"format": 1, "action": 7})");
  run("status", R"({"format": 1, "status": 7})");
  run("list", "[]");
  run("torn", "{");
  const std::string good = run("good", R"({"format": 1, "settings": {}, "status": "done"})");
  fs::create_directories(folder_ / "pipe");
  ASSERT_EQ(::mkfifo(at("pipe/run.json").c_str(), 0600), 0);
  fs::create_directories(folder_ / "zero");
  fs::create_symlink("/dev/zero", folder_ / "zero/run.json");
  const Outcome o = run_program("list --json " + folder_.string());
  EXPECT_EQ(o.code, 0) << o.err;
  const Json all = json_of(o.out);
  ASSERT_TRUE(all.is_object()) << o.out;
  ASSERT_EQ(all["runs"].size(), 1u) << all["runs"];
  EXPECT_EQ(all["runs"][0]["path"], good);
  EXPECT_EQ(all["runs"][0]["action"], "tune");
  EXPECT_EQ(all["runs"][0]["is_finished"], true);
  for (const char* name : {"numbers", "status", "list", "torn", "pipe", "zero"})
    EXPECT_NE(o.err.find(at(name) + "/run.json"), std::string::npos) << name << "\n" << o.err;
}

// Whatever a record holds, its line has no number that cannot be one, and nothing that a terminal would obey.
TEST_F(Damaged, ListAndReportShowWhatRecordsHold) {
  run("types",
      R"({"format": 1, "settings": [], "results": {"best": 7, "seconds": "x"}, "files": {"dev": []}, "status": "a"})");
  run("huge", R"({"format": 1, "settings": {"method": "a\u001b[2Jb"}, "status": "done\u0007",
      "results": {"best": {"metric": 1e308, "metric_name": "m\n"}, "seconds": -1e300, "peak_rss_bytes": 1e300}})");
  for (const std::string& command : {"list " + folder_.string(), "report " + folder_.string()}) {
    const Outcome o = run_program(command);
    EXPECT_EQ(o.code, 0) << o.err;
    EXPECT_EQ(o.out.find('\x1b'), std::string::npos) << o.out;
    EXPECT_EQ(o.out.find('\a'), std::string::npos) << o.out;
    EXPECT_NE(o.out.find("a?[2Jb"), std::string::npos) << o.out;
  }
}

TEST_F(Damaged, RecordsOfOtherKindsAreRefused) {
  const std::pair<const char*, const char*> records[] = {
      {R"({"format": 1})", "it has no \"settings\""},
      {R"({"format": 1, "settings": []})", "its \"settings\" is array, expected object"},
      {R"({"format": 1, "action": "tune", "settings": {"model": 7}, "status": 7, "results": []})",
       "its \"status\" is number, expected string"},
      {R"({"format": 1, "settings": {}, "status": "done", "files": []})", "its \"files\" is array, expected object"}};
  write_file(folder_ / "tiny.gguf", "GGUF");
  for (const auto& [record, why] : records) {
    const std::string g = run("g", record);
    expect_refused("rerun " + g + " --out " + at("again"), 3, why);
    expect_refused("merge " + at("tiny.gguf") + " " + g + " --out " + at("merged"), 3, why);
    expect_refused("bandit run --resume " + g, 3, why);
    if (fs::exists(FRUGAL_BINARY_DIR "/lib/libfrugal_torch.so")) expect_refused("tune --resume " + g, 3, why);
  }
  const std::string g = run("g", R"({"format": 1, "action": "bandit run", "settings": {"horizon": "x"}})");
  expect_refused("bandit run --resume " + g, 3, "the recorded setting 'horizon' is \"x\", expected a whole number");
  EXPECT_FALSE(fs::exists(at("again")));
}

TEST_F(Damaged, InputsThatAreNoFilesAreRefused) {
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  const std::string error = at("pipe") + ": it is not a file";
  expect_refused("list --config " + at("pipe"), 3, error);
  expect_refused("plan " + at("pipe"), 3, error);
  expect_refused(kRun + "--out " + at("out") + " --config " + at("pipe"), 3, error);
  expect_refused("bandit run --items 4 --seeds 1 --out " + at("out") + " --actions " + at("pipe"), 3, error);
}

TEST_F(Damaged, OutputThatIsAlsoInputIsRefused) {
  const std::string data = at("data.jsonl"), text = "{\"q\":\"x\",\"completion\":\"y\"}\n";
  write_file(data, text);
  write_file(at("m.gguf"), "GGUF");
  fs::create_hard_link(data, at("link.jsonl"));
  const std::string start = "eval " + at("m.gguf") + " --template '{q}' --generate --data " + data + " --predictions ";
  for (const std::string& out : {data, at("link.jsonl")}) {
    expect_refused(start + out, 2, "--predictions: " + out);
    EXPECT_EQ(read_file(data), text);
  }
  expect_refused(start + at("m.gguf"), 2, "is read as MODEL");
  expect_refused("convert " + at("m.gguf") + " --out " + at("m.gguf"), 2, "is read as MODEL");
  EXPECT_EQ(read_file(at("m.gguf")), "GGUF");
}

// Progress and notes into a pipe that nobody reads: the run ends as it would have, and its page is drawn.
TEST_F(Damaged, AClosedStderrDoesNotEndARun) {
  const std::string out = at("run");
  ASSERT_EQ(std::system(("( (sleep 0.2; " FRUGAL_BINARY_DIR "/bin/frugal " + kRun + "--horizon 20000 --out " + out +
                         " 2>&3 >/dev/null; echo $? >" + at("code") + ") 3>&1 | true )")
                            .c_str()),
            0);
  for (int i = 0; i < 200 && !fs::exists(at("code")); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(read_file(at("code")), "0\n");
  EXPECT_TRUE(fs::exists(out + "/report.html"));
}

TEST_F(Damaged, AClosedStdoutEndsACommandAtOnce) {
  const int status =
      std::system("bash -c '(sleep 0.2; " FRUGAL_BINARY_DIR "/bin/frugal list) | true; exit ${PIPESTATUS[0]}'");
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGPIPE);
}

TEST_F(Damaged, AHangUpSavesTheRun) {
  const std::string out = at("run");
  const std::string ask = "bash -c '" FRUGAL_BINARY_DIR "/bin/frugal " + kRun + "--horizon 200000000 --quiet --out " +
                          out + " & until [ -e " + out + "/run.json ]; do sleep 0.05; done; sleep 0.3; " +
                          "kill -HUP $!; wait $!'";
  const int status = std::system(ask.c_str());
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_EQ(json_of(read_file(out + "/run.json"))["status"], "interrupted");
}

TEST_F(Damaged, RunsWhoseNamesAreNoTextAreRepeatedAndDrawn) {
  ASSERT_EQ(run_program(kRun + "--horizon 2000 --quiet --out " + at("run")).code, 0);
  const std::string odd = at("caf\xe9"), again = at("ag\xe4in"), page = at("p\xe4ge.html");
  fs::rename(at("run"), odd);
  const Outcome rerun = run_program("rerun " + odd + " --json --out " + again);
  EXPECT_EQ(rerun.code, 0) << rerun.err;
  EXPECT_TRUE(json_of(rerun.out).is_object()) << rerun.out;
  EXPECT_TRUE(json_of(read_file(again + "/run.json")).is_object());
  EXPECT_TRUE(fs::exists(again + "/report.html"));
  const Outcome report = run_program("report " + odd + " --compare " + again + " --json --out " + page);
  EXPECT_EQ(report.code, 0) << report.err;
  EXPECT_EQ(json_of(report.out)["runs"][0], at("caf\xEF\xBF\xBD"));
  EXPECT_TRUE(fs::exists(page));
}

TEST_F(Damaged, MessagesNameWhatIsWrong) {
  write_file(folder_ / "m", "x");
  const std::string generate = "generate " + at("m") + " --prompt a ";
  expect_refused(generate + "--memory abc", 2, "--memory is 'abc', expected a size");
  expect_refused(generate + "--seed 18446744073709551615", 2,
                 "--seed is '18446744073709551615', expected a whole number, at most 9223372036854775807");
}

}  // namespace
}  // namespace frugal
