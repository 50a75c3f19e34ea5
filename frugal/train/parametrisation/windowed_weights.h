// A share of every tensor trained at a time, the next share at each turn (BAdam's ratio mode, arXiv:2404.02827).
#pragma once
#include "frugal/train/parametrisation/parametrisation.h"

namespace frugal {

struct WindowOptions {
  // adjacent: entries as they lie; scatter: in a fixed random order; adjacent_rows: whole output rows of matrices, of
  // whose gradients no others are made.
  enum class Order { adjacent, scatter, adjacent_rows } order = Order::adjacent;
  double ratio = 0.1;  // of the entries, or of the rows; in (0, 1]
  std::uint64_t seed = 1;
};

class WindowedWeights : public WholeWeights {
 public:
  static constexpr std::int64_t kWhole = 100;  // a tensor of fewer entries is trained whole

  // As WholeWeights. Turn 0 has begun.
  WindowedWeights(WeightStore& store, Threads& threads, const std::vector<bool>& chosen, WindowOptions options);
  void begin_turn(std::uint64_t turn) override;

 private:
  WindowOptions options_;
};

}  // namespace frugal
