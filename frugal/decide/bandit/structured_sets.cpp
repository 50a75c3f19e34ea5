// Paths through a network and matchings: action sets with an oracle of their own.
#include <algorithm>
#include <limits>

#include "frugal/decide/bandit/action_set.h"

namespace frugal::bandit {
namespace {

// Nodes in an order in which every edge leads forward; edges out of every node by rising number.
class Paths : public ActionKind {
 public:
  explicit Paths(const Dag& dag) : dag_(dag), out_(static_cast<std::size_t>(dag.nodes)) {
    if (dag.nodes < 2 || dag.source < 0 || dag.source >= dag.nodes || dag.sink < 0 || dag.sink >= dag.nodes ||
        dag.source == dag.sink)
      throw Error(Exit::input,
                  "a network of " + std::to_string(dag.nodes) + " nodes has source " + std::to_string(dag.source) +
                      " and sink " + std::to_string(dag.sink) + ", expected two of its nodes",
                  "nodes are numbered from 0");
    std::vector<std::int32_t> entering(static_cast<std::size_t>(dag.nodes));
    for (std::size_t e = 0; e < dag.edges.size(); ++e) {
      const auto [from, to] = dag.edges[e];
      if (from < 0 || from >= dag.nodes || to < 0 || to >= dag.nodes)
        throw Error(Exit::input,
                    "edge " + std::to_string(e) + " leads from " + std::to_string(from) + " to " + std::to_string(to) +
                        ", expected nodes 0 to " + std::to_string(dag.nodes - 1),
                    "nodes are numbered from 0");
      out_[static_cast<std::size_t>(from)].push_back(static_cast<std::int32_t>(e));
      ++entering[static_cast<std::size_t>(to)];
    }
    for (std::int32_t node = 0; node < dag.nodes; ++node) {
      if (entering[static_cast<std::size_t>(node)] == 0) order_.push_back(node);
    }
    for (std::size_t at = 0; at < order_.size(); ++at) {
      for (const auto e : out_[static_cast<std::size_t>(order_[at])]) {
        const auto to = dag.edges[static_cast<std::size_t>(e)].to;
        if (--entering[static_cast<std::size_t>(to)] == 0) order_.push_back(to);
      }
    }
    if (order_.size() != static_cast<std::size_t>(dag.nodes))
      throw Error(Exit::input,
                  "the network has a cycle: " + std::to_string(order_.size()) + " of " + std::to_string(dag.nodes) +
                      " nodes can be put in order",
                  "leave out an edge of the cycle");
    measure();
  }
  std::int32_t items() const override { return static_cast<std::int32_t>(dag_.edges.size()); }
  std::int32_t largest() const override { return largest_; }
  double count() const override { return count_; }
  std::string describe() const override { return "paths over " + std::to_string(items()) + " edges"; }

  // The longest path by dynamic programming from the sink backwards; of equal ones the lower edge at every node.
  void best(std::span<const double> scores, Items& action) const override {
    constexpr double kNone = -std::numeric_limits<double>::infinity();
    std::vector<double> value(static_cast<std::size_t>(dag_.nodes), kNone);
    std::vector<std::int32_t> next(static_cast<std::size_t>(dag_.nodes), -1);
    value[static_cast<std::size_t>(dag_.sink)] = 0;
    for (auto node = order_.rbegin(); node != order_.rend(); ++node) {
      if (*node == dag_.sink) continue;
      for (const auto e : out_[static_cast<std::size_t>(*node)]) {
        const double there = value[static_cast<std::size_t>(dag_.edges[static_cast<std::size_t>(e)].to)];
        const double sum = scores[static_cast<std::size_t>(e)] + there;
        if (there > kNone &&
            (next[static_cast<std::size_t>(*node)] < 0 || sum > value[static_cast<std::size_t>(*node)]))
          value[static_cast<std::size_t>(*node)] = sum, next[static_cast<std::size_t>(*node)] = e;
      }
    }
    action.clear();
    for (auto node = dag_.source; node != dag_.sink;) {
      action.push_back(next[static_cast<std::size_t>(node)]);
      node = dag_.edges[static_cast<std::size_t>(action.back())].to;
    }
    std::sort(action.begin(), action.end());
  }
  void each(const std::function<void(std::span<const std::int32_t>)>& take) const override {
    Items path;
    walk(dag_.source, path, take);
  }

 private:
  // Paths from the source to each node and from each node to the sink, and the most edges of one.
  void measure() {
    const auto n = static_cast<std::size_t>(dag_.nodes);
    std::vector<double> from(n), to(n);
    std::vector<std::int32_t> longest(n);
    from[static_cast<std::size_t>(dag_.source)] = to[static_cast<std::size_t>(dag_.sink)] = 1;
    for (const auto node : order_) {
      for (const auto e : out_[static_cast<std::size_t>(node)])
        from[static_cast<std::size_t>(dag_.edges[static_cast<std::size_t>(e)].to)] +=
            from[static_cast<std::size_t>(node)];
    }
    for (auto node = order_.rbegin(); node != order_.rend(); ++node) {
      for (const auto e : out_[static_cast<std::size_t>(*node)]) {
        const auto next = static_cast<std::size_t>(dag_.edges[static_cast<std::size_t>(e)].to);
        if (*node == dag_.sink || to[next] == 0) continue;
        to[static_cast<std::size_t>(*node)] += to[next];
        auto& here = longest[static_cast<std::size_t>(*node)];
        here = std::max(here, longest[next] + 1);
      }
    }
    count_ = to[static_cast<std::size_t>(dag_.source)];
    largest_ = longest[static_cast<std::size_t>(dag_.source)];
    for (std::size_t e = 0; e < dag_.edges.size(); ++e) {
      const auto [start, end] = dag_.edges[e];
      if (from[static_cast<std::size_t>(start)] > 0 && to[static_cast<std::size_t>(end)] > 0 && start != dag_.sink)
        continue;
      throw Error(Exit::input,
                  "edge " + std::to_string(e) + " (item " + std::to_string(e) + ") is on 0 paths from " +
                      std::to_string(dag_.source) + " to " + std::to_string(dag_.sink) + ", expected at least 1",
                  "leave the edge out");
    }
    if (count_ == 0)
      throw Error(Exit::input,
                  "0 paths lead from " + std::to_string(dag_.source) + " to " + std::to_string(dag_.sink) +
                      ", expected at least 1",
                  "connect source and sink");
  }
  void walk(std::int32_t node, Items& path, const std::function<void(std::span<const std::int32_t>)>& take) const {
    if (node == dag_.sink) {
      Items sorted = path;
      std::sort(sorted.begin(), sorted.end());
      take(sorted);
      return;
    }
    for (const auto e : out_[static_cast<std::size_t>(node)]) {
      path.push_back(e);
      walk(dag_.edges[static_cast<std::size_t>(e)].to, path, take);
      path.pop_back();
    }
  }

  Dag dag_;
  std::vector<std::vector<std::int32_t>> out_;
  std::vector<std::int32_t> order_;
  double count_ = 0;
  std::int32_t largest_ = 0;
};

// Pairs of left and right, each used at most once, as many as the smaller side has.
class Matchings : public ActionKind {
 public:
  Matchings(std::int32_t left, std::int32_t right) : left_(left), right_(right) {}
  std::int32_t items() const override { return left_ * right_; }
  std::int32_t largest() const override { return std::min(left_, right_); }
  double count() const override {
    double count = 1;
    for (std::int32_t k = 0; k < largest(); ++k) count *= std::max(left_, right_) - k;
    return count;
  }
  std::string describe() const override {
    return "matchings of " + std::to_string(left_) + " and " + std::to_string(right_);
  }

  // The Hungarian method with shortest augmenting paths (Jonker and Volgenant, 1987) on costs -score, in O(m^2 n).
  void best(std::span<const double> scores, Items& action) const override {
    const bool is_tall = left_ > right_;
    const auto rows = static_cast<std::size_t>(largest()), columns = static_cast<std::size_t>(std::max(left_, right_));
    const auto item = [&](std::size_t r, std::size_t c) {
      return is_tall ? c * static_cast<std::size_t>(right_) + r : r * static_cast<std::size_t>(right_) + c;
    };
    constexpr double kFar = std::numeric_limits<double>::infinity();
    // u, v: dual prices of rows and columns; of_column: the row of a column, 0 for none. All counted from 1.
    std::vector<double> u(rows + 1), v(columns + 1);
    std::vector<std::size_t> of_column(columns + 1);
    for (std::size_t row = 1; row <= rows; ++row) {
      std::vector<double> slack(columns + 1, kFar);
      std::vector<std::size_t> came(columns + 1);
      std::vector<bool> used(columns + 1);
      std::size_t column = 0;
      of_column[0] = row;
      do {
        used[column] = true;
        const std::size_t at = of_column[column];
        std::size_t next = 0;
        double least = kFar;
        for (std::size_t c = 1; c <= columns; ++c) {
          if (used[c]) continue;
          const double cost = -scores[item(at - 1, c - 1)] - u[at] - v[c];
          if (cost < slack[c]) slack[c] = cost, came[c] = column;
          if (slack[c] < least) least = slack[c], next = c;
        }
        for (std::size_t c = 0; c <= columns; ++c) {
          if (used[c])
            u[of_column[c]] += least, v[c] -= least;
          else
            slack[c] -= least;
        }
        column = next;
      } while (of_column[column] != 0);
      for (; column != 0; column = came[column]) of_column[column] = of_column[came[column]];
    }
    action.clear();
    for (std::size_t c = 1; c <= columns; ++c) {
      if (of_column[c] != 0) action.push_back(static_cast<std::int32_t>(item(of_column[c] - 1, c - 1)));
    }
    std::sort(action.begin(), action.end());
  }
  void each(const std::function<void(std::span<const std::int32_t>)>& take) const override {
    std::vector<bool> used(static_cast<std::size_t>(std::max(left_, right_)));
    Items pairs;
    walk(0, used, pairs, take);
  }

 private:
  void walk(std::int32_t row, std::vector<bool>& used, Items& pairs,
            const std::function<void(std::span<const std::int32_t>)>& take) const {
    if (row == largest()) {
      Items sorted = pairs;
      std::sort(sorted.begin(), sorted.end());
      take(sorted);
      return;
    }
    for (std::int32_t c = 0; c < std::max(left_, right_); ++c) {
      if (used[static_cast<std::size_t>(c)]) continue;
      used[static_cast<std::size_t>(c)] = true;
      pairs.push_back(left_ > right_ ? c * right_ + row : row * right_ + c);
      walk(row + 1, used, pairs, take);
      pairs.pop_back();
      used[static_cast<std::size_t>(c)] = false;
    }
  }
  std::int32_t left_, right_;
};

}  // namespace

ActionSet ActionSet::paths(const Dag& dag) { return ActionSet(std::make_shared<Paths>(dag)); }

ActionSet ActionSet::matchings(std::int32_t left, std::int32_t right) {
  if (left < 1 || right < 1 || left > 1000 || right > 1000)
    throw Error(
        Exit::usage,
        "a matching is of " + std::to_string(left) + " and " + std::to_string(right) + ", expected 1 to 1000 each",
        "both sides need somebody");
  return ActionSet(std::make_shared<Matchings>(left, right));
}

}  // namespace frugal::bandit
