// A verb of the program: its settings as a field list, its examples, and what it does.
#pragma once
#include <array>
#include <functional>
#include <string_view>
#include <vector>

#include "frugal/base/settings.h"
#include "frugal/tune/registry.h"

namespace frugal {

struct Verb {
  std::string_view name, summary;
  std::array<std::string_view, 3> examples;
  std::vector<FieldInfo> fields;             // those of group "arguments" may be given by position, in this order
  bool has_methods = false;                  // takes the options of the method that its field "method" names
  std::string_view plain_method = {};        // a value of "method" that is none of the registry's
  std::vector<FieldInfo> plain_fields = {};  // its options
  std::function<int(const Settings&)> run;   // returns the exit code
};

const std::vector<Verb>& verbs();               // in the order of the help
const Verb& verb_named(std::string_view name);  // Error(Exit::usage) with the nearest name

}  // namespace frugal
