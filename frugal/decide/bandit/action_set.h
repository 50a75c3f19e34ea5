// What may be played: sets of items. d: items, m: the most items of an action, P: actions.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "frugal/base/error.h"
#include "frugal/base/json.h"

namespace frugal::bandit {

using Items = std::vector<std::int32_t>;  // rising, without repeats

// A network whose paths from source to sink are the actions; its edges are the items.
struct Dag {
  struct Edge {
    std::int32_t from, to;
  };
  std::int32_t nodes = 0, source = 0, sink = 0;
  std::vector<Edge> edges;
};

// Every action, one after the other: action a is items[begin[a]] to items[begin[a + 1]]. Memory: 4 P (m + 1) bytes.
struct ActionTable {
  std::int32_t items_count = 0, largest = 0;
  std::vector<std::uint32_t> begin{0};
  std::vector<std::int32_t> items;

  std::size_t size() const { return begin.size() - 1; }
  std::span<const std::int32_t> operator[](std::size_t a) const {
    return {items.data() + begin[a], items.data() + begin[a + 1]};
  }
};

// What an action set is made of; one for every kind.
class ActionKind {
 public:
  virtual ~ActionKind() = default;
  virtual std::int32_t items() const = 0;
  virtual std::int32_t largest() const = 0;
  virtual double count() const = 0;          // may be too large to enumerate, and then is rounded
  virtual std::string describe() const = 0;  // "3 of 10 items"
  // The linear oracle: the action with the largest sum of scores. Ties go one way, always the same.
  virtual void best(std::span<const double> scores, Items& action) const = 0;
  virtual void each(const std::function<void(std::span<const std::int32_t>)>& take) const = 0;
};

// Copies share what they hold. Enumeration happens at the first need and is kept; do it before threads share the set.
class ActionSet {
 public:
  static constexpr double kMostEnumerated = 2e6;

  // Named one by one; d: 0 for one more than the largest item. Errors (Exit::input): no action, an empty one, an item
  // twice in one, outside [0, d), or in no action.
  static ActionSet enumerate(const std::vector<Items>& actions, std::int32_t d = 0);
  static ActionSet m_sets(std::int32_t d, std::int32_t m);         // every m of d items
  static ActionSet slots(const std::vector<std::int64_t>& sizes);  // one item of each slot, items numbered through
  static ActionSet paths(const Dag& dag);  // Error(Exit::input): a cycle, no path, an edge of none
  static ActionSet matchings(std::int32_t left,
                             std::int32_t right);  // item l * right + r: l goes to r; min(l, r) pairs

  std::int32_t items() const { return kind_->items(); }
  std::int32_t largest() const { return kind_->largest(); }
  double count() const { return kind_->count(); }
  Json count_json() const;  // a whole number while it is exact
  std::string describe() const { return kind_->describe(); }
  bool can_enumerate() const { return count() <= kMostEnumerated; }
  void best(std::span<const double> scores, Items& action) const { kind_->best(scores, action); }
  // Error(Exit::usage) names the count when there are too many for `user`, which needs all of them.
  const ActionTable& table(const std::string& user = "this") const;

 private:
  explicit ActionSet(std::shared_ptr<const ActionKind> kind)
      : kind_(std::move(kind)), table_(std::make_shared<ActionTable>()) {}
  std::shared_ptr<const ActionKind> kind_;
  std::shared_ptr<ActionTable> table_;
};

// A file of actions, one a line, items parted by commas or blanks; lines that begin with # are left out.
// Error(Exit::input) names file and line.
std::vector<Items> read_actions(const std::string& path);

}  // namespace frugal::bandit
