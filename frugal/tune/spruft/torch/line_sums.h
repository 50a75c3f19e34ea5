// Sums of something over each row or each column of a weight, tile by tile. Needs the training floor.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "frugal/nn/model/weight_store.h"

namespace frugal {

class LineSums {
 public:
  static constexpr std::int64_t kTile = 64;  // rows: a whole number of NF4's blocks whatever the columns

  LineSums(const WeightStore& store, Threads& threads, bool is_columns)
      : store_(store), threads_(threads), is_columns_(is_columns) {}
  std::size_t count(std::size_t id) const {
    return static_cast<std::size_t>(is_columns_ ? store_.spec(id).cols : store_.spec(id).rows);
  }

  // sums[line] += the sum over the line of importance(w, g, column), in an order that threads do not change.
  // companion(first row, weights of a tile, scratch): the g of the tile's weights, row-major.
  template <class Companion, class Importance>
  void add(std::size_t id, const Companion& companion, const Importance& importance, std::vector<double>& sums) const {
    const std::int64_t rows = store_.spec(id).rows, cols = store_.spec(id).cols, tiles = (rows + kTile - 1) / kTile;
    std::vector<std::vector<double>> parts(static_cast<std::size_t>(is_columns_ ? tiles : 0));
    threads_.run(tiles, [&](std::int64_t tile, int) {
      const std::int64_t begin = tile * kTile, end = std::min(rows, begin + kTile);
      std::vector<float> w(static_cast<std::size_t>((end - begin) * cols)), scratch;
      store_.read_rows(id, begin, end, w.data());
      const float* g = companion(begin, std::span<const float>(w), scratch);
      std::vector<double> part(is_columns_ ? static_cast<std::size_t>(cols) : 0);
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t at = (row - begin) * cols;
        double sum = 0;
        for (std::int64_t j = 0; j < cols; ++j) {
          const double each =
              importance(static_cast<double>(w[static_cast<std::size_t>(at + j)]), static_cast<double>(g[at + j]), j);
          sum += each;
          if (is_columns_) part[static_cast<std::size_t>(j)] += each;
        }
        if (!is_columns_) sums[static_cast<std::size_t>(row)] += sum;
      }
      if (is_columns_) parts[static_cast<std::size_t>(tile)] = std::move(part);
    });
    for (const auto& part : parts) {
      for (std::size_t j = 0; j < part.size(); ++j) sums[j] += part[j];
    }
  }

 private:
  const WeightStore& store_;
  Threads& threads_;
  bool is_columns_;
};

}  // namespace frugal
