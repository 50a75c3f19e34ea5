#include <algorithm>
#include <limits>
#include <numeric>

#include "frugal/signals/swarm/simulator.h"

namespace frugal::swarm {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The index among `among` with the least distance(index), the lowest on ties; -1 where all are infinite.
template <class Distance>
int least(const std::vector<int>& among, const Distance& distance) {
  double best = kInfinity;
  int found = -1;
  for (const int k : among) {
    const double d = distance(k);
    if (d < best || (d == best && found >= 0 && k < found)) best = d, found = k;
  }
  return found;
}

void remove(std::vector<int>& from, int value) {
  *std::find(from.begin(), from.end(), value) = from.back();
  from.pop_back();
}

}  // namespace

// O(n^2 m): the definition.
std::vector<int> nearest_pairs_exhaustively(const std::vector<double>& distances, std::size_t n, std::size_t m) {
  std::vector<double> left = distances;
  std::vector<int> assigned(n, -1);
  for (std::size_t round = 0; round < n; ++round) {
    double best = kInfinity;
    std::size_t row = n, column = m;
    for (std::size_t j = 0; j < m; ++j) {
      for (std::size_t i = 0; i < n; ++i) {
        if (left[i * m + j] < best) best = left[i * m + j], row = i, column = j;
      }
    }
    if (row == n) break;
    assigned[row] = static_cast<int>(column);
    for (std::size_t j = 0; j < m; ++j) left[row * m + j] = kInfinity;
    for (std::size_t i = 0; i < n; ++i) left[i * m + column] = kInfinity;
  }
  return assigned;
}

// O(n m): pairs are ordered by (distance, column, row), so a pair that is the least of its row and of its column is
// taken by the auction, whatever is taken before. Such pairs are found by walking from a row to its nearest column, to
// that column's nearest row, and so on, each step to a lesser pair (the chain of nearest neighbours of hierarchical
// clustering: Benzecri, 1982). Where the walk ends the pair is taken, and it goes on from the row before: n + m steps
// in all, where rows that share a nearest column would each look again after every round.
std::vector<int> nearest_pairs(const std::vector<double>& distances, std::size_t n, std::size_t m) {
  std::vector<int> assigned(n, -1), rows(n), columns(m), walk;  // walk: rows
  std::iota(rows.begin(), rows.end(), 0);
  std::iota(columns.begin(), columns.end(), 0);
  const double* d = distances.data();
  while (!rows.empty()) {
    if (walk.empty()) walk.push_back(rows.back());
    const int i = walk.back();
    const double* row = d + static_cast<std::size_t>(i) * m;
    const int j = least(columns, [&](int k) { return row[k]; });
    if (j < 0) {  // nothing is left for it
      remove(rows, i);
      walk.pop_back();
      continue;
    }
    const int nearest =
        least(rows, [&](int k) { return d[static_cast<std::size_t>(k) * m + static_cast<std::size_t>(j)]; });
    if (nearest != i) {
      walk.push_back(nearest);
      continue;
    }
    assigned[static_cast<std::size_t>(i)] = j;
    remove(rows, i);
    remove(columns, j);
    walk.pop_back();
  }
  return assigned;
}

}  // namespace frugal::swarm
