#include "frugal/core/buffer.h"

#include <sys/mman.h>

#include <new>

namespace frugal {

Buffer::Buffer(std::size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  // Huge pages spare the page-table walks of panels and weights; below 4 MiB they would round the size up too much.
  if (bytes >= (std::size_t{4} << 20)) ::madvise(at, bytes, MADV_HUGEPAGE);
  data_ = static_cast<std::byte*>(at);
}

Buffer::~Buffer() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace frugal
