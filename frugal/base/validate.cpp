#include "frugal/base/validate.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "frugal/base/atomic_file.h"
#include "frugal/base/json_text.h"

namespace frugal {

namespace fs = std::filesystem;

namespace {

std::string number(double value) {  // 1024 and not 1024.0
  const bool is_whole = std::abs(value) < 1e15 && value == std::trunc(value);
  return (is_whole ? Json(static_cast<std::int64_t>(value)) : Json(value)).dump();
}

}  // namespace

void require_given(const std::string& option, const std::string& value, const std::string& example) {
  if (value.empty()) throw Error(Exit::usage, option + " is missing", "give it, as in " + example);
}

void require_file(const std::string& option, const std::string& path) {
  if (path.empty()) return;
  std::error_code failed;
  if (!fs::exists(path, failed)) throw Error(Exit::input, option + ": " + path + " does not exist", "check the path");
  if (!fs::is_regular_file(path, failed))
    throw Error(Exit::input, option + ": " + path + " is not a file", "give a file");
  if (::access(path.c_str(), R_OK) != 0)
    throw Error(Exit::input, option + ": cannot read " + path + ": " + std::strerror(errno), "check its permissions");
}

void require_writable_parent(const std::string& option, const std::string& path) {
  std::error_code failed;
  fs::path at = fs::absolute(path, failed).lexically_normal();
  do at = at.parent_path();
  while (at.has_relative_path() && !fs::exists(at, failed));
  if (!fs::is_directory(at, failed))
    throw Error(Exit::input, option + ": " + path + " would lie in " + at.string() + ", which is not a folder",
                "name another place");
  if (::access(at.c_str(), W_OK) != 0)
    throw Error(Exit::input, option + ": cannot write to " + at.string() + ": " + std::strerror(errno),
                "check its permissions, or name another place");
}

void require_writable_file(const std::string& option, const std::string& named) {
  const std::string path = follow_links(named).string();
  std::error_code failed;
  if (fs::is_directory(path, failed)) throw Error(Exit::input, option + ": " + named + " is a folder", "name a file");
  if (fs::exists(path, failed) && !fs::is_regular_file(path, failed)) return;  // a pipe or a terminal: written as is
  require_writable_parent(option, path);
  if (const fs::path folder = fs::path(path).parent_path(); !folder.empty() && !fs::exists(folder, failed)) {
    throw Error(Exit::input, option + ": the folder " + folder.string() + " does not exist",
                "make it first: mkdir -p " + folder.string());
  }
}

bool is_unused_folder(const fs::path& folder) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    const std::string name = entry.path().filename().string();
    if (name != "lock" && !name.starts_with("run.json.tmp-")) return false;
  }
  return !failed;
}

void require_new_folder(const std::string& path) {
  std::error_code failed;
  if (!fs::exists(path, failed)) return;
  if (!fs::is_directory(path, failed))
    throw Error(Exit::input, "--out: " + path + " is a file", "name a folder that is not there yet");
  if (fs::exists(fs::path(path) / "run.json", failed)) {
    const Json record = json_of(read_file(fs::path(path) / "run.json", kMostSettings));
    const auto found = record.find("action");  // runs of before there were several have none
    const std::string action = found != record.end() && found->is_string() ? found->get<std::string>() : "tune";
    throw Error(Exit::input, "--out: " + path + " holds another run",
                "frugal " + action + " --resume " + path + " goes on with it; or name another folder");
  }
  if (!is_unused_folder(path)) throw Error(Exit::input, "--out: " + path + " is not empty", "name another folder");
}

void require_not_input(const std::string& option, const std::string& path, InputFiles inputs) {
  struct stat out {};
  if (path.empty() || ::stat(path.c_str(), &out) != 0 || !S_ISREG(out.st_mode)) return;
  const auto is_out = [&](const fs::path& file) {
    struct stat in {};
    return ::stat(file.c_str(), &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino;
  };
  for (const auto& [name, input] : inputs) {
    if (input.empty()) continue;
    fs::path same = is_out(input) ? input : fs::path();
    std::error_code failed;
    if (fs::is_directory(input, failed)) {
      for (fs::recursive_directory_iterator at(input, failed), end; !failed && at != end; at.increment(failed)) {
        if (is_out(at->path())) same = at->path();
      }
    }
    if (same.empty()) continue;
    const std::string also = same == path ? "" : " is " + same.string() + ", which";
    throw Error(Exit::usage,
                option + ": " + path + also + " is read as " + std::string(name) + ", and would be overwritten",
                "name another file");
  }
}

void refuse_flags(const Settings& settings, std::initializer_list<std::string_view> names, const std::string& why) {
  for (const auto name : names) {
    const std::string flag = flag_name(name);
    if (settings.has(name) && settings.at(name).origin == flag)
      throw Error(Exit::usage, flag + " is given, but " + why, "leave " + flag + " out");
  }
}

void require_at_least(const std::string& option, std::int64_t value, std::int64_t least) {
  if (value < least) {
    throw Error(Exit::usage, option + " is " + std::to_string(value) + ", expected at least " + std::to_string(least),
                option + " " + std::to_string(least) + " is the least");
  }
}

void require_between(const std::string& option, double value, double least, double most) {
  if (value >= least && value <= most) return;
  const std::string range = number(least) + " to " + number(most);
  throw Error(Exit::usage, option + " is " + number(value) + ", expected " + range, "choose a value from " + range);
}

}  // namespace frugal
