#include "frugal/data/prompts.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>

#include "frugal/base/error.h"

namespace frugal {
namespace {

// A file that is there as long as the expression that names it.
struct file {
  file(const std::string& name, const std::string& text)
      : path(std::filesystem::temp_directory_path() / ("frugal_prompts_" + std::to_string(::getpid()) + name)) {
    std::ofstream(path) << text;
  }
  ~file() { std::filesystem::remove(path); }
  operator const std::filesystem::path&() const { return path; }
  std::filesystem::path path;
};

std::string refusal(const std::filesystem::path& path) {
  try {
    read_prompts(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::input);
    return error.what();
  }
  return {};
}

TEST(Prompts, LinesOfTextAndColumnsOfTables) {
  const std::vector<std::string> expected = {"one", "two, and more"};
  EXPECT_EQ(read_prompts(file(".txt", "one\r\n\ntwo, and more")), expected);
  EXPECT_EQ(read_prompts(file(".jsonl", "{\"id\": 1, \"prompt\": \"one\"}\n{\"prompt\": \"two, and more\"}\n")),
            expected);
  EXPECT_EQ(read_prompts(file(".csv", "prompt,id\none,1\n\"two, and more\",2\n")), expected);
}

TEST(Prompts, RefusalsNameTheFileAndTheLine) {
  EXPECT_NE(refusal(file("a.txt", "\n\r\n")).find("only empty lines"), std::string::npos);
  EXPECT_NE(refusal(file("b.jsonl", "{\"prompt\": \"x\"}\n{\"prompt\": \"\"}\n")).find("line 2: the prompt is empty"),
            std::string::npos);
  EXPECT_NE(refusal(file("c.csv", "text\nx\n")).find("prompt"), std::string::npos);
  EXPECT_NE(refusal("/nowhere/prompts.txt").find("/nowhere/prompts.txt"), std::string::npos);
}

}  // namespace
}  // namespace frugal
