// State as bytes: what snapshots hold and hashes name.
#pragma once
#include <cstddef>
#include <span>
#include <string>

namespace frugal {

// A tensor, row-major, a list or a number, where it lies.
struct NamedBytes {
  std::string name;
  std::span<std::byte> bytes;
};

}  // namespace frugal
