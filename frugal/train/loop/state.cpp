#include "frugal/train/loop/state.h"

#include "frugal/base/error.h"

namespace frugal {

std::size_t State::count(const std::string& name, std::size_t element) const {
  const auto found = sizes_.find(name);
  if (found == sizes_.end() || found->second % element != 0) {
    throw Error(
        Exit::input,
        "the snapshot has " + (found == sizes_.end() ? "no part '" + name + "'"
                                                     : std::to_string(found->second) + " bytes of '" + name +
                                                           "', expected a multiple of " + std::to_string(element)),
        "use the version of frugal that wrote it");
  }
  return static_cast<std::size_t>(found->second / element);
}

void State::text(std::string name, std::string& part) {
  if (is_restored_) part.resize(count(name, 1));
  bytes(std::move(name), std::as_writable_bytes(std::span(part)));
}

}  // namespace frugal
