// eval keeps the promise of --memory while it runs, and inside it gives the numbers it gives without.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <sstream>

#include "frugal/base/handed.h"
#include "frugal/verbs/torch/tests/on_model.h"

namespace frugal {
namespace {

class Eval : public OnModel {
 protected:
  void SetUp() override {
    OnModel::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    std::ofstream(folder_ / "d.jsonl") << R"({"text":"a fine film","label":1})"
                                          "\n"
                                          R"({"text":"dull","label":"negative"})"
                                          "\n";
    settings_ = {{"model", kModel},
                 {"data", (folder_ / "d.jsonl").string()},
                 {"template", "Review: {text}\nSentiment:"},
                 {"labels", {"negative", "positive"}},
                 {"weights", "stored"},
                 {"json", true},
                 {"quiet", true}};
    void* library = ::dlopen(FRUGAL_BINARY_DIR "/lib/libfrugal_torch.so", RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << ::dlerror();
    run_ = reinterpret_cast<Run>(::dlsym(library, "frugal_room_run"));
    ASSERT_NE(run_, nullptr);
  }
  // Past the plan, which would refuse a budget that cannot hold.
  Json eval(std::uint64_t mebibytes, int expected) const {
    Json settings = settings_;
    settings["memory"] = mebibytes << 20;
    const Json request = {{"settings", settings}};
    std::ostringstream out;
    std::streambuf* const before = std::cout.rdbuf(out.rdbuf());
    const int code = run_("eval", &request, &handed());
    std::cout.rdbuf(before);
    EXPECT_EQ(code, expected) << out.str();
    return Json::parse(out.str(), nullptr, false);
  }

  Json settings_;
  using Run = int (*)(const char*, const Json*, Handed*);
  Run run_ = nullptr;
};

TEST_F(Eval, StopsWhenTheProcessIsLargerThanPromised) {
  const Json free = eval(0, 0), held = eval(4000, 0);
  EXPECT_EQ(free["loss"], held["loss"]);
  EXPECT_EQ(free["examples"], 2);
  const Json stopped = eval(50, 4);
  EXPECT_NE(stopped["error"].get<std::string>().find("--memory is 50.0 MiB"), std::string::npos) << stopped;
  EXPECT_NE(stopped["fix"].get<std::string>().find("--memory"), std::string::npos) << stopped;
}

// Rows are the labels there are, columns those predicted; the numbers are those of --json.
TEST_F(Eval, PrintsTheConfusionOfLabels) {
  const std::string task = "eval " + kModel + " --data '" + at("d.jsonl") +
                           "' --template 'Review: {text}\\nSentiment:' --labels negative,positive --weights stored";
  const Json found = run(task + " --json").line()["confusion"];
  ASSERT_EQ(found.size(), 2u);
  const Outcome text = run(task);
  ASSERT_EQ(text.code, 0) << text.err;
  std::istringstream lines(text.out.substr(std::min(text.out.size(), text.out.find("confusion:"))));
  std::string line, label;
  std::getline(lines, line);
  EXPECT_EQ(line, "confusion: a row is what there is, a column what was predicted");
  std::getline(lines, line);
  EXPECT_NE(line.find("recall"), std::string::npos) << line;
  for (const Json& row : found) {
    std::int64_t negative = -1, positive = -1;
    lines >> label >> negative >> positive >> line;
    EXPECT_EQ(row, Json({negative, positive})) << text.out;
  }
}

}  // namespace
}  // namespace frugal
