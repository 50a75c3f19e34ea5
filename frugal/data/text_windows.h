// Plain text for perplexity.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "frugal/formats/tokenizer.h"

namespace frugal {

// Windows are evaluated together up to so many tokens; a longer one goes alone.
inline constexpr std::int64_t kTextTokens = 1024;

// Windows of at most `length` tokens (>= 2). Each goes on at the last token of the one before, so every token but the
// text's first is predicted exactly once, with up to length - 1 tokens of context. A bos, where the model wants one,
// stands before the text. Error(Exit::input): fewer than two tokens.
std::vector<std::vector<std::int32_t>> text_windows(const Tokenizer& tokenizer, std::string_view text,
                                                    std::int64_t length);

}  // namespace frugal
