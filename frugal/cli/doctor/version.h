// frugal doctor: what this machine has.
#pragma once
#include <string>

namespace frugal {

std::string version();
std::string compiler();

}  // namespace frugal
