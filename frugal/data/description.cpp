#include "frugal/data/description.h"

#include <algorithm>
#include <cstdio>

namespace frugal {

LengthHistogram::LengthHistogram(const std::vector<std::size_t>& lengths) {
  constexpr std::size_t kBins = 8;
  const auto [least, most] = std::minmax_element(lengths.begin(), lengths.end());
  shortest = *least;
  longest = *most;
  width = (longest - shortest) / kBins + 1;
  counts.resize((longest - shortest) / width + 1);
  for (const std::size_t length : lengths) ++counts[(length - shortest) / width];
}

Json LengthHistogram::to_json() const {
  return {{"shortest", shortest}, {"longest", longest}, {"bin", width}, {"counts", counts}};
}

std::string LengthHistogram::to_text() const {
  const std::size_t most = *std::max_element(counts.begin(), counts.end());
  std::string text;
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    const std::size_t low = shortest + bin * width;
    char line[80];
    std::snprintf(line, sizeof line, "%s  %5zu-%-5zu %7zu ", bin == 0 ? "" : "\n", low, low + width - 1, counts[bin]);
    text += line + std::string((counts[bin] * 40 + most - 1) / most, '#');
  }
  return text;
}

std::string indented(std::string_view text) {
  std::string out = "  | ";
  for (const char c : text) out += c == '\n' ? std::string("\n  | ") : std::string(1, c);
  return out;
}

std::string shortened(const std::string& text) {
  constexpr std::size_t kKept = 400;
  if (text.size() <= 3 * kKept) return text;
  const auto is_inside = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80; };
  std::size_t begin = kKept, end = text.size() - kKept;
  while (is_inside(begin)) --begin;
  while (end < text.size() && is_inside(end)) ++end;
  return text.substr(0, begin) + " [... " + std::to_string(end - begin) + " bytes ...] " + text.substr(end);
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string percent(std::size_t part, std::size_t whole) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
  return text;
}

std::string lengths_text(std::string_view what, const std::vector<std::size_t>& lengths, std::size_t left_out,
                         std::size_t max_length) {
  std::string text;
  if (const std::size_t records = lengths.size() + left_out; left_out > 0) {
    text = "\nleft out, over " + std::to_string(max_length) + " tokens: " + std::to_string(left_out) + " of " +
           std::to_string(records) + " (" + percent(left_out, records) + ")";
  }
  return text + "\n" + std::string(what) + " length in tokens:\n" + LengthHistogram(lengths).to_text();
}

}  // namespace frugal
