// Any bytes are a teacher's words, or are refused with an error: what the header says of them lies within the file.
#include <cstdint>
#include <span>

#include "frugal/base/error.h"
#include "frugal/train/run/teacher_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const frugal::TeacherHead head = frugal::parse_teacher_head(std::as_bytes(std::span(data, size)), "teacher.bin");
    if (head.bytes + static_cast<std::size_t>(head.first.back()) * head.row_bytes() != size) __builtin_trap();
    for (std::size_t i = 1; i < head.first.size(); ++i) {
      if (head.first[i - 1] < 0 || head.first[i] < head.first[i - 1]) __builtin_trap();
    }
  } catch (const frugal::Error&) {
  }
  return 0;
}
