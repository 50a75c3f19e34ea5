// Preferences and written answers with the real program on the real model: a run of dpo ends with the same bits
// however it was stopped, and answers are scored as they are written down.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "frugal/data/answer_metrics.h"
#include "frugal/train/run/resume.h"
#include "frugal/verbs/torch/tests/on_model.h"

namespace frugal {
namespace {

Json message(const std::string& role, const std::string& content) { return {{"role", role}, {"content", content}}; }

class AnswersRun : public OnModel {
 protected:
  void SetUp() override {
    OnModel::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    std::ofstream pairs(folder_ / "pairs.jsonl"), chats(folder_ / "chats.jsonl");
    for (int i = 0; i < 6; ++i) {
      const std::string n = std::to_string(i), sum = std::to_string(i + 2);
      const Json prompt = {message("user", "What is " + n + " plus 2?")};
      pairs << Json{{"prompt", prompt},
                    {"chosen", {message("assistant", sum + ".")}},
                    {"rejected", {message("assistant", "I would rather not say it.")}}}
                   .dump()
            << "\n";
      chats << Json{{"messages", {prompt[0], message("assistant", "#### " + sum)}}}.dump() << "\n";
    }
  }
  // `arguments` with FOLDER for the test's folder; the exit code. What was said is in last_.
  int code_of(std::string arguments, const std::string& before = "") {
    for (std::size_t found; (found = arguments.find("FOLDER")) != std::string::npos;)
      arguments.replace(found, 6, folder_.string());
    last_ = run(arguments, before);
    return last_.code;
  }
  std::string said() const { return last_.out + last_.err; }
  Json record(const std::string& name) const {
    return Json::parse(read_file(folder_ / name / "run.json"), nullptr, false);
  }

  Outcome last_;
};

TEST_F(AnswersRun, PreferencesResumeToTheSameBits) {
  const std::string start =
      "tune " + kModel +
      " --data FOLDER/pairs.jsonl --dev FOLDER/pairs.jsonl --objective dpo --method lora --lr 1e-3 "
      "--steps 6 --batch 2 --checkpoint-every 2 --seed 3 --dev-metric rewards/margins --out FOLDER/";
  ASSERT_EQ(code_of(start + "whole"), 0) << said();
  const Json whole = record("whole");
  const auto events = events_of_run(folder_ / "whole").events;
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events[0]["event"], "eval");  // of the model itself: no reward yet
  EXPECT_NEAR(events[0]["loss"].get<double>(), std::log(2.0), 1e-6);
  EXPECT_NEAR(events[0]["rewards/margins"].get<double>(), 0, 1e-6);
  double last = 0;
  for (const Json& event : events) {
    if (event["event"] == "eval") last = event["rewards/margins"];
    EXPECT_TRUE(event.contains("rewards/accuracies"));
  }
  EXPECT_GT(last, 0.5) << "chosen answers did not become likelier";
  EXPECT_EQ(whole["results"]["best"]["metric_name"], "rewards/margins");
  EXPECT_TRUE(fs::exists(folder_ / "whole" / "reference.frugal"));

  // Killed after its first snapshot; then the stored reference is damaged, and computed again with a warning.
  code_of(start + "killed", "sh -c '\"$@\" & p=$!; while [ ! -e " +
                                (folder_ / "killed/snapshots/step-000002.frugal").string() +
                                " ] && kill -0 $p 2>/dev/null; do sleep 0.05; done; kill -9 $p; wait $p' sh");
  ASSERT_TRUE(fs::exists(folder_ / "killed" / "reference.frugal"));
  const std::string kept = read_file(folder_ / "killed" / "reference.frugal");
  EXPECT_EQ(kept, read_file(folder_ / "whole" / "reference.frugal"));
  {
    std::fstream damage(folder_ / "killed" / "reference.frugal", std::ios::in | std::ios::out | std::ios::binary);
    damage.seekp(static_cast<std::streamoff>(kept.size() - 100));
    damage.put('\x55');
  }
  ASSERT_EQ(code_of("tune --resume FOLDER/killed"), 0) << said();
  EXPECT_NE(said().find("the reference is computed again"), std::string::npos) << said();
  EXPECT_EQ(record("killed")["weights_sha256"], whole["weights_sha256"]);
  EXPECT_EQ(read_file(folder_ / "killed" / "reference.frugal"), kept);
}

TEST_F(AnswersRun, PreferencesWorkWithForwardPassesAlone) {
  ASSERT_EQ(
      code_of(
          "tune " + kModel +
          " --data FOLDER/pairs.jsonl --objective dpo --method mezo --lr 1e-6 --steps 2 --batch 2 --out FOLDER/run"),
      0)
      << said();
  for (const Json& event : events_of_run(folder_ / "run").events) {
    EXPECT_NEAR(event["loss"].get<double>(), std::log(2.0), 0.1);
    EXPECT_TRUE(event.contains("rewards/margins"));
  }
}

TEST_F(AnswersRun, AnswersAreWrittenAndScored) {
  const std::string start =
      "eval " + kModel + " --data FOLDER/chats.jsonl --generate --match answer --max-new-tokens 12 ";
  ASSERT_EQ(code_of(start + "--json --predictions FOLDER/answers.jsonl"), 0) << said();
  const Json found = Json::parse(last_.out, nullptr, false);
  ASSERT_TRUE(found.is_object()) << said();
  std::istringstream lines(read_file(folder_ / "answers.jsonl"));
  double exact = 0, f1 = 0, rouge = 0, n = 0;
  for (std::string text; std::getline(lines, text); ++n) {
    const Json answer = Json::parse(text, nullptr, false);
    const AnswerScores scores =
        score_answer(answer["prediction"].get<std::string>(), answer["reference"].get<std::string>(), Match::answer);
    EXPECT_EQ(answer["exact_match"], scores.exact_match ? 1 : 0);
    EXPECT_NE(answer["prompt"].get<std::string>().find("plus 2?"), std::string::npos);
    EXPECT_TRUE(answer["reference"].get<std::string>().starts_with("#### "));
    EXPECT_FALSE(answer["prediction"].get<std::string>().empty());
    exact += scores.exact_match, f1 += scores.f1, rouge += scores.rouge_l;
  }
  EXPECT_EQ(n, 6);
  EXPECT_NEAR(found["exact_match"].get<double>(), exact / n, 1e-12);
  EXPECT_NEAR(found["f1"].get<double>(), f1 / n, 1e-12);
  EXPECT_NEAR(found["rougeL"].get<double>(), rouge / n, 1e-12);
  EXPECT_GT(found["perplexity"].get<double>(), 1);
  EXPECT_LE(found["new_tokens"].get<double>(), 12 * n);
  ASSERT_EQ(code_of(start + "--json --threads 1 --predictions FOLDER/again.jsonl"), 0) << said();
  EXPECT_EQ(read_file(folder_ / "answers.jsonl"), read_file(folder_ / "again.jsonl")) << "threads changed an answer";
}

TEST_F(AnswersRun, AnInterruptedEvaluationLeavesNoFile) {
  EXPECT_EQ(
      code_of("eval " + kModel +
                  " --data FOLDER/chats.jsonl --generate --max-new-tokens 8000 --batch 1 --predictions FOLDER/a.jsonl",
              "timeout --preserve-status -s INT 4"),
      130)
      << said();
  EXPECT_FALSE(fs::exists(folder_ / "a.jsonl"));
  for (const auto& entry : fs::directory_iterator(folder_))
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path();
}

TEST_F(AnswersRun, TheBestStepIsThatOfTheAskedMetric) {
  ASSERT_EQ(
      code_of("tune " + kModel +
              " --data FOLDER/chats.jsonl --dev FOLDER/chats.jsonl --dev-size 3 --method lora --lr 2e-3 --steps 8 "
              "--batch 4 --eval-every 4 --dev-metric exact_match --max-new-tokens 12 --out FOLDER/run"),
      0)
      << said();
  const Json best = record("run")["results"]["best"];
  EXPECT_EQ(best["metric_name"], "exact_match");
  double most = -1, loss = 0, step = 0;
  for (const Json& event : events_of_run(folder_ / "run").events) {
    if (event["event"] != "eval") continue;
    const double value = event["exact_match"], at_loss = event["loss"];
    EXPECT_TRUE(event.contains("rougeL"));
    if (value > most || (value == most && at_loss < loss)) most = value, loss = at_loss, step = event["step"];
  }
  EXPECT_EQ(best["metric"], most);
  EXPECT_EQ(best["step"], step);
}

// The first prompts of dev with what is written to them, behind each evaluation; the steps do not care.
TEST_F(AnswersRun, ShowsWhatTheModelWrites) {
  const std::string start = "tune " + kModel +
                            " --data FOLDER/chats.jsonl --dev FOLDER/chats.jsonl --dev-size 3 --method lora --lr 2e-3 "
                            "--steps 4 --batch 4 --eval-every 2 --max-new-tokens 6 ";
  ASSERT_EQ(code_of(start + "--show 2 --out FOLDER/shown"), 0) << said();
  ASSERT_EQ(code_of(start + "--show 2 --dev-metric exact_match --out FOLDER/scored"), 0) << said();
  ASSERT_EQ(code_of(start + "--out FOLDER/plain"), 0) << said();
  EXPECT_EQ(record("shown")["weights_sha256"], record("plain")["weights_sha256"]);
  std::vector<Json> tables[2];
  for (const int k : {0, 1}) {
    for (const Json& event : events_of_run(folder_ / (k == 0 ? "shown" : "scored")).events) {
      if (event["event"] == "table") tables[k].push_back(event["rows"]);
    }
    ASSERT_EQ(tables[k].size(), 3u);  // steps 0, 2 and 4
  }
  for (const Json& rows : tables[0]) {
    ASSERT_EQ(rows.size(), 2u);
    for (const Json& row : rows) {
      EXPECT_NE(row[0].get<std::string>().find("plus 2?"), std::string::npos) << row;
      EXPECT_TRUE(row[1].get<std::string>().starts_with("#### ")) << row;
      EXPECT_FALSE(row[2].get<std::string>().empty());
    }
  }
  EXPECT_EQ(tables[0], tables[1]);
  EXPECT_NE(read_file(folder_ / "shown/report.html").find("What the model writes after step 4"), std::string::npos);
  EXPECT_EQ(code_of("convert FOLDER/shown --out FOLDER/model.gguf"), 0) << said();  // measures it, without a dev
  const std::string labels = "tune " + kModel + " --data FOLDER/chats.jsonl --template x --labels a,b --method lora ";
  EXPECT_EQ(code_of(labels + "--dev FOLDER/chats.jsonl --show 1 --out FOLDER/no"), 2) << said();
  EXPECT_EQ(code_of("tune " + kModel + " --data FOLDER/chats.jsonl --method lora --show 1 --out FOLDER/no"), 2);
}

}  // namespace
}  // namespace frugal
