#include "frugal/cli/captured_output.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <utility>

#include "frugal/base/error.h"

namespace frugal {

CapturedOutput::CapturedOutput() {
  std::cout.flush();
  std::fflush(stdout);
  file_ = ::memfd_create("stdout", MFD_CLOEXEC);
  stdout_ = ::dup(STDOUT_FILENO);
  if (file_ < 0 || stdout_ < 0 || ::dup2(file_, STDOUT_FILENO) < 0)
    throw Error(Exit::internal, "cannot keep stdout back", "close some programs and try again");
}

CapturedOutput::~CapturedOutput() { end(); }

std::string CapturedOutput::end() {
  if (stdout_ < 0) return {};
  std::cout.flush();
  std::fflush(stdout);
  ::dup2(stdout_, STDOUT_FILENO);
  ::close(std::exchange(stdout_, -1));
  std::string text(static_cast<std::size_t>(::lseek(file_, 0, SEEK_END)), '\0');
  const ssize_t size = ::pread(file_, text.data(), text.size(), 0);
  ::close(std::exchange(file_, -1));
  text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return text;
}

}  // namespace frugal
