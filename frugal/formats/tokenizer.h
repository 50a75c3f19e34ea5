// Byte-level BPE tokenizers (GPT-2's scheme, as used by llama 3, SmolLM, Qwen), from tokenizer.json or GGUF metadata.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/json.h"

namespace frugal {

// Everything a byte-level BPE tokenizer is made of, the same whichever file it came from, so that one can be written as
// the other.
struct TokenizerModel {
  struct Added {
    std::int32_t id = 0;
    std::string text;
    bool special = true;
    bool lstrip = false, rstrip = false;  // also takes the white space before or after it
  };
  std::vector<std::string>
      tokens;  // by id, in the byte-level alphabet of GPT-2 (added tokens: plain text; "": unused id)
  std::vector<std::string> merges;  // "left right", by rank
  std::vector<Added> added;         // matched before anything else, longest first
  // Pre-tokenizer by llama.cpp's name ("smollm", "gpt-2", "llama-bpe", "qwen2", ...); one that has no name there is a
  // JSON array of regular expressions, each splitting what the one before left.
  std::string pre;
  bool nfc = false;            // text is brought to Unicode's normal form C first
  bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say (implied by "llama-bpe")
  std::int32_t bos = -1, eos = -1, unk = -1, pad = -1;  // -1: none
  bool add_bos = false, add_eos = false;
};

class Tokenizer {
 public:
  // Error(Exit::input): no merges, a merge of unknown tokens, one text with two ids, ids out of range, unknown
  // pre-tokenizer. A byte without a token is dropped when encoding, as the reference implementations do (SmolLM2 has 21
  // of them: some control characters and bytes that occur in no or very rare UTF-8).
  explicit Tokenizer(TokenizerModel model);
  ~Tokenizer();
  // tokenizer.json of Hugging Face (model type BPE with a byte-level pre-tokenizer), with its tokenizer_config.json
  // (may be null). Error(Exit::input) names what is not supported or wrong.
  static TokenizerModel parse_json(const Json& tokenizer, const Json& config);
  // The same from the file's text, in linear time (Json compares each new key with all before it: minutes for large
  // vocabularies).
  static TokenizerModel parse_json_text(std::string_view tokenizer, const Json& config);

  const TokenizerModel& model() const;
  std::int64_t size() const;
  // UTF-8 text to ids; may be called from several threads. Invalid UTF-8 is encoded byte by byte. parse_special: added
  // tokens in the text become their ids.
  std::vector<std::int32_t> encode(std::string_view text, bool parse_special = false) const;
  // By id: whether the texts have the token, added tokens parsed or not, or merges pass through it on the way to one
  // that they have, or it is a single byte.
  std::vector<bool> needed_by(const std::vector<std::string>& texts) const;
  // Adds bos and eos where the model asks for them.
  std::vector<std::int32_t> encode_with_special(std::string_view text, bool parse_special = false) const;
  // The bytes of the tokens in a row. Ids out of range are skipped.
  std::string decode(const std::vector<std::int32_t>& ids, bool skip_special = true) const;
  std::string piece(std::int32_t id) const;  // the bytes of one token, for streaming; may be part of a character
  Json to_json() const;                      // tokenizer.json
  Json config_json(const std::string& chat_template) const;  // tokenizer_config.json

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace frugal
