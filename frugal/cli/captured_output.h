// What this process writes to stdout, kept back: program and libraries print there themselves.
#pragma once
#include <string>

namespace frugal {

class CapturedOutput {
 public:
  CapturedOutput();  // Error(Exit::internal): the system has no file for it
  CapturedOutput(const CapturedOutput&) = delete;
  CapturedOutput& operator=(const CapturedOutput&) = delete;
  ~CapturedOutput();
  std::string end();  // stdout is itself again; what was written

 private:
  int stdout_ = -1, file_ = -1;
};

}  // namespace frugal
