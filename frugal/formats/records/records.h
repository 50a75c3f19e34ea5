// Tables of text: jsonl (one object a line), csv (RFC 4180) and tsv. UTF-8, a byte-order mark is skipped, lines end in
// LF or CRLF.
#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace frugal {

struct Record {
  std::uint64_t line = 0;  // of the file, from 1; a csv record may go over several
  std::vector<std::pair<std::uint32_t, std::string>>
      values;  // (column, text); a column that a jsonl line lacks is not there
};

struct Records {
  std::string name;                  // the file, for messages
  std::vector<std::string> columns;  // jsonl: in order of first appearance
  std::vector<Record> rows;          // at least one

  // Error(Exit::input): no such column (names those there are, and the option that names one, where it is given).
  std::uint32_t column(std::string_view name, std::string_view option = {}) const;
  // Error(Exit::input): the record has no text there (gives its line).
  const std::string& text(std::size_t row, std::uint32_t column) const;
};

inline constexpr std::size_t kMaxRecordBytes = 16u << 20;
inline constexpr std::size_t kMaxColumns = 1000;

enum class RecordFormat { jsonl, csv, tsv };

// By the file's ending. columns: names of the columns of a csv or tsv file that has no header line; empty: the first
// line is it. limit: at most so many records, 0: all. Error(Exit::input), with the line: unknown ending, unreadable,
// empty, invalid UTF-8 or JSON, a NUL byte, a record over 16 MiB, a line with another number of fields than columns, a
// column twice, over 1,000 columns, a quote that is not closed.
Records read_records(const std::filesystem::path& path, const std::vector<std::string>& columns = {},
                     std::size_t limit = 0);
Records parse_records(std::string_view text, RecordFormat format, const std::string& name,
                      const std::vector<std::string>& columns = {}, std::size_t limit = 0);

// The same, of which only one is in memory at a time: take(one) is called with a table of that record alone, whose
// columns are those seen so far. For files of millions of records.
using TakeRecord = std::function<void(Records& one)>;
void each_record(const std::filesystem::path& path, const std::vector<std::string>& columns, std::size_t limit,
                 const TakeRecord& take);
// What the system's allocator takes for a list of so many bytes: as glibc's malloc does on 64 bits.
inline std::uint64_t list_bytes(std::size_t bytes) { return std::max<std::uint64_t>(32, (bytes + 8 + 15) / 16 * 16); }
inline constexpr std::size_t kGuardedRecords = 1024;  // between looks at the memory that is left
// As many records as a file holds at most, of a limit where it is not 0: what a list of them is reserved for. 0: not
// known before it is read.
std::size_t most_records(const std::filesystem::path& path, std::size_t limit);

// A whole text file; Error(Exit::input): unreadable, empty, invalid UTF-8 (gives the line).
std::string read_text(const std::filesystem::path& path);

}  // namespace frugal
