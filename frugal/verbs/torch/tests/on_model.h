// The real program, and the real model, in a folder of the test's own.
#pragma once
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "frugal/base/atomic_file.h"
#include "frugal/base/json.h"
#include "frugal/formats/tokenizer.h"
#include "frugal/plan/plan.h"

namespace frugal {

namespace fs = std::filesystem;

inline const std::string kModel = FRUGAL_SOURCE_DIR "/build/models/SmolLM2-135M-Instruct.Q4_1.gguf";

struct Outcome {
  int code = -1;  // 1000 and the signal where one ended it
  std::string out, err;

  // The last line of stdout; of an error its object.
  Json line() const {
    std::string text = out;
    while (text.ends_with('\n')) text.pop_back();
    return Json::parse(text.substr(text.rfind('\n') + 1), nullptr, false);
  }
};

class WithProgram : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "frugal_model_test_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr) << name;
    folder_ = name;
  }
  void TearDown() override {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  // `arguments` as a shell sees them. before: a command in front of the program, as `timeout`; input: what stdin holds.
  Outcome run(const std::string& arguments, const std::string& before = "", const std::string& input = "") const {
    write_file(folder_ / "in", input);
    const std::string command = before + " " FRUGAL_BINARY_DIR "/bin/frugal " + arguments + " <'" + at("in") + "' >'" +
                                at("out") + "' 2>'" + at("err") + "'";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), read_file(folder_ / "out"),
            read_file(folder_ / "err")};
  }

  // The same, killed as soon as `has_come`, or when it ends.
  void run_until(const std::string& arguments, const std::function<bool()>& has_come) const {
    const pid_t child = ::fork();
    if (child == 0) {
      const std::string command = "exec " FRUGAL_BINARY_DIR "/bin/frugal " + arguments + " >/dev/null 2>&1 </dev/null";
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 30000 && !has_come(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  // A snapshot of that step or a later one is in the run's folder.
  bool has_snapshot(const std::string& run, int step) const {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(folder_ / run / "snapshots", failed)) {
      const std::string name = entry.path().stem().string();  // step-000012
      if (name.starts_with("step-") && std::atoi(name.c_str() + 5) >= step) return true;
    }
    return false;
  }

  fs::path folder_;
};

// A plan is not below the run's peak (by more than `slack`), and above it by no more than a quarter of what is above
// LibTorch's floor, or 16 MiB: kernels of products are the processor's, and planned for the largest.
inline void expect_planned(std::uint64_t planned, std::uint64_t peak, const std::string& what,
                           std::uint64_t slack = 0) {
  const std::uint64_t above = peak - std::min(peak, kLibTorchFloor);
  EXPECT_LE(peak, planned + slack) << what << ", in MiB: planned " << (planned >> 20) << ", peak " << (peak >> 20);
  EXPECT_LE(planned, peak + std::max<std::uint64_t>(above / 4, 16 << 20))
      << what << ", in MiB: planned " << (planned >> 20) << ", peak " << (peak >> 20);
}

// Skips where the model is not there.
class OnModel : public WithProgram {
 protected:
  void SetUp() override {
    if (!fs::exists(kModel)) GTEST_SKIP() << "no model at " << kModel << "; make model fetches it";
    WithProgram::SetUp();
  }
};

// A model of two layers whose tokens are letters, in the folder "model".
class OnLetters : public WithProgram {
 protected:
  void SetUp() override {
    WithProgram::SetUp();
    fs::copy(FRUGAL_SOURCE_DIR "/frugal/nn/tests/golden/tied", folder_ / "model");
    TokenizerModel letters{.tokens = {"\xC4\xA0"}, .merges = {"Y e"}, .added = {}, .pre = "gpt-2"};  // a space
    for (char c = 'a'; c <= 'z'; ++c) letters.tokens.push_back(std::string(1, c));
    for (const char* more : {"N", "Y", "Ye", ":"}) letters.tokens.emplace_back(more);
    while (letters.tokens.size() < 61) letters.tokens.push_back("no" + std::to_string(letters.tokens.size()));
    write_file(folder_ / "model" / "tokenizer.json", Tokenizer(letters).to_json().dump());
  }
};

}  // namespace frugal
