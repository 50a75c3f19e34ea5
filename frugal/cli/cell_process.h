// A cell's process: this program once more, which ends when this process does.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace frugal {

struct CellCommand {
  std::vector<std::string> words;  // what follows "frugal"
  std::vector<std::string> unset;  // variables that its environment is to lack
  std::filesystem::path folder;    // that it works in, where it is there
  std::filesystem::path said;      // the file for stdout and stderr
};

// Error(Exit::budget): the system starts no more.
pid_t start_cell(const CellCommand& command);

// Waits at most a minute until no process writes to the run, which one may after its sweep was killed, or an interrupt.
void wait_until_free(const std::filesystem::path& run);

}  // namespace frugal
