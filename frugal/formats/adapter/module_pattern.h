// The regular expressions of adapter_config.json that select modules by name, as Python's `re` matches them.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace frugal {

class ModulePattern {
 public:
  enum class Match { whole, tail };  // the whole name, or the end of it from the start or after a dot
  // where: for messages. Error(Exit::input): longer than 512 bytes, or it does not compile.
  ModulePattern(const std::string& source, Match match, std::string where);
  bool matches(std::string_view module) const;  // Error(Exit::input) when it needs too many steps

 private:
  [[noreturn]] void fail(const std::string& what) const;
  std::string source_, where_;
  std::shared_ptr<void> code_;
};

}  // namespace frugal
