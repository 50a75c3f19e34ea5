// The budget's guard is asked by whatever judges examples in a run: references, losses, answers that are written.
#include <gtest/gtest.h>

#include "frugal/base/error.h"
#include "frugal/base/json_text.h"
#include "frugal/verbs/torch/tests/on_model.h"
#include "frugal/verbs/torch/tune_data.h"

namespace frugal {
namespace {

class Guarded : public OnModel {
 protected:
  void SetUp() override {
    OnModel::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const Json question = {{{"role", "user"}, {"content", "What is 1 plus 2?"}}};
    const auto answer = [](const char* text) { return Json{{{"role", "assistant"}, {"content", text}}}; };
    write_file(folder_ / "pairs.jsonl",
               Json{{"prompt", question}, {"chosen", answer("3.")}, {"rejected", answer("No.")}}.dump() + "\n");
    write_file(folder_ / "chats.jsonl", Json{{"messages", {question[0], answer("3.")[0]}}}.dump() + "\n");
  }
  SessionConfig model() const { return {kModel, {.weights = "stored", .threads = 1}}; }
  DataConfig data_of(const char* file) const {
    DataConfig config;
    config.data = config.dev = (folder_ / file).string();
    config.task.max_length = 256;
    return config;
  }
};

TEST_F(Guarded, AReferenceThatIsStoppedIsNotWritten) {
  Session session(model());
  TuneData data(data_of("pairs.jsonl"), "dpo", session);
  const fs::path reference = folder_ / "reference.frugal";
  data.set_guard([] { throw Error(Exit::budget, "too large", "give more"); });
  EXPECT_THROW(data.take_reference(session.view(), reference, {}), Error);
  EXPECT_FALSE(fs::exists(reference));
  data.set_guard({});
  data.take_reference(session.view(), reference, {});
  EXPECT_TRUE(fs::exists(reference));
}

TEST_F(Guarded, AnswersAreStoppedWhileTheyAreWritten) {
  DataConfig config = data_of("chats.jsonl");
  config.dev_metric = "exact_match";
  config.answers.max_new_tokens = 5;
  Session session(model());
  TuneData data(config, "ce", session);
  int asked = 0;
  data.set_guard([&] {
    // The first time after the loss; then after each token.
    if (++asked == 3) throw Error(Exit::budget, "too large", "give more");
  });
  EXPECT_THROW(data.dev()->evaluate(session.view(), "answers"), Error);
  EXPECT_EQ(asked, 3);
}

TEST_F(Guarded, LabelsAreStoppedAfterABatch) {
  std::string lines;
  for (int i = 0; i < 70; ++i)
    lines += R"({"text": "fine", "label": "ham"})"
             "\n";
  write_file(folder_ / "labels.jsonl", lines);
  DataConfig config = data_of("labels.jsonl");
  config.task.prompt_template = "{text}:";
  config.task.labels = {"ham", "spam"};
  Session session(model());
  TuneData data(config, "ce", session);
  int asked = 0;
  data.set_guard([&] {
    if (++asked == 2) throw Error(Exit::budget, "too large", "give more");
  });
  EXPECT_THROW(data.dev()->evaluate(session.view(), "examples"), Error);
  EXPECT_EQ(asked, 2) << "70 examples, 32 of a batch";
}

}  // namespace
}  // namespace frugal
