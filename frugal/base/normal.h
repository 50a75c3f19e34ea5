// Normal deviates from Philox, by the inverse of the distribution function: the same bits on every machine, since no
// libm is called (a square root is exact by IEEE 754).
#pragma once
#include <cmath>
#include <cstdint>

#include "frugal/base/philox.h"

namespace frugal {
namespace detail {

// log x for x in (0, 1), relative error under 1e-15: x = m 2^e, log m = 2 atanh((m - 1) / (m + 1)).
inline double plain_log(double x) {
  int e = 0;
  double m = std::frexp(x, &e);
  if (m < 0.70710678118654752) m *= 2, --e;
  const double s = (m - 1) / (m + 1), q = s * s;
  double sum = 0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * q + 1.0 / k;
  return 2 * s * sum + e * 0.69314718055994531;
}

// p[0] + p[1] x + ... + p[7] x^7
inline double polynomial(const double (&p)[8], double x) {
  double sum = p[7];
  for (int i = 6; i >= 0; --i) sum = sum * x + p[i];
  return sum;
}

}  // namespace detail

// x with P(N(0, 1) < x) = p, for p in [1.4e-11, 1 - 1.4e-11]: Wichura, "Algorithm AS 241", Applied Statistics 37, 1988
// (PPND16, without the far tail). Relative error about 1e-15.
inline double normal_quantile(double p) {
  constexpr double kA[8] = {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                            1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                            3.3430575583588128105e4, 2.5090809287301226727e3};
  constexpr double kB[8] = {1,
                            4.2313330701600911252e1,
                            6.8718700749205790830e2,
                            5.3941960214247511077e3,
                            2.1213794301586595867e4,
                            3.9307895800092710610e4,
                            2.8729085735721942674e4,
                            5.2264952788528545610e3};
  constexpr double kC[8] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                            3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                            2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr double kD[8] = {1,
                            2.05319162663775882187e0,
                            1.67638483018380384940e0,
                            6.89767334985100004550e-1,
                            1.48103976427480074590e-1,
                            1.51986665636164571966e-2,
                            5.47593808499534494600e-4,
                            1.05075007164441684324e-9};
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * detail::polynomial(kA, r) / detail::polynomial(kB, r);
  }
  const double r = std::sqrt(-detail::plain_log(q < 0 ? p : 1 - p)) - 1.6;
  const double x = detail::polynomial(kC, r) / detail::polynomial(kD, r);
  return q < 0 ? -x : x;
}

// In (0, 1), from one word; and the normal deviate of it, within +-6.3.
inline double open_uniform(std::uint32_t word) { return (word + 0.5) * 0x1p-32; }
inline double normal_of(std::uint32_t word) { return normal_quantile(open_uniform(word)); }

}  // namespace frugal
