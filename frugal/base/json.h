// JSON values that keep the order of their keys, so that records read the way they were written.
#pragma once
#include <nlohmann/json.hpp>

namespace frugal {
using Json = nlohmann::ordered_json;
}
