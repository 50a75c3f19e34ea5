// What is to be added to a projection so that it gives what is missing, by least squares.
#pragma once
#include <cstdint>
#include <vector>

#include "frugal/base/threads.h"
#include "frugal/core/buffer.h"

namespace frugal {

// From x [tokens, in], what the projection reads, and e [tokens, out], what is missing behind it:
//   D, c = argmin sum_t s_t^2 |D x_t + c - e_t|^2 + ridge m |D|^2,   m: mean over the columns of sum_t s_t^2 x_t^2
// (about their means where there is c), by Cholesky of the normal equations. Where the text says nothing, D is 0.
// Holds [in, in] and [in, out] in fp32; to solve takes twice the first and three times the second in float64.
class LeastSquares {
 public:
  LeastSquares(std::int64_t in, std::int64_t out);
  // n tokens more, what they count for in s; rows lie one behind the other, and are scaled by s in place.
  void add(Threads& threads, float* x, float* e, const float* s, std::int64_t n);

  struct Change {
    std::vector<float> weight;  // D [out, in]
    std::vector<float> bias;    // c [out]
  };
  // has_weight, has_bias: what is not sought is 0. ridge > 0.
  Change solve(double ridge, bool has_weight, bool has_bias) const;

 private:
  std::int64_t in_, out_;
  double weight_ = 0;          // sum of s^2
  Buffer gram_, cross_;        // sums of x x^T [in, in], the lower triangle, and of x e^T [in, out]
  std::vector<double> x_, e_;  // sums with s^2
};

}  // namespace frugal
