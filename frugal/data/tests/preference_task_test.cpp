// Pairs of answers: texts and lists of messages give the tokens of supervised tuning, and what is no preference is
// refused with its line.
#include "frugal/data/preference_task.h"

#include <gtest/gtest.h>

#include "small_tokenizer.h"

namespace frugal {
namespace {

using Ids = std::vector<std::int32_t>;

ChatRecords records(const std::string& text) {
  return parse_chat_records(text, "p.jsonl", 0, MessageLists::preferences);
}
Json message(const std::string& role, const std::string& content) { return {{"role", role}, {"content", content}}; }

std::string answer_of(const Tokenizer& tokenizer, const Sequence& sequence) {
  Ids ids;
  for (std::size_t t = 0; t < sequence.tokens.size(); ++t) {
    if (sequence.is_target[t] != 0) ids.push_back(sequence.tokens[t]);
  }
  return tokenizer.decode(ids, false);
}

TEST(PreferenceTask, TextsAreAPromptAndTwoCompletions) {
  const Tokenizer t = small_tokenizer();
  const PreferenceTask task({}, t, "");
  const PreferenceDataset data =
      task.encode(records(R"({"prompt": "Sky?", "chosen": "It is blue.", "rejected": " Green"})"));
  ASSERT_EQ(data.preferences.size(), 1u);
  const Preference& pair = data.preferences[0];
  EXPECT_EQ(answer_of(t, pair.chosen), " It is blue.<|im_end|>");
  EXPECT_EQ(answer_of(t, pair.rejected), " Green<|im_end|>");
  EXPECT_EQ(pair.prompt, t.encode("Sky?").size());
  EXPECT_EQ(pair.packed_tokens(), pair.chosen.tokens.size() + pair.rejected.tokens.size() - pair.prompt);
  EXPECT_EQ(data.tokens, pair.packed_tokens());
  EXPECT_EQ(longest_preference(data), pair.packed_tokens());
  // The same tokens as supervised tuning has for the prompt with one of the answers.
  SequenceConfig config;
  config.prompt_template = "{prompt}";
  config.completion = "chosen";
  const Sequence sft = SequenceTask(config, t, "")
                           .encode(parse_chat_records(R"({"prompt": "Sky?", "chosen": "It is blue."})", "f.jsonl"))
                           .sequences.at(0);
  EXPECT_EQ(pair.chosen.tokens, sft.tokens);
  EXPECT_EQ(pair.chosen.is_target, sft.is_target);
  // Other columns by a template.
  SequenceConfig asked;
  asked.prompt_template = "Q: {q}\nA:";
  const auto templated = PreferenceTask(asked, t, "").encode(records(R"({"q": "x", "chosen": "a", "rejected": "b"})"));
  EXPECT_EQ(t.decode(templated.preferences[0].chosen.tokens, false), "Q: x\nA: a<|im_end|>");
}

// A prompt as a list, none with lists that begin alike, or a text beside such lists: one conversation.
TEST(PreferenceTask, ListsOfMessagesAreConversations) {
  const Tokenizer t = small_tokenizer();
  const std::string source = model_template("chatml");
  const PreferenceTask task({}, t, source);
  const Json prompt = {message("user", "a"), message("assistant", "b"), message("user", "c")};
  const Json chosen = {message("assistant", "good")}, rejected = {message("assistant", "bad")};
  Json long_chosen = prompt, long_rejected = prompt;
  long_chosen.push_back(chosen[0]);
  long_rejected.push_back(rejected[0]);
  const std::string forms[] = {Json{{"prompt", prompt}, {"chosen", chosen}, {"rejected", rejected}}.dump(),
                               Json{{"chosen", long_chosen}, {"rejected", long_rejected}}.dump(),
                               Json{{"prompt", "c"}, {"chosen", long_chosen}, {"rejected", long_rejected}}.dump()};
  const Sequence sft = SequenceTask({}, t, source)
                           .encode(parse_chat_records(Json{{"messages", long_chosen}}.dump(), "f"))
                           .sequences.at(0);
  for (const std::string& form : forms) {
    const Preference pair = task.encode(records(form)).preferences.at(0);
    EXPECT_EQ(answer_of(t, pair.chosen), "good<|im_end|>") << form;  // not the answer inside the prompt
    EXPECT_EQ(answer_of(t, pair.rejected), "bad<|im_end|>") << form;
    EXPECT_EQ(pair.chosen.tokens, sft.tokens);
    for (std::size_t i = 0; i < pair.prompt; ++i) {
      EXPECT_EQ(pair.chosen.tokens[i], pair.rejected.tokens[i]);
      EXPECT_EQ(pair.chosen.is_target[i], 0);
    }
    EXPECT_EQ(pair.chosen.is_target[pair.prompt], 1);
  }
}

TEST(PreferenceTask, WhatIsNoPreferenceIsNamed) {
  const Tokenizer t = small_tokenizer();
  const std::string source = model_template("chatml");
  const std::string good = R"({"prompt": "p", "chosen": "a", "rejected": "b"})";
  const auto what = [&](const std::string& record) {
    const Error error =
        refusal([&] { PreferenceTask({}, t, source).encode(records(good + std::string("\n") + record)); });
    EXPECT_EQ(error.code(), Exit::input) << record;
    EXPECT_FALSE(error.fix().empty());
    return std::string(error.what());
  };
  EXPECT_EQ(what(R"({"prompt": "p", "chosen": "a"})"), "p.jsonl line 2: the record has no 'rejected'");
  EXPECT_EQ(what(R"({"prompt": "p", "rejected": "a"})"), "p.jsonl line 2: the record has no 'chosen'");
  EXPECT_EQ(what(R"({"chosen": "a", "rejected": "b"})"), "p.jsonl line 2: the record has no 'prompt'");
  EXPECT_EQ(what(R"({"prompt": "p", "chosen": "a", "rejected": " a"})"),
            "p.jsonl line 2: 'chosen' and 'rejected' are the same 2 tokens, so neither is preferred");
  EXPECT_EQ(what(R"({"prompt": "p", "chosen": "a", "rejected": "\n"})"),
            "p.jsonl line 2: 'rejected': the completion has no token");
  EXPECT_EQ(what(R"({"prompt": "p", "chosen": "a", "rejected": [{"role": "assistant", "content": "b"}]})"),
            "p.jsonl line 2: one of 'chosen' and 'rejected' is a text, the other a list of messages");
  EXPECT_EQ(what(R"({"prompt": [{"role": "user", "content": "x"}], "chosen": "a", "rejected": "b"})"),
            "p.jsonl line 2: 'prompt' is a list of messages, but 'chosen' and 'rejected' are texts");
  const std::string asked = R"("prompt": [{"role": "user", "content": "x"}], )";
  EXPECT_EQ(what("{" + asked + R"("chosen": [{"role": "assistant", "content": "a"}], "rejected": []})"),
            "p.jsonl line 2: 'rejected': it has no answer behind the prompt");
  EXPECT_EQ(
      what(
          "{" + asked +
          R"("chosen": [{"role": "assistant", "content": "a"}], "rejected": [{"role": "assistant", "content": " "}]})"),
      "p.jsonl line 2: 'rejected': message 2 is an answer without text");
  EXPECT_EQ(what(R"({"prompt": "", "chosen": "a", "rejected": "b"})"), "p.jsonl line 2: the prompt has no token");
  EXPECT_EQ(what(R"({"prompt": "p", "chosen": [1], "rejected": "b"})").substr(0, 15), "p.jsonl line 2:");
}

TEST(PreferenceTask, NothingIsCut) {
  const Tokenizer t = small_tokenizer();
  SequenceConfig config;
  config.max_length = 12;
  const std::string good = R"({"prompt": "p", "chosen": "a", "rejected": "b"})";
  std::string words;
  for (int i = 0; i < 30; ++i) words += "w ";
  const std::string longer = Json{{"prompt", words}, {"chosen", "a"}, {"rejected", "b"}}.dump();
  const std::size_t length = t.encode(words).size() + t.encode(" a").size() + 1;
  const Error error =
      refusal([&] { PreferenceTask(config, t, "").encode(records(good + std::string("\n") + longer)); });
  EXPECT_EQ(error.what(), "p.jsonl line 2: the prompt with its longer answer needs " + std::to_string(length) +
                              " tokens, --max-length is 12");
  config.overlong = "drop";
  const PreferenceTask drops(config, t, "");
  const PreferenceDataset data = drops.encode(records(good + std::string("\n") + longer));
  EXPECT_EQ(data.preferences.size(), 1u);
  EXPECT_EQ(data.dropped, 1u);
  EXPECT_EQ(refusal([&] { drops.encode(records(longer)); }).code(), Exit::input);
  const std::string chat = Json{{"prompt", {message("user", words)}},
                                {"chosen", {message("assistant", "a")}},
                                {"rejected", {message("assistant", "b")}}}
                               .dump();
  EXPECT_EQ(
      PreferenceTask(config, t, model_template("chatml")).encode(records(good + std::string("\n") + chat)).dropped, 1u);
  config.overlong = "error";
  EXPECT_NE(
      std::string(refusal([&] { PreferenceTask(config, t, model_template("chatml")).encode(records(chat)); }).what())
          .find("line 1: 'chosen': the conversation needs"),
      std::string::npos);
}

TEST(PreferenceTask, TheDescriptionShowsOnePair) {
  const Tokenizer t = small_tokenizer();
  const PreferenceTask task({}, t, "");
  const PreferenceDataset data =
      task.encode(records(R"({"prompt": "Sky?", "chosen": "It is\nblue.", "rejected": "Green"})"));
  const Json json = task.describe(data);
  EXPECT_EQ(json["first"]["prompt"], "Sky?");
  EXPECT_EQ(json["first"]["rejected"], " Green<|im_end|>");
  const std::string text = task.describe_text(data);
  EXPECT_NE(text.find("prompt:\n  | Sky?\nchosen, to become likelier than the other:\n  |  It is\n  | blue.<|im_end|>\n"
                      "rejected:\n  |  Green<|im_end|>\n"),
            std::string::npos)
      << text;
  EXPECT_THROW(PreferenceTask(
                   [] {
                     SequenceConfig config;
                     config.prompt_template = "{chosen}";
                     return config;
                   }(),
                   t, ""),
               Error);
}

}  // namespace
}  // namespace frugal
