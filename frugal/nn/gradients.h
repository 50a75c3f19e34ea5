// Where a backward pass leaves gradients, and how far down it goes: what is trained, as far as the decoder needs to
// know.
#pragma once
#include <cstdint>
#include <span>

namespace frugal {

// fp32 [rows, cols] that a gradient is added to. Row i is that of the tensor's row rows[i], or of its row i when `rows`
// is empty.
struct GradientSum {
  float* sum = nullptr;  // null: not trained, and never computed
  std::span<const std::int32_t> rows = {};
};

// Gradients of a low-rank pair's factors: a [rank, in], b [out, rank].
struct LowRankSum {
  float* a = nullptr;
  float* b = nullptr;
};

class Gradients {
 public:
  virtual ~Gradients() = default;
  // The lowest layer with anything trained: the backward stops there. -1 when the embedding is trained, too; the number
  // of layers when nothing below the head is.
  virtual std::int64_t lowest_layer() const = 0;
  virtual GradientSum of(std::size_t id) = 0;
  virtual LowRankSum of_low_rank(std::size_t) { return {}; }
  // Every gradient of layer `layer` of this backward is in, and its weights are not read again: an optimiser may step
  // now.
  virtual void layer_done(std::size_t) {}
};

}  // namespace frugal
