// What a check has read and the library needs again. Program and library each have their own copy of every function and
// every static object, so what goes from one to the other goes through the door (base/room.h).
#pragma once
#include <any>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace frugal {

class Handed {
 public:
  // The run whose record this process goes by, if any: a value of another kind than expected is that record's fault.
  std::string record;

  // name: all that `value` depends on; the same name again replaces it.
  template <class T>
  void keep(const std::string& name, T value) {
    values_[name] = std::move(value);
  }
  // Moves it out: a second call finds nothing. Empty: nobody kept a T of that name, so read it.
  template <class T>
  std::optional<T> take(const std::string& name) {
    const auto found = values_.find(name);
    if (found == values_.end() || std::any_cast<T>(&found->second) == nullptr) return std::nullopt;
    std::optional<T> value = std::any_cast<T>(std::move(found->second));
    values_.erase(found);
    return value;
  }

 private:
  std::map<std::string, std::any> values_;
};

// Of this process: in a library what the program handed it, once the door is open.
Handed& handed();
void take_over(Handed& from_program);

}  // namespace frugal
