// Where a backward pass leaves gradients, and how far down it goes: what is trained, as far as the decoder needs to
// know.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace frugal {

// Sums over tokens of the square of each number that a linear reads, [in].
struct InputSquares {
  std::vector<double> sums;
  std::int64_t tokens = 0;
};

// fp32 [rows, cols] that a gradient is added to. Row i is that of the tensor's row rows[i], or of its row i when `rows`
// is empty; likewise for columns, of linears alone and of one of the two.
struct GradientSum {
  float* sum = nullptr;  // null: not trained, and never computed
  std::span<const std::int32_t> rows = {};
  std::span<const std::int32_t> columns = {};
  InputSquares* inputs = nullptr;  // of linears: what they read is wanted, too
  bool is_wanted() const { return sum != nullptr || inputs != nullptr; }
};

// Gradients of a low-rank pair's factors, a [rank, in], b [out, rank], and of its magnitude [out].
struct PairSum {
  float* a = nullptr;
  float* b = nullptr;
  float* magnitude = nullptr;
};

// What a forward is to keep for its backward, see Tape.
struct TapePlan {
  std::int64_t first_layer = 0;  // layers below it are not recorded and run as in evaluation
  bool keeps = false;            // intermediates are kept
  std::uint32_t part = 0;        // which of a step's forwards this is, for what is drawn anew in each (dropout)
};

class Gradients {
 public:
  virtual ~Gradients() = default;
  // The lowest layer with anything trained: the backward stops there. -1 when the embedding is trained, too; the number
  // of layers when nothing below the head is.
  virtual std::int64_t lowest_layer() const = 0;
  virtual GradientSum of(std::size_t id) = 0;
  virtual PairSum of_low_rank(std::size_t) { return {}; }
  // Every gradient of layer `layer` of this backward is in, and its weights are not read again: an optimiser may step
  // now.
  virtual void layer_done(std::size_t) {}
  // Of the next forward whose gradients come in here.
  TapePlan tape_plan(bool keeps) { return {lowest_layer(), keeps, parts_++}; }

 protected:
  std::uint32_t parts_ = 0;  // such forwards since the sums were zero
};

}  // namespace frugal
