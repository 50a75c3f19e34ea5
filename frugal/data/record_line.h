// Errors of a record: with the line it stands in, and what helps when it is too long.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "frugal/base/error.h"
#include "frugal/formats/records/records.h"

namespace frugal {

// What `call` returns; an Error of it gets "FILE line N: " before its fact.
template <class Call>
auto at_line(const Records& table, std::size_t row, const Call& call) {
  try {
    return call();
  } catch (const Error& error) {
    throw Error(error.code(), table.name + " line " + std::to_string(table.rows[row].line) + ": " + error.what(),
                error.fix());
  }
}

// What to do about a record of more than max_length tokens. context: of the model, 0: not known. shorten: "shorten it".
inline std::string overlong_fix(std::size_t max_length, std::int64_t context, const std::string& shorten) {
  const std::string others = shorten + ", or leave such records out with --overlong drop";
  if (context <= 0) return "raise --max-length, " + others;
  if (max_length >= static_cast<std::size_t>(context))
    return "that is the model's whole context of " + std::to_string(context) + " tokens: " + others;
  return "raise --max-length (the model's context is " + std::to_string(context) + " tokens), " + others;
}

}  // namespace frugal
