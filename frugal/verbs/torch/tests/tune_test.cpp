// Runs of the real program on the real model: killed anywhere and resumed, interrupted, replayed by merge, all to the
// same bits.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <random>
#include <thread>

#include "frugal/verbs/torch/tests/on_model.h"

namespace frugal {
namespace {

using namespace std::chrono_literals;

const std::string kProgram = FRUGAL_BINARY_DIR "/bin/frugal";
class Tune : public OnModel {
 protected:
  void SetUp() override {
    OnModel::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    std::ifstream all(FRUGAL_SOURCE_DIR "/data/sms-spam/train.jsonl");
    std::ofstream some(folder_ / "train.jsonl");
    std::string line;
    for (int i = 0; i < 40 && std::getline(all, line); ++i) some << line << "\n";
  }

  std::vector<std::string> tune(const std::string& run, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"tune",
                                          kModel,
                                          "--data",
                                          (folder_ / "train.jsonl").string(),
                                          "--template",
                                          "Message: {text}\nIs this spam?",
                                          "--labels",
                                          "ham=No,spam=Yes",
                                          "--method",
                                          "sparse-mezo",
                                          "--steps",
                                          "9",
                                          "--batch",
                                          "2",
                                          "--checkpoint-every",
                                          "3",
                                          "--max-length",
                                          "32",
                                          "--seed",
                                          "7",
                                          "--samples",
                                          "2",
                                          "--quiet",
                                          "--out",
                                          (folder_ / run).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::vector<std::string> resume(const std::string& run) const {
    return {"tune", "--resume", (folder_ / run).string(), "--quiet"};
  }

  static pid_t start(const std::vector<std::string>& arguments) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::vector<char*> argv = {const_cast<char*>(kProgram.c_str())};
      for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
      argv.push_back(nullptr);
      if (std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(126);
      ::execv(kProgram.c_str(), argv.data());
      ::_exit(127);
    }
    return child;
  }
  static int wait(pid_t child) {  // exit code, or 1000 + signal
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  Json record(const std::string& run) const {
    std::ifstream in(folder_ / run / "run.json");
    return in ? Json::parse(in, nullptr, false) : Json::object();
  }
  std::string sha256(const std::string& run) const { return record(run).value("weights_sha256", ""); }
};

TEST_F(Tune, KilledInterruptedDamagedAndReplayedRunsEndWithTheSameBits) {
  ASSERT_EQ(wait(start(tune("whole"))), 0);
  const std::string expected = sha256("whole");
  ASSERT_EQ(expected.size(), 64u);
  Json keys = record("whole");
  EXPECT_EQ((--keys.end()).key(), "weights_sha256");

  ASSERT_EQ(wait(start(tune("one-thread", {"--threads", "1"}))), 0);
  EXPECT_EQ(sha256("one-thread"), expected) << "threads changed the weights";

  // kill -9 at random times until the run gets through; at least twice.
  std::mt19937 random(7);
  int kills = 0;
  bool begun = false;
  for (int round = 0; round < 60 && record("killed").value("status", "") != "done"; ++round) {
    const pid_t child = start(begun ? resume("killed") : tune("killed"));
    if (kills < 5) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1200 + random() % 2500));
      ::kill(child, SIGKILL);
    }
    const int code = wait(child);
    kills += code == 1000 + SIGKILL;
    ASSERT_TRUE(code == 0 || code == 1000 + SIGKILL) << code;
    begun = fs::exists(folder_ / "killed" / "run.json");
    if (!begun) fs::remove_all(folder_ / "killed");
  }
  EXPECT_EQ(sha256("killed"), expected) << kills << " kills";

  // One interrupt saves and exits 130; with the newest snapshot damaged the one before (or the base) serves.
  const pid_t child = start(tune("interrupted"));
  for (int i = 0; i < 600 && !fs::exists(folder_ / "interrupted" / "snapshots" / "step-000003.frugal"); ++i)
    std::this_thread::sleep_for(50ms);
  ::kill(child, SIGINT);
  ASSERT_EQ(wait(child), 130);
  EXPECT_EQ(record("interrupted").value("status", ""), "interrupted");
  std::vector<fs::path> snapshots;
  for (const auto& entry : fs::directory_iterator(folder_ / "interrupted" / "snapshots"))
    snapshots.push_back(entry.path());
  std::sort(snapshots.begin(), snapshots.end());
  ASSERT_FALSE(snapshots.empty());
  {
    std::fstream damage(snapshots.back(), std::ios::in | std::ios::out | std::ios::binary);
    damage.seekp(100'000'000);
    damage.put('x');
    damage.put('y');
  }
  ASSERT_EQ(wait(start(resume("interrupted"))), 0);
  EXPECT_EQ(sha256("interrupted"), expected);

  // merge replays the trajectory onto the base; it refuses to write when the bits differ from the run's.
  const std::string merged = (folder_ / "merged").string(), again = (folder_ / "again").string();
  ASSERT_EQ(wait(start({"merge", kModel, (folder_ / "whole").string(), "--out", merged, "--step", "9", "--quiet"})), 0);
  ASSERT_EQ(wait(start({"merge", kModel, (folder_ / "killed" / "trajectory.bin").string(), "--out", again, "--step",
                        "9", "--quiet"})),
            0);
  EXPECT_EQ(std::system(("cmp -s " + merged + "/model.safetensors " + again + "/model.safetensors").c_str()), 0);
  EXPECT_LT(fs::file_size(folder_ / "whole" / "trajectory.bin"), 4096u);

  // Measured on the same examples, the log alone with the prompt's options says what the folder says.
  const auto measured = [&](const std::string& arguments) {
    const std::string told = (folder_ / "told").string(), command = kProgram + " merge " + kModel + " " + arguments +
                                                                    " --data " + (folder_ / "train.jsonl").string() +
                                                                    " --json --quiet >" + told;
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    std::ifstream in(told);
    const Json line = Json::parse(in, nullptr, false);
    return line.is_object() ? line.value("reloaded", Json()) : Json();
  };
  const std::string whole = (folder_ / "whole").string();
  const Json of_folder = measured(whole + " --out " + (folder_ / "m1.gguf").string());
  const Json of_log = measured(whole + "/trajectory.bin --out " + (folder_ / "m2.gguf").string() +
                               " --template 'Message: {text}\nIs this spam?' --labels ham=No,spam=Yes --max-length 32");
  EXPECT_EQ(of_folder["examples"], 40);
  EXPECT_EQ(of_log, of_folder);
}

// Pairs trained by Sparse MeZO over a quantised base: any number of threads, a stop and a log alone give the same bits,
// and the adapter that is written is the run's.
TEST_F(Tune, PairsOverAQuantisedBaseReplayToTheSameBits) {
  const auto start_run = [&](const std::string& name, const std::string& threads) {
    return start(tune(
        name, {"--train", "lora", "--rank", "2", "--dora", "--lr", "1e-3", "--weights", "nf4", "--threads", threads}));
  };
  ASSERT_EQ(wait(start_run("whole", "2")), 0);
  const std::string expected = sha256("whole"), run = (folder_ / "whole").string();
  ASSERT_EQ(expected.size(), 64u);
  const pid_t child = start_run("stopped", "1");
  for (int i = 0; i < 1200 && !fs::exists(folder_ / "stopped" / "snapshots" / "step-000003.frugal"); ++i)
    std::this_thread::sleep_for(50ms);
  ::kill(child, SIGINT);
  const int code = wait(child);
  ASSERT_TRUE(code == 130 || code == 0) << code;
  ASSERT_EQ(wait(start(resume("stopped"))), 0);
  EXPECT_EQ(sha256("stopped"), expected);
  const std::string of_run = (folder_ / "a").string(), of_log = (folder_ / "b").string();
  ASSERT_EQ(wait(start({"merge", kModel, run, "--adapter", "--out", of_run, "--dtype", "f32", "--quiet"})), 0);
  ASSERT_EQ(wait(start(
                {"merge", kModel, run + "/trajectory.bin", "--adapter", "--out", of_log, "--dtype", "f32", "--quiet"})),
            0);
  for (const char* file : {"adapter_model.safetensors", "adapter_config.json"})
    EXPECT_EQ(std::system(("cmp " + of_run + "/" + file + " " + of_log + "/" + file).c_str()), 0);
  EXPECT_LT(fs::file_size(run + "/trajectory.bin"), 4096u);

  // A run that went on from an adapter replays from the same files alone.
  ASSERT_EQ(wait(start(tune("on", {"--train", "lora", "--adapter", of_run, "--lr", "1e-3", "--weights", "nf4"}))), 0);
  const auto merge_on = [&](const std::string& out) {
    return wait(start({"merge", kModel, (folder_ / "on").string(), "--adapter", "--out", (folder_ / out).string()}));
  };
  EXPECT_EQ(merge_on("c"), 0);
  std::ofstream(of_run + "/adapter_config.json", std::ios::app) << "\n";
  EXPECT_EQ(merge_on("d"), 3);
}

TEST_F(Tune, ARefusedRunLeavesNoFolder) {
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"--memory", "100MiB"}, {"--eps", "0"}, {"--labels", "a,b"}}) {
    std::vector<std::string> arguments = tune("refused");
    if (wrong[0] == "--labels") {
      for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == "--labels") arguments[i + 1] = wrong[1];
      }
    } else {
      arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    }
    const int code = wait(start(arguments));
    EXPECT_GE(code, 2) << wrong[0];
    EXPECT_LE(code, 4) << wrong[0];
    EXPECT_FALSE(fs::exists(folder_ / "refused")) << wrong[0];
  }
}

TEST_F(Tune, AnotherRunIsNotOverwritten) {
  fs::create_directories(folder_ / "other");
  std::ofstream(folder_ / "other" / "run.json") << "{}";
  EXPECT_EQ(wait(start(tune("other"))), 3);
}

}  // namespace
}  // namespace frugal
