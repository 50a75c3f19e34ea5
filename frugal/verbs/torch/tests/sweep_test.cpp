// frugal tune over values of an option, on a model of two layers whose tokens are letters.
#include <signal.h>

#include <thread>

#include "frugal/base/json_text.h"
#include "frugal/verbs/torch/tests/on_model.h"

namespace frugal {
namespace {

class TuneSweep : public OnLetters {
 protected:
  void SetUp() override {
    OnLetters::SetUp();
    std::string lines;
    for (int i = 0; i < 12; ++i)
      lines += R"({"text": "win a )" + std::string(1, static_cast<char>('a' + i)) + R"( now", "label": ")" +
               (i % 2 == 0 ? "ham" : "spam") + "\"}\n";
    write_file(folder_ / "data.jsonl", lines);
  }
  std::string tune(const std::string& more) const {
    return "tune " + at("model") + " --data " + at("data.jsonl") + " --test " + at("data.jsonl") +
           " --template 'text: {text} ' --labels ham=N,spam=Y --max-length 48 --batch 2 --quiet --json " + more;
  }
  Json record(const std::string& run) const { return json_of(read_file(folder_ / run / "run.json")); }
};

TEST_F(TuneSweep, SeedsAreRunsOfTheirOwnAndRepeat) {
  const std::string options = "--method lora --steps 120 --checkpoint-every 5 ";
  const Outcome dry = run(tune(options + "--seed 3 --seeds 2 --dry-run"));
  ASSERT_EQ(dry.code, 0) << dry.out << dry.err;
  EXPECT_EQ(dry.line()["runs"], 2);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string command = "exec " FRUGAL_BINARY_DIR "/bin/frugal " + tune(options) +
                                "--seed 3 --seeds 2 --threads 2 --out " + at("sweep") + " >/dev/null 2>&1 </dev/null";
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  const fs::path snapshot = folder_ / "sweep/cells/0001-seed=3/snapshots/step-000005.frugal";
  for (int i = 0; i < 6000 && !fs::exists(snapshot); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const Outcome resumed = run("tune --quiet --json --resume " + at("sweep"));
  ASSERT_EQ(resumed.code, 0) << resumed.out << resumed.err;
  const Json rows = resumed.line()["rows"];
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_TRUE(rows[0]["test.accuracy"].is_number()) << rows;
  EXPECT_NE(read_file(folder_ / "sweep/sweep.csv").find("test.accuracy"), std::string::npos);
  ASSERT_EQ(run(tune(options + "--seed 4 --threads 1 --out " + at("alone"))).code, 0);
  EXPECT_EQ(record("sweep/cells/0002-seed=4")["weights_sha256"], record("alone")["weights_sha256"]);
  const Outcome again = run("rerun " + at("sweep") + " --out " + at("again") + " --json --quiet");
  EXPECT_EQ(again.code, 0) << again.out << again.err;
  EXPECT_EQ(json_of(again.out)["is_same"], true) << again.out;
}

// A run that diverges is a row without numbers; the others go on.
TEST_F(TuneSweep, ARunThatDivergesHasEnded) {
  const Outcome swept =
      run(tune("--method full --steps 30 --sweep lr=1e30,1e-4 --sweep method=full,lora --out " + at("sweep")));
  ASSERT_EQ(swept.code, 0) << swept.out << swept.err;
  const Json line = swept.line(), rows = line["rows"];
  EXPECT_EQ(line["diverged"], 2) << line;
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(
      rows[0],
      Json({{"lr", "1e30"}, {"method", "full"}, {"status", "diverged"}, {"run", "cells/0001-lr=1e30-method=full"}}));
  EXPECT_EQ(rows[3]["status"], "done");
  EXPECT_TRUE(rows[3]["test.accuracy"].is_number());
  EXPECT_EQ(run("rerun " + at("sweep") + " --out " + at("again") + " --json --quiet").code, 0);
}

}  // namespace
}  // namespace frugal
