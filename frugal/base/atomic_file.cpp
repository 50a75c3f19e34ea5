#include "frugal/base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>

#include "frugal/base/error.h"
#include "frugal/base/leftovers.h"
#include "frugal/base/units.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBuffer = 1 << 20;
constexpr int kMostLinks = 40;  // as the system follows

// The descriptor of stdout or stderr where that is what `status` is of; else -1.
int own_stream(const struct stat& status) {
  for (const int own : {STDOUT_FILENO, STDERR_FILENO}) {
    struct stat there {};
    if (::fstat(own, &there) == 0 && there.st_dev == status.st_dev && there.st_ino == status.st_ino) return own;
  }
  return -1;
}

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)), buffer_(std::make_unique<std::byte[]>(kBuffer)) {
  struct stat there {};
  const bool is_there = ::stat(path_.c_str(), &there) == 0;
  if (is_there) {
    if (S_ISDIR(there.st_mode)) throw Error(Exit::input, path_.string() + " is a folder", "name a file");
    if (const int own = own_stream(there); own >= 0) {
      std::cout.flush();
      std::fflush(stdout);
      file_ = ::fcntl(own, F_DUPFD_CLOEXEC, 3);
      if (file_ < 0) fail("write to");
      return;
    }
    if (!S_ISREG(there.st_mode)) {
      open_stream(there.st_mode);
      return;
    }
  }
  if (!is_there && errno != ENOENT) fail("create");
  target_ = follow_links(path_);
  remove_leftovers(target_, Leftover::file);
  temporary_ = temporary_of(target_);
  // Never readable by more than the file that it replaces, not for a moment.
  const mode_t mode = is_there ? there.st_mode & 07777 : 0644;
  do {
    if (file_ >= 0) ::close(file_);
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode & 0777);
    if (file_ < 0) fail("create");
  } while (!hold_temporary(file_, temporary_));
  if (::ftruncate(file_, 0) != 0) fail("create");
  if (!is_there) return;
  if (::fchown(file_, there.st_uid, there.st_gid) != 0) {
  }  // another's file that one may replace: it is one's own from now on
  if (::fchmod(file_, mode) != 0) {
    const int reason = errno;
    ::close(std::exchange(file_, -1));
    ::unlink(temporary_.c_str());
    errno = reason;
    fail("keep the mode of");
  }
}

// A pipe without a reader would wait for one: it is refused.
void AtomicFile::open_stream(unsigned mode) {
  if (!S_ISCHR(mode) && !S_ISFIFO(mode))
    throw Error(Exit::input, path_.string() + " is neither a file nor a pipe", "name another place");
  file_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file_ < 0 && errno == ENXIO)
    throw Error(Exit::input, "nothing reads the pipe " + path_.string(), "start its reader first, or name a file");
  if (file_ < 0) fail("write to");
  if (const int flags = ::fcntl(file_, F_GETFL); flags < 0 || ::fcntl(file_, F_SETFL, flags & ~O_NONBLOCK) != 0)
    fail("write to");
}

AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  ::close(file_);  // with it goes the lock
}

void AtomicFile::fail(const char* doing) {
  const int reason = errno;
  const char* fix = reason == ENOSPC ? "free some space, or choose another disk with --out"
                                     : "check that the folder exists and that you may write to it";
  throw Error(Exit::input, std::string("cannot ") + doing + " " + path_.string() + ": " + std::strerror(reason), fix);
}

void AtomicFile::flush() {
  const std::byte* at = buffer_.get();
  while (buffered_ > 0) {
    const ssize_t wrote = ::write(file_, at, buffered_);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail("write");
    at += wrote;
    buffered_ -= static_cast<std::size_t>(wrote);
  }
}

void AtomicFile::write(const void* bytes, std::size_t size) {
  const auto* from = static_cast<const std::byte*>(bytes);
  size_ += size;
  while (size > 0) {
    const std::size_t n = std::min(size, kBuffer - buffered_);
    std::memcpy(buffer_.get() + buffered_, from, n);
    buffered_ += n;
    from += n;
    size -= n;
    if (buffered_ == kBuffer) flush();
  }
}

void AtomicFile::commit() {
  flush();
  if (temporary_.empty()) {  // what is written as it comes has no disk of its own to wait for
    if (::close(std::exchange(file_, -1)) != 0) fail("close");
    return;
  }
  if (::fsync(file_) != 0) fail("flush");
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary_.c_str());
    errno = reason;
    fail("rename to");
  }
  if (::close(std::exchange(file_, -1)) != 0) fail("close");  // with it goes the lock
  sync_folder(target_.parent_path());
}

void write_file(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void require_regular(const fs::path& path) {
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (!fs::exists(status) || fs::is_regular_file(status)) return;
  throw Error(Exit::input,
              "cannot read " + path.string() + (fs::is_directory(status) ? ": it is a folder" : ": it is not a file"),
              "give a file");
}

std::ifstream open_file(const fs::path& path) {
  require_regular(path);
  return std::ifstream(path, std::ios::binary);
}

std::string read_file(const fs::path& path, std::uint64_t most) {
  errno = 0;
  std::ifstream in = open_file(path);
  std::ostringstream text;
  if (in) {
    std::error_code failed;
    if (const std::uint64_t size = fs::file_size(path, failed); !failed && size > most) {
      throw Error(Exit::input, path.string() + " has " + format_bytes(size) + ", the most is " + format_bytes(most),
                  "check that it is what its name says");
    }
  }
  if (in && in.peek() != std::ifstream::traits_type::eof()) text << in.rdbuf();
  if (in.bad() || !in.is_open() || !text)
    throw Error(Exit::input, "cannot read " + path.string() + ": " + std::strerror(errno), "check the path");
  return std::move(text).str();
}

fs::path follow_links(fs::path path) {
  std::error_code failed;
  for (int i = 0; i < kMostLinks && fs::is_symlink(fs::symlink_status(path, failed)); ++i) {
    const fs::path to = fs::read_symlink(path, failed);
    if (failed) break;
    path = to.is_absolute() ? to : path.parent_path() / to;
  }
  return path;
}

}  // namespace frugal
