// GPT-2's byte-level alphabet: each byte is one printable character, so that vocabularies are text files.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace frugal {

std::string byte_to_letter(unsigned char byte);                         // UTF-8 of the character that stands for `byte`
std::string bytes_to_letters(std::string_view bytes);                   // "a b" -> "aĠb"
std::optional<std::string> letters_to_bytes(std::string_view letters);  // none: a character outside the alphabet

}  // namespace frugal
