#include "frugal/data/text_windows.h"

#include <algorithm>

#include "frugal/base/error.h"

namespace frugal {

std::vector<std::vector<std::int32_t>> text_windows(const Tokenizer& tokenizer, std::string_view text,
                                                    std::int64_t length) {
  std::vector<std::int32_t> ids = tokenizer.encode(text);
  if (tokenizer.model().add_bos && tokenizer.model().bos >= 0) ids.insert(ids.begin(), tokenizer.model().bos);
  const auto all = static_cast<std::int64_t>(ids.size());
  if (all < 2)
    throw Error(Exit::input, "the text has " + std::to_string(all) + " tokens, expected at least 2",
                "give a longer text");
  std::vector<std::vector<std::int32_t>> windows;
  for (std::int64_t begin = 0; begin + 1 < all; begin += length - 1) {
    windows.emplace_back(ids.begin() + begin, ids.begin() + std::min(all, begin + length));
  }
  return windows;
}

}  // namespace frugal
