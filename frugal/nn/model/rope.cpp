#include "frugal/nn/model/rope.h"

#include <cmath>
#include <numbers>

namespace frugal {

// theta^(-2i/D), with llama 3's stretching of the low frequencies ("rope_scaling" of type llama3 in transformers).
std::vector<float> make_inverse_frequencies(const ModelShape& shape) {
  const Rope& rope = shape.rope;
  std::vector<float> result(static_cast<std::size_t>(shape.head_dim / 2));
  for (std::size_t i = 0; i < result.size(); ++i) {
    double f = std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(shape.head_dim));
    if (rope.scaling == "linear") f /= rope.factor;
    if (rope.scaling == "llama3") {
      const double wavelength = 2 * std::numbers::pi / f, context = static_cast<double>(rope.original_context);
      const double low = context / rope.low_freq_factor, high = context / rope.high_freq_factor;
      if (wavelength > low) {
        f /= rope.factor;
      } else if (wavelength >= high) {
        const double smooth =
            (context / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
        f = (1 - smooth) * f / rope.factor + smooth * f;
      }
    }
    result[i] = static_cast<float>(f);
  }
  return result;
}

}  // namespace frugal
