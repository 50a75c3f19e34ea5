#include "frugal/data/chat_records.h"

#include <gtest/gtest.h>

#include "frugal/data/data_format.h"
#include "small_tokenizer.h"

namespace frugal {
namespace {

std::string what(const std::string& text) {
  const Error error = refusal([&] { parse_chat_records(text, "f.json"); });
  if (error.code() != Exit::ok) {
    EXPECT_EQ(error.code(), Exit::input);
    EXPECT_FALSE(error.fix().empty());
  }
  return error.what();
}

// The conversation of a row as "role: content|..."
std::string shown(const ChatRecords& records, std::size_t row, bool is_detected = true) {
  std::string text;
  for (const auto& message : conversation(records, row, detect_format(records), is_detected))
    text += message.role + ": " + message.content + "|";
  return text;
}

TEST(ChatRecords, ArraysAndLinesHoldTheSame) {
  const std::string a = R"({"id": 1, "messages": [{"content": "Hi", "role": "user"}, )"
                        R"({"role": "assistant", "content": "Yo", "w": null}]})";
  const std::string b =
      R"({"messages": [{"role": "user", "content": "x"}], "meta": {"messages": [1, {"role": 2}]}, "tags": [["y"]]})";
  for (const std::string& text :
       {a + "\n\n" + b + "\n", "[" + a + ",\n\n" + b + "]", "\xEF\xBB\xBF \n[\n" + a + "\n,\n" + b + "\n]\n"}) {
    const ChatRecords records = parse_chat_records(text, "f.json");
    ASSERT_EQ(records.table.rows.size(), 2u) << text;
    EXPECT_EQ(shown(records, 0), "user: Hi|assistant: Yo|");
    EXPECT_EQ(shown(records, 1), "user: x|");
    EXPECT_EQ(records.table.columns, std::vector<std::string>{"id"});
    EXPECT_EQ(records.table.text(0, 0), "1");
    EXPECT_EQ(records.table.rows[1].line - records.table.rows[0].line, 2u);
  }
  EXPECT_EQ(parse_chat_records("[" + a + "," + b + ", not read", "f.json", 2).table.rows.size(), 2u);
  EXPECT_EQ(parse_chat_records(a + "\n" + b + "\nnot read", "f.json", 2).table.rows.size(), 2u);
}

// One at a time they are what they are together, in every kind of file.
TEST(ChatRecords, OneAtATimeIsTheSame) {
  const std::string a = R"({"messages": [{"role": "user", "content": "Hi"}], "id": 1})",
                    b = R"({"messages": [{"role": "user", "content": "x"}], "id": 2})";
  const std::string folder = testing::TempDir() + "one-at-a-time";
  std::filesystem::create_directories(folder);
  for (const auto& [name, text] : {std::pair("c.jsonl", a + "\n\n" + b + "\n"),
                                   {"c.json", "[" + a + ",\n" + b + "]"},
                                   {"c.csv", std::string("id,text\n1,Hi\n2,x\n")}}) {
    const auto path = std::filesystem::path(folder) / name;
    write_file(path, text);
    const ChatRecords whole = read_chat_records(path);
    for (const std::size_t limit : {std::size_t{0}, std::size_t{1}}) {
      std::size_t row = 0;
      each_chat_record(path, {}, limit, MessageLists::conversations, [&](ChatRecords& one) {
        ASSERT_EQ(one.table.rows.size(), 1u);
        EXPECT_EQ(one.table.columns, whole.table.columns);
        EXPECT_EQ(one.table.text(0, 0), whole.table.text(row, 0)) << name;
        EXPECT_EQ(one.table.rows[0].line, whole.table.rows[row].line) << name;
        ASSERT_EQ(one.lists.size(), whole.lists.empty() ? 0u : 1u);
        if (!one.lists.empty()) {
          EXPECT_EQ(shown(one, 0), shown(whole, row));
        }
        ++row;
      });
      EXPECT_EQ(row, limit > 0 ? 1u : 2u) << name;
    }
  }
  write_file(folder + "/c.jsonl", a + "\n{\"messages\": [{\"role\": \"user\"}]}\n");
  const Error error =
      refusal([&] { each_chat_record(folder + "/c.jsonl", {}, 0, MessageLists::conversations, [](ChatRecords&) {}); });
  EXPECT_NE(std::string(error.what()).find("line 2"), std::string::npos) << error.what();
  std::filesystem::remove_all(folder);
}

TEST(ChatRecords, FormatsByTheirKeys) {
  const auto first = [](const std::string& text) { return shown(parse_chat_records(text, "f.json"), 0); };
  EXPECT_EQ(first(R"([{"instruction": "Add.", "input": "1 2", "output": "3"}])"), "user: Add.\n\n1 2|assistant: 3|");
  EXPECT_EQ(first(R"([{"output": "3", "input": "", "instruction": "Add.", "text": "unused"}])"),
            "user: Add.|assistant: 3|");
  EXPECT_EQ(first(R"([{"output": "3", "input": null, "instruction": "Add.", "system": "s"}])"),
            "system: s|user: Add.|assistant: 3|");
  EXPECT_EQ(
      first("{\"conversations\": [{\"from\": \"system\", \"value\": \"s\"}, {\"from\": \"human\", \"value\": \"h\"},"
            R"({"from": "gpt", "value": "g"}]})"),
      "system: s|user: h|assistant: g|");
  EXPECT_EQ(first(R"({"conversations": [{"from": "human", "value": "h"}], "tools": [], "history": []})"), "user: h|");
  const ChatRecords csv{parse_records("instruction,output\nAdd,3\n", RecordFormat::csv, "f.csv"), {}};
  EXPECT_EQ(shown(csv, 0), "user: Add|assistant: 3|");
}

TEST(ChatRecords, MixedAndUnknownKeysAreRefusedWithTheirLine) {
  const std::string chat = R"({"messages": []})", share = R"({"conversations": []})",
                    alpaca = R"({"instruction": "i", "output": "o"})";
  const auto refused = [](const std::string& text, std::size_t row, bool is_detected = true) {
    const ChatRecords records = parse_chat_records(text, "f.json");
    return std::string(refusal([&] { shown(records, row, is_detected); }).what());
  };
  EXPECT_EQ(refused(chat + "\n" + share, 1), "f.json line 2: the record has the keys of sharegpt, expected messages");
  EXPECT_EQ(refused("[" + chat + ",\n\n" + alpaca + "]", 1),
            "f.json line 3: the record has the keys of alpaca, expected messages");
  EXPECT_EQ(refused(alpaca + "\n{\"instruction\": \"i\"}", 1),
            "f.json line 2: the record has the keys instruction, expected instruction and output (alpaca)");
  EXPECT_EQ(refused(R"({"messages": [], "conversations": []})", 0),
            "f.json line 1: the record has the keys of messages and of sharegpt");
  EXPECT_EQ(refused(chat + "\n" + R"({"messages": [], "instruction": "i", "output": "o"})", 1),
            "f.json line 2: the record has the keys of alpaca and of messages");
  EXPECT_EQ(refused(chat + "\n" + R"({"messages": [], "instruction": "i", "output": "o"})", 1, false), "accepted");
  EXPECT_EQ(refused(R"({"question": "q", "answer": "a"})", 0),
            "f.json line 1: the record has the keys question, answer, which fit no format of conversations");
  EXPECT_EQ(refused(R"({"messages": [], "tools": [{"type": "function"}]})", 0),
            "f.json line 1: the record has 'tools', which is not supported");
  EXPECT_EQ(refused(R"({"messages": [], "functions": "[{}]"})", 0),
            "f.json line 1: the record has 'functions', which is not supported");
  EXPECT_EQ(refusal([] { parse_data_format("alpac"); }).code(), Exit::usage);
  for (const char* name : {"prompt", "messages", "alpaca", "sharegpt", "text"})
    EXPECT_EQ(data_format_name(*parse_data_format(name)), name);
}

TEST(ChatRecords, MessagesAreChecked) {
  const auto message = [](const std::string& text) {
    return what("[\n{\"messages\": [{\"role\": \"user\", \"content\": \"\"}, " + text + "]}]");
  };
  EXPECT_EQ(message("1"), "f.json line 2: messages[1] is not an object");
  EXPECT_EQ(message("\"x\""), "f.json line 2: messages[1] is not an object");
  EXPECT_EQ(message("[]"), "f.json line 2: messages[1] is not an object");
  EXPECT_EQ(message("null"), "f.json line 2: messages[1] is not an object");
  EXPECT_EQ(message("{}"), "f.json line 2: messages[1] has no role");
  EXPECT_EQ(message(R"({"role": "user"})"), "f.json line 2: messages[1] has no content");
  EXPECT_EQ(message(R"({"role": "user", "content": null})"), "f.json line 2: messages[1] has no content");
  EXPECT_EQ(message(R"({"role": "user", "content": 5})"),
            "f.json line 2: messages[1] has 5 in 'content', expected text");
  EXPECT_EQ(message(R"({"role": "user", "content": [{"type": "text"}]})"),
            "f.json line 2: messages[1] has a list or object in 'content', expected text");
  EXPECT_EQ(message(R"({"role": "user", "content": "", "value": ""})"),
            "f.json line 2: messages[1] has its content twice");
  EXPECT_EQ(message(R"({"role": "user", "role": "user"})"), "f.json line 2: messages[1] has its role twice");
  EXPECT_EQ(message(R"({"role": "user", "content": "", "name": "n"})"),
            "f.json line 2: messages[1] has the key 'name', which is not known");
  EXPECT_EQ(message(R"({"role": "bot", "content": ""})"),
            "f.json line 2: messages[1] has the role 'bot', expected system, user or human, assistant or gpt, tool");
  EXPECT_EQ(what(R"({"messages": [], "messages": []})"), "f.json line 1: 'messages' is there twice");
  EXPECT_EQ(what(R"({"a": "1", "a": "2"})"), "f.json line 1: 'a' is there twice");
}

TEST(ChatRecords, HostileFiles) {
  const std::string deep(1'000'000, '[');
  EXPECT_EQ(what(deep), "f.json line 1: not a JSON object");
  EXPECT_EQ(what("[{\"a\": " + deep), "f.json line 1: invalid JSON at byte 1000008");
  EXPECT_EQ(what("[{\"a\": " + deep + std::string(deep.size(), ']') + "}]"), "accepted");
  EXPECT_EQ(what("[{\"messages\": " + deep), "f.json line 1: messages[0] is not an object");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_EQ(what(objects), "f.json line 1: invalid JSON at byte 500001");

  const std::string huge(48u << 20, 'x');
  EXPECT_EQ(what("[\n{\"instruction\": \"" + huge + "\"}]"), "f.json line 2: the record is over 16 MiB");
  EXPECT_EQ(what("{\"instruction\": \"" + huge + "\"}"), "f.json line 1: the line is over 16 MiB");
  EXPECT_EQ(what("[{\"instruction\": \"" + huge).substr(0, 28), "f.json line 1: invalid JSON ");

  EXPECT_EQ(what("[{}, {\"a\": \"\xff\"}]"), "f.json line 1: invalid UTF-8 at byte 13");
  EXPECT_EQ(what(std::string("[{}\0]", 5)), "f.json line 1: a NUL byte at byte 4");
  EXPECT_EQ(what("[{\"a\": \"\\ud800\"}]").substr(0, 28), "f.json line 1: invalid JSON ");
  EXPECT_EQ(what("[{\"a\": 1},\n {\"a\": 1e999}]"), "f.json line 2: a number out of range at byte 12");
  EXPECT_EQ(what("{\"a\": 123456789012345678901234567890}"), "accepted");  // a float
  EXPECT_EQ(what("[{}]\n\n x"), "f.json line 3: invalid JSON at byte 2");
  EXPECT_EQ(what("[{}\n][{}]"), "f.json line 2: invalid JSON at byte 2");
  EXPECT_EQ(what("[{},\n{}\n"), "f.json line 3: invalid JSON at byte 1");
  EXPECT_EQ(what("[{},\n]"), "f.json line 2: invalid JSON at byte 1");
  EXPECT_EQ(what("{\"a\": 1} {\"a\": 2}"), "f.json line 1: invalid JSON at byte 10");
  EXPECT_EQ(what("{\n \"messages\": []\n}"), "f.json line 1: invalid JSON at byte 2");
  EXPECT_EQ(what("[1]"), "f.json line 1: not a JSON object");
  EXPECT_EQ(what("[[{}]]"), "f.json line 1: not a JSON object");
  EXPECT_EQ(what("\"text\""), "f.json line 1: not a JSON object");
  for (const char* empty : {"", " \n ", "[]", "[ ]\n"}) EXPECT_EQ(what(empty), "f.json holds no records") << empty;
}

TEST(ChatRecords, Endings) {
  EXPECT_EQ(std::string(refusal([] { read_chat_records("f.parquet"); }).what()),
            "f.parquet ends in '.parquet', expected .json, .jsonl, .csv, .tsv or .txt");
  EXPECT_EQ(refusal([] { read_chat_records("f.json", {"a"}); }).code(), Exit::usage);
}

}  // namespace
}  // namespace frugal
