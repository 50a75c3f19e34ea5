#include "frugal/formats/records/records.h"

#include <algorithm>
#include <optional>

#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/formats/records/table_parts.h"

namespace frugal {
namespace {

// The texts and numbers at the top of one object; lists and objects inside are passed over without being built.
class TopLevel : public nlohmann::json_sax<Json> {
 public:
  std::vector<std::pair<std::string, std::string>> values;
  std::string problem;

  bool null() override { return scalar(std::nullopt); }
  bool boolean(bool value) override { return scalar(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return scalar(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return scalar(text); }
  bool string(string_t& value) override { return scalar(std::move(value)); }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }
  bool end_object() override { return --depth_, true; }
  bool end_array() override { return --depth_, true; }
  bool key(string_t& name) override {
    if (depth_ == 1) key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception&) override {
    problem = "invalid JSON at byte " + std::to_string(at);
    return false;
  }

 private:
  bool scalar(std::optional<std::string> text) {
    if (depth_ == 0) return refuse();
    if (depth_ == 1 && text) values.emplace_back(key_, std::move(*text));
    return true;
  }
  bool open(bool is_object) {
    if (depth_ == 0 && !is_object) return refuse();
    ++depth_;
    return true;
  }
  bool refuse() {
    problem = "not a JSON object";
    return false;
  }
  std::size_t depth_ = 0;
  std::string key_;
};

void parse_jsonl(std::string_view text, Rows& rows, Records& out) {
  Lines lines(text, out.name);
  Columns columns(out);
  while (const auto line = lines.next()) {
    if (is_blank(*line)) continue;
    TopLevel object;
    if (!Json::sax_parse(line->begin(), line->end(), &object)) {
      refuse_line(out.name, lines.number(), object.problem,
                  "write one object a line, its columns by name: {\"column\": \"text\", ...}");
    }
    columns.add_object(lines.number(), std::move(object.values));
    if (!rows.added(out)) return;
  }
}

void add_row(Records& out, std::uint64_t line, std::vector<std::string>&& fields) {
  if (fields.size() != out.columns.size()) {
    refuse_line(out.name, line,
                std::to_string(fields.size()) + " fields, expected " + std::to_string(out.columns.size()),
                "give every line the same fields (a file without a header line needs --columns)");
  }
  Record record{line, {}};
  for (std::size_t i = 0; i < fields.size(); ++i)
    record.values.emplace_back(static_cast<std::uint32_t>(i), std::move(fields[i]));
  out.rows.push_back(std::move(record));
}

void parse_tsv(std::string_view text, bool has_header, Rows& rows, Records& out) {
  Lines lines(text, out.name);
  while (const auto line = lines.next()) {
    if (is_blank(*line)) continue;
    std::vector<std::string> fields;
    for (std::size_t at = 0; at <= line->size();) {
      if (fields.size() == kMaxColumns) refuse_line(out.name, lines.number(), "over 1,000 fields", kRecordFix);
      const std::size_t tab = std::min(line->find('\t', at), line->size());
      fields.emplace_back(line->substr(at, tab - at));
      at = tab + 1;
    }
    if (has_header) {
      Columns(out).add_header(fields, lines.number());
      has_header = false;
      continue;
    }
    add_row(out, lines.number(), std::move(fields));
    if (!rows.added(out)) return;
  }
}

// RFC 4180: fields may be in double quotes, and then hold commas, line ends and quotes written twice.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& name) : text_(text), name_(name) {}
  std::uint64_t line() const { return began_; }  // where the last record began

  std::optional<std::vector<std::string>> next() {
    while (at_ < text_.size() && (text_[at_] == '\n' || text_.substr(at_, 2) == "\r\n")) end_line();
    if (at_ >= text_.size()) return std::nullopt;
    began_ = line_;
    const std::size_t start = at_;
    std::vector<std::string> fields;
    while (true) {
      if (fields.size() == kMaxColumns) refuse_line(name_, began_, "over 1,000 fields", kRecordFix);
      fields.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted(start) : plain());
      if (at_ - start > kMaxRecordBytes) refuse_line(name_, began_, "the record is over 16 MiB", kRecordFix);
      if (at_ >= text_.size()) return fields;
      if (text_[at_] != ',') return end_line(), fields;
      ++at_;
    }
  }

 private:
  void end_line() {
    at_ += text_[at_] == '\r' ? 2 : 1;
    ++line_;
  }
  std::string plain() {
    const std::size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
    std::string_view field = text_.substr(at_, end - at_);
    at_ = end;
    if (end < text_.size() && text_[end] == '\n' && field.ends_with('\r')) field.remove_suffix(1);
    if (end == text_.size() && field.ends_with('\r')) field.remove_suffix(1);
    if (field.find('"') != std::string_view::npos) {
      refuse_line(name_, line_, "a quote inside a field that is not quoted",
                  "put the field in quotes and write its quotes twice");
    }
    return std::string(field);
  }
  std::string quoted(std::size_t start) {
    std::string field;
    const std::uint64_t opened = line_;
    const std::size_t before = text_.substr(0, at_).rfind('\n');
    const std::size_t byte = at_ - (before == std::string_view::npos ? 0 : before + 1) + 1;  // of the line, from 1
    ++at_;
    while (true) {
      const std::size_t end = text_.find('"', at_);
      if (end == std::string_view::npos || end - start > kMaxRecordBytes) {
        const bool is_long = std::min(end, text_.size()) - start > kMaxRecordBytes;
        refuse_line(name_, opened,
                    "the quote at byte " + std::to_string(byte) + " is not closed" + (is_long ? " within 16 MiB" : ""),
                    "close it, or write a quote inside a field twice");
      }
      const std::string_view part = text_.substr(at_, end - at_);
      line_ += static_cast<std::uint64_t>(std::count(part.begin(), part.end(), '\n'));
      field += part;
      at_ = end + 1;
      if (at_ >= text_.size() || text_[at_] != '"') break;
      field += '"';
      ++at_;
    }
    if (text_.substr(at_) == "\r") ++at_;
    if (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n' && text_.substr(at_, 2) != "\r\n") {
      refuse_line(name_, line_, "text after a closing quote", "write a quote inside a field twice");
    }
    return field;
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::uint64_t line_ = 1, began_ = 1;
};

void parse_csv(std::string_view text, bool has_header, Rows& rows, Records& out) {
  CsvReader reader(text, out.name);
  if (has_header) {
    if (const auto header = reader.next()) Columns(out).add_header(*header, reader.line());
  }
  while (auto fields = reader.next()) {
    add_row(out, reader.line(), std::move(*fields));
    if (!rows.added(out)) return;
  }
}

Records parse(std::string_view text, RecordFormat format, const std::string& name,
              const std::vector<std::string>& columns, Rows& rows) {
  Records out{name, {}, {}};
  if (format == RecordFormat::jsonl) {
    if (!columns.empty())
      throw Error(Exit::usage, "--columns was given, but " + name + " names its own columns", "leave --columns out");
    parse_jsonl(text, rows, out);
  } else {
    if (!columns.empty()) Columns(out).add_header(columns, 1);
    (format == RecordFormat::csv ? parse_csv : parse_tsv)(text, columns.empty(), rows, out);
  }
  if (rows.count() == 0) throw Error(Exit::input, name + " holds no records", "give a file with at least one example");
  return out;
}

RecordFormat format_of(const std::filesystem::path& path) {
  const std::string ending = path.extension().string();
  if (ending == ".jsonl" || ending == ".ndjson") return RecordFormat::jsonl;
  if (ending == ".csv") return RecordFormat::csv;
  if (ending == ".tsv") return RecordFormat::tsv;
  throw Error(Exit::input, path.string() + " ends in '" + ending + "', expected .jsonl, .csv or .tsv",
              "convert it, or rename it to what it is");
}

}  // namespace

std::uint32_t Records::column(std::string_view wanted, std::string_view option) const {
  const auto found = std::find(columns.begin(), columns.end(), wanted);
  if (found != columns.end()) return static_cast<std::uint32_t>(found - columns.begin());
  std::string there;
  for (const auto& each : columns) there += (there.empty() ? "" : ", ") + each;
  std::string fix = "the columns are: " + there;
  if (columns.empty())
    fix = "no record has a text or a number at its top level: write {\"" + std::string(wanted) + "\": \"...\"}";
  if (!option.empty()) fix += "; name one with " + std::string(option);
  if (name.ends_with(".csv") || name.ends_with(".tsv"))
    fix += "; if these are a record, name the columns with --columns";
  throw Error(Exit::input, name + " has no column '" + std::string(wanted) + "'", fix);
}

const std::string& Records::text(std::size_t row, std::uint32_t column) const {
  for (const auto& [id, value] : rows[row].values) {
    if (id == column) return value;
  }
  refuse_line(name, rows[row].line, "no text in '" + columns[column] + "'",
              "give every record this column, as text or a number");
}

Records parse_records(std::string_view bytes, RecordFormat format, const std::string& name,
                      const std::vector<std::string>& columns, std::size_t limit) {
  Rows rows(limit, nullptr);
  return parse(checked_text(bytes, name), format, name, columns, rows);
}

Records read_records(const std::filesystem::path& path, const std::vector<std::string>& columns, std::size_t limit) {
  const RecordFormat format = format_of(path);
  return parse_records(read_whole(path), format, path.string(), columns, limit);
}

void each_record(const std::filesystem::path& path, const std::vector<std::string>& columns, std::size_t limit,
                 const TakeRecord& take) {
  const RecordFormat format = format_of(path);
  MappedText file(path);
  const TakeRecord each = [&](Records& one) {
    std::size_t bytes = 0;
    for (const auto& [column, value] : one.rows.front().values) bytes += value.size();
    file.read(bytes);
    take(one);
  };
  Rows rows(limit, &each);
  parse(file.text(), format, path.string(), columns, rows);
}

}  // namespace frugal
