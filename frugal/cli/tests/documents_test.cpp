// Every command in the documents is one that this program takes: verb, options and kinds of values.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/cli/parse.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// What is no whole command, by a part of it, and why.
const std::map<std::string, std::string> kLeftOut = {
    {"--config run.toml", "the file is the reader's"},
    {" ...", "the rest is left to the reader"},
    {" VERB ", "stands for any verb"},
    {"frugal pi ", "the system that CONTRIBUTING adds"},
    {"frugal NAME", "stands for any system"},
};

// The words of one command as a POSIX shell reads them, up to a pipe, a redirection, a comment, or an explanation in
// parentheses behind two spaces.
std::vector<std::string> words_of_command(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool is_open = false;
  char quote = 0;
  const auto end_word = [&] {
    if (is_open) words.push_back(word);
    word.clear(), is_open = false;
  };
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == 0 && !is_open && (c == '#' || (c == '(' && i >= 2 && line[i - 2] == ' '))) break;
    if (quote == 0 && (c == '|' || c == ';' || c == '>' || c == '&')) break;
    if (quote == 0 && c == ' ') {
      end_word();
    } else if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c, is_open = true;
    } else {
      const bool is_escape = c == '\\' && quote == 0 && i + 1 < line.size();
      word += is_escape ? line[++i] : c;
      is_open = true;
    }
  }
  end_word();
  return words;
}

// "frugal ..." and "$ frugal ..." in fenced code; a line that ends in a backslash goes on.
std::vector<std::string> commands_in(const fs::path& file) {
  std::vector<std::string> found;
  std::istringstream lines(read_file(file));
  bool is_code = false;
  std::string line, command;
  while (std::getline(lines, line)) {
    if (line.starts_with("```")) {
      is_code = !is_code;
      continue;
    }
    if (!is_code) continue;
    if (command.empty()) {
      if (line.starts_with("$ ")) line = line.substr(2);
      if (line.starts_with("build/bin/")) line = line.substr(10);
      if (!line.starts_with("frugal ")) continue;
    }
    const bool goes_on = line.ends_with("\\");
    command += goes_on ? line.substr(0, line.size() - 1) : line;
    if (!goes_on) found.push_back(std::exchange(command, {}));
  }
  return found;
}

std::string why_left_out(const std::string& command) {
  for (const auto& [part, why] : kLeftOut) {
    if ((command + " ").find(part) != std::string::npos) return why;
  }
  return {};
}

// What is wrong with it; empty: nothing.
std::string refusal(const std::string& command) {
  std::vector<std::string> words = words_of_command(command.substr(command.find("frugal ")));  // behind echo TEXT |
  words.erase(words.begin());
  if (words.size() > 2 && words[0] == "config" && words[1] == "show") words.erase(words.begin(), words.begin() + 2);
  if (words.empty() || words.front().starts_with("--")) return {};
  const bool wants_help = std::find(words.begin(), words.end(), "--help") != words.end();
  try {
    const Asked asked = asked_for(words, wants_help);
    if (asked.action != nullptr && !asked.action->fields.empty()) parse_arguments(asked);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Documents, EveryCommandIsTaken) {
  const fs::path root(FRUGAL_SOURCE_DIR);
  std::vector<fs::path> files = {root / "README.md", root / "CONTRIBUTING.md"};
  for (const auto& entry : fs::recursive_directory_iterator(root / "docs")) {
    if (entry.path().extension() == ".md") files.push_back(entry.path());
  }
  for (const auto& entry : fs::recursive_directory_iterator(root / "frugal")) {
    if (entry.path().filename() == "README.md") files.push_back(entry.path());
  }
  std::size_t taken = 0;
  for (const fs::path& file : files) {
    for (const std::string& command : commands_in(file)) {
      if (!why_left_out(command).empty()) continue;
      EXPECT_EQ(refusal(command), "") << file << "\n" << command;
      ++taken;
    }
  }
  EXPECT_GT(taken, 80u);
}

TEST(Documents, EveryExampleOfAHelpIsTaken) {
  for (const SystemInfo& system : systems().all()) {
    for (const std::string_view example : system.examples) {
      const std::string command(example);
      if (!why_left_out(command).empty()) continue;
      EXPECT_EQ(refusal(command), "") << command;
    }
  }
}

// The reader of this test: quotes, ends and continuation.
TEST(Documents, CommandsAreReadAsAShellDoes) {
  EXPECT_EQ(words_of_command("frugal tune m --template \"A: {x}\\nB\" --labels 'a b' | tail"),
            (std::vector<std::string>{"frugal", "tune", "m", "--template", "A: {x}\\nB", "--labels", "a b"}));
  EXPECT_EQ(words_of_command("frugal list ~/models    (a folder)"),
            (std::vector<std::string>{"frugal", "list", "~/models"}));
  EXPECT_EQ(refusal("frugal tune m --larning-rate 1").substr(0, 14), "unknown option");
}

}  // namespace
}  // namespace frugal
