#include "frugal/formats/safetensors/safetensors_file.h"

#include <gtest/gtest.h>

#include <chrono>

#include "frugal/formats/tests/small_model.h"

namespace frugal {
namespace {

using formats_tests::error_of;

std::string file_of(const std::string& header, std::size_t data) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + std::string(data, '\0');
}
auto parse(const std::string& file) { return parse_safetensors(std::as_bytes(std::span(file)), "file"); }
std::string refusal(const std::string& file) {
  return error_of([&] { parse(file); });
}
void expect_refused(const std::string& header, std::size_t data, const std::string& part) {
  const std::string message = refusal(file_of(header, data));
  EXPECT_NE(message.find(part), std::string::npos) << "message: " << message << "\nexpected: " << part;
}

TEST(SafetensorsFile, ReadsWhatItWrites) {
  std::string file =
      make_safetensors_header({{"a", "F32", {2, 3}, 24}, {"b.c", "BF16", {5}, 10}, {"empty", "F16", {0}, 0}});
  EXPECT_EQ(file.size() % 8, 0u);
  const std::size_t start = file.size();
  file += std::string(24, 'a') + std::string(10, 'b');
  const auto tensors = parse(file);
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors.at("a").dtype, "F32");
  EXPECT_EQ(tensors.at("a").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(reinterpret_cast<const char*>(tensors.at("a").data.data()), file.data() + start);
  EXPECT_EQ(reinterpret_cast<const char*>(tensors.at("b.c").data.data()), file.data() + start + 24);
  EXPECT_EQ(tensors.at("b.c").data.size(), 10u);
  EXPECT_TRUE(tensors.at("empty").data.empty());
}

TEST(SafetensorsFile, EveryPrefixIsRefused) {
  const std::string file = file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  ASSERT_EQ(refusal(file), "no error");
  for (std::size_t size = 0; size < file.size(); ++size) EXPECT_NE(refusal(file.substr(0, size)), "no error") << size;
}

TEST(SafetensorsFile, RefusesHeaders) {
  EXPECT_NE(refusal(std::string(8, '\xff') + "{}").find("the header claims 18446744073709551615"), std::string::npos);
  expect_refused("[]", 0, "not a JSON object");
  expect_refused("{", 0, "not a JSON object");
  expect_refused(R"({"a":{}})", 0, "no dtype, shape and data_offsets");
  expect_refused(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "no dtype, shape and data_offsets");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4, "no dtype, shape and data_offsets");
  expect_refused(R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4, "the dtype 'F31'");
  expect_refused(R"({"../a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "a tensor has the name '../a'");
  expect_refused("{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}", 0, "nested too deeply");
}

TEST(SafetensorsFile, RefusesANameThatOccursTwice) {
  const std::string entry = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  expect_refused("{" + entry + "," + entry + "}", 4, "'a' occurs twice");
}

TEST(SafetensorsFile, RefusesOffsets) {
  expect_refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7, "outside the data's 7 bytes");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}})", 8, "outside the data's");
  expect_refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 8, "4 bytes, its shape needs 8");
  expect_refused(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 8,
                 "dimension of 4294967296");
  expect_refused(
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
      8, "overlap at byte 4");
}

// Names are looked up, not searched: 70,000 of them would otherwise take minutes before they are found to be too many.
TEST(SafetensorsFile, RefusesManyTensorsSoon) {
  std::string header = "{";
  for (int i = 0; i < 200000; ++i) header += (i > 0 ? ",\"tensor_" : "\"tensor_") + std::to_string(i) + "\":0";
  const auto start = std::chrono::steady_clock::now();
  expect_refused(header + "}", 0, "65536");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace
}  // namespace frugal
