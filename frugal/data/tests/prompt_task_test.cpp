#include "frugal/data/prompt_task.h"

#include <gtest/gtest.h>

#include <functional>

#include "byte_tokenizer.h"
#include "frugal/base/error.h"
#include "frugal/data/text_windows.h"

namespace frugal {
namespace {

const char* const kSpace = "\xC4\xA0";  // a space in the byte-level alphabet

Tokenizer tokenizer(bool add_bos = false) {
  return Tokenizer(byte_model({std::string(kSpace) + " N", std::string(kSpace) + "N o"}, add_bos));
}

Error refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return {Exit::ok, "accepted", ""};
}

Records records(const std::string& jsonl) { return parse_records(jsonl, RecordFormat::jsonl, "f.jsonl"); }

PromptConfig config(std::vector<std::string> labels = {"No", "Yes"}, std::string prompt = "Q: {text}\nA:") {
  PromptConfig c;
  c.prompt_template = std::move(prompt);
  c.labels = std::move(labels);
  return c;
}

TEST(PromptTemplate, PlacesBracesAndEscapes) {
  const Records r = records("{\"a\":\"x{y}\",\"b\":\"2\"}");
  const auto rendered = [&](const char* text) {
    const PromptTemplate t(text);
    return t.render(r, 0, t.bind(r));
  };
  EXPECT_EQ(rendered("{a}"), "x{y}");
  EXPECT_EQ(rendered("{a}{b}{a}"), "x{y}2x{y}");
  EXPECT_EQ(rendered("{{a}} {b}"), "{a} 2");
  EXPECT_EQ(rendered("{{{b}}}"), "{2}");
  EXPECT_EQ(rendered("a\\n{b}\n\\t\\\\n\\x"), "a\n2\n\t\\n\\x");
  EXPECT_EQ(PromptTemplate("{a} and {b} and {a}").columns(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(PromptTemplate("x {a} tail").tail(), " tail");
}

TEST(PromptTemplate, Refusals) {
  for (const char* text : {"{a", "a}", "{}", "{a{b}}", "plain", "{{a}}", ""}) {
    const Error error = refusal([&] { PromptTemplate t(text); });
    EXPECT_EQ(error.code(), Exit::usage) << text;
    EXPECT_FALSE(error.fix().empty()) << text;
  }
  const Records r = records("{\"text\":\"x\",\"label\":\"y\"}");
  EXPECT_EQ(refusal([&] { PromptTemplate("{txt}").bind(r); }).fix(), "the columns are: text, label");
}

TEST(PromptTask, TheWordIsEncodedOnItsOwn) {
  const Tokenizer t = tokenizer();
  const PromptTask task(config(), t);
  ASSERT_EQ(task.options().size(), 2u);
  EXPECT_EQ(task.options()[0], t.encode(" No"));
  EXPECT_EQ(task.options()[0].size(), 1u);
  EXPECT_EQ(task.options()[1].size(), 4u);
  EXPECT_FALSE(task.has_single_token_options());
  const Dataset data = task.encode(records("{\"text\":\"hi\",\"label\":\"Yes\"}"));
  EXPECT_EQ(data.examples[0].prompt, t.encode("Q: hi\nA:"));
  EXPECT_EQ(data.examples[0].label, 1);
  // A template that ends in white space brings its own.
  const PromptTask spaced(config({"No", "Yes"}, "{text} A: "), t);
  EXPECT_EQ(spaced.options()[1], t.encode("Yes"));
}

TEST(PromptTask, LabelsInTheData) {
  const Tokenizer t = tokenizer();
  const auto labels_of = [&](const std::vector<std::string>& labels, const std::string& values) {
    std::string jsonl;
    for (const char c : values) jsonl += "{\"text\":\"t\",\"label\":\" " + std::string(1, c) + " \"}\n";
    std::vector<int> found;
    for (const auto& example : PromptTask(config(labels), t).encode(records(jsonl)).examples)
      found.push_back(example.label);
    return found;
  };
  EXPECT_EQ(labels_of({"a", "b"}, "abba"), (std::vector<int>{0, 1, 1, 0}));
  EXPECT_EQ(labels_of({"a", "b"}, "01"), (std::vector<int>{0, 1}));
  EXPECT_EQ(labels_of({"1", "0"}, "01"), (std::vector<int>{1, 0}));  // a label's own text comes before its index
  EXPECT_EQ(labels_of({"h=No", "s=Yes"}, "sh"), (std::vector<int>{1, 0}));
  const Error error = refusal([&] { labels_of({"h=No", "s=Yes"}, "hh0"); });
  EXPECT_STREQ(error.what(), "f.jsonl line 3: label '0' is none of h, s");
  EXPECT_THROW(labels_of({"a", "b"}, "2"), Error);
}

TEST(PromptTask, LabelRefusals) {
  const Tokenizer t = tokenizer();
  const auto what = [&](std::vector<std::string> labels, std::string prompt = "{text}:") {
    return std::string(refusal([&] { PromptTask task(config(std::move(labels), std::move(prompt)), t); }).what());
  };
  EXPECT_EQ(what({"a"}), "--labels has 1 labels, expected at least 2");
  EXPECT_EQ(what({"a", ""}), "label 2 of --labels is empty: ''");
  EXPECT_EQ(what({"a", "b="}), "label 2 of --labels is empty: 'b='");
  EXPECT_EQ(what({"a", "a"}), "label 'a' is in --labels twice");
  EXPECT_EQ(what({"x=a", "y=a"}), "word 'a' is in --labels twice");
  EXPECT_EQ(what({"a", "b"}, "{text} {label}"), "--template shows the answer: it holds {label}, the label column");
  EXPECT_EQ(what({"aa", "ab"}), "accepted");  // words may share their first tokens: the sequences are compared
}

// Whatever is cut comes off the front of the prompt: its end and the bos stay.
TEST(PromptTask, TruncationKeepsTheEnd) {
  const Tokenizer t = tokenizer(true);
  PromptConfig c = config();
  c.max_length = 16;
  const PromptTask task(c, t);
  const Dataset data = task.encode(
      records("{\"text\":\"0123456789012345678901234567890\",\"label\":\"No\"}\n{\"text\":\"ab\",\"label\":\"No\"}"));
  const auto whole = t.encode("Q: 0123456789012345678901234567890\nA:");
  const auto& cut = data.examples[0].prompt;
  EXPECT_TRUE(data.examples[0].is_truncated);
  EXPECT_FALSE(data.examples[1].is_truncated);
  EXPECT_EQ(data.truncated, 1u);
  ASSERT_EQ(cut.size() + 4, 16u);  // the longest label is 4 tokens
  EXPECT_EQ(cut.front(), t.model().bos);
  EXPECT_TRUE(std::equal(cut.begin() + 1, cut.end(), whole.end() - static_cast<std::ptrdiff_t>(cut.size() - 1)));
  c.max_length = 8;
  EXPECT_STREQ(refusal([&] { PromptTask small(c, t); }).what(),
               "--max-length is 8, but the template's end and the label words need 9");
}

TEST(PromptTask, DescriptionShowsTheScoredPart) {
  const Tokenizer t = tokenizer();
  const PromptTask task(config({"ham=No", "spam=Yes"}), t);
  const Records r = records(
      "{\"text\":\"a\\nb\",\"label\":\"spam\"}\n{\"text\":\"ccc\",\"label\":\"ham\"}\n{\"text\":\"d\",\"label\":"
      "\"ham\"}");
  const Dataset data = task.encode(r);
  const Json json = task.describe(data);
  EXPECT_EQ(json["first"]["prompt"], "Q: a\nb\nA:");
  EXPECT_EQ(json["first"]["scored"], " Yes");
  EXPECT_EQ(json["labels"][0]["examples"], 2);
  EXPECT_EQ(json["labels"][1]["examples"], 1);
  std::size_t counted = 0;
  for (const auto& count : json["prompt_tokens"]["counts"]) counted += count.get<std::size_t>();
  EXPECT_EQ(counted, 3u);
  const std::string text = task.describe_text(data);
  EXPECT_NE(text.find("  | A:>> Yes<<"), std::string::npos) << text;
  EXPECT_NE(text.find("ham = 'No' 2, spam = 'Yes' 1 (4 tokens)"), std::string::npos) << text;
  EXPECT_NE(text.find("0 of 3 (0.0 %)"), std::string::npos) << text;
}

// Every token but the first is predicted exactly once.
TEST(TextWindows, CoverTheTextOnce) {
  const Tokenizer t = tokenizer(true);
  const std::string text = "abcdefghijklmnopqrstuvwxyz";
  std::vector<std::int32_t> all = t.encode(text);
  all.insert(all.begin(), t.model().bos);
  for (std::int64_t length = 2; length <= 30; ++length) {
    std::vector<std::int32_t> predicted;
    for (const auto& window : text_windows(t, text, length)) {
      ASSERT_GE(window.size(), 2u);
      ASSERT_LE(window.size(), static_cast<std::size_t>(length));
      predicted.insert(predicted.end(), window.begin() + 1, window.end());
    }
    EXPECT_EQ(predicted, std::vector<std::int32_t>(all.begin() + 1, all.end())) << length;
  }
  EXPECT_THROW(text_windows(tokenizer(), "a", 8), Error);
}

}  // namespace
}  // namespace frugal
