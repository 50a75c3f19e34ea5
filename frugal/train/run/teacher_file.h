// teacher.bin: what a teacher said of the words that are predicted, 6 k bytes a target.
//
// Little-endian. "FRGLTCH\0", u32 version, u32 bytes of JSON, the JSON {"teacher", "words", "first": [examples + 1]},
// for each target k words as i32 and their k log-probabilities as binary16, and the SHA-256 of everything before it as
// 64 hexadecimal digits. first: the target that an example begins with; one that is not needed has none.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace frugal {

struct TeacherHead {
  std::string teacher;              // what names it
  std::int64_t k = 0;               // words of a target, 1 to 2^31 - 1
  std::vector<std::int64_t> first;  // [examples + 1], from 0, rising
  std::size_t bytes = 0;            // where the targets begin; only of a head that was read

  std::size_t row_bytes() const { return static_cast<std::size_t>(k) * 6; }
  std::string text() const;  // as the file begins
};

// content: the file without its checksum. Error(Exit::input), naming `path`: another kind of file, newer, or of another
// size than its header says.
TeacherHead parse_teacher_head(std::span<const std::byte> content, const std::string& path);
[[noreturn]] void refuse_teacher(const std::string& path, const std::string& what);

}  // namespace frugal
