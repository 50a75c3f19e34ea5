#include "frugal/base/time_quota.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

namespace frugal {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::vector<std::string> quota_files(const std::string& cgroup) {
  std::vector<std::string> files;
  std::istringstream in(cgroup);
  for (std::string line; std::getline(in, line);) {  // hierarchy:controllers:/path
    const std::size_t first = line.find(':'), second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool is_v2 = controllers.empty();
    if (!is_v2 && ("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
    const std::string root = is_v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    std::string path = line.substr(second + 1);
    if (!path.starts_with('/') || path.starts_with("/..")) path.clear();  // outside of what this process sees
    for (;;) {
      while (path.ends_with('/')) path.pop_back();
      files.push_back(root + path + (is_v2 ? "/cpu.max" : "/cpu.cfs_quota_us"));
      if (path.empty()) break;
      path.erase(path.rfind('/'));
    }
  }
  return files;
}

bool is_quota(const std::string& text) {
  std::istringstream in(text);
  long long microseconds = 0;
  return in >> microseconds && microseconds > 0;
}

bool has_time_quota() {
  const std::vector<std::string> files = quota_files(text_of("/proc/self/cgroup"));
  return std::any_of(files.begin(), files.end(), [](const auto& file) { return is_quota(text_of(file)); });
}

}  // namespace frugal
