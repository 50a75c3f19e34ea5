// What tests ask of a page.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

// Every element is closed by its own tag in its own order, and attributes are quoted. Independent of the writer: HTML's
// void elements and "/>" alone need no end.
inline std::string malformed(const std::string& page) {
  std::vector<std::string> open;
  for (std::size_t at = 0; (at = page.find('<', at)) != std::string::npos;) {
    if (page.compare(at, 9, "<!doctype") == 0) {
      at += 9;
      continue;
    }
    std::size_t end = at + 1;
    char quote = 0;
    for (; end < page.size() && (quote != 0 || page[end] != '>'); ++end) {
      if (quote != 0 ? page[end] == quote : page[end] == '"')
        quote = quote != 0 ? 0 : '"';
      else if (page[end] == '<')
        return "'<' within a tag near " + page.substr(at, 80);
    }
    if (end == page.size()) return "an open tag at the end: " + page.substr(at, 80);
    const bool is_end = page[at + 1] == '/';
    const std::size_t name_at = at + (is_end ? 2 : 1);
    const std::string name = page.substr(name_at, page.find_first_of(" />", name_at) - name_at);
    if (is_end) {
      if (open.empty() || open.back() != name)
        return "</" + name + "> closes " + (open.empty() ? "nothing" : open.back());
      open.pop_back();
    } else if (page[end - 1] != '/' && name != "meta") {
      open.push_back(name);
    }
    at = end + 1;
    if (name == "style" && !is_end) at = page.find("</style>", at);
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

inline bool has(const std::string& page, std::string_view part) { return page.find(part) != std::string::npos; }

}  // namespace frugal
