// The budget's guard is asked by whatever judges examples in a run: references, losses, answers that are written.
#include <gtest/gtest.h>

#include "frugal/base/error.h"
#include "frugal/base/json_text.h"
#include "frugal/verbs/tests/on_model.h"
#include "frugal/verbs/tune_data.h"

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
  Json settings(const char* file, const char* more = "{}") const {
    const std::string path = (folder_ / file).string();
    Json all = {{"model", kModel}, {"weights", "stored"}, {"threads", 1},
                {"data", path},    {"dev", path},         {"max_length", 256}};
    all.update(json_of(more));
    return all;
  }
};

TEST_F(Guarded, AReferenceThatIsStoppedIsNotWritten) {
  const Json all = settings("pairs.jsonl", R"({"objective": "dpo"})");
  Session session(all);
  TuneData data(all, session);
  const fs::path reference = folder_ / "reference.frugal";
  data.set_guard([] { throw Error(Exit::budget, "too large", "give more"); });
  EXPECT_THROW(data.take_reference(session.view, reference, {}), Error);
  EXPECT_FALSE(fs::exists(reference));
  data.set_guard({});
  data.take_reference(session.view, reference, {});
  EXPECT_TRUE(fs::exists(reference));
}

TEST_F(Guarded, AnswersAreStoppedWhileTheyAreWritten) {
  const Json all = settings("chats.jsonl", R"({"dev_metric": "exact_match", "max_new_tokens": 5})");
  Session session(all);
  TuneData data(all, session);
  int asked = 0;
  data.set_guard([&] {
    // The first time after the loss; then after each token.
    if (++asked == 3) throw Error(Exit::budget, "too large", "give more");
  });
  EXPECT_THROW(data.dev()->evaluate(session.view, "answers"), Error);
  EXPECT_EQ(asked, 3);
}

TEST_F(Guarded, LabelsAreStoppedAfterABatch) {
  std::string lines;
  for (int i = 0; i < 70; ++i)
    lines += R"({"text": "fine", "label": "ham"})"
             "\n";
  write_file(folder_ / "labels.jsonl", lines);
  const Json all = settings("labels.jsonl", R"({"template": "{text}:", "labels": ["ham", "spam"]})");
  Session session(all);
  TuneData data(all, session);
  int asked = 0;
  data.set_guard([&] {
    if (++asked == 2) throw Error(Exit::budget, "too large", "give more");
  });
  EXPECT_THROW(data.dev()->evaluate(session.view, "examples"), Error);
  EXPECT_EQ(asked, 2) << "70 examples, 32 of a batch";
}

}  // namespace
}  // namespace frugal
