#include "frugal/formats/tokenizer/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "frugal/formats/tokenizer/utf8.h"

namespace frugal {
namespace {

constexpr std::int32_t kLetters = 0x144;  // one past the last character of the alphabet

// Visible Latin-1 characters stand for themselves; the other 68 bytes, in order, are U+0100 and up.
struct Alphabet {
  std::array<std::int32_t, 256> letter;
  std::array<std::int16_t, kLetters> byte;

  constexpr Alphabet() : letter{}, byte{} {
    byte.fill(-1);
    std::int32_t next = 0x100;
    for (std::int32_t b = 0; b < 256; ++b) {
      const bool visible = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
      const std::int32_t c = visible ? b : next++;
      letter[static_cast<std::size_t>(b)] = c;
      byte[static_cast<std::size_t>(c)] = static_cast<std::int16_t>(b);
    }
  }
};
constexpr Alphabet kAlphabet;

}  // namespace

std::string byte_to_letter(unsigned char byte) {
  std::string out;
  append_utf8(out, kAlphabet.letter[byte]);
  return out;
}

std::string bytes_to_letters(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (const char c : bytes) append_utf8(out, kAlphabet.letter[static_cast<unsigned char>(c)]);
  return out;
}

std::optional<std::string> letters_to_bytes(std::string_view letters) {
  std::string out;
  out.reserve(letters.size());
  for (std::size_t at = 0; at < letters.size();) {
    const CodePoint c = code_point_at(letters, at);
    if (c.value >= kLetters || kAlphabet.byte[static_cast<std::size_t>(c.value)] < 0) return std::nullopt;
    if (c.length == 1 && c.value >= 0x80) return std::nullopt;  // a stray byte, not a character
    out += static_cast<char>(kAlphabet.byte[static_cast<std::size_t>(c.value)]);
    at += c.length;
  }
  return out;
}

}  // namespace frugal
