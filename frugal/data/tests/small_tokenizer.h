// The small byte-level BPE of the tokenizer tests with SmolLM's pre-tokenizer, and the golden chats.
#pragma once
#include <functional>
#include <string>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/formats/tokenizer.h"

namespace frugal {

inline Json golden_json(const std::string& path) { return Json::parse(read_file(FRUGAL_SOURCE_DIR "/frugal/" + path)); }

// Ids 0 to 2 are <|endoftext|>, <|im_start|> and <|im_end|>.
inline Tokenizer small_tokenizer(const char* bos = "<|im_start|>", const char* eos = "<|im_end|>",
                                 bool add_bos = false) {
  Json tree = golden_json("formats/tokenizer/tests/golden/small.json").at("tokenizer");
  tree["pre_tokenizer"] = golden_json("formats/tokenizer/tests/golden/small_smollm.json").at("pre_tokenizer");
  Json config = {{"add_bos_token", add_bos}};
  if (bos != nullptr) config["bos_token"] = bos;
  if (eos != nullptr) config["eos_token"] = eos;
  return Tokenizer(Tokenizer::parse_json(tree, config));
}

inline std::string model_template(const std::string& name) {
  return golden_json("formats/chat_template/tests/golden/chat.json").at("templates").at(name);
}

inline Error refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return {Exit::ok, "accepted", ""};
}

}  // namespace frugal
