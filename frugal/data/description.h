// Parts of what is shown of data before it is trained on.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/json.h"

namespace frugal {

// Lengths in at most 8 equal bins.
struct LengthHistogram {
  std::size_t shortest = 0, longest = 0, width = 1;  // bin i: shortest + i * width and up, `width` lengths
  std::vector<std::size_t> counts;

  explicit LengthHistogram(const std::vector<std::size_t>& lengths);  // at least one
  Json to_json() const;
  std::string to_text() const;  // a row of '#' a bin, no line break at the end
};

// "\nleft out, over 512 tokens: 1 of 7 (14.3 %)" where some were, then the lengths of `what` ("pair") as rows.
std::string lengths_text(std::string_view what, const std::vector<std::size_t>& lengths, std::size_t left_out,
                         std::size_t max_length);

std::string shortened(const std::string& text);            // a long one by its beginning and end, whole characters
std::string grouped(std::uint64_t number);                 // "12,345"
std::string indented(std::string_view text);               // each line after "  | "
std::string percent(std::size_t part, std::size_t whole);  // "12.3 %"; whole > 0

}  // namespace frugal
