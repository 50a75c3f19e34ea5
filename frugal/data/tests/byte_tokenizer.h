// A tokenizer for tests: every byte a token, and the merges given.
#pragma once
#include <string>
#include <vector>

#include "frugal/formats/tokenizer.h"

namespace frugal {

// UTF-8 of a code point below 0x800.
inline std::string utf8_of(int code) {
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
}

// The alphabet of byte-level BPE: printable Latin-1 stands for itself, the other bytes for 0x100 and up.
inline TokenizerModel byte_model(const std::vector<std::string>& merges, bool add_bos) {
  TokenizerModel model;
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool is_printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    model.tokens.push_back(utf8_of(is_printable ? byte : next++));
  }
  for (const auto& merge : merges) {
    model.merges.push_back(merge);
    std::string joined = merge;
    joined.erase(joined.find(' '), 1);
    model.tokens.push_back(joined);
  }
  model.bos = static_cast<std::int32_t>(model.tokens.size());
  model.tokens.push_back("<s>");
  model.added.push_back({.id = model.bos, .text = "<s>"});
  model.pre = "gpt-2";
  model.add_bos = add_bos;
  return model;
}

}  // namespace frugal
