#include "frugal/data/prompt_template.h"

#include <algorithm>

#include "frugal/base/error.h"

namespace frugal {
namespace {

[[noreturn]] void refuse(std::string_view text, std::size_t at, const std::string& fact) {
  throw Error(Exit::usage,
              "--template has " + fact + " at character " + std::to_string(at + 1) + " of '" + std::string(text) + "'",
              "write a place as {column}, and a brace that is meant as it stands as {{ or }}");
}

}  // namespace

PromptTemplate::PromptTemplate(std::string_view text) {
  parts_.emplace_back();
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at], next = at + 1 < text.size() ? text[at + 1] : '\0';
    std::string& literal = parts_.back().literal;
    if (c == '\\' && (next == 'n' || next == 't' || next == '\\')) {
      literal += next == 'n' ? '\n' : next == 't' ? '\t' : '\\';
      ++at;
    } else if ((c == '{' || c == '}') && next == c) {
      literal += c;
      ++at;
    } else if (c == '}') {
      refuse(text, at, "a } without a {");
    } else if (c != '{') {
      literal += c;
    } else {
      const std::size_t end = text.find_first_of("{}", at + 1);
      if (end == std::string_view::npos || text[end] == '{') refuse(text, at, "a { without a }");
      const std::string name(text.substr(at + 1, end - at - 1));
      if (name.empty()) refuse(text, at, "a place without a name");
      auto known = std::find(columns_.begin(), columns_.end(), name);
      if (known == columns_.end()) known = columns_.insert(known, name);
      parts_.back().column = static_cast<std::size_t>(known - columns_.begin());
      parts_.emplace_back();
      at = end;
    }
  }
  if (columns_.empty()) {
    throw Error(Exit::usage, "--template '" + std::string(text) + "' has no place for a column",
                "write one like {text}");
  }
}

bool PromptTemplate::ends_in_space() const {
  const std::string& tail = parts_.back().literal;
  return !tail.empty() && std::string_view(" \n\t").find(tail.back()) != std::string_view::npos;
}

std::vector<std::uint32_t> PromptTemplate::bind(const Records& records) const {
  std::vector<std::uint32_t> ids;
  for (const auto& name : columns_) ids.push_back(records.column(name));
  return ids;
}

std::string PromptTemplate::render(const Records& records, std::size_t row,
                                   const std::vector<std::uint32_t>& ids) const {
  std::string text;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    text += parts_[i].literal;
    if (i + 1 < parts_.size()) text += records.text(row, ids[parts_[i].column]);
  }
  return text;
}

}  // namespace frugal
