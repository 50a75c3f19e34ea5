#include "frugal/data/chat_records.h"

#include <algorithm>
#include <iterator>

#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/formats/records/table_parts.h"

namespace frugal {
namespace {

const char* const kFileFix = "write a JSON array of records, or one record a line; see docs/data.md";
const char* const kMessageFix =
    "a message is {\"role\": \"user\", \"content\": \"...\"} or {\"from\": \"human\", \"value\": \"...\"}; see "
    "docs/data.md";

// Tells where the parser is, which nlohmann's events do not.
struct TrackedChar {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  const char* at;
  const char** reached;

  reference operator*() const { return *at; }
  TrackedChar& operator++() {
    *reached = ++at;
    return *this;
  }
  TrackedChar operator++(int) {
    const TrackedChar before = *this;
    ++*this;
    return before;
  }
  bool operator==(const TrackedChar& other) const { return at == other.at; }
};

std::string role_of(const std::string& name) {
  if (name == "human") return "user";
  if (name == "gpt") return "assistant";
  return name == "system" || name == "user" || name == "assistant" || name == "tool" ? name : "";
}

// Events of one JSON text (an array of records, or one record) to rows.
class RecordEvents : public nlohmann::json_sax<Json> {
 public:
  // text: what is parsed, beginning in line `line` of the file.
  RecordEvents(std::string_view text, std::uint64_t line, bool is_array, Rows& rows, MessageLists keys,
               ChatRecords& out, Columns& columns)
      : reached_(text.data()),
        counted_(text.data()),
        text_(text),
        line_(line),
        base_(is_array ? 1 : 0),
        rows_(rows),
        keys_(keys),
        out_(out),
        columns_(columns) {}

  void parse() {
    const char* const end = text_.data() + text_.size();
    if (!Json::sax_parse(TrackedChar{text_.data(), &reached_}, TrackedChar{end, &reached_}, this) && !is_full())
      refuse_line(out_.table.name, line_, problem_, fix_);
  }
  bool is_full() const { return rows_.is_full(); }

  bool null() override { return scalar(nullptr); }
  bool boolean(bool value) override { return scalar(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return scalar(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return scalar(text); }
  bool string(string_t& value) override {
    return depth() == kInMessage && list_ != nullptr ? message_text(std::move(value)) : scalar(std::move(value));
  }
  bool binary(binary_t&) override { return true; }
  bool key(string_t& name) override {
    if (depth() == kInRecord)
      key_ = std::move(name);
    else if (depth() == kInMessage && list_ != nullptr)
      message_key_ = std::move(name);
    return true;
  }
  bool start_object(std::size_t) override {
    if (depth() == 0)
      begin_record();
    else if (depth() == kInList && list_ != nullptr)
      message_ = {};
    else if (!open())
      return false;
    ++depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ + 1 == base_) return ++depth_, true;
    if (depth() == 0) return refuse("not a JSON object", kFileFix);
    if (auto* list = depth() == kInRecord ? list_of(key_) : nullptr; list != nullptr) {
      if (*list) return refuse("'" + key_ + "' is there twice", "give each key once");
      list_ = &list->emplace();
    } else if (!open()) {
      return false;
    }
    ++depth_;
    return true;
  }
  bool end_object() override {
    --depth_;
    if (depth() == 0) return end_record();
    return depth() == kInList && list_ != nullptr ? end_message() : true;
  }
  bool end_array() override {
    if (--depth_ >= base_ && depth() == kInRecord) list_ = nullptr;
    return true;
  }
  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception& error) override {
    line_ += static_cast<std::uint64_t>(std::count(
        counted_, text_.data() + std::clamp<std::size_t>(at, counted_ - text_.data() + 1, text_.size() + 1) - 1, '\n'));
    const std::size_t start = text_.substr(0, at == 0 ? 0 : at - 1).rfind('\n');
    const std::size_t byte = at - (start == std::string_view::npos ? 0 : start + 1);
    return refuse((error.id == 406 ? "a number out of range at byte " : "invalid JSON at byte ") + std::to_string(byte),
                  kFileFix);
  }

 private:
  static constexpr std::size_t kInRecord = 1, kInList = 2, kInMessage = 3;
  std::size_t depth() const { return depth_ - std::min(depth_, base_); }
  bool refuse(std::string problem, const char* fix) {
    problem_ = std::move(problem);
    fix_ = fix;
    return false;
  }
  std::optional<std::vector<Message>>* list_of(std::string_view key) {  // null: its list is passed over
    if (keys_ == MessageLists::conversations)
      return key == "messages" ? &lists_.messages : key == "conversations" ? &lists_.conversations : nullptr;
    return key == "prompt"     ? &lists_.prompt
           : key == "chosen"   ? &lists_.chosen
           : key == "rejected" ? &lists_.rejected
                               : nullptr;
  }
  std::string message_name() const { return key_ + "[" + std::to_string(list_->size()) + "]"; }

  // A list or an object that is passed over.
  bool open() {
    if (list_ != nullptr && depth() == kInList) return refuse(message_name() + " is not an object", kMessageFix);
    if (list_ != nullptr && depth() == kInMessage) {
      return refuse(message_name() + " has a list or object in '" + message_key_ + "', expected text", kMessageFix);
    }
    note_element();
    return true;
  }
  // Something under a key that would make another conversation of the record; also as JSON in a text.
  void note_element(const std::optional<std::string>& text = std::nullopt) {
    const bool is_something = depth() == kInList || (depth() == kInRecord && text && !text->empty() && *text != "[]");
    if (is_something && (key_ == "tools" || key_ == "functions" || key_ == "history")) lists_.unsupported = key_;
  }

  bool scalar(std::optional<std::string> text) {
    if (depth() == 0) return refuse("not a JSON object", kFileFix);
    if (list_ != nullptr && depth() == kInList) return refuse(message_name() + " is not an object", kMessageFix);
    if (list_ != nullptr) {
      return !text ||
             refuse(message_name() + " has " + *text + " in '" + message_key_ + "', expected text", kMessageFix);
    }
    note_element(text);
    if (depth() == kInRecord && text) values_.emplace_back(key_, std::move(*text));
    return true;
  }
  bool scalar(const char* text) { return scalar(text == nullptr ? std::nullopt : std::optional<std::string>(text)); }

  bool message_text(std::string&& text) {
    const bool is_role = message_key_ == "role" || message_key_ == "from";
    if (!is_role && message_key_ != "content" && message_key_ != "value") {
      return refuse(message_name() + " has the key '" + message_key_.substr(0, 80) + "', which is not known",
                    kMessageFix);
    }
    auto& field = is_role ? message_.role : message_.content;
    if (field) return refuse(message_name() + " has its " + (is_role ? "role" : "content") + " twice", kMessageFix);
    field = std::move(text);
    return true;
  }
  bool end_message() {
    if (!message_.role || !message_.content)
      return refuse(message_name() + " has no " + (message_.role ? "content" : "role"), kMessageFix);
    const std::string role = role_of(*message_.role);
    if (role.empty()) {
      return refuse(message_name() + " has the role '" + message_.role->substr(0, 80) +
                        "', expected system, user or human, assistant or gpt, tool",
                    kMessageFix);
    }
    list_->push_back({role, std::move(*message_.content)});
    return true;
  }

  void begin_record() {
    began_ = reached_ - 1;
    line_ += static_cast<std::uint64_t>(std::count(counted_, began_, '\n'));
    counted_ = began_;
    values_.clear();
    lists_ = {};
    list_ = nullptr;
  }
  bool end_record() {
    if (static_cast<std::size_t>(reached_ - began_) > kMaxRecordBytes)
      return refuse("the record is over 16 MiB", kRecordFix);
    columns_.add_object(line_, std::move(values_));
    out_.lists.push_back(std::move(lists_));
    values_.clear();
    lists_ = {};
    return rows_.added(out_.table);
  }

  const char *reached_, *counted_, *began_ = nullptr;  // how far: read, lines counted; where the record begins
  std::string_view text_;
  std::uint64_t line_;
  std::size_t base_, depth_ = 0;  // containers open: outside the records, in all
  Rows& rows_;
  MessageLists keys_;
  ChatRecords& out_;
  Columns& columns_;
  std::string key_, message_key_, problem_;
  const char* fix_ = "";
  std::vector<std::pair<std::string, std::string>> values_;
  ChatRecords::Lists lists_;
  std::vector<Message>* list_ = nullptr;  // the list that is open
  struct {
    std::optional<std::string> role, content;
  } message_;
};

// Of its texts.
std::size_t bytes_of(const ChatRecords& one) {
  std::size_t bytes = 0;
  for (const auto& [column, value] : one.table.rows.front().values) bytes += value.size();
  for (const ChatRecords::Lists& lists : one.lists) {
    for (const auto* list : {&lists.messages, &lists.conversations, &lists.prompt, &lists.chosen, &lists.rejected}) {
      if (!*list) continue;
      for (const Message& message : **list) bytes += message.content.size();
    }
  }
  return bytes;
}

// take: null: all of them stay.
ChatRecords parse(std::string_view text, const std::string& name, std::size_t limit, MessageLists keys,
                  const TakeChatRecord* take) {
  ChatRecords out{{name, {}, {}}, {}};
  const TakeRecord each = [&](Records&) {
    (*take)(out);
    out.lists.clear();
  };
  Rows rows(limit, take == nullptr ? nullptr : &each);
  Columns columns(out.table);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '[') {
    RecordEvents(text, 1, true, rows, keys, out, columns).parse();
  } else {
    Lines lines(text, name);
    while (const auto line = lines.next()) {
      if (is_blank(*line)) continue;
      RecordEvents events(*line, lines.number(), false, rows, keys, out, columns);
      events.parse();
      if (events.is_full()) break;
    }
  }
  if (rows.count() == 0) throw Error(Exit::input, name + " holds no records", "give a file with at least one example");
  return out;
}

bool is_table(const std::filesystem::path& path) { return path.extension() == ".csv" || path.extension() == ".tsv"; }

void require_json(const std::filesystem::path& path, const std::vector<std::string>& columns) {
  const std::string ending = path.extension().string();
  if (ending != ".json" && ending != ".jsonl" && ending != ".ndjson") {
    throw Error(Exit::input, path.string() + " ends in '" + ending + "', expected .json, .jsonl, .csv, .tsv or .txt",
                "convert it, or rename it to what it is");
  }
  if (!columns.empty())
    throw Error(Exit::usage, "--columns was given, but " + path.string() + " names its own columns",
                "leave --columns out");
}

}  // namespace

TakeRecord as_chat_record(const TakeChatRecord& take) {
  return [&take](Records& one) {
    ChatRecords record{std::move(one), {}};
    take(record);
    one = std::move(record.table);
  };
}

ChatRecords parse_chat_records(std::string_view bytes, const std::string& name, std::size_t limit, MessageLists keys) {
  return parse(checked_text(bytes, name), name, limit, keys, nullptr);
}

ChatRecords read_chat_records(const std::filesystem::path& path, const std::vector<std::string>& columns,
                              std::size_t limit, MessageLists keys) {
  if (is_table(path)) return {read_records(path, columns, limit), {}};
  require_json(path, columns);
  return parse_chat_records(read_whole(path), path.string(), limit, keys);
}

void each_chat_record(const std::filesystem::path& path, const std::vector<std::string>& columns, std::size_t limit,
                      MessageLists keys, const TakeChatRecord& take) {
  if (is_table(path)) {
    return each_record(path, columns, limit, as_chat_record(take));
  }
  require_json(path, columns);
  MappedText file(path);
  const TakeChatRecord each = [&](ChatRecords& one) {
    file.read(bytes_of(one));
    take(one);
  };
  parse(file.text(), path.string(), limit, keys, &each);
}

}  // namespace frugal
