// All that the next step of a job depends on, as bytes: a job names its parts once, for saving and for restoring.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "frugal/train/run/snapshot.h"

namespace frugal {

class State {
 public:
  State() = default;  // as things are
  // To be filled from a snapshot that holds parts of these sizes in bytes: lists take theirs.
  explicit State(std::map<std::string, std::uint64_t> sizes) : is_restored_(true), sizes_(std::move(sizes)) {}

  bool is_restored() const { return is_restored_; }  // the parts are about to be overwritten
  void bytes(std::string name, std::span<std::byte> part) { parts_.push_back({std::move(name), part}); }
  template <class T>
  void value(std::string name, T& part) {  // a number, or a struct of numbers
    static_assert(std::is_trivially_copyable_v<T>);
    bytes(std::move(name), std::as_writable_bytes(std::span(&part, 1)));
  }
  template <class T>
  void list(std::string name, std::vector<T>& part) {  // may grow between snapshots
    static_assert(std::is_trivially_copyable_v<T> && !std::is_same_v<T, bool>);
    if (is_restored_) part.resize(count(name, sizeof(T)));
    bytes(std::move(name), std::as_writable_bytes(std::span(part)));
  }
  void text(std::string name, std::string& part);  // may grow

  const std::vector<NamedBytes>& parts() const { return parts_; }  // valid until the job changes

 private:
  std::size_t count(const std::string& name, std::size_t element) const;
  bool is_restored_ = false;
  std::map<std::string, std::uint64_t> sizes_;
  std::vector<NamedBytes> parts_;
};

}  // namespace frugal
