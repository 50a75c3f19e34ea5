// Prompts with places for columns: "Review: {text}\nSentiment:".
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/formats/records/records.h"

namespace frugal {

class PromptTemplate {
 public:
  // {column} is a place; {{ and }} are braces; \n, \t and \\ are a new line, a tab and a backslash (as typed between
  // plain quotes). Error(Exit::usage), with the position: a brace that is not closed or not opened, an empty name, no
  // place at all.
  explicit PromptTemplate(std::string_view text);

  const std::vector<std::string>& columns() const { return columns_; }  // in order, each once
  bool ends_in_space() const;
  std::string tail() const { return parts_.back().literal; }  // what stands after the last place

  // The columns' ids in `records`; Error(Exit::input) lists the columns there are.
  std::vector<std::uint32_t> bind(const Records& records) const;
  std::string render(const Records& records, std::size_t row, const std::vector<std::uint32_t>& ids) const;

 private:
  struct Part {  // the text before a place; the last part has no place
    std::string literal;
    std::size_t column = 0;
  };
  std::vector<Part> parts_;
  std::vector<std::string> columns_;
};

}  // namespace frugal
