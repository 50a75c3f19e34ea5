// What a pass holds from its forward to its backward. Private to nn/.
#pragma once
#include <vector>

#include "frugal/nn/model/pass.h"
#include "frugal/nn/model/tape.h"

namespace frugal {

// What the head's forward leaves for its backward.
struct HeadTape {
  std::vector<std::int64_t> rows;  // distinct and rising; empty: no head has run since the forward
  std::vector<double> sums;        // [rows] log-sum-exp of the logits
  Buffer expected;                 // [rows, C] fp32: the mean of the head's rows under the softmax of the logits
};

struct PassMemory {
  Hidden hidden;
  std::vector<float> cos, sin;  // [N, D / 2] of the batch's positions
  bool is_recorded = false;     // log_probabilities prepares for a backward, too
  Tape tape;
  HeadTape head_tape;
  Buffer dhidden;                   // [N, C] fp32: of the layer's output, in place that of its input
  std::int64_t dhidden_tokens = 0;  // N of it; 0: no head's backward has run
};

}  // namespace frugal
