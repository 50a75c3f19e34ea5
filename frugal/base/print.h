// Results on stdout.
#pragma once
#include <string>
#include <vector>

#include "frugal/base/json.h"

namespace frugal {

void print_json(const Json& json);  // one line; bytes that are no UTF-8 become U+FFFD
// Columns two spaces apart; the first row is the header. Columns of numbers are right-aligned: those named in `right`.
std::string table(const std::vector<std::vector<std::string>>& rows, const std::vector<std::size_t>& right = {});

}  // namespace frugal
