// Any bytes as tokenizer.json: refused with an Error, or a tokenizer that encodes and decodes.
#include <cstddef>
#include <cstdint>

#include "frugal/base/error.h"
#include "frugal/formats/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace frugal;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Tokenizer tokenizer(Tokenizer::parse_json_text(text, {{"bos_token", "a"}}));
    tokenizer.decode(tokenizer.encode_with_special(text.substr(0, 4096), true));
    const Tokenizer again(Tokenizer::parse_json(tokenizer.to_json(), tokenizer.config_json("")));
    if (again.encode("ab 12") != tokenizer.encode("ab 12")) __builtin_trap();
  } catch (const Error&) {
  }
  return 0;
}
