// What several tests of the system share.
#pragma once
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "frugal/decide/bandit/environment.h"
#include "frugal/decide/bandit/policy.h"

namespace frugal::bandit {

// The code of the Error that `act` throws, with its text; Exit::ok when it throws none.
template <class Act>
std::pair<Exit, std::string> error_of(Act act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_FALSE(error.fix().empty()) << error.what();
    return {error.code(), error.what()};
  }
  return {Exit::ok, ""};
}

// Takes the next `rounds` rounds of `policy` against `environment` from `position` on; returns the actions taken.
inline std::vector<Items> play(Policy& policy, const Environment& environment, std::int64_t rounds,
                               std::int64_t position = 0) {
  std::vector<Items> taken;
  std::vector<double> rewards(static_cast<std::size_t>(policy.actions().largest()));
  for (std::int64_t t = 0; t < rounds; ++t) {
    const auto items = policy.select();
    const auto seen = std::span(rewards).first(items.size());
    position = environment.draw(position, items, seen);
    taken.emplace_back(items.begin(), items.end());
    policy.update(Items(items.begin(), items.end()), seen);
  }
  return taken;
}

// A saved state, and its way back into something of the same shape.
struct Saved {
  std::map<std::string, std::string> parts;

  template <class T>
  void take(T& from) {
    State state;
    from.state(state, "");
    for (const auto& part : state.parts())
      parts[part.name].assign(reinterpret_cast<const char*>(part.bytes.data()), part.bytes.size());
  }
  template <class T>
  void put(T& into) const {
    std::map<std::string, std::uint64_t> sizes;
    for (const auto& [name, bytes] : parts) sizes[name] = bytes.size();
    State state(sizes);
    into.state(state, "");
    for (const auto& part : state.parts())
      std::memcpy(part.bytes.data(), parts.at(part.name).data(), part.bytes.size());
  }
};

// A file of this test's own, removed at the end.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& name)
      : path_((std::filesystem::temp_directory_path() / ("frugal-bandit-" + std::to_string(::getpid()) + "-" + name))
                  .string()) {
    std::filesystem::remove(path_);
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace frugal::bandit
