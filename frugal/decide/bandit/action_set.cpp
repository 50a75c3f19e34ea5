#include "frugal/decide/bandit/action_set.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "frugal/base/atomic_file.h"

namespace frugal::bandit {
namespace {

std::string text(double count) {
  if (count < 1e15) return std::to_string(static_cast<std::int64_t>(count));
  const int digits = static_cast<int>(std::log10(count));
  return "about 1e" + std::to_string(digits);
}

class Enumerated : public ActionKind {
 public:
  explicit Enumerated(ActionTable table) : table_(std::move(table)) {}
  std::int32_t items() const override { return table_.items_count; }
  std::int32_t largest() const override { return table_.largest; }
  double count() const override { return static_cast<double>(table_.size()); }
  std::string describe() const override {
    return std::to_string(table_.size()) + " actions of at most " + std::to_string(table_.largest) + " of " +
           std::to_string(table_.items_count) + " items";
  }
  void best(std::span<const double> scores, Items& action) const override {
    std::size_t best = 0;
    double most = 0;
    for (std::size_t a = 0; a < table_.size(); ++a) {
      double sum = 0;
      for (const auto i : table_[a]) sum += scores[static_cast<std::size_t>(i)];
      if (a == 0 || sum > most) best = a, most = sum;
    }
    action.assign(table_[best].begin(), table_[best].end());
  }
  void each(const std::function<void(std::span<const std::int32_t>)>& take) const override {
    for (std::size_t a = 0; a < table_.size(); ++a) take(table_[a]);
  }

 private:
  ActionTable table_;
};

class MSets : public ActionKind {
 public:
  MSets(std::int32_t d, std::int32_t m) : d_(d), m_(m) {}
  std::int32_t items() const override { return d_; }
  std::int32_t largest() const override { return m_; }
  double count() const override {
    double count = 1;
    for (std::int32_t i = 0; i < std::min(m_, d_ - m_); ++i) count = std::round(count * (d_ - i) / (i + 1));
    return count;
  }
  std::string describe() const override { return std::to_string(m_) + " of " + std::to_string(d_) + " items"; }
  // The m largest scores, of equal ones the lower items: O(d m), less than sorting for few items.
  void best(std::span<const double> scores, Items& action) const override {
    const auto before = [&](std::int32_t a, std::int32_t b) {
      const double x = scores[static_cast<std::size_t>(a)], y = scores[static_cast<std::size_t>(b)];
      return x > y || (x == y && a < b);
    };
    if (m_ > 16) {
      action.resize(static_cast<std::size_t>(d_));
      std::iota(action.begin(), action.end(), 0);
      std::nth_element(action.begin(), action.begin() + (m_ - 1), action.end(), before);
      action.resize(static_cast<std::size_t>(m_));
    } else {
      action.clear();
      for (std::int32_t i = 0; i < d_; ++i) {
        if (action.size() == static_cast<std::size_t>(m_)) {
          if (!before(i, action.back())) continue;
          action.pop_back();
        }
        action.insert(std::upper_bound(action.begin(), action.end(), i, before), i);
      }
    }
    std::sort(action.begin(), action.end());
  }
  void each(const std::function<void(std::span<const std::int32_t>)>& take) const override {
    Items action(static_cast<std::size_t>(m_));
    std::iota(action.begin(), action.end(), 0);
    for (;;) {
      take(action);
      std::int32_t at = m_ - 1;
      while (at >= 0 && action[static_cast<std::size_t>(at)] == d_ - m_ + at) --at;
      if (at < 0) return;
      ++action[static_cast<std::size_t>(at)];
      for (auto next = static_cast<std::size_t>(at) + 1; next < action.size(); ++next)
        action[next] = action[next - 1] + 1;
    }
  }

 private:
  std::int32_t d_, m_;
};

class Slots : public ActionKind {
 public:
  explicit Slots(const std::vector<std::int64_t>& sizes) {
    for (const auto size : sizes) begin_.push_back(begin_.back() + static_cast<std::int32_t>(size));
  }
  std::int32_t items() const override { return begin_.back(); }
  std::int32_t largest() const override { return static_cast<std::int32_t>(begin_.size()) - 1; }
  double count() const override {
    double count = 1;
    for (std::size_t k = 1; k < begin_.size(); ++k) count *= begin_[k] - begin_[k - 1];
    return count;
  }
  std::string describe() const override {
    return "one item in each of " + std::to_string(largest()) + " slots, " + std::to_string(items()) + " items";
  }
  void best(std::span<const double> scores, Items& action) const override {
    action.clear();
    for (std::size_t k = 1; k < begin_.size(); ++k) {
      const auto slot =
          scores.subspan(static_cast<std::size_t>(begin_[k - 1]), static_cast<std::size_t>(begin_[k] - begin_[k - 1]));
      action.push_back(begin_[k - 1] +
                       static_cast<std::int32_t>(std::max_element(slot.begin(), slot.end()) - slot.begin()));
    }
  }
  void each(const std::function<void(std::span<const std::int32_t>)>& take) const override {
    Items action(begin_.begin(), begin_.end() - 1);
    for (;;) {
      take(action);
      std::size_t at = action.size();
      while (at > 0 && action[at - 1] + 1 == begin_[at]) action[at - 1] = begin_[at - 1], --at;
      if (at == 0) return;
      ++action[at - 1];
    }
  }

 private:
  std::vector<std::int32_t> begin_{0};
};

}  // namespace

ActionSet ActionSet::enumerate(const std::vector<Items>& actions, std::int32_t d) {
  if (actions.empty()) throw Error(Exit::input, "there are 0 actions, expected at least 1", "name at least one action");
  ActionTable table;
  std::int32_t most = -1;
  for (std::size_t a = 0; a < actions.size(); ++a) {
    const std::string name = "action " + std::to_string(a);
    Items sorted = actions[a];
    std::sort(sorted.begin(), sorted.end());
    if (sorted.empty()) throw Error(Exit::input, name + " has 0 items, expected at least 1", "leave the action out");
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice != sorted.end())
      throw Error(Exit::input, name + " has item " + std::to_string(*twice) + " 2 times, expected once",
                  "name every item of an action once");
    if (sorted.front() < 0 || (d > 0 && sorted.back() >= d))
      throw Error(Exit::input,
                  name + " has item " + std::to_string(sorted.front() < 0 ? sorted.front() : sorted.back()) +
                      ", expected 0 to " +
                      (d > 0 ? std::to_string(d - 1) : std::string("the number of items less one")),
                  "items are numbered from 0; --items says how many there are");
    most = std::max(most, sorted.back());
    table.items.insert(table.items.end(), sorted.begin(), sorted.end());
    table.begin.push_back(static_cast<std::uint32_t>(table.items.size()));
    table.largest = std::max(table.largest, static_cast<std::int32_t>(sorted.size()));
  }
  table.items_count = d > 0 ? d : most + 1;
  // Before a list of all items is made: a file of a few bytes may name item 2,000,000,000.
  if (static_cast<std::size_t>(table.items_count) <= table.items.size()) {
    std::vector<bool> seen(static_cast<std::size_t>(table.items_count));
    for (const auto i : table.items) seen[static_cast<std::size_t>(i)] = true;
    const auto missing = std::find(seen.begin(), seen.end(), false);
    if (missing == seen.end()) return ActionSet(std::make_shared<Enumerated>(std::move(table)));
    most = static_cast<std::int32_t>(missing - seen.begin());
  } else {
    Items named = table.items;
    std::sort(named.begin(), named.end());
    named.erase(std::unique(named.begin(), named.end()), named.end());
    for (most = 0; most < static_cast<std::int32_t>(named.size()) && named[static_cast<std::size_t>(most)] == most;)
      ++most;
  }
  throw Error(Exit::input,
              "item " + std::to_string(most) + " of " + std::to_string(table.items_count) +
                  " is in 0 actions, expected at least 1",
              "number the items through from 0, or give --items their number");
}

ActionSet ActionSet::m_sets(std::int32_t d, std::int32_t m) {
  if (d < 1 || m < 1 || m > d)
    throw Error(Exit::usage,
                "--choose is " + std::to_string(m) + " of " + std::to_string(d) + " items, expected 1 to " +
                    std::to_string(std::max(d, 1)),
                "choose at most as many as --items");
  return ActionSet(std::make_shared<MSets>(d, m));
}

ActionSet ActionSet::slots(const std::vector<std::int64_t>& sizes) {
  std::int64_t total = 0;
  for (const auto size : sizes) {
    if (size < 1 || size > 1'000'000)
      throw Error(Exit::usage, "a slot has " + std::to_string(size) + " items, expected 1 to 1000000",
                  "--slots 3,4,2 has three slots");
    total += size;
  }
  if (sizes.empty() || total > 1'000'000)
    throw Error(Exit::usage,
                std::to_string(sizes.size()) + " slots have " + std::to_string(total) + " items, expected 1 to 1000000",
                "--slots 3,4,2 has three slots");
  return ActionSet(std::make_shared<Slots>(sizes));
}

Json ActionSet::count_json() const {
  return count() < 0x1p53 ? Json(static_cast<std::int64_t>(count())) : Json(count());
}

const ActionTable& ActionSet::table(const std::string& user) const {
  if (table_->size() > 0) return *table_;
  if (!can_enumerate())
    throw Error(Exit::usage,
                user + " looks at every action, and " + describe() + " have " + text(count()) + ", expected at most " +
                    text(kMostEnumerated),
                "cucb, cts-beta and cos-v need no list of actions: --policy cos-v");
  table_->items_count = items();
  table_->largest = largest();
  kind_->each([&](std::span<const std::int32_t> action) {
    table_->items.insert(table_->items.end(), action.begin(), action.end());
    table_->begin.push_back(static_cast<std::uint32_t>(table_->items.size()));
  });
  return *table_;
}

std::vector<Items> read_actions(const std::string& path) {
  const std::string text = read_file(path);
  std::vector<Items> actions;
  std::size_t line = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const char *next = text.data() + at, *stop = text.data() + end;
    at = end + 1;
    ++line;
    if (next < stop && stop[-1] == '\r') --stop;
    if (next == stop || *next == '#') continue;
    Items action;
    while (next < stop) {
      std::int32_t item = 0;
      const auto [after, error] = std::from_chars(next, stop, item);
      if (error != std::errc())
        throw Error(Exit::input,
                    path + " line " + std::to_string(line) + " has '" +
                        std::string(next, std::min<std::size_t>(20, static_cast<std::size_t>(stop - next))) +
                        "', expected the number of an item",
                    "write an action a line, like 0,4,7");
      action.push_back(item);
      next = after;
      while (next < stop && (*next == ',' || *next == ' ' || *next == '\t')) ++next;
    }
    actions.push_back(std::move(action));
  }
  return actions;
}

}  // namespace frugal::bandit
