// Runs the built program and takes what it says.
#pragma once
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

#include "frugal/base/atomic_file.h"

namespace frugal {

struct Outcome {
  int code = -1;
  std::string out, err;
};

// A folder of this test program's own, removed at its end.
inline const std::filesystem::path& scratch() {
  static const struct Folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / ("frugal_cli_" + std::to_string(::getpid()));
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  } folder;
  return folder.path;
}

// `arguments` as a shell sees them; `environment` like "A=b C=d".
inline Outcome run_program(const std::string& arguments, const std::string& environment = "") {
  const auto err = scratch() / "stderr";
  const std::string command =
      environment + " " FRUGAL_BINARY_DIR "/bin/frugal " + arguments + " 2>" + err.string() + " </dev/null";
  Outcome outcome;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> block;
  for (std::size_t n; (n = std::fread(block.data(), 1, block.size(), pipe)) > 0;) outcome.out.append(block.data(), n);
  const int status = ::pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  outcome.err = read_file(err);
  return outcome;
}

inline std::string model_path() { return FRUGAL_SOURCE_DIR "/build/models/SmolLM2-135M-Instruct.Q4_1.gguf"; }

}  // namespace frugal
