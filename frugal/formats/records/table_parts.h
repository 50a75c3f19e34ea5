// What readers of tables share: lines with their numbers, columns by name.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "frugal/formats/records/records.h"
#include "frugal/formats/records/text_file.h"

namespace frugal {

inline constexpr const char* kRecordFix = "one record is one example; check that the file is what its ending says";

// Takes lines off the front of a text, counting them.
class Lines {
 public:
  Lines(std::string_view text, const std::string& name) : text_(text), name_(name) {}
  std::uint64_t number() const { return number_; }

  std::optional<std::string_view> next() {
    if (at_ >= text_.size()) return std::nullopt;
    ++number_;
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    std::string_view line = text_.substr(at_, end - at_);
    at_ = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > kMaxRecordBytes) refuse_line(name_, number_, "the line is over 16 MiB", kRecordFix);
    return line;
  }

 private:
  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::uint64_t number_ = 0;
};

// Where the rows of a table go: they stay, or each is taken and forgotten.
class Rows {
 public:
  Rows(std::size_t limit, const TakeRecord* take) : limit_(limit), take_(take) {}
  // Behind each row that was added to `table`. False: there are enough.
  bool added(Records& table) {
    ++count_;
    if (take_ != nullptr) {
      (*take_)(table);
      table.rows.clear();
    }
    return !is_full();
  }
  bool is_full() const { return limit_ > 0 && count_ >= limit_; }
  std::size_t count() const { return count_; }

 private:
  std::size_t limit_, count_ = 0;
  const TakeRecord* take_;
};

inline bool is_blank(std::string_view line) { return line.find_first_not_of(" \t") == std::string_view::npos; }

// Collects columns by name, in order of first appearance.
class Columns {
 public:
  explicit Columns(Records& records) : records_(records) {}
  std::uint32_t id(const std::string& name, std::uint64_t line) {
    const auto [found, is_new] = ids_.try_emplace(name, static_cast<std::uint32_t>(records_.columns.size()));
    if (is_new) {
      if (records_.columns.size() == kMaxColumns)
        refuse_line(records_.name, line, "over 1,000 different columns", kRecordFix);
      records_.columns.push_back(name);
    }
    return found->second;
  }
  void add_header(const std::vector<std::string>& names, std::uint64_t line) {
    for (const auto& name : names) {
      const std::size_t before = records_.columns.size();
      if (name.empty())
        refuse_line(records_.name, line, "column " + std::to_string(before + 1) + " has no name", "name every column");
      if (id(name, line) != before)
        refuse_line(records_.name, line, "column '" + name + "' is there twice", "name every column once");
    }
  }
  // The row of an object's values; a name twice is refused.
  void add_object(std::uint64_t line, std::vector<std::pair<std::string, std::string>>&& values) {
    Record record{line, {}};
    for (auto& [name, value] : values) {
      const std::uint32_t column = id(name, line);
      for (const auto& [other, unused] : record.values) {
        if (other == column) refuse_line(records_.name, line, "'" + name + "' is there twice", "give each key once");
      }
      record.values.emplace_back(column, std::move(value));
    }
    records_.rows.push_back(std::move(record));
  }

 private:
  Records& records_;
  std::unordered_map<std::string, std::uint32_t> ids_;
};

}  // namespace frugal
