#include "frugal/data/prompts.h"

#include <sstream>

#include "frugal/data/record_line.h"

namespace frugal {

std::vector<std::string> read_prompts(const std::filesystem::path& path) {
  std::vector<std::string> prompts;
  if (path.extension() == ".txt") {
    std::istringstream lines(read_text(path));
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty()) prompts.push_back(line);
    }
    if (prompts.empty()) throw Error(Exit::input, path.string() + " has only empty lines", "write one prompt a line");
    return prompts;
  }
  const Records table = read_records(path);
  const std::uint32_t column = table.column("prompt");
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    prompts.push_back(table.text(row, column));
    if (!prompts.back().empty()) continue;
    at_line(table, row, []() -> void { throw Error(Exit::input, "the prompt is empty", "leave the record out"); });
  }
  return prompts;
}

}  // namespace frugal
