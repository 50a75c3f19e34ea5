// The one exception type at the library boundary, and the exit codes of the program.
#pragma once
#include <stdexcept>
#include <string>
#include <utility>

namespace frugal {

enum class Exit : int { ok = 0, internal = 1, usage = 2, input = 3, budget = 4, diverged = 5, interrupted = 130 };

// what: one fact with both values ("x is 3, expected 4"). fix: something the user can do now.
class Error : public std::runtime_error {
 public:
  Error(Exit code, const std::string& what, std::string fix)
      : std::runtime_error(what), code_(code), fix_(std::move(fix)) {}
  Exit code() const noexcept { return code_; }
  const std::string& fix() const noexcept { return fix_; }

 private:
  Exit code_;
  std::string fix_;
};

}  // namespace frugal
