// The kinds of records that sequences are made of, and their conversations.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/data/chat_records.h"

namespace frugal {

enum class DataFormat { prompt, messages, alpaca, sharegpt, text };

std::optional<DataFormat> parse_data_format(std::string_view name);  // "auto": none; Error(Exit::usage)
std::string data_format_name(DataFormat format);

// The format whose keys the first record has: messages, conversations, or instruction and output.
// Error(Exit::input), with the line: keys of none or of several.
DataFormat detect_format(const ChatRecords& records);

// Row `row` as messages. format: messages, alpaca or sharegpt. alpaca: the user says the instruction and, after an
// empty line, the input where there is one; the assistant the output; alpaca and sharegpt: the text of a key "system"
// comes first. Error(Exit::input), with the line: the record lacks the format's keys, has those of another format too
// while `is_detected`, or has tools, functions or history, which are not supported.
std::vector<Message> conversation(const ChatRecords& records, std::size_t row, DataFormat format, bool is_detected);

}  // namespace frugal
