// The text that is pruned on, and the one that is measured: --eval, or the last tenth of the lines of --data.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/data/text_windows.h"
#include "frugal/verbs/prune/config.h"

namespace frugal {

struct PruneTexts {
  // Of examples, which are measured as such.
  explicit PruneTexts(std::vector<std::int32_t> of_examples) : tokens(std::move(of_examples)) {}
  // larger: the tokenizer of the model as it is given, where `tokenizer` has fewer tokens; else null.
  // length: of a window that is measured.
  PruneTexts(const PruneVerbConfig& c, std::int64_t length, const Tokenizer& tokenizer, const Tokenizer* larger) {
    std::string text = read_file(c.data), measured;
    if (!c.eval.empty()) {
      measured = read_file(c.eval);
    } else {
      const std::size_t cut = last_tenth(text);
      measured = text.substr(cut);
      text.resize(cut);
    }
    tokens = tokenizer.encode(text);
    eval = text_windows(larger == nullptr ? tokenizer : *larger, measured, length);
    if (c.eval_windows > 0 && static_cast<std::int64_t>(eval.size()) > c.eval_windows)
      eval.resize(static_cast<std::size_t>(c.eval_windows));
    if (larger == nullptr) return;
    // The same text in fewer kinds of tokens, which may be more of them.
    std::vector<std::int32_t> all;
    for (const auto& window : eval) all.insert(all.end(), window.begin() + (all.empty() ? 0 : 1), window.end());
    before = std::exchange(eval, text_windows(tokenizer, larger->decode(all), length));
    ratio = predicted(eval) / predicted(before);
  }

  // Where the last tenth begins: behind the next line break, else the next space, else at a character.
  static std::size_t last_tenth(std::string_view text) {
    const std::size_t cut = text.size() / 10 * 9;
    for (const char end : {'\n', ' '}) {
      const std::size_t found = text.find(end, cut);
      if (found != std::string_view::npos && found + 1 < text.size()) return found + 1;
    }
    std::size_t first = cut;
    while (first > 0 && (text[first] & 0xc0) == 0x80) --first;
    return first;
  }

  static double predicted(const std::vector<std::vector<std::int32_t>>& windows) {
    std::size_t count = 0;
    for (const auto& window : windows) count += window.size() - 1;
    return static_cast<double>(count);
  }

  std::vector<std::int32_t> tokens;
  std::vector<std::vector<std::int32_t>> eval, before;  // before: as the larger tokenizer has them
  double ratio = 1;  // tokens that the measured text takes for one of the larger tokenizer
};

// Error(Exit::input): `all` tokens are fewer than those of so many windows. option: that says how many. is_measured:
// the last tenth of --data is.
inline void require_windows(std::int64_t all, std::int64_t count, std::int64_t length, bool has_bos,
                            const std::string& option, bool is_measured) {
  const std::int64_t own = length - (has_bos ? 1 : 0);
  if (count <= all / own) return;
  const std::string has = "the text that is pruned on" + std::string(is_measured ? " (nine tenths of --data)" : "") +
                          " has " + std::to_string(all) + " tokens, ";
  if (all < own)
    throw Error(Exit::input, has + "a window takes " + std::to_string(own),
                "give a longer --data, or a smaller --window-length");
  throw Error(Exit::input, has + std::to_string(count) + " windows take more: " + std::to_string(own) + " each",
              "give a longer --data, or " + option + " " + std::to_string(all / own));
}

}  // namespace frugal
