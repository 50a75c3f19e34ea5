#include "frugal/formats/records/records.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "frugal/base/error.h"

namespace frugal {
namespace {

using enum RecordFormat;

std::string refusal(std::string_view text, RecordFormat format, const std::vector<std::string>& columns = {}) {
  try {
    parse_records(text, format, "f", columns);
  } catch (const Error& error) {
    EXPECT_FALSE(error.fix().empty());
    return error.what();
  }
  return "accepted";
}

TEST(Jsonl, ValuesAreTextsAndNumbersAsWritten) {
  const Records r = parse_records(
      "{\"text\":\"a\\n\\u00e9\",\"label\":1,\"x\":2.50}\r\n\n{\"label\":true,\"text\":\"\",\"deep\":{\"text\":[1]}}",
      jsonl, "f");
  ASSERT_EQ(r.rows.size(), 2u);
  EXPECT_EQ(r.text(0, r.column("text")), "a\n\xC3\xA9");
  EXPECT_EQ(r.text(0, r.column("label")), "1");
  EXPECT_EQ(r.text(0, r.column("x")), "2.50");
  EXPECT_EQ(r.text(1, r.column("label")), "true");
  EXPECT_EQ(r.text(1, r.column("text")), "");
  EXPECT_EQ(r.rows[1].line, 3u);
}

TEST(Jsonl, MissingColumnsAreNamed) {
  const Records r = parse_records("{\"text\":\"a\",\"label\":1}\n{\"text\":null}", jsonl, "f.jsonl");
  try {
    r.column("txt");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "f.jsonl has no column 'txt'");
    EXPECT_EQ(error.fix(), "the columns are: text, label");
  }
  EXPECT_THROW(r.text(1, r.column("label")), Error);
  EXPECT_THROW(r.text(1, r.column("text")), Error);
}

TEST(Jsonl, RefusesWithTheLine) {
  EXPECT_EQ(refusal("{\"a\":1}\n{\"a\":", jsonl), "f line 2: invalid JSON at byte 6");
  EXPECT_EQ(refusal("[1]", jsonl), "f line 1: not a JSON object");
  EXPECT_EQ(refusal("{} {}", jsonl).substr(0, 22), "f line 1: invalid JSON");
  EXPECT_EQ(refusal("{\"a\":1,\"a\":2}", jsonl), "f line 1: 'a' is there twice");
  EXPECT_EQ(refusal("", jsonl), "f holds no records");
  EXPECT_EQ(refusal("\xEF\xBB\xBF\n \n", jsonl), "f holds no records");
  EXPECT_EQ(refusal("{\"a\":1}\n{\"a\":\"\xC3(\"}", jsonl), "f line 2: invalid UTF-8 at byte 7");
  EXPECT_EQ(refusal(std::string_view("{\"a\":1}\n\0", 9), jsonl), "f line 2: a NUL byte at byte 1");
  EXPECT_EQ(refusal("\xFF\xFEx", jsonl), "f is UTF-16");
  EXPECT_NE(refusal("{\"a\":1}", jsonl, {"a"}), "accepted");
}

TEST(Jsonl, NestingAndColumnsAreBounded) {
  EXPECT_EQ(refusal("{\"a\":" + std::string(1 << 20, '['), jsonl).substr(0, 22), "f line 1: invalid JSON");
  std::string many;
  for (int i = 0; i <= 1000; ++i) many += "{\"c" + std::to_string(i) + "\":1}\n";
  EXPECT_EQ(refusal(many, jsonl), "f line 1001: over 1,000 different columns");
  EXPECT_EQ(refusal("{\"a\":\"" + std::string(kMaxRecordBytes, 'x') + "\"}", jsonl),
            "f line 1: the line is over 16 MiB");
}

TEST(Csv, QuotesCommasLineEndsAndCrLf) {
  const Records r = parse_records("\xEF\xBB\xBFtext,label\r\n\"a, \"\"b\"\"\r\nc\",1\r\n\r\nplain,\"\"\r\n", csv, "f");
  ASSERT_EQ(r.rows.size(), 2u);
  EXPECT_EQ(r.text(0, r.column("text")), "a, \"b\"\r\nc");
  EXPECT_EQ(r.text(1, r.column("text")), "plain");
  EXPECT_EQ(r.text(1, r.column("label")), "");
  EXPECT_EQ(r.rows[1].line, 5u);
}

// Writing any field in quotes and reading it gives it back.
TEST(Csv, RoundTrip) {
  const std::vector<std::string> fields = {"",   "a",    "\"",        "\"\"", ",",
                                           "\n", "\r\n", "a\"b,c\nd", " x ",  "\xE2\x82\xAC"};
  for (const auto& first : fields) {
    for (const auto& second : fields) {
      const auto quoted = [](const std::string& field) {
        std::string text = "\"";
        for (const char c : field) text += c == '"' ? "\"\"" : std::string(1, c);
        return text + '"';
      };
      const std::string text = "x,y\n" + quoted(first) + "," + quoted(second);
      const Records r = parse_records(text, csv, "f");
      ASSERT_EQ(r.rows.size(), 1u);
      EXPECT_EQ(r.text(0, 0), first);
      EXPECT_EQ(r.text(0, 1), second);
    }
  }
}

TEST(Csv, RefusesWithTheLine) {
  EXPECT_EQ(refusal("a,b\n1\n", csv), "f line 2: 1 fields, expected 2");
  EXPECT_EQ(refusal("a,b\n\"1,2\n", csv), "f line 2: the quote at byte 1 is not closed");
  EXPECT_EQ(refusal("a,b\n\"1\n2\",3\n\"4\n5\",\"6\n", csv), "f line 5: the quote at byte 4 is not closed");
  EXPECT_EQ(refusal("a,b\n\"" + std::string(17u << 20, 'x') + "\n", csv),
            "f line 2: the quote at byte 1 is not closed within 16 MiB");
  EXPECT_EQ(refusal("a\n\"1\"2\n", csv), "f line 2: text after a closing quote");
  EXPECT_EQ(refusal("a\nx\"y\n", csv), "f line 2: a quote inside a field that is not quoted");
  EXPECT_EQ(refusal("a,a\n1,2\n", csv), "f line 1: column 'a' is there twice");
  EXPECT_EQ(refusal("a,\n1,2\n", csv), "f line 1: column 2 has no name");
  EXPECT_EQ(refusal("a,b\n", csv), "f holds no records");
  EXPECT_EQ(refusal(std::string(1000, ',') + "\n", csv), "f line 1: over 1,000 fields");
}

TEST(Tsv, WithAndWithoutHeader) {
  const Records with = parse_records("label\ttext\nham\tit's \"ok\", fine\n", tsv, "f");
  EXPECT_EQ(with.text(0, with.column("text")), "it's \"ok\", fine");
  const Records without = parse_records("ham\thi\r\nspam\t\n", tsv, "f", {"label", "text"});
  ASSERT_EQ(without.rows.size(), 2u);
  EXPECT_EQ(without.text(0, without.column("text")), "hi");
  EXPECT_EQ(without.text(1, without.column("text")), "");
  EXPECT_EQ(refusal("ham\ta\tb\n", tsv, {"label", "text"}), "f line 1: 3 fields, expected 2");
}

TEST(Records, LimitAndEndings) {
  EXPECT_EQ(parse_records("a\n1\n2\n3\n", csv, "f", {}, 2).rows.size(), 2u);
  EXPECT_THROW(read_records("/nonexistent.jsonl"), Error);
  EXPECT_THROW(read_records("/"), Error);
  EXPECT_THROW(read_records("x.parquet"), Error);
}

// One at a time they are the records that are read together, of any format and with any limit; errors are the same.
TEST(EachRecord, GivesWhatIsReadTogether) {
  std::string name = testing::TempDir() + "frugal-records-XXXXXX";
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  const std::filesystem::path folder = name;
  const std::pair<const char*, std::string> files[] = {
      {"a.jsonl",
       "\xEF\xBB\xBF{\"text\":\"a\",\"label\":1}\n\n{\"label\":2,\"more\":\"x\",\"text\":\"b\"}\r\n{\"text\":\"c\"}"},
      {"b.csv", "text,label\n\"a\nb\",1\nc,2\n"},
      {"c.tsv", "text\tlabel\na\t1\nb\t2\n\nc\t3\n"},
      {"d.jsonl", "{\"text\":\"a\"}\n{\"text\":"},
      {"e.csv", "text,label\na,1\nb\n"},
      {"f.jsonl", "{\"text\":\"a\"}\n{\"text\":\"\xFF\"}\n"},
      {"empty.jsonl", ""},
      {"blank.tsv", "\n\n"}};
  for (const auto& [file, text] : files) {
    std::ofstream(folder / file, std::ios::binary) << text;
    for (const std::size_t limit : {0, 1, 2}) {
      std::vector<Record> rows;
      std::vector<std::string> columns;
      std::string together = "none", one_by_one = "none";
      Records read;
      try {
        read = read_records(folder / file, {}, limit);
      } catch (const Error& error) {
        together = error.what();
      }
      try {
        each_record(folder / file, {}, limit, [&](Records& one) {
          ASSERT_EQ(one.rows.size(), 1u);
          rows.push_back(std::move(one.rows[0]));
          columns = one.columns;
        });
      } catch (const Error& error) {
        one_by_one = error.what();
      }
      EXPECT_EQ(one_by_one, together) << file;
      if (together != "none") continue;
      ASSERT_EQ(rows.size(), read.rows.size()) << file << " limit " << limit;
      EXPECT_EQ(columns, read.columns);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        EXPECT_EQ(rows[i].line, read.rows[i].line);
        EXPECT_EQ(rows[i].values, read.rows[i].values);
      }
    }
  }
  EXPECT_EQ(most_records(folder / "a.jsonl", 0), 4u);
  EXPECT_EQ(most_records(folder / "a.jsonl", 2), 2u);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace frugal
