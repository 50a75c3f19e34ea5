// What holds for every job in the table, whatever it is: stopped or killed anywhere and resumed it ends with the same
// bits; its budget, its seeds and sweeps, its page, what it refuses. A job that gives a trial gets these tests with it.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <thread>

#include "frugal/base/json_text.h"
#include "frugal/base/room.h"
#include "frugal/base/system.h"
#include "frugal/cli/sweep_rows.h"
#include "run_program.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

struct Trial {
  std::string name, options;  // "swarm train", what follows it
  const SystemInfo* system;
  const Action* action;
};

std::vector<Trial> trials() {
  std::vector<Trial> all;
  for (const SystemInfo& system : systems().all()) {
    for (const Action& action : system.actions) {
      if (action.trial.empty()) continue;
      const std::string name = std::string(system.name) + (action.name.empty() ? "" : " " + std::string(action.name));
      all.push_back({name, std::string(action.trial), &system, &action});
    }
  }
  return all;
}

void PrintTo(const Trial& trial, std::ostream* out) { *out << trial.name; }

class EveryJob : public testing::TestWithParam<Trial> {
 protected:
  void SetUp() override {
    const std::string folder(GetParam().system->folder);
    if (!fs::exists(fs::path(FRUGAL_SOURCE_DIR) / "frugal" / folder / "job.cpp") &&
        library_of_build(library_of(folder)).empty())
      GTEST_SKIP() << "this build has no library for " << folder;
    std::string name = (scratch() / "job_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }
  static std::string library_of_build(const std::string& library) {
    const fs::path path = fs::path(FRUGAL_BINARY_DIR) / "lib" / ("lib" + library + ".so");
    return fs::exists(path) ? path.string() : "";
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  Outcome run(const std::string& more) const { return run_program(GetParam().name + " " + more + " --quiet --json"); }
  Outcome start(const std::string& out, const std::string& more = "") const {
    return run(GetParam().options + " --checkpoint-every 2 " + more + " --out " + at(out));
  }
  // In a process of its own.
  pid_t begin(const std::string& more) const {
    const std::string command = "exec " FRUGAL_BINARY_DIR "/bin/frugal " + GetParam().name + " " + more +
                                " --quiet --json >/dev/null 2>&1 </dev/null";
    const pid_t child = ::fork();
    if (child == 0) {
      ::signal(SIGINT, SIG_DFL);  // a shell may have it ignored
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    return child;
  }
  static int wait(pid_t child) {  // exit code; -1: ended by a signal
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // False: the run at `out` took none in a minute.
  static bool wait_for_step(const fs::path& out) {
    for (int i = 0; i < 30000; ++i) {
      std::error_code failed;
      if (fs::exists(out / "events.jsonl", failed) &&
          read_file(out / "events.jsonl").find(R"("event":"step")") != std::string::npos)
        return true;
      std::this_thread::sleep_for(2ms);
    }
    return false;
  }
  Json record(const std::string& name) const { return json_of(read_file(at(name) + "/run.json")); }
  std::string sha256(const std::string& name) const {  // of the weights it ended with, or of its whole state
    const Json run = record(name);
    EXPECT_TRUE(run.contains("weights_sha256") || run["results"].contains("state_sha256")) << name;
    return run.value("weights_sha256", run["results"].value("state_sha256", ""));
  }
  fs::path folder_;
};

TEST_P(EveryJob, KilledAnywhereAndResumedEndsWithTheSameBits) {
  const auto began = std::chrono::steady_clock::now();
  ASSERT_EQ(start("whole").code, 0) << start("again").err;
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  std::mt19937 random(7);
  for (int kill = 0; kill < 2; ++kill) {
    const std::string name = "killed" + std::to_string(kill), out = at(name);
    const auto after = std::chrono::milliseconds(took.count() * (20 + random() % 60) / 100);
    const pid_t child = begin(GetParam().options + " --checkpoint-every 2 --out " + out);
    std::this_thread::sleep_for(after);
    ::kill(child, SIGKILL);
    wait(child);  // gone, and its lock with it
    const Outcome resumed = fs::exists(out + "/run.json") ? run("--resume " + out) : start(name);
    ASSERT_EQ(resumed.code, 0) << resumed.err << resumed.out;
    EXPECT_EQ(sha256(name), sha256("whole")) << "killed after " << after.count() << " ms of " << took.count();
  }
}

TEST_P(EveryJob, InterruptedSavesAndGoesOn) {
  ASSERT_EQ(start("whole").code, 0);
  const std::string out = at("stopped");
  const pid_t child = begin(GetParam().options + " --checkpoint-every 1000 --out " + out);
  const bool has_begun = wait_for_step(out);
  ::kill(child, SIGINT);
  EXPECT_EQ(wait(child), 130);
  ASSERT_TRUE(has_begun);
  ASSERT_EQ(record("stopped")["status"], "interrupted");
  EXPECT_EQ(run("--resume " + out).code, 0);
  EXPECT_EQ(sha256("stopped"), sha256("whole"));
}

// Killed by -9 a sweep takes its runs along; it goes on, has the runs of each seed, and repeats to the same bits.
TEST_P(EveryJob, SweepsSeedsAndRepeats) {
  const auto& fields = GetParam().action->fields;
  const bool has_own_seeds =
      std::any_of(fields.begin(), fields.end(), [](const FieldInfo& info) { return info.field.name == "seeds"; });
  const std::string out = at("sweep"), seeds = has_own_seeds ? " --seed 9 --sweep seed=3,4" : " --seed 3 --seeds 2";
  const std::string options = GetParam().options + seeds + " --threads 2";
  EXPECT_EQ(json_of(run(options + " --dry-run").out)["runs"], 2);
  const pid_t child = begin(options + " --out " + out);
  const bool has_begun = wait_for_step(out + "/cells/0001-seed=3");
  ::kill(child, SIGKILL);
  wait(child);
  ASSERT_TRUE(has_begun);
  const std::string cell = "sweep/cells/0001-seed=3";
  for (int i = 0; i < 30000 && record(cell)["status"] == "running"; ++i) std::this_thread::sleep_for(2ms);
  EXPECT_EQ(record(cell)["status"], "interrupted");
  const Outcome resumed = run("--resume " + out);
  ASSERT_EQ(resumed.code, 0) << resumed.err << resumed.out;
  const Json rows = record("sweep")["results"]["rows"];
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1]["seed"], "4");
  EXPECT_TRUE(fs::exists(out + "/sweep.csv"));
  ASSERT_EQ(run(GetParam().options + " --seed 3 --threads 1 --out " + at("alone")).code, 0);
  EXPECT_EQ(sha256(cell), sha256("alone"));
  for (const std::string name : {"sweep", "alone"}) {
    const Outcome again = run_program("rerun " + at(name) + " --out " + at(name + "-again") + " --json --quiet");
    EXPECT_EQ(again.code, 0) << again.out << again.err;
    EXPECT_EQ(json_of(again.out)["is_same"], true) << "one object with the verdict: " << again.out;
    const Json first = record(name), second = record(name + "-again");
    for (const Json& fact : first.value("facts", Json::array()))
      EXPECT_EQ(first[fact.get<std::string>()], second.value(fact.get<std::string>(), Json())) << fact;
  }
}

TEST_P(EveryJob, KeepsItsRecordAndDrawsItsPage) {
  ASSERT_EQ(start("r").code, 0);
  const Json run = record("r");
  EXPECT_EQ(run["action"], GetParam().name);
  EXPECT_EQ(run["status"], "done");
  EXPECT_GT(run["results"]["peak_rss_bytes"], 0);
  ASSERT_FALSE(GetParam().system->metrics.empty());
  const std::string metric(GetParam().system->metrics.front().name);
  EXPECT_NE(metric_column({numbers_of(run["results"])}, metric), "")
      << metric << " is no number of the results, so a sweep cannot draw it: " << run["results"];
  const std::string page = read_file(at("r") + "/report.html");
  EXPECT_NE(page.find("<svg"), std::string::npos) << "a page without a picture";
  EXPECT_EQ(page.find("http://"), page.find("http://www.w3.org")) << "nothing is fetched";
  const Json all = json_of(run_program("list " + folder_.string() + " --json").out);
  ASSERT_EQ(all["runs"].size(), 1u);
  EXPECT_TRUE(all["runs"][0]["is_finished"]);
}

TEST_P(EveryJob, TheSeedDecides) {
  ASSERT_EQ(start("one").code, 0);
  ASSERT_EQ(start("two").code, 0);
  EXPECT_EQ(sha256("one"), sha256("two"));
  ASSERT_EQ(start("three", "--seed 3").code, 0);
  EXPECT_NE(sha256("one"), sha256("three"));
}

TEST_P(EveryJob, SaysWhatItTakesAndRefusesLess) {
  const Outcome dry = run(GetParam().options + " --dry-run");
  ASSERT_EQ(dry.code, 0) << dry.err << dry.out;
  [[maybe_unused]] const auto peak = json_of(dry.out)["peak"].get<std::uint64_t>();
  ASSERT_EQ(start("r").code, 0);
#if !defined(__SANITIZE_ADDRESS__)  // which keeps what was freed
  EXPECT_LE(record("r")["results"]["peak_rss_bytes"].get<std::uint64_t>(), peak + peak / 10 + (16 << 20));
#endif
  const Outcome refused = start("small", "--memory 1MiB");
  EXPECT_EQ(refused.code, 4) << refused.out;
  EXPECT_NE(refused.out.find("--memory"), std::string::npos);
  EXPECT_FALSE(fs::exists(at("small"))) << "a refused run leaves nothing";
}

TEST_P(EveryJob, RefusesWhatItHasNotAndWhatAResumeCannotChange) {
  EXPECT_EQ(start("a", "--no-such-option 1").code, 2);
  EXPECT_EQ(start("b", "--seed -1").code, 2);
  ASSERT_EQ(start("r").code, 0);
  const Outcome again = run("--resume " + at("r") + " --seed 4");
  EXPECT_EQ(again.code, 2) << again.out;
  EXPECT_EQ(start("r").code, 3) << "the folder holds a run";
}

TEST_P(EveryJob, ItsFolderSaysWhatItIs) {
  const fs::path folder = fs::path(FRUGAL_SOURCE_DIR) / "frugal" / GetParam().system->folder;
  const std::string text = read_file(folder / "README.md");
  for (const char* heading : {"## Source", "## Memory", "## When not to use it", "## In this folder"})
    EXPECT_NE(text.find(heading), std::string::npos) << folder << " has no heading " << heading;
}

// Runs that have no trial, and why nothing is lost; each is among those that make torture ill-treats.
TEST(EveryRun, HasATrialOrAnExcuse) {
  const std::map<std::string, std::string> excused = {{"tune", "needs a model: verbs/torch/tests and tune/tests"},
                                                      {"prune", "needs a model: verbs/torch/tests and prune/tests"},
                                                      {"adapt", "needs a model: verbs/torch/tests"},
                                                      {"swarm sweep", "its runs are those of swarm train"}};
  const std::string tortured = read_file(FRUGAL_SOURCE_DIR "/scripts/torture/jobs.py");
  for (const SystemInfo& system : systems().all()) {
    for (const Action& action : system.actions) {
      const std::string name = std::string(system.name) + (action.name.empty() ? "" : " " + std::string(action.name));
      if (!action.is_run) continue;
      const bool is_example = !fs::exists(fs::path(FRUGAL_SOURCE_DIR) / "frugal" / system.folder);
      EXPECT_TRUE(is_example || name == "swarm sweep" || tortured.find("\"" + name + " ") != std::string::npos)
          << "scripts/torture/jobs.py has no job of frugal " << name;
      if (!action.trial.empty()) continue;
      EXPECT_TRUE(excused.contains(name)) << "frugal " << name << " has no trial, so no test here runs it";
    }
  }
}

std::string name_of(const testing::TestParamInfo<Trial>& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (c == ' ' || c == '-') c = '_';
  }
  return name;
}
INSTANTIATE_TEST_SUITE_P(Jobs, EveryJob, testing::ValuesIn(trials()), name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryJob);

}  // namespace
}  // namespace frugal
