// A file that ends with the SHA-256 of all before it, as 64 hexadecimal digits; whole or not at all.
#pragma once
#include <filesystem>

#include "frugal/base/atomic_file.h"
#include "frugal/base/sha256.h"

namespace frugal {

class HashedFile {
 public:
  explicit HashedFile(const std::filesystem::path& path) : file_(path) {}
  void write(const void* bytes, std::size_t size) {
    file_.write(bytes, size);
    sha_.update(bytes, size);
  }
  void commit() {
    file_.write(sha_.hex());
    file_.commit();
  }

 private:
  AtomicFile file_;
  Sha256 sha_;
};

}  // namespace frugal
