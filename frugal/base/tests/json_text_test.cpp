// The one guard before Json::parse: depth is counted where brackets are structure, and nowhere else.
#include "frugal/base/json_text.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace frugal {
namespace {

std::string nested(std::size_t depth, char open, char close) {
  return std::string(depth, open) + std::string(depth, close);
}

TEST(JsonText, RefusesWhatIsNestedTooDeep) {
  EXPECT_EQ(json_of(nested(kDeepestJson, '[', ']')).size(), 1u);
  EXPECT_TRUE(json_of(nested(kDeepestJson + 1, '[', ']')).is_discarded());
  std::string objects = "1";
  for (int i = 0; i < kDeepestJson; ++i) objects = "{\"a\":" + objects + "}";
  EXPECT_TRUE(json_of(objects).is_object());
  EXPECT_TRUE(json_of("[" + objects + "]").is_discarded());
  for (const std::size_t depth : {200'000u, 5'000'000u}) {
    EXPECT_TRUE(json_of(nested(depth, '[', ']')).is_discarded());
    EXPECT_TRUE(json_of(std::string(depth, '[')).is_discarded());
    EXPECT_TRUE(json_of("{\"x\": " + nested(depth, '[', ']') + ", \"y\": 1}").is_discarded());
    EXPECT_TRUE(json_of<nlohmann::json>(nested(depth, '[', ']')).is_discarded());
  }
}

TEST(JsonText, BracketsInTextAndBesideEachOtherAreNotDepth) {
  const std::string many = Json(std::string(1000, '[')).dump();
  EXPECT_EQ(json_of(many), std::string(1000, '['));
  EXPECT_TRUE(json_of(R"({"a": "\"[[[[", "b\\": "{"})").is_object());
  std::string flat = "[";
  for (int i = 0; i < 1000; ++i) flat += "[],{},";
  EXPECT_EQ(json_of(flat + "1]").size(), 2001u);
  for (const char* wrong : {"", "[", "]]]]", "{\"a\":", "\"", "\"\\", "nul", "[1,]", "{} {}"})
    EXPECT_TRUE(json_of(wrong).is_discarded()) << wrong;
}

// No other file of the product calls the parser itself.
TEST(JsonText, IsTheOnlyWayIn) {
  namespace fs = std::filesystem;
  std::vector<std::string> others;
  for (const auto& entry : fs::recursive_directory_iterator(FRUGAL_SOURCE_DIR "/frugal")) {
    const fs::path& path = entry.path();
    const bool is_code = path.extension() == ".cpp" || path.extension() == ".h";
    const std::string name = path.generic_string();
    if (!is_code || name.find("/tests/") != name.npos || name.find("/fuzz/") != name.npos) continue;
    std::ifstream in(path);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    for (const char* call : {"Json::parse(", "json::parse("}) {
      if (text.find(call) != text.npos) others.push_back(name);
    }
  }
  // A safetensors header is judged by its own, stricter callback: three levels.
  ASSERT_EQ(others.size(), 1u);
  EXPECT_TRUE(others[0].ends_with("safetensors/safetensors_file.cpp")) << others[0];
}

}  // namespace
}  // namespace frugal
