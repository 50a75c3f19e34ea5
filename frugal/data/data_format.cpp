#include "frugal/data/data_format.h"

#include <algorithm>
#include <array>

#include "frugal/base/error.h"
#include "frugal/base/settings.h"
#include "frugal/formats/records/text_file.h"

namespace frugal {
namespace {

struct FormatKeys {
  DataFormat format;
  const char *name, *keys;
};
constexpr std::array<FormatKeys, 5> kFormats{{{DataFormat::prompt, "prompt", "those of --template and --completion"},
                                              {DataFormat::messages, "messages", "messages"},
                                              {DataFormat::alpaca, "alpaca", "instruction and output"},
                                              {DataFormat::sharegpt, "sharegpt", "conversations"},
                                              {DataFormat::text, "text", "none"}}};

const FormatKeys& keys_of(DataFormat format) { return kFormats[static_cast<std::size_t>(format)]; }

// Null where the record has no such text.
const std::string* text_at(const ChatRecords& records, std::size_t row, std::string_view column) {
  for (const auto& [id, value] : records.table.rows[row].values) {
    if (records.table.columns[id] == column) return &value;
  }
  return nullptr;
}

bool has_keys(const ChatRecords& records, std::size_t row, DataFormat format) {
  if (format == DataFormat::alpaca)
    return text_at(records, row, "instruction") != nullptr && text_at(records, row, "output") != nullptr;
  if (records.lists.empty()) return false;
  const auto& lists = records.lists[row];
  return (format == DataFormat::messages ? lists.messages : lists.conversations).has_value();
}

constexpr std::array kDetected{DataFormat::messages, DataFormat::alpaca, DataFormat::sharegpt};

[[noreturn]] void refuse_row(const ChatRecords& records, std::size_t row, const std::string& fact,
                             const std::string& fix) {
  refuse_line(records.table.name, records.table.rows[row].line, fact, fix);
}

std::string listed_keys(const ChatRecords& records, std::size_t row) {
  std::string text;
  for (const auto& [id, value] : records.table.rows[row].values)
    text += (text.empty() ? "" : ", ") + records.table.columns[id].substr(0, 40);
  if (text.size() > 300) text = text.substr(0, 300) + "...";
  return text.empty() ? "no keys with text" : "the keys " + text;
}

}  // namespace

std::optional<DataFormat> parse_data_format(std::string_view name) {
  if (name == "auto") return std::nullopt;
  std::vector<std::string> names{"auto"};
  for (const auto& each : kFormats) {
    if (name == each.name) return each.format;
    names.emplace_back(each.name);
  }
  throw Error(Exit::usage, "--data-format is '" + std::string(name) + "'" + did_you_mean(name, names),
              "the formats are auto, prompt, messages, alpaca, sharegpt and text");
}

std::string data_format_name(DataFormat format) { return keys_of(format).name; }

DataFormat detect_format(const ChatRecords& records) {
  std::vector<DataFormat> found;
  std::copy_if(kDetected.begin(), kDetected.end(), std::back_inserter(found),
               [&](DataFormat format) { return has_keys(records, 0, format); });
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    refuse_row(
        records, 0, "the record has " + listed_keys(records, 0) + ", which fit no format of conversations",
        "the keys are messages, or conversations, or instruction and output (with prompt, chosen and rejected give "
        "--objective dpo); for other records give --template and --completion, as in --template \"Question: "
        "{question}\\nAnswer:\" --completion answer");
  }
  refuse_row(records, 0,
             "the record has the keys of " + data_format_name(found[0]) + " and of " + data_format_name(found[1]),
             "say which is meant with --data-format");
}

std::vector<Message> conversation(const ChatRecords& records, std::size_t row, DataFormat format, bool is_detected) {
  const bool has_own = has_keys(records, row, format);
  for (const DataFormat other : kDetected) {
    if (other == format || !has_keys(records, row, other) || (has_own && !is_detected)) continue;
    refuse_row(records, row,
               "the record has the keys of " + data_format_name(other) + (has_own ? " and of " : ", expected ") +
                   data_format_name(format),
               "keep one format a file, or name it with --data-format");
  }
  if (!has_own) {
    refuse_row(records, row,
               "the record has " + listed_keys(records, row) + ", expected " + keys_of(format).keys + " (" +
                   data_format_name(format) + ")",
               "give every record these keys, or name another --data-format");
  }
  if (!records.lists.empty() && !records.lists[row].unsupported.empty()) {
    refuse_row(records, row, "the record has '" + records.lists[row].unsupported + "', which is not supported",
               "write what the model should see into the messages");
  }
  std::vector<Message> messages;
  const std::string* system = format == DataFormat::messages ? nullptr : text_at(records, row, "system");
  if (system != nullptr && !system->empty()) messages.push_back({"system", *system});
  if (format == DataFormat::alpaca) {
    const std::string* input = text_at(records, row, "input");
    const bool has_input = input != nullptr && !input->empty();
    messages.push_back({"user", *text_at(records, row, "instruction") + (has_input ? "\n\n" + *input : "")});
    messages.push_back({"assistant", *text_at(records, row, "output")});
  } else {
    const auto& lists = records.lists[row];
    const auto& list = format == DataFormat::messages ? *lists.messages : *lists.conversations;
    messages.insert(messages.end(), list.begin(), list.end());
  }
  return messages;
}

}  // namespace frugal
