// Finds added tokens in text: leftmost first, of several at one place the longest.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "frugal/formats/tokenizer.h"

namespace frugal {

class AddedTokens {
 public:
  // Bytes [begin, end) become `id`; lstrip and rstrip have been applied.
  struct Match {
    std::size_t begin = 0, end = 0;
    std::int32_t id = -1;
  };

  // Keeps views of the tokens' texts; empty texts are never found.
  AddedTokens(const std::vector<TokenizerModel::Added>& added, bool with_special);
  // The first match that begins at `from` or later; id -1 and begin = end = text.size() when there is none.
  Match find(std::string_view text, std::size_t from) const;

 private:
  std::unordered_map<std::string_view, const TokenizerModel::Added*> by_text_;
  std::array<std::vector<std::size_t>, 256> lengths_;  // by first byte, the lengths there are, longest first
};

}  // namespace frugal
