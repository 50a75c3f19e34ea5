#include "frugal/data/sequence_task.h"

#include <gtest/gtest.h>

#include <numeric>

#include "frugal/data/prompt_task.h"
#include "small_tokenizer.h"

namespace frugal {
namespace {

using Ids = std::vector<std::int32_t>;

ChatRecords chats(const std::string& text) { return parse_chat_records(text, "f.jsonl"); }

Json message(const std::string& role, const std::string& content) { return {{"role", role}, {"content", content}}; }

// A record of messages from (role, content) pairs.
std::string chat(const std::vector<std::pair<std::string, std::string>>& turns) {
  Json list = Json::array();
  for (const auto& [role, content] : turns) list.push_back(message(role, content));
  return Json{{"messages", list}}.dump() + "\n";
}

Ids targets(const Sequence& sequence) {
  Ids ids;
  for (std::size_t t = 0; t < sequence.tokens.size(); ++t) {
    if (sequence.is_target[t] != 0) ids.push_back(sequence.tokens[t]);
  }
  return ids;
}

SequenceConfig prompt_config() {
  SequenceConfig config;
  config.prompt_template = "Question: {question}\nAnswer:";
  config.completion = "answer";
  return config;
}

// Records as in GSM8K.
const std::string kGsm8k =
    Json{{"question",
          "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many "
          "clips "
          "did Natalia sell altogether in April and May?"},
         {"answer",
          "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\nNatalia sold 48+24 = <<48+24=72>>72 clips altogether in "
          "April and May.\n#### 72"}}
        .dump() +
    "\n" +
    Json{{"answer", "Weng earns 12/60 = $<<12/60=0.2>>0.2 per minute.\n#### 10"},
         {"question", "Weng earns $12 an hour for babysitting."}}
        .dump() +
    "\n";

// ids and masks of transformers' apply_chat_template: what comes after the last answer is the only difference.
TEST(SequenceTask, ChatsHaveTheTokensAndMasksOfTheReference) {
  const Json golden = golden_json("data/tests/golden/chat_masks.json");
  const Tokenizer tokenizer = small_tokenizer();
  for (const Json& test : golden.at("cases")) {
    const std::string name = test.at("template"), source = golden.at("templates").at(name);
    const std::string record = Json{{"messages", golden.at("chats").at(test.at("chat").get<std::size_t>())}}.dump();
    const SequenceTask task({}, tokenizer, source);
    const Sequence got = task.encode(chats(record)).sequences.at(0);
    Ids ids = test.at("ids"), mask = test.at("mask");
    while (!mask.empty() && mask.back() == 0) mask.pop_back();
    ids.resize(mask.size());
    EXPECT_EQ(got.tokens, ids) << name << " " << record;
    EXPECT_EQ(Ids(got.is_target.begin(), got.is_target.end()), mask) << name << " " << record;
    SequenceConfig all;
    all.loss_on = "all";
    const Sequence whole = SequenceTask(all, tokenizer, source).encode(chats(record)).sequences.at(0);
    EXPECT_EQ(whole.tokens, test.at("ids").get<Ids>()) << name << " " << record;
    EXPECT_EQ(std::accumulate(whole.is_target.begin(), whole.is_target.end(), std::size_t{0}), whole.tokens.size() - 1);
  }
}

// The targets decode to the answers with the token that ends a turn, and what stands before an answer is what
// generation is asked with.
TEST(SequenceTask, TargetsAreTheAnswersWithTheirEnd) {
  const Tokenizer tokenizer = small_tokenizer();
  const std::vector<std::string> contents{"Hello", "user", "assistant", "<|im_start",      "|",       "\x01\x02 x",
                                          " a ",   "1\n",  "😀",         "Hello<|im_end|>", "{{ x }}", "a\r\n\r\nb"};
  struct Case {
    const char* name;
    std::string close;
    bool is_trimmed;
  };
  const std::vector<Case> cases{{"smollm2", "<|im_end|>", false}, {"chatml", "<|im_end|>", false},
                                {"llama3", "<|eot_id|>", true},   {"qwen2.5", "<|im_end|>", false},
                                {"zephyr", "<|im_end|>", false},  {"gemma", "<end_of_turn>\n", true}};
  const auto trimmed = [](std::string text) {
    text.erase(0, text.find_first_not_of(" \n"));
    return text.erase(text.find_last_not_of(" \n") + 1);
  };
  for (const auto& test : cases) {
    const ChatRenderer renderer(model_template(test.name), tokenizer);
    for (std::size_t i = 0; i < contents.size(); ++i) {
      const std::string answers[] = {contents[i], contents[(i + 1) % contents.size()]};
      const std::vector<Message> messages{{"user", contents[(i + 2) % contents.size()]},
                                          {"assistant", answers[0]},
                                          {"user", contents[i]},
                                          {"assistant", answers[1]}};
      const RenderedChat rendered = renderer.render(messages);
      ASSERT_EQ(rendered.answers.size(), 2u);
      for (std::size_t k = 0; k < 2; ++k) {
        const auto& span = rendered.answers[k];
        EXPECT_EQ(rendered.text.substr(span.begin, span.end - span.begin),
                  (test.is_trimmed ? trimmed(answers[k]) : answers[k]) + test.close)
            << test.name << " " << i;
        EXPECT_EQ(rendered.text.substr(0, span.begin), renderer.render(std::span(messages).first(2 * k + 1), true));
      }
      const Json record = Json{{"messages",
                                {message("user", messages[0].content), message("assistant", answers[0]),
                                 message("user", messages[2].content), message("assistant", answers[1])}}};
      const Sequence sequence =
          SequenceTask({}, tokenizer, model_template(test.name)).encode(chats(record.dump())).sequences.at(0);
      std::string expected;
      for (const auto& span : rendered.answers) expected += rendered.text.substr(span.begin, span.end - span.begin);
      EXPECT_EQ(tokenizer.decode(targets(sequence), false), expected);
      EXPECT_EQ(tokenizer.decode(sequence.tokens, false), rendered.text.substr(0, rendered.answers.back().end));
    }
  }
}

TEST(SequenceTask, RefusedConversationsAreNamed) {
  const Tokenizer tokenizer = small_tokenizer();
  const std::string good = chat({{"user", "a"}, {"assistant", "b"}});
  const auto what = [&](const std::string& record, const std::string& source) {
    const Error error = refusal([&] { SequenceTask({}, tokenizer, source).encode(chats(good + record)); });
    EXPECT_EQ(error.code(), Exit::input);
    return std::string(error.what());
  };
  const std::string smollm2 = model_template("smollm2");
  EXPECT_EQ(what(chat({{"user", "a"}}), smollm2), "f.jsonl line 2: the conversation has no answer");
  EXPECT_EQ(what(chat({}), smollm2), "f.jsonl line 2: the conversation has no answer");
  EXPECT_EQ(what(chat({{"user", "a"}, {"assistant", " \n"}}), smollm2),
            "f.jsonl line 2: message 2 is an answer without text");
  // SmolLM2 puts its own system message before a first answer, but not into an empty conversation.
  EXPECT_EQ(what(chat({{"assistant", "a"}, {"user", "b"}, {"assistant", "c"}}), smollm2),
            "f.jsonl line 2: the chat template does not render the text before message 1 as generation begins it");
  EXPECT_EQ(what(chat({{"user", "a"}, {"user", "b"}, {"assistant", "c"}}), model_template("gemma")).substr(0, 17),
            "f.jsonl line 2: t");
  const std::string counted =
      "{{ messages|length }}{% for m in messages %}{{ m.role + ':' + m.content }}{% endfor %}{% if "
      "add_generation_prompt %}assistant:{% endif %}";
  EXPECT_EQ(refusal([&] { SequenceTask({}, tokenizer, counted).encode(chats(good)); }).what(),
            std::string(
                "f.jsonl line 1: the chat template does not render the text before message 2 as generation begins it"));
  const std::string ends =
      "{% for m in messages %}{{ m.role + ':' + m.content }}{% if loop.last and m.role == 'assistant' %}{{ '.' }}{% "
      "endif %}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
  const Error other = refusal([&] {
    SequenceTask({}, tokenizer, ends)
        .encode(chats(chat({{"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}})));
  });
  EXPECT_STREQ(other.what(), "f.jsonl line 1: the chat template ends message 2 in another way when a message follows");
}

TEST(SequenceTask, ModelsWithoutATemplateGetThePlainOne) {
  const std::string record =
      chat({{"system", "s"}, {"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}});
  const Tokenizer tokenizer = small_tokenizer("<|im_start|>", "<|endoftext|>", true);
  const Sequence sequence = SequenceTask({}, tokenizer, "").encode(chats(record)).sequences.at(0);
  EXPECT_EQ(tokenizer.decode(sequence.tokens, false),
            "<|im_start|>s\n\nUser: a\nAssistant: b<|endoftext|>\nUser: c\nAssistant: d<|endoftext|>");
  EXPECT_EQ(tokenizer.decode(targets(sequence), false), " b<|endoftext|> d<|endoftext|>");
  const Tokenizer endless = small_tokenizer("<|im_start|>", nullptr);
  EXPECT_EQ(refusal([&] { SequenceTask({}, endless, "").encode(chats(record)); }).code(), Exit::input);
}

TEST(SequenceTask, CompletionsFollowTheirPrompt) {
  for (const bool add_bos : {false, true}) {
    const Tokenizer t = small_tokenizer("<|im_start|>", "<|endoftext|>", add_bos);
    const SequenceTask task(prompt_config(), t, "");
    const SequenceDataset data = task.encode(chats(kGsm8k));
    ASSERT_EQ(data.sequences.size(), 2u);
    const auto& last = data.sequences[1];
    EXPECT_EQ(last.row, 1u);
    Ids expected = t.encode("Question: Weng earns $12 an hour for babysitting.\nAnswer:");
    if (add_bos) expected.insert(expected.begin(), t.model().bos);
    Ids answer = t.encode(" Weng earns 12/60 = $<<12/60=0.2>>0.2 per minute.\n#### 10");
    answer.push_back(t.model().eos);
    EXPECT_EQ(targets(last), answer);
    expected.insert(expected.end(), answer.begin(), answer.end());
    EXPECT_EQ(last.tokens, expected);
    EXPECT_EQ(data.tokens, data.sequences[0].tokens.size() + expected.size());
    EXPECT_EQ(data.targets, targets(data.sequences[0]).size() + answer.size());
  }
  // Special tokens in the data are text, and no second space is put.
  const Tokenizer t = small_tokenizer();
  const auto completion = [&](const std::string& prompt, const std::string& answer) {
    SequenceConfig config = prompt_config();
    config.prompt_template = prompt;
    return t.decode(targets(SequenceTask(config, t, "")
                                .encode(chats(Json{{"question", "q"}, {"answer", answer}}.dump()))
                                .sequences.at(0)),
                    true);
  };
  EXPECT_EQ(completion("{question}:", "x<|im_end|>"), " x<|im_end|>");
  EXPECT_EQ(completion("{question}: ", "x"), "x");
  EXPECT_EQ(completion("{question}:", " x"), " x");
  EXPECT_EQ(completion("{question}:", "\nx\n"), "\nx\n");
}

// A prompt loses its beginning, never bos or a token of the answer.
TEST(SequenceTask, LongPromptsLoseTheirBeginning) {
  for (const bool add_bos : {false, true}) {
    const Tokenizer t = small_tokenizer("<|im_start|>", "<|endoftext|>", add_bos);
    SequenceConfig config = prompt_config();
    const Sequence whole = SequenceTask(config, t, "").encode(chats(kGsm8k)).sequences[1];
    const Ids answer = targets(whole);
    for (std::size_t length = answer.size() - 2; length <= whole.tokens.size() + 1; ++length) {
      config.max_length = static_cast<std::int64_t>(length);
      config.overlong = "error";
      const SequenceTask task(config, t, "");
      const std::string last_line = kGsm8k.substr(kGsm8k.find('\n') + 1);
      if (length < answer.size() + 1) {
        const Error error = refusal([&] { task.encode(chats(last_line)); });
        EXPECT_EQ(error.what(), "f.jsonl line 1: the answer needs " + std::to_string(answer.size() + 1) +
                                    " tokens, --max-length is " + std::to_string(length));
        config.overlong = "drop";
        EXPECT_EQ(refusal([&] { SequenceTask(config, t, "").encode(chats(last_line)); }).code(),
                  Exit::input);  // nothing is left
        const SequenceDataset some =
            SequenceTask(config, t, "").encode(chats(last_line + R"({"question": "", "answer": "4"})"));
        EXPECT_EQ(some.dropped, 1u);
        EXPECT_EQ(some.sequences.at(0).row, 1u);
        continue;
      }
      const SequenceDataset data = task.encode(chats(last_line));
      const Sequence& cut = data.sequences.at(0);
      EXPECT_EQ(cut.tokens.size(), std::min(length, whole.tokens.size()));
      EXPECT_EQ(cut.is_truncated, length < whole.tokens.size());
      EXPECT_EQ(data.truncated, cut.is_truncated ? 1u : 0u);
      EXPECT_EQ(targets(cut), answer);
      EXPECT_EQ(cut.tokens.front() == t.model().bos, add_bos);
      const std::size_t kept = cut.tokens.size() - (add_bos ? 1 : 0);
      EXPECT_TRUE(std::equal(cut.tokens.end() - static_cast<std::ptrdiff_t>(kept), cut.tokens.end(),
                             whole.tokens.end() - static_cast<std::ptrdiff_t>(kept)));
    }
  }
}

// A chat loses as few whole turns as will do; what is left is encoded as if it were the record.
TEST(SequenceTask, LongChatsLoseTheirFirstTurns) {
  const Tokenizer t = small_tokenizer();
  std::vector<std::pair<std::string, std::string>> turns{{"system", "Be brief."}};
  for (int i = 0; i < 6; ++i) {
    turns.emplace_back("user", "question " + std::to_string(i));
    turns.emplace_back("assistant", "answer " + std::string(static_cast<std::size_t>(i), 'x'));
    if (i == 2) turns.emplace_back("assistant", "and more");
  }
  turns.emplace_back("user", "left over");
  const std::string source = model_template("smollm2");
  std::vector<Sequence> rests;  // without the first k turns
  for (auto part = turns; part.size() > 2;) {
    rests.push_back(SequenceTask({}, t, source).encode(chats(chat(part))).sequences.at(0));
    part.erase(part.begin() + 1);
    while (part.size() > 1 && part[1].first != "user") part.erase(part.begin() + 1);
  }
  ASSERT_EQ(rests.size(), 6u);
  for (std::size_t length = rests.back().tokens.size() - 1; length <= rests.front().tokens.size(); ++length) {
    SequenceConfig config;
    config.max_length = static_cast<std::int64_t>(length);
    const SequenceTask task(config, t, source);
    const auto fits =
        std::find_if(rests.begin(), rests.end(), [&](const Sequence& rest) { return rest.tokens.size() <= length; });
    if (fits == rests.end()) {
      EXPECT_EQ(refusal([&] { task.encode(chats(chat(turns))); }).what(),
                "f.jsonl line 1: the conversation's last turn needs " + std::to_string(rests.back().tokens.size()) +
                    " tokens, --max-length is " + std::to_string(length));
      continue;
    }
    const SequenceDataset data = task.encode(chats(chat(turns)));
    EXPECT_EQ(data.sequences.at(0).tokens, fits->tokens) << length;
    EXPECT_EQ(data.sequences.at(0).is_target, fits->is_target);
    EXPECT_EQ(data.truncated, fits == rests.begin() ? 0u : 1u);
  }
}

TEST(SequenceTask, AnswersWithoutTokensAreNamed) {
  const Tokenizer t = small_tokenizer();
  for (const char* answer : {"", " ", "\\n\\t"}) {
    const Error error = refusal([&] {
      SequenceTask(prompt_config(), t, "")
          .encode(chats(R"({"question": "q", "answer": ")" + std::string(answer) + "\"}"));
    });
    EXPECT_STREQ(error.what(), "f.jsonl line 1: the completion has no token");
  }
  EXPECT_EQ(refusal([&] { SequenceTask({}, t, "").encode(chats(R"({"instruction": "q", "output": ""})")); }).what(),
            std::string("f.jsonl line 1: message 2 is an answer without text"));
}

TEST(SequenceTask, SettingsThatContradictAreRefused) {
  const Tokenizer t = small_tokenizer();
  const auto code = [&](const std::function<void(SequenceConfig&)>& change) {
    SequenceConfig config = prompt_config();
    change(config);
    return refusal([&] { SequenceTask task(config, t, ""); }).code();
  };
  EXPECT_EQ(code([](auto&) {}), Exit::ok);
  EXPECT_EQ(code([](auto& c) { c.data_format = "messages"; }), Exit::usage);
  EXPECT_EQ(code([](auto& c) { c.data_format = "xml"; }), Exit::usage);
  EXPECT_EQ(code([](auto& c) { c.data_format = "prompt", c.prompt_template = ""; }), Exit::usage);
  EXPECT_EQ(code([](auto& c) { c.completion = "question"; }), Exit::usage);
  EXPECT_EQ(code([](auto& c) { c.loss_on = "prompts"; }), Exit::usage);
  EXPECT_EQ(code([](auto& c) { c.overlong = "cut"; }), Exit::usage);
  EXPECT_EQ(code([](auto& c) { c.max_length = 7; }), Exit::usage);
  EXPECT_EQ(refusal([&] { SequenceTask task(prompt_config(), small_tokenizer("<|im_start|>", nullptr), ""); }).code(),
            Exit::input);
}

// PromptConfig's fields and own_fields are SequenceConfig's, so that a verb can take both without a name twice.
TEST(SequenceTask, OwnFieldsAreThoseOfNoPrompt) {
  std::vector<std::string> names, shared;
  PromptConfig prompt;
  SequenceConfig config;
  PromptConfig::fields(prompt, [&](const Field& field, auto&) { shared.emplace_back(field.name); });
  SequenceConfig::own_fields(config, [&](const Field& field, auto&) {
    EXPECT_EQ(std::count(shared.begin(), shared.end(), field.name), 0) << field.name;
    names.emplace_back(field.name);
  });
  std::size_t both = 0;
  SequenceConfig::fields(config, [&](const Field& field, auto&) {
    both += static_cast<std::size_t>(std::count(shared.begin(), shared.end(), field.name) +
                                     std::count(names.begin(), names.end(), field.name));
  });
  EXPECT_EQ(both, to_json(config).size());
}

TEST(SequenceTask, FilesOfEachEnding) {
  const std::string folder = testing::TempDir() + "/";
  const Tokenizer t = small_tokenizer();
  const auto load = [&](const SequenceConfig& config, const std::string& name, const std::string& text,
                        std::size_t limit = 0) {
    write_file(folder + name, text);
    return SequenceTask(config, t, model_template("smollm2")).load(folder + name, limit);
  };
  const SequenceDataset lines = load(prompt_config(), "p.jsonl", kGsm8k);
  EXPECT_EQ(load(prompt_config(), "p.json", kGsm8k).tokens, lines.tokens);
  EXPECT_EQ(load(prompt_config(), "p.csv", "question,answer\nq,\"a b\"\n").sequences.size(), 1u);
  EXPECT_EQ(load(prompt_config(), "p.jsonl", kGsm8k, 1).sequences.size(), 1u);
  EXPECT_EQ(load({}, "a.json", R"([{"instruction": "i", "input": "", "output": "o"}])").format, DataFormat::alpaca);
  EXPECT_EQ(
      load({}, "s.jsonl", R"({"conversations": [{"from": "human", "value": "h"}, {"from": "gpt", "value": "g"}]})")
          .format,
      DataFormat::sharegpt);
  SequenceConfig config;
  config.max_length = 8;
  const std::string text = "Hello world, the quick brown fox jumps over the lazy dog.";
  const SequenceDataset windows = load(config, "t.txt", text);
  EXPECT_EQ(windows.format, DataFormat::text);
  Ids predicted;
  for (const auto& window : windows.sequences) {
    for (const std::int32_t id : targets(window)) predicted.push_back(id);
  }
  const Ids all = t.encode(text);
  EXPECT_EQ(predicted, Ids(all.begin() + 1, all.end()));
  EXPECT_EQ(windows.targets, all.size() - 1);
}

TEST(SequenceTask, DescriptionShowsWhatIsTrained) {
  const Tokenizer t = small_tokenizer();
  SequenceConfig config = prompt_config();
  const SequenceTask task(config, t, "");
  const SequenceDataset data =
      task.encode(chats(std::string(R"({"question": "a\nb", "answer": "c"})") + "\n" + kGsm8k));
  const Json json = task.describe(data);
  EXPECT_EQ(json["first"], (Json{{{"text", "Question: a\nb\nAnswer:"}, {"is_target", false}},
                                 {{"text", " c<|im_end|>"}, {"is_target", true}}}));
  EXPECT_EQ(json["tokens"], data.tokens);
  EXPECT_EQ(json["format"], "prompt");
  std::size_t counted = 0;
  for (const auto& count : json["sequence_tokens"]["counts"]) counted += count.get<std::size_t>();
  EXPECT_EQ(counted, 3u);
  const std::string text = task.describe_text(data);
  EXPECT_NE(text.find("  | Question: a\n  | b\n  | Answer:>> c<|im_end|><<\n"), std::string::npos) << text;
  EXPECT_NE(text.find("0 of 3 (0.0 %)"), std::string::npos) << text;
  // A long part is shown by its ends, whole characters only.
  std::string euros;
  for (int i = 0; i < 1000; ++i) euros += "€";
  config.max_length = 4000;
  const SequenceTask longer(config, t, "");
  const Json shown = longer.describe(longer.encode(chats(Json{{"question", euros}, {"answer", "x"}}.dump())));
  EXPECT_LT(shown["first"][0]["text"].get<std::string>().size(), 1000u);
  EXPECT_NO_THROW(shown.dump());
}

}  // namespace
}  // namespace frugal
