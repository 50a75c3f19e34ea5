// The line that a block's values lie closest to: x ~ base + scale q with integers q in [low, high], in the sense of
// least squares. Two steps alternate, and neither can raise the error: q is the nearest code for a line, the line is
// the least squares of the values over q. That ends in the nearest minimum, so kLanes lines start side by side, spread
// around the line through the extremes, and the best is kept. A lane adds up in the order of the values: the same bits
// for any width of vectors.
#pragma once
#include <algorithm>
#include <cstring>

namespace frugal {

// Eight numbers, one a lane, in the vectors that every processor here has (SSE2, NEON).
using Four [[gnu::vector_size(16)]] = float;
inline constexpr int kLanes = 8;
struct Lanes {
  Four half[2] = {};
  static Lanes of(const float (&values)[kLanes]) {
    Lanes lanes;
    std::memcpy(lanes.half, values, sizeof values);
    return lanes;
  }
  float operator[](int c) const { return half[c / 4][c % 4]; }
};

// Nearest integer in [low, high], ties to even; |low|, |high| < 2^22.
template <class T>
T nearest_code(T value, T low, T high) {
  value = value < high ? value : high;
  value = value > low ? value : low;
  const T shift = T{} + 0x1.8p23f;
  return (value + shift) - shift;
}

inline float inverse_or_zero(float value) { return value != 0 ? 1 / value : 0; }
inline Lanes inverse_or_zero(const Lanes& value) {
  Lanes inverse;
  for (int h = 0; h < 2; ++h) inverse.half[h] = value.half[h] != 0 ? 1 / value.half[h] : value.half[h];
  return inverse;
}

struct Line {
  float scale = 0, base = 0;
};
// A line a lane.
struct LineLanes {
  Lanes scale, base;
};

// Sums over a block's codes q.
struct CodeSums {
  Lanes q, qq, xq;
};

template <int kSize>
CodeSums code_sums(const float* x, const LineLanes& lines, float low, float high) {
  const Lanes inverse = inverse_or_zero(lines.scale), base = lines.base;
  CodeSums sums;
  for (int i = 0; i < kSize; ++i) {
    for (int h = 0; h < 2; ++h) {
      const Four q = nearest_code<Four>((x[i] - base.half[h]) * inverse.half[h], Four{} + low, Four{} + high);
      sums.q.half[h] += q, sums.qq.half[h] += q * q, sums.xq.half[h] += x[i] * q;
    }
  }
  return sums;
}

// sum (x - (base + scale q))^2, q the nearest codes.
template <int kSize>
Lanes code_errors(const float* x, const LineLanes& lines, float low, float high) {
  const Lanes inverse = inverse_or_zero(lines.scale), base = lines.base, scale = lines.scale;
  Lanes errors;
  for (int i = 0; i < kSize; ++i) {
    for (int h = 0; h < 2; ++h) {
      const Four q = nearest_code<Four>((x[i] - base.half[h]) * inverse.half[h], Four{} + low, Four{} + high);
      const Four rest = x[i] - (base.half[h] + scale.half[h] * q);
      errors.half[h] += rest * rest;
    }
  }
  return errors;
}

template <int kSize>
void extremes(const float* x, float& least, float& most) {
  Four low, high;
  std::memcpy(&low, x, sizeof low);
  high = low;
  for (int i = 4; i < kSize; i += 4) {
    Four here;
    std::memcpy(&here, x + i, sizeof here);
    low = here < low ? here : low, high = here > high ? here : high;
  }
  least = std::min(std::min(low[0], low[1]), std::min(low[2], low[3]));
  most = std::max(std::max(high[0], high[1]), std::max(high[2], high[3]));
}

inline constexpr int kRounds = 2;  // of codes and least squares; a third lowers the error by less than a thousandth

// The best of each lane so far: what it takes off sum x^2.
struct BestLines {
  Lanes gain, scale, base;

  void offer(int h, Four new_gain, Four new_scale, Four new_base) {
    const auto better = new_gain > gain.half[h];
    scale.half[h] = better ? new_scale : scale.half[h];
    base.half[h] = better ? new_base : base.half[h];
    gain.half[h] = better ? new_gain : gain.half[h];
  }
  Line best() const {
    int most = 0;
    for (int c = 1; c < kLanes; ++c) most = gain[c] > gain[most] ? c : most;
    return {scale[most], base[most]};
  }
};

// base is 0: the scale may have either sign. low = -high - 1, as in two's complement, so the value farthest from 0 gets
// the code `low` of a scale with the other sign, or a little past the codes' end.
template <int kSize>
float fit_scale(const float* x, float low, float high) {
  float least, most;
  extremes<kSize>(x, least, most);
  const float farthest = -least > most ? least : most;
  if (farthest == 0) return 0;
  const Four ends[2] = {{low + 0.6f, low + 0.2f, low - 0.2f, low - 0.6f}, {low - 1, low - 1.5f, high, high + 0.6f}};
  LineLanes lines;
  for (int h = 0; h < 2; ++h) lines.scale.half[h] = farthest / ends[h];
  BestLines found;
  for (int round = 0; round < kRounds; ++round) {
    const CodeSums sums = code_sums<kSize>(x, lines, low, high);
    for (int h = 0; h < 2; ++h) {
      const Four qq = sums.qq.half[h], xq = sums.xq.half[h], scale = qq > 0 ? xq / qq : Four{};
      lines.scale.half[h] = scale;
      found.offer(h, scale * xq, scale, Four{});
    }
  }
  return found.best().scale;
}

// q in [0, high]. base <= highest.
template <int kSize>
Line fit_line(const float* x, float high, float highest) {
  float least, most;
  extremes<kSize>(x, least, most);
  least = std::min(least, highest);
  if (!(most > least)) return {0, least};
  // Shifted by the least value, so that the sums lose nothing to a common offset.
  float y[kSize], sum = 0;
  for (int i = 0; i < kSize; ++i) y[i] = x[i] - least, sum += y[i];
  const float width = most - least, limit = highest - least;
  // Codes cut off below and above.
  constexpr Four kBelow[2] = {{0, 0, 0.5f, 0}, {0.5f, 0, 1, 1}}, kAbove[2] = {{0, 0.5f, 0, -0.5f}, {0.5f, 1, 0, 1}};
  LineLanes lines;
  for (int h = 0; h < 2; ++h) {
    lines.scale.half[h] = width / (high + kBelow[h] + kAbove[h]);
    lines.base.half[h] = kBelow[h] * lines.scale.half[h];
  }
  BestLines found;
  constexpr float n = kSize;
  for (int round = 0; round < kRounds; ++round) {
    const CodeSums sums = code_sums<kSize>(y, lines, 0, high);
    for (int h = 0; h < 2; ++h) {
      const Four q = sums.q.half[h], qq = sums.qq.half[h], yq = sums.xq.half[h], determinant = n * qq - q * q;
      Four scale = (n * yq - sum * q) / determinant, base = (sum - scale * q) / n;
      scale = base > limit ? (yq - limit * q) / qq : scale;
      base = base > limit ? Four{} + limit : base;
      const auto solved = determinant > 0;  // else all codes are alike
      lines.scale.half[h] = solved ? scale : lines.scale.half[h];
      lines.base.half[h] = solved ? base : lines.base.half[h];
      const Four gain = base * (2 * sum - n * base) + scale * (2 * (yq - base * q) - scale * qq);
      found.offer(h, solved ? gain : Four{}, scale, base);
    }
  }
  const Line best = found.best();
  return {best.scale, least + best.base};
}

}  // namespace frugal
