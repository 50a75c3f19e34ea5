#include "frugal/formats/memory_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "frugal/base/error.h"

namespace frugal {
namespace {

std::int64_t written(const struct stat& status) {
  return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

}  // namespace

MemoryMap::MemoryMap(const std::filesystem::path& path) : path_(path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe is refused, not waited for
  const auto fail = [&](const std::string& reason) {
    if (file >= 0) ::close(file);
    throw Error(Exit::input, "cannot read " + path.string() + ": " + reason, "check the path and its permissions");
  };
  if (file < 0) fail(std::strerror(errno));
  struct stat status {};
  if (::fstat(file, &status) != 0) fail(std::strerror(errno));
  if (!S_ISREG(status.st_mode)) fail("it is not a file");
  if (status.st_size <= 0) fail("it is empty");
  size_ = static_cast<std::size_t>(status.st_size);
  void* at = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file, 0);
  if (at == MAP_FAILED) fail(std::strerror(errno));
  file_ = file;
  written_ = written(status);
  data_ = static_cast<const std::byte*>(at);
}

void MemoryMap::require_unchanged() const {
  struct stat status {};
  if (::fstat(file_, &status) != 0) return;
  if (written(status) == written_ && static_cast<std::size_t>(status.st_size) == size_) return;
  throw Error(Exit::input, path_.string() + " was changed while it was being read",
              "go on with --resume, which finds out whether it is still the same file; or start anew with it");
}

MemoryMap::MemoryMap(MemoryMap&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      written_(other.written_) {}

MemoryMap::~MemoryMap() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  if (file_ >= 0) ::close(file_);
}

namespace {
// Of the pages that lie wholly or partly in the range.
void advise(std::span<const std::byte> range, int advice) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(range.data()) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(range.data()) + range.size() + page - 1) / page * page;
  ::madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}
}  // namespace

// A fault may map the whole folio of the page cache that the page lies in, up to 2 MiB (Linux 6.18), so that the read
// of one tensor brings back pages of its neighbours: they go, too.
void MemoryMap::release(std::span<const std::byte> range) const {
  constexpr std::uintptr_t kFolio = 2u << 20;
  const auto first = reinterpret_cast<std::uintptr_t>(data_), last = first + size_;
  const auto begin = reinterpret_cast<std::uintptr_t>(range.data()), end = begin + range.size();
  const std::uintptr_t from = std::max(first, first + (begin - first) / kFolio * kFolio),
                       to = std::min(last, first + (end - first + kFolio - 1) / kFolio * kFolio);
  advise({reinterpret_cast<const std::byte*>(from), to - from}, MADV_DONTNEED);
}
void MemoryMap::read_ahead(std::span<const std::byte> range) const { advise(range, MADV_WILLNEED); }

}  // namespace frugal
