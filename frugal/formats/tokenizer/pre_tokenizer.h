// Cuts text into words before byte pair encoding: regular expressions in a row, each splitting what the one before
// left.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/json.h"

namespace frugal {

class PreTokenizer {
 public:
  // `pre` as in TokenizerModel. Error(Exit::input): unknown name (the known ones are listed), a pattern that does not
  // compile.
  explicit PreTokenizer(const std::string& pre);
  ~PreTokenizer();

  // Words of valid UTF-8 text, in order; together they are the text. Matches and the text between them are words.
  // `words` and `spare` are overwritten. Error(Exit::input): a pattern needs too many steps on this text.
  void split(std::string_view text, std::vector<std::string_view>& words, std::vector<std::string_view>& spare) const;

  bool ignore_merges() const { return ignore_merges_; }
  // The node "pre_tokenizer" of tokenizer.json.
  Json to_json() const;

 private:
  class Pattern;
  std::vector<std::unique_ptr<Pattern>> patterns_;
  bool ignore_merges_ = false;
};

// TokenizerModel::pre of the node "pre_tokenizer" of a tokenizer.json. Error(Exit::input) names what is not supported.
std::string parse_pre_tokenizer(const Json& node, bool ignore_merges);

}  // namespace frugal
