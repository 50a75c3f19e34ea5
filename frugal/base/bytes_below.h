// What a file, or everything in a folder, takes on the disk.
#pragma once
#include <cstdint>
#include <filesystem>

namespace frugal {

inline std::uint64_t bytes_below(const std::filesystem::path& path) {
  std::error_code failed;
  std::uint64_t bytes = 0;
  if (std::filesystem::is_regular_file(path, failed)) return std::filesystem::file_size(path);
  if (!std::filesystem::is_directory(path, failed)) return bytes;  // a pipe
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

}  // namespace frugal
