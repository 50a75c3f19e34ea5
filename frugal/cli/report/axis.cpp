#include "frugal/cli/report/axis.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

// `value` with the decimals that tell multiples of `step` apart.
std::string tick_text(double value, double step, double largest) {
  if (value == 0) return "0";
  if (largest >= 1e9 || largest < 1e-3) return number(value);
  double scale = 1;
  const char* suffix = "";
  if (largest >= 1e6)
    scale = 1e6, suffix = "M";
  else if (largest >= 1e4)
    scale = 1e3, suffix = "k";
  int decimals = 0;
  for (double part = step / scale; decimals < 6 && std::abs(part - std::round(part)) > 1e-6 * part; part *= 10)
    ++decimals;
  char text[48];
  std::snprintf(text, sizeof text, "%.*f%s", decimals, value / scale, suffix);
  return text;
}

// "2e5" where number() would be long.
std::string power_text(double digit, int power) {
  if (power >= -3 && power < 5) return number(digit * std::pow(10, power));
  char text[48];
  std::snprintf(text, sizeof text, "%.0fe%d", digit, power);
  return text;
}

}  // namespace

double Axis::at(double value) const {
  if (is_log) return (std::log(value) - std::log(low)) / (std::log(high) - std::log(low));
  return (value - low) / (high - low);
}

double Axis::value(double share) const {
  if (is_log) return std::exp(std::log(low) + share * (std::log(high) - std::log(low)));
  return low + share * (high - low);
}

Axis value_axis(double low, double high, bool from_zero) {
  from_zero = from_zero && low >= 0;
  if (!(high > low)) {
    const double room = low == 0 ? 1 : std::abs(low) * 0.2;
    return {from_zero || low == 0 ? 0 : low - room, low + room};
  }
  const double room = (high - low) * 0.06;
  if (low + room == low || high + room == high)
    return {low - std::abs(low), high + std::abs(high)};  // no bits between them
  return {from_zero ? 0 : low - room, high + room};
}

std::vector<Tick> ticks(const Axis& axis, int wanted, bool whole) {
  const double rough = (axis.high - axis.low) / wanted;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double nice : {1.0, 2.0, 2.5, 5.0}) {
    if (nice * power >= rough * 0.999) {
      step = nice * power;
      break;
    }
  }
  if (whole) step = std::max(1.0, step == 2.5 ? 2.0 : step);
  const double largest = std::max(std::abs(axis.low), std::abs(axis.high));
  std::vector<Tick> out;
  const double first = std::ceil(axis.low / step - 1e-9);
  for (int i = 0; i < 3 * wanted; ++i) {
    const double value = (first + i) * step;
    if (!(value <= axis.high + step * 1e-9)) break;
    if (!out.empty() && value <= out.back().value) break;
    out.push_back({value, tick_text(value, step, largest)});
  }
  return out;
}

Axis log_axis(double low, double high) {
  const double room = high > low ? std::pow(high / low, 0.05) : 2;
  return {low / room, high * room, true};
}

std::vector<Tick> log_ticks(const Axis& axis, int wanted) {
  constexpr double kRounding = 1e-9;
  const int first = static_cast<int>(std::ceil(std::log10(axis.low) - kRounding)),
            last = static_cast<int>(std::floor(std::log10(axis.high) + kRounding));
  std::vector<Tick> out;
  if (last - first >= 1) {
    const int every = (last - first + wanted) / wanted;
    for (int power = first; power <= last; power += every) out.push_back({std::pow(10, power), power_text(1, power)});
    if (out.size() > 1) return out;
  }
  out.clear();
  for (int power = first - 1; power <= last; ++power) {
    for (const double digit : {1.0, 2.0, 5.0}) {
      const double value = digit * std::pow(10, power);
      if (value >= axis.low && value <= axis.high) out.push_back({value, power_text(digit, power)});
    }
  }
  return out.size() > 1 ? out : ticks(axis, wanted);
}

}  // namespace frugal::report
