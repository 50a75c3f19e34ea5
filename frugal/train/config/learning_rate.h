// A step size, or "auto": a short race of rates on the training data finds it.
#pragma once
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

#include "frugal/base/error.h"
#include "frugal/base/json.h"

namespace frugal {

struct LearningRate {
  static constexpr const char* kTypeName = "NUMBER|auto";
  double value = 0;  // meaningless when automatic
  bool is_automatic = false;

  bool operator==(const LearningRate&) const = default;
  static LearningRate parse(std::string_view text) {
    if (text == "auto") return {0, true};
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value < 0) {
      throw Error(Exit::usage, "--lr is '" + std::string(text) + "', expected a number >= 0 or auto", "try --lr auto");
    }
    return {value, false};
  }
};

inline void to_json(Json& json, const LearningRate& rate) { rate.is_automatic ? json = "auto" : json = rate.value; }
inline void from_json(const Json& json, LearningRate& rate) {
  rate = json.is_string() ? LearningRate::parse(json.get<std::string>()) : LearningRate{json.get<double>(), false};
}

}  // namespace frugal
