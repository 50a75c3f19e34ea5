// Prompts to be continued, from a file.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace frugal {

// A .txt file: one a line, empty lines skipped; jsonl, csv or tsv: the column "prompt". At least one.
// Error(Exit::input): what read_text and read_records refuse, no column "prompt", an empty prompt (with its line).
std::vector<std::string> read_prompts(const std::filesystem::path& path);

}  // namespace frugal
