#include "frugal/train/run/teacher_file.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

#include "frugal/base/error.h"
#include "frugal/base/json_text.h"

namespace frugal {
namespace {

constexpr char kMagic[8] = {'F', 'R', 'G', 'L', 'T', 'C', 'H', 0};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kFixed = sizeof kMagic + 2 * sizeof(std::uint32_t);

}  // namespace

void refuse_teacher(const std::string& path, const std::string& what) {
  throw Error(Exit::input, path + " " + what, "remove it; the teacher then runs again");
}

std::string TeacherHead::text() const {
  const std::string json = Json({{"teacher", teacher}, {"words", k}, {"first", first}}).dump();
  const std::uint32_t numbers[2] = {kVersion, static_cast<std::uint32_t>(json.size())};
  return std::string(kMagic, sizeof kMagic) + std::string(reinterpret_cast<const char*>(numbers), sizeof numbers) +
         json;
}

TeacherHead parse_teacher_head(std::span<const std::byte> content, const std::string& path) {
  if (content.size() < kFixed || std::memcmp(content.data(), kMagic, sizeof kMagic) != 0)
    refuse_teacher(path, "holds no words of a teacher");
  std::uint32_t numbers[2];
  std::memcpy(numbers, content.data() + sizeof kMagic, sizeof numbers);
  const auto [version, size] = numbers;
  if (version != kVersion)
    refuse_teacher(path, "has version " + std::to_string(version) + ", not " + std::to_string(kVersion));
  if (size > content.size() - kFixed)
    refuse_teacher(path, "has " + std::to_string(content.size() - kFixed) + " bytes behind its size of a header of " +
                             std::to_string(size));
  const Json json = json_of({reinterpret_cast<const char*>(content.data() + kFixed), size});
  TeacherHead head;
  try {
    head.teacher = json.at("teacher").get<std::string>();
    head.k = json.at("words").get<std::int64_t>();
    head.first = json.at("first").get<std::vector<std::int64_t>>();
  } catch (const Json::exception&) {
    refuse_teacher(path, "has no header of a teacher's words");
  }
  head.bytes = kFixed + size;
  const std::size_t rows = content.size() - head.bytes;
  // Words are 32 bits wide, so that no size below wraps.
  const bool serves = head.k >= 1 && head.k <= std::numeric_limits<std::int32_t>::max() && !head.first.empty() &&
                      head.first.front() == 0 && std::is_sorted(head.first.begin(), head.first.end()) &&
                      rows % head.row_bytes() == 0 &&
                      head.first.back() == static_cast<std::int64_t>(rows / head.row_bytes());
  if (!serves) refuse_teacher(path, "has another size than its header says");
  return head;
}

}  // namespace frugal
