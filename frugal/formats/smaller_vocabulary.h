// A tokenizer with the tokens that a text needs, and no others. The text, and whatever its words are in, is encoded as
// before; all else still can be, as a rule into more tokens.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "frugal/formats/tokenizer.h"

namespace frugal {

struct SmallerVocabulary {
  TokenizerModel tokenizer;
  std::vector<std::int32_t> kept;  // ids of the larger one, rising; the place of each is its id now

  std::int32_t id_of(std::int32_t larger) const;  // -1: not kept
};

// Keeps the tokens of `texts`, with added tokens and without; all that merges pass through on the way to them; every
// single byte that has a token; added tokens, bos, eos, unk, pad and those of `also`. Merges stay whose three tokens
// do. A byte pair encoding whose applied merges all stay takes the same ones again: each was the first of the larger
// list that could be applied, and is that of the smaller. Error(Exit::input): no merge is left.
SmallerVocabulary smaller_vocabulary(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                                     const std::vector<std::int32_t>& also = {});

}  // namespace frugal
