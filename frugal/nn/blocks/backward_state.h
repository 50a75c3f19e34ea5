// Scratch of a backward pass: one layer's gradients, reused by each and by the next pass. Private to nn/.
#pragma once
#include <array>
#include <vector>

#include "frugal/nn/blocks/layer_pairs.h"
#include "frugal/nn/model/tape.h"

namespace frugal {

struct BackwardState {
  Buffer dout, dmiddle;                   // [N, C] T: of the down projection's and of the output projection's result
  Buffer normed_input, normed_middle;     // [N, C] T: what q k v and gate up read; made when their gradients are wanted
  Buffer activated;                       // [N, F] T: what the down projection read
  Buffer dattended, dqkv;                 // [N, H D], [N, (H + 2K) D] T
  std::array<Buffer, kSlots> u, du;       // [N, rank] T: a low-rank pair's inner values, scaled, and their gradient
  std::array<Buffer, kSlots> dropped;     // [N, in] T: what a pair read, when it has dropout
  std::array<Buffer, kSlots> dmagnitude;  // [chunks, out] fp32: each chunk's share; empty: not wanted
  LayerTape again;                        // of the layer whose forward runs again, where the tape does not keep it
  Buffer dgains;                          // [chunks, 2 C] fp32: each chunk's share
  std::vector<float> minus_sin;           // rotates back
  std::vector<std::array<Buffer, 6>> attention;  // of a thread: q, k v, dout, dq, dk dv in fp32, and blocks of scores
};

// Gradients of weights, as work items: sum[m, k] += dy[n, m]^T x[n, k]. Chosen rows of linears that read the same x and
// whose sums lie one behind the other go through one product.
template <class T>
class WeightGradients {
 public:
  // dy, x: [tokens, ..] rows `stride` apart; m, k: the weight's rows and columns.
  void add(const GradientSum& to, const T* dy, std::int64_t dy_stride, const T* x, std::int64_t x_stride,
           std::int64_t tokens, std::int64_t m, std::int64_t k);
  void add_bias(float* sum, const T* dy, std::int64_t stride, std::int64_t tokens, std::int64_t m);
  std::int64_t size() const { return static_cast<std::int64_t>(items_.size()); }
  void run(std::int64_t item, Buffer& scratch) const;

 private:
  static constexpr std::int64_t kTile = 192, kChosenTile = 96;  // rows of an item
  enum class Kind { product, chosen_rows, chosen_columns, column_sums, input_squares };
  struct Item {
    Kind kind;
    const T *dy, *x;
    std::int64_t dy_stride, x_stride, tokens, m, k;
    float* sum;
    std::size_t first = 0;                       // chosen_rows: m entries of chosen_ from here on are columns of dy
    std::span<const std::int32_t> columns = {};  // chosen_columns: of x
    InputSquares* inputs = nullptr;
  };
  void add_chosen(const GradientSum& to, Item item);
  std::vector<Item> items_;
  std::vector<std::ptrdiff_t> chosen_;
};

}  // namespace frugal
