#include "frugal/formats/gguf/gguf_file.h"

#include <gtest/gtest.h>

#include "frugal/formats/gguf/tests/gguf_bytes.h"
#include "frugal/formats/tests/small_model.h"

namespace frugal {
namespace {

using formats_tests::error_of;
using gguf_tests::Bytes;

enum Type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };

std::string refusal(const Bytes& file) {
  return error_of([&] { parse_gguf(file.span(), "file"); });
}
// The file is refused with a message that holds `part`.
void expect_refused(const Bytes& file, const std::string& part) {
  const std::string message = refusal(file);
  EXPECT_NE(message.find(part), std::string::npos) << "message: " << message << "\nexpected: " << part;
}

TEST(GgufFile, ReadsEveryTypeOfMetadata) {
  Bytes file;
  file.header(3, 0, 13);
  file.text("a").put(u8).put<std::uint8_t>(200).text("b").put(i8).put<std::int8_t>(-3);
  file.text("c").put(u16).put<std::uint16_t>(60000).text("d").put(i16).put<std::int16_t>(-30000);
  file.text("e").put(u32).put<std::uint32_t>(4000000000).text("f").put(i32).put<std::int32_t>(-2000000000);
  file.text("g").put(f32).put(0.25f).text("h").put(boolean).put<std::uint8_t>(1);
  file.text("i").put(text).text("caf\u00e9").text("j").put(array).put(i32).put<std::uint64_t>(2).put(7).put(-7);
  file.text("k")
      .put(u64)
      .put<std::uint64_t>(1ull << 63)
      .text("l")
      .put(i64)
      .put<std::int64_t>(-5)
      .text("m")
      .put(f64)
      .put(0.1);
  const auto metadata = parse_gguf(file.span(), "file").metadata;
  const Json expected = {{"a", 200},         {"b", -3},   {"c", 60000}, {"d", -30000},      {"e", 4000000000u},
                         {"f", -2000000000}, {"g", 0.25}, {"h", true},  {"i", "caf\u00e9"}, {"j", {7, -7}},
                         {"k", 1ull << 63},  {"l", -5},   {"m", 0.1}};
  ASSERT_EQ(metadata.size(), expected.size());
  for (const auto& [key, value] : metadata) EXPECT_EQ(value, expected.at(key)) << key;
}

// A vocabulary's lists stay in the file: checked at once, made when they are asked for.
TEST(GgufFile, LongListsAreReadOnDemand) {
  constexpr std::uint64_t kCount = GgufFile::kLongList + 1;
  const auto file_with = [](std::string_view last, int keys) {
    Bytes file;
    file.header(3, 0, static_cast<std::uint64_t>(keys));
    for (int key = 0; key < std::min(keys, 2); ++key) {
      file.text(keys == 3 ? "texts" : key == 0 ? "texts" : "numbers").put(array);
      if (key == 0 || keys == 3) {
        file.put(text).put(kCount);
        for (std::uint64_t i = 0; i + 1 < kCount; ++i) file.text(std::to_string(i));
        file.text(last);
      } else {
        file.put(i32).put(kCount);
        for (std::uint64_t i = 0; i < kCount; ++i) file.put(static_cast<std::int32_t>(i) - 5);
      }
    }
    return file;
  };
  const Bytes file = file_with("caf\u00e9", 2);
  const GgufFile parsed = parse_gguf(file.span(), "file");
  EXPECT_TRUE(parsed.metadata.empty());
  const auto texts = parsed.texts("texts");
  ASSERT_EQ(texts.size(), kCount);
  EXPECT_EQ(texts[77], "77");
  EXPECT_EQ(texts.back(), "caf\u00e9");
  const auto numbers = parsed.integers("numbers");
  ASSERT_EQ(numbers.size(), kCount);
  EXPECT_EQ(numbers.front(), -5);
  EXPECT_EQ(numbers.back(), static_cast<std::int64_t>(kCount) - 6);
  EXPECT_TRUE(parsed.texts("numbers").empty());
  EXPECT_TRUE(parsed.integers("texts").empty());
  expect_refused(file_with("\xff", 2), "not UTF-8");
  expect_refused(file_with("x", 3), "occurs twice");
  const auto whole = file.span();
  for (const std::size_t size : {whole.size() - 1, whole.size() / 2, std::size_t{100000}})
    EXPECT_NE(error_of([&] { parse_gguf(whole.first(size), "file"); }), "no error") << size;
}

TEST(GgufFile, FindsTensorsInAnyOrderOfOffsets) {
  Bytes file;
  file.header(2, 2, 0).tensor("b", {4, 2}, 0, 32).tensor("a", {32}, 8, 64).data(64 + 34);
  const GgufFile parsed = parse_gguf(file.span(), "file");
  ASSERT_EQ(parsed.tensors.size(), 2u);
  EXPECT_EQ(parsed.find("b")->data.size(), 32u);
  EXPECT_EQ(parsed.find("a")->data.size(), 34u);
  EXPECT_EQ(parsed.find("a")->data.data() - parsed.find("b")->data.data(), 32);
  EXPECT_EQ(parsed.find("c"), nullptr);
}

TEST(GgufFile, EveryPrefixIsRefused) {
  Bytes file;
  file.header(3, 1, 1).text("key").put(text).text("value").tensor("t", {4}, 0, 0).data(16);
  ASSERT_EQ(refusal(file), "no error");
  const auto whole = file.span();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(error_of([&] { parse_gguf(whole.first(size), "file"); }), "no error") << size;
  }
}

TEST(GgufFile, RefusesOtherFilesAndVersions) {
  Bytes other;
  other.text("PK").data(64);
  expect_refused(other, "not a GGUF file");
  expect_refused(Bytes().header(1, 0, 0), "GGUF version 1, expected 2 or 3");
  expect_refused(Bytes().header(0x03000000, 0, 0), "big-endian");
}

TEST(GgufFile, RefusesCountsTheFileCannotHold) {
  expect_refused(Bytes().header(3, 1000000, 0).data(1 << 16), "1000000 tensors");
  expect_refused(Bytes().header(3, ~0ull, ~0ull), "18446744073709551615 tensors");
  expect_refused(Bytes().header(3, 0, 1).text("k").put(text).put(~0ull), "the file ends");
  expect_refused(Bytes().header(3, 0, 1).text("k").put(array).put(u64).put(1ull << 61), "2305843009213693952 values");
  expect_refused(Bytes().header(3, 0, 1).text("k").put(array).put(text).put<std::uint64_t>(100).data(20), "100 values");
}

TEST(GgufFile, RefusesMetadataItCannotRead) {
  expect_refused(Bytes().header(3, 0, 1).text("k").put(array).put(array).put<std::uint64_t>(1).data(64),
                 "array of arrays");
  expect_refused(Bytes().header(3, 0, 1).text("k").put<std::uint32_t>(13).data(64), "unknown type 13");
  expect_refused(Bytes().header(3, 0, 2).text("k").put(u8).put<std::uint8_t>(1).text("k").put(u8).put<std::uint8_t>(1),
                 "twice");
  expect_refused(Bytes().header(3, 0, 1).text("").put(u8).put<std::uint8_t>(1), "0 characters");
  expect_refused(Bytes().header(3, 0, 1).text("k").put(text).text("\xff\xfe"), "not UTF-8");
}

// What a file calls its parts reaches a terminal only as printable characters.
TEST(GgufFile, MessagesHoldNoControlCharacters) {
  for (const Bytes& file :
       {Bytes().header(3, 0, 1).text("k\x1b[2J").put<std::uint32_t>(99).data(64),
        Bytes().header(3, 0, 1).text("k\x1b[2J").put(array).put(array).put<std::uint64_t>(1).data(64),
        Bytes().header(3, 1, 0).tensor("t\x1b[2J", {4}, 0, 0).data(16)}) {
    const std::string message = refusal(file);
    EXPECT_NE(message, "no error");
    EXPECT_EQ(message.find('\x1b'), std::string::npos) << message;
  }
}

TEST(GgufFile, RefusesTensorNames) {
  for (const char* name : {"", "../t", "a/b", "a\\b", "a b", "a\nb", "caf\u00e9"}) {
    expect_refused(Bytes().header(3, 1, 0).tensor(name, {4}, 0, 0).data(16), "a tensor has the name");
  }
  expect_refused(Bytes().header(3, 1, 0).tensor(std::string(257, 'a'), {4}, 0, 0).data(16), "a tensor has the name");
  expect_refused(Bytes().header(3, 2, 0).tensor("t", {4}, 0, 0).tensor("t", {4}, 0, 32).data(64), "t occurs twice");
}

TEST(GgufFile, RefusesShapesAndTypes) {
  expect_refused(Bytes().header(3, 1, 0).tensor("t", {}, 0, 0).data(16), "0 dimensions");
  expect_refused(Bytes().header(3, 1, 0).tensor("t", {1, 1, 1, 1, 1}, 0, 0).data(16), "5 dimensions");
  expect_refused(Bytes().header(3, 1, 0).tensor("t", {0}, 0, 0).data(16), "dimension of 0");
  expect_refused(Bytes().header(3, 1, 0).tensor("t", {1ull << 32, 1ull << 32}, 0, 0).data(16),
                 "dimension of 4294967296");
  expect_refused(Bytes().header(3, 1, 0).tensor("t", {~0ull}, 0, 0).data(16), "dimension of 18446744073709551615");
  expect_refused(Bytes().header(3, 1, 0).tensor("t", {32}, 4, 0).data(64), "t has the tensor type 4");
  expect_refused(Bytes().header(3, 1, 0).tensor("t", {33}, 8, 0).data(64), "not a multiple of Q8_0's 32");
}

TEST(GgufFile, RefusesOffsets) {
  expect_refused(Bytes().header(3, 1, 0).tensor("t", {8}, 0, 0).data(16), "outside the file's");
  expect_refused(Bytes().header(3, 1, 0).tensor("t", {4}, 0, ~0ull).data(16), "outside the file's");
  expect_refused(Bytes().header(3, 1, 0).tensor("t", {4}, 0, 8).data(64), "not a multiple of 32");
  expect_refused(Bytes().header(3, 2, 0).tensor("a", {16}, 0, 0).tensor("b", {4}, 0, 32).data(64), "b overlaps");
}

TEST(GgufFile, AlignmentIsThatOfTheMetadata) {
  Bytes file;
  file.header(3, 2, 1).text("general.alignment").put(u32).put<std::uint32_t>(8);
  file.tensor("a", {2}, 0, 0).tensor("b", {2}, 0, 8).data(24);
  EXPECT_EQ(parse_gguf(file.span(), "file").tensors.size(), 2u);
  for (const std::uint32_t alignment : {0u, 1u << 30}) {
    expect_refused(Bytes().header(3, 0, 1).text("general.alignment").put(u32).put(alignment), "general.alignment is");
  }
  expect_refused(Bytes().header(3, 0, 1).text("general.alignment").put(text).text("32"), "general.alignment is");
}

}  // namespace
}  // namespace frugal
