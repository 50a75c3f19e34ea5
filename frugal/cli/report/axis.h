// An axis: a range of values, where they lie, and ticks that people can read.
#pragma once
#include <string>
#include <vector>

namespace frugal::report {

struct Axis {
  double low = 0, high = 1;  // low < high; both > 0 where is_log
  bool is_log = false;

  double at(double value) const;     // 0 at low, 1 at high
  double value(double share) const;  // what lies there
};

struct Tick {
  double value = 0;
  std::string text;
};

// The values from `low` to `high` with some room; equal ones get room on both sides. from_zero: begins at 0 when all
// are positive.
Axis value_axis(double low, double high, bool from_zero);
// About `wanted` multiples of 1, 2, 2.5 or 5 times a power of ten; whole: no fractions. At most 3 * wanted.
std::vector<Tick> ticks(const Axis& axis, int wanted, bool whole = false);

// Of an axis with is_log. The values from `low` to `high`, both > 0, with some room; equal ones get room on both sides.
Axis log_axis(double low, double high);
// Powers of ten, at most `wanted` + 1; between fewer than two of them 1, 2 and 5 times a power, or as ticks().
std::vector<Tick> log_ticks(const Axis& axis, int wanted);

}  // namespace frugal::report
