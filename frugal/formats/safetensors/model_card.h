// The metadata block of a Hugging Face model card (README.md between two lines of ---), as far as it is kept over an
// export: the license.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>

namespace frugal {

// The value of `license:` in the card's first block; empty where there is none. Any text is accepted.
inline std::string card_license(std::string_view card) {
  bool is_inside = false;
  while (!card.empty()) {
    std::string_view line = card.substr(0, card.find('\n'));
    card.remove_prefix(std::min(card.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line == "---") {
      if (is_inside) return {};
      is_inside = true;
      continue;
    }
    if (!is_inside) return {};
    constexpr std::string_view kKey = "license:";
    if (!line.starts_with(kKey)) continue;
    line.remove_prefix(kKey.size());
    constexpr std::string_view kAround = " \t'\"";
    const auto begin = line.find_first_not_of(kAround), end = line.find_last_not_of(kAround);
    return begin == line.npos ? std::string() : std::string(line.substr(begin, end - begin + 1));
  }
  return {};
}

// A card with that license, of which only the first line is taken.
inline std::string make_card(std::string_view license) {
  return "---\nlicense: " + std::string(license.substr(0, license.find('\n'))) + "\n---\n";
}

}  // namespace frugal
