#include "frugal/train/run/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"

namespace frugal {

AppendFile::AppendFile(std::filesystem::path path, std::uint64_t keep)
    : path_(std::move(path)), size_(keep), synced_(std::chrono::steady_clock::now()) {
  require_regular(path_);
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) fail("open");
  if (::ftruncate(file_, static_cast<off_t>(keep)) != 0) fail("cut");
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : path_(std::move(other.path_)),
      size_(other.size_),
      file_(std::exchange(other.file_, -1)),
      synced_(other.synced_) {}

AppendFile::~AppendFile() {
  if (file_ < 0) return;
  ::fdatasync(file_);
  ::close(file_);
}

void AppendFile::fail(const char* doing) const {
  const int reason = errno;
  throw Error(
      Exit::input, std::string("cannot ") + doing + " " + path_.string() + ": " + std::strerror(reason),
      reason == ENOSPC ? "free some space, then go on with --resume" : "check that you may write to the run's folder");
}

void AppendFile::append(std::string_view piece) {
  for (std::size_t done = 0; done < piece.size();) {
    const ssize_t wrote = ::write(file_, piece.data() + done, piece.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      const int reason = errno;
      if (::ftruncate(file_, static_cast<off_t>(size_)) != 0) {
      }  // a torn end is cut by the next reader
      errno = reason;
      fail("write");
    }
    done += static_cast<std::size_t>(wrote);
  }
  size_ += piece.size();
  if (std::chrono::steady_clock::now() - synced_ > std::chrono::seconds(1)) sync();
}

void AppendFile::sync() {
  if (::fdatasync(file_) != 0) fail("flush");
  synced_ = std::chrono::steady_clock::now();
}

}  // namespace frugal
