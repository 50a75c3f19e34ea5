// JSON that others wrote, judged before a value is built of it: copying, printing and comparing a value walk it by
// recursion, so a few hundred kilobytes of '[' would exhaust the stack. The only way into Json::parse.
#pragma once
#include <string_view>

#include "frugal/base/json.h"

namespace frugal {

inline constexpr int kDeepestJson = 64;  // lists and objects open at a time

// Whether more are open. Text that is no JSON gets some answer.
bool is_too_deep(std::string_view text);
bool is_utf8(std::string_view text);  // so that a value may hold it

// Discarded (is_discarded(), and of no type): not JSON, or too deep.
template <class T = Json>
T json_of(std::string_view text) {
  return is_too_deep(text) ? T(T::value_t::discarded) : T::parse(text, nullptr, false);
}

}  // namespace frugal
