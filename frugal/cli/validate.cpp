#include "frugal/cli/validate.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "frugal/base/json.h"

namespace frugal {

namespace fs = std::filesystem;

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

void require_model(const std::string& path) {
  require_given("MODEL", path, "frugal eval model.gguf ...");
  std::error_code failed;
  if (!fs::exists(path, failed)) {
    throw Error(Exit::input, "model " + path + " does not exist",
                "give a GGUF file or a Hugging Face folder; make model fetches a small one");
  }
}

void require_new_folder(const std::string& path) {
  std::error_code failed;
  if (!fs::exists(path, failed)) return;
  if (!fs::is_directory(path, failed))
    throw Error(Exit::input, "--out: " + path + " is a file", "name a folder that is not there yet");
  if (fs::exists(fs::path(path) / "run.json", failed)) {
    throw Error(Exit::input, "--out: " + path + " holds another run",
                "frugal tune --resume " + path + " goes on with it; or name another folder");
  }
  if (!fs::is_empty(path, failed)) throw Error(Exit::input, "--out: " + path + " is not empty", "name another folder");
}

void require_at_least(const std::string& option, std::int64_t value, std::int64_t least) {
  if (value < least) {
    throw Error(Exit::usage, option + " is " + std::to_string(value) + ", expected at least " + std::to_string(least),
                option + " " + std::to_string(least) + " is the least");
  }
}

void require_between(const std::string& option, double value, double least, double most) {
  if (value >= least && value <= most) return;
  const std::string range = Json(least).dump() + " to " + Json(most).dump();
  throw Error(Exit::usage, option + " is " + Json(value).dump() + ", expected " + range,
              "choose a value from " + range);
}

}  // namespace frugal
