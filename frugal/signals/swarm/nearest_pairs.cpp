#include <limits>

#include "frugal/signals/swarm/simulator.h"

namespace frugal::swarm {
namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
}  // namespace

// O(n^2 m): the definition.
std::vector<Pair> nearest_pairs_exhaustively(const std::vector<double>& distances, std::size_t n, std::size_t m) {
  std::vector<double> left = distances;
  std::vector<Pair> pairs;
  for (std::size_t round = 0; round < n; ++round) {
    double least = kInfinity;
    Pair best{kNone, kNone};
    for (std::size_t j = 0; j < m; ++j) {
      for (std::size_t i = 0; i < n; ++i) {
        if (left[i * m + j] < least) least = left[i * m + j], best = {i, j};
      }
    }
    if (best.i == kNone) break;
    pairs.push_back(best);
    for (std::size_t j = 0; j < m; ++j) left[best.i * m + j] = kInfinity;
    for (std::size_t i = 0; i < n; ++i) left[i * m + best.j] = kInfinity;
  }
  return pairs;
}

// Each row keeps its least distance among the columns left; only rows whose column goes look again: O(n (n + m)) and
// the few rows that look again.
std::vector<Pair> nearest_pairs(const std::vector<double>& distances, std::size_t n, std::size_t m) {
  struct Row {
    std::size_t i, j;
    double least;
  };
  std::vector<bool> is_taken(m, false);
  const auto look = [&](std::size_t i) {
    const double* row = &distances[i * m];
    Row found{i, kNone, kInfinity};
    for (std::size_t j = 0; j < m; ++j) {
      if (row[j] < found.least && !is_taken[j]) found.least = row[j], found.j = j;
    }
    return found;
  };
  std::vector<Row> rows;
  rows.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (const Row row = look(i); row.j != kNone) rows.push_back(row);
  }
  std::vector<Pair> pairs;
  pairs.reserve(rows.size());
  while (!rows.empty()) {
    std::size_t best = 0;
    for (std::size_t k = 1; k < rows.size(); ++k) {
      const Row &a = rows[k], &b = rows[best];
      if (a.least < b.least || (a.least == b.least && (a.j < b.j || (a.j == b.j && a.i < b.i)))) best = k;
    }
    const std::size_t taken = rows[best].j;
    pairs.push_back({rows[best].i, taken});
    is_taken[taken] = true;
    rows[best] = rows.back();
    rows.pop_back();
    for (std::size_t k = 0; k < rows.size();) {
      if (rows[k].j == taken) rows[k] = look(rows[k].i);
      if (rows[k].j != kNone) {
        ++k;
        continue;
      }
      rows[k] = rows.back();  // no column is left for it
      rows.pop_back();
    }
  }
  return pairs;
}

}  // namespace frugal::swarm
