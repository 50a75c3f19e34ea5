#include "frugal/formats/tokenizer/added_tokens.h"

#include <algorithm>
#include <functional>

#include "frugal/formats/tokenizer/utf8.h"

namespace frugal {

AddedTokens::AddedTokens(const std::vector<TokenizerModel::Added>& added, bool with_special) {
  for (const auto& token : added) {
    if (token.text.empty() || (token.special && !with_special)) continue;
    by_text_.emplace(token.text, &token);
    lengths_[static_cast<unsigned char>(token.text[0])].push_back(token.text.size());
  }
  for (auto& lengths : lengths_) {
    std::sort(lengths.begin(), lengths.end(), std::greater<>());
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  }
}

AddedTokens::Match AddedTokens::find(std::string_view text, std::size_t from) const {
  if (by_text_.empty()) return {text.size(), text.size(), -1};
  for (std::size_t at = from; at < text.size(); ++at) {
    for (const std::size_t length : lengths_[static_cast<unsigned char>(text[at])]) {
      if (length > text.size() - at) continue;
      const auto found = by_text_.find(text.substr(at, length));
      if (found == by_text_.end()) continue;
      Match match{at, at + length, found->second->id};
      while (found->second->lstrip && match.begin > from) {
        const std::size_t before = previous_code_point(text, match.begin);
        if (before < from || !is_white_space(code_point_at(text, before).value)) break;
        match.begin = before;
      }
      while (found->second->rstrip && match.end < text.size()) {
        const CodePoint c = code_point_at(text, match.end);
        if (!is_white_space(c.value)) break;
        match.end += c.length;
      }
      return match;
    }
  }
  return {text.size(), text.size(), -1};
}

}  // namespace frugal
