// Records with lists of messages: one JSON array of objects, or one object a line. Keys may come in any order.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/formats/records/records.h"

namespace frugal {

struct Message {
  std::string role;  // system, user, assistant or tool
  std::string content;
};

// Keys whose lists are messages: messages and conversations, or prompt, chosen and rejected.
enum class MessageLists { conversations, preferences };

struct ChatRecords {
  struct Lists {                                                   // of one record
    std::optional<std::vector<Message>> messages;                  // {role, content}
    std::optional<std::vector<Message>> conversations;             // {from, value}; human is user, gpt is assistant
    std::optional<std::vector<Message>> prompt, chosen, rejected;  // {role, content}
    std::string unsupported;  // "tools", "functions" or "history", where it is not empty
  };
  Records table;             // texts and numbers at the top of each record; a row's line is the one where it begins
  std::vector<Lists> lists;  // by row; empty for csv and tsv files
};

// By the file's ending: .json, .jsonl or .ndjson (the first character says whether it is an array), .csv, .tsv.
// Lists and objects other than those of `keys` are passed over without being built, so memory stays within a small
// multiple of the file. limit: at most so many records, 0: all. Error(Exit::input), with the line: what read_records
// refuses; a list entry that is not a message, a message that lacks its role or content, has a key twice or a key that
// is neither (null ones are passed over), or whose content is no text; an unknown role; anything after the array.
ChatRecords read_chat_records(const std::filesystem::path& path, const std::vector<std::string>& columns = {},
                              std::size_t limit = 0, MessageLists keys = MessageLists::conversations);
// The same, of which only one is in memory at a time, see each_record.
using TakeChatRecord = std::function<void(ChatRecords& one)>;
void each_chat_record(const std::filesystem::path& path, const std::vector<std::string>& columns, std::size_t limit,
                      MessageLists keys, const TakeChatRecord& take);
// A record of a table as one without lists, for each_record. take outlives it.
TakeRecord as_chat_record(const TakeChatRecord& take);
ChatRecords parse_chat_records(std::string_view bytes, const std::string& name, std::size_t limit = 0,
                               MessageLists keys = MessageLists::conversations);

}  // namespace frugal
