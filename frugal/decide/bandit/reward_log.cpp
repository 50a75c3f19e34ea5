// A log of rewards, read from CSV.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

#include "frugal/base/atomic_file.h"
#include "frugal/decide/bandit/environment.h"

namespace frugal::bandit {
namespace {

constexpr std::int32_t kMostItems = 1'000'000;

template <class T>
bool take(std::string_view& text, T& value, bool is_last) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (is_last) return text.empty();
  if (!text.starts_with(',')) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

RewardLog RewardLog::read(const std::string& path) {
  struct Line {
    std::int64_t round;
    Cell cell;
    std::size_t number;
  };
  const std::string text = read_file(path);
  std::vector<Line> lines;
  std::size_t number = 0;
  const auto fail = [&](std::size_t at, const std::string& what) {
    throw Error(Exit::input, path + " line " + std::to_string(at) + " " + what,
                "write round,item,reward, like 12,4,0.75; items are numbered from 0");
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line(text.data() + at, end - at);
    at = end + 1;
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (number == 1 && line == "round,item,reward")) continue;
    Line next{.number = number};
    std::string_view rest = line;
    if (!take(rest, next.round, false) || !take(rest, next.cell.item, false) || !take(rest, next.cell.reward, true))
      fail(number, "is '" + std::string(line.substr(0, 40)) + "', expected round,item,reward");
    if (next.cell.item < 0 || next.cell.item >= kMostItems)
      fail(number, "has item " + std::to_string(next.cell.item) + ", expected 0 to " + std::to_string(kMostItems - 1));
    if (!std::isfinite(next.cell.reward)) fail(number, "has a reward that is not finite, expected a number");
    lines.push_back(next);
  }
  if (lines.empty()) throw Error(Exit::input, path + " has 0 rewards, expected at least 1", "write round,item,reward");
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
    return a.round < b.round || (a.round == b.round && a.cell.item < b.cell.item);
  });
  RewardLog log;
  std::vector<double> counts;
  log.least_ = log.most_ = lines[0].cell.reward;
  for (std::size_t k = 0; k < lines.size(); ++k) {
    const auto& [round, cell, line] = lines[k];
    if (k > 0 && lines[k - 1].round == round && lines[k - 1].cell.item == cell.item)
      fail(line,
           "has item " + std::to_string(cell.item) + " in round " + std::to_string(round) + " again, expected once");
    if (k > 0 && lines[k - 1].round != round) log.begin_.push_back(k);
    log.cells_.push_back(cell);
    log.items_ = std::max(log.items_, cell.item + 1);
    const auto i = static_cast<std::size_t>(cell.item);
    if (log.means_.size() <= i) log.means_.resize(i + 1), counts.resize(i + 1);
    counts[i] += 1;
    log.means_[i] += (cell.reward - log.means_[i]) / counts[i];
    log.least_ = std::min(log.least_, cell.reward);
    log.most_ = std::max(log.most_, cell.reward);
  }
  log.begin_.push_back(lines.size());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) log.means_[i] = std::numeric_limits<double>::quiet_NaN();
  }
  return log;
}

const double* RewardLog::find(std::size_t round, std::int32_t item) const {
  const auto begin = cells_.begin() + static_cast<std::ptrdiff_t>(begin_[round]),
             end = cells_.begin() + static_cast<std::ptrdiff_t>(begin_[round + 1]);
  const auto found = std::lower_bound(begin, end, item, [](const Cell& c, std::int32_t i) { return c.item < i; });
  return found != end && found->item == item ? &found->reward : nullptr;
}

}  // namespace frugal::bandit
