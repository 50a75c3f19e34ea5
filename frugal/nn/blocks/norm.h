// The norm of a block over rows of hidden states: x = gain * h / sqrt(mean(h^2) + eps) (RMSNorm, arXiv:1910.07467).
// Private to nn/.
#pragma once
#include "frugal/core/kernels/backward.h"
#include "frugal/core/kernels/kernels.h"

namespace frugal {

struct NormBlock {
  const float* gain;  // [width]
  std::int64_t width;
  float eps;

  template <class T>
  void forward(const float* h, T* x, std::int64_t rows) const {
    kernels::rms_norm(h, gain, x, static_cast<std::size_t>(rows), static_cast<std::size_t>(width), eps);
  }
  // dh += of dx at the input h; dgain (null: not wanted) += that of the gain.
  template <class T>
  void backward(const float* h, const T* dx, float* dh, float* dgain, std::int64_t rows) const {
    kernels::rms_norm_backward(h, gain, dx, dh, dgain, static_cast<std::size_t>(rows), static_cast<std::size_t>(width),
                               eps);
  }
};

}  // namespace frugal
