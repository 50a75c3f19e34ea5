// Kernels without LibTorch: random directions, perturbed panels, updates, and the elementwise loops of a decoder layer.
// Highway compiles each for every instruction set and picks at run time; FRUGAL_ISA=avx2|sse4|scalar... forces one.
// perturb and update give the same bits on every one of them (no FMA, no libm), so a trajectory replays anywhere.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace frugal::kernels {

struct Bf16 {
  std::uint16_t bits;
};

// +-1; Gaussians of 8 bits from two tables (115 levels, largest 2.58) and of 16 bits from four (largest 4.30);
// Box-Muller of 2 x 24 bits (absolute error below 2.1e-6, largest 5.77). Layout of the random bits: chunk.h.
enum class Direction { sign, gaussian, gaussian16, gaussian_exact };
// 1 / standard deviation of the tables' integer sums; 1 for the others.
constexpr double table_deviation(Direction direction) {
  return direction == Direction::gaussian     ? 0.0354107116  // 1 / sqrt(797.5)
         : direction == Direction::gaussian16 ? 0.0169188027  // 1 / sqrt(3493.5)
                                              : 1.0;
}

// Which weights take part. small/large compare |w| (of the unperturbed weight) with threshold: |w| <= t, |w| > t.
// random: a weight takes part with probability `density` (rounded to a multiple of 2^-16), decided by Philox(key,
// Stream::mask), fixed for a fixed key and tensor. file: bit i % 8 of bits[i / 8] for element i of the tensor.
struct Mask {
  enum class Rule { none, small, large, random, file } rule = Rule::none;
  float threshold = 0;
  double density = 1;
  std::uint64_t key = 0;
  const std::uint8_t* bits = nullptr;
};

struct Noise {
  Direction direction = Direction::gaussian;
  std::uint64_t key = 0;     // of the (seed, step, sample) triple
  std::uint32_t tensor = 0;  // id of the tensor
  float eps = 0x1p-10f;      // table Gaussians use eps * scale rounded once to 16 significant bits
};

// The scale the kernel really uses: w +- effective z_int for tables; `eps` itself for the others.
float table_scale(Direction direction, float eps);  // eps * table_deviation rounded to 16 significant bits

// z of elements [first, first + n) of the tensor, in units of one standard deviation.
void directions(const Noise& noise, std::uint64_t first, std::size_t n, float* z);

// plus = w + eps m z, minus = w - eps m z for elements [first, first + n) of the tensor; w points at element `first`.
// bf16 weights: both sums are rounded to bf16 (nearest even), whatever the type of the output. fp32 weights: fp32 sums.
// `minus` may be null. Outputs: Bf16 or float (bf16 weights), float or Bf16 (fp32 weights).
void perturb(const Bf16* w, Bf16* plus, Bf16* minus, std::uint64_t first, std::size_t n, const Noise&, const Mask&);
void perturb(const Bf16* w, float* plus, float* minus, std::uint64_t first, std::size_t n, const Noise&, const Mask&);
void perturb(const float* w, float* plus, float* minus, std::uint64_t first, std::size_t n, const Noise&, const Mask&);
void perturb(const float* w, Bf16* plus, Bf16* minus, std::uint64_t first, std::size_t n, const Noise&, const Mask&);

// One descent step: w <- round(w (1 - decay) - sum_j coefficient_j d_j), for the weights the mask lets take part; the
// others keep their bits. d_j: the direction as evaluated, (round(w + eps z) - round(w - eps z)) / (2 eps), when
// `evaluated`, else z itself. The sum over j is in fp32, in order. bf16 is rounded stochastically with 16 bits of
// Philox(rounding_key, Stream::rounding), or to nearest.
struct Sample {
  std::uint64_t key;
  float coefficient;
};
struct Update {
  Direction direction = Direction::gaussian;
  std::uint32_t tensor = 0;
  float eps = 0x1p-10f;
  float decay = 0;  // lr * weight_decay
  bool evaluated = true;
  bool stochastic = true;
  std::uint64_t rounding_key = 0;
  std::span<const Sample> samples;
};
void update(Bf16* w, std::uint64_t first, std::size_t n, const Update&, const Mask&);
void update(float* w, std::uint64_t first, std::size_t n, const Update&, const Mask&);

// Smallest t such that at least ceil(share * n) of the n magnitudes are <= t (exact; histogram of the sign-stripped
// bits, no sort). share in (0, 1]. share 0 gives -1 (nothing takes part).
float magnitude_quantile(const Bf16* w, std::size_t n, double share);
float magnitude_quantile(const float* w, std::size_t n, double share);

void to_float(const Bf16* from, float* to, std::size_t n);
void to_bf16(const float* from, Bf16* to, std::size_t n);  // nearest even; NaN stays NaN

// ---- elementwise loops; T is float or Bf16, sums in fp32. Rows are independent; strides in elements. ----
// out[r, :] = h[r, :] / sqrt(mean(h^2) + eps) * gain     (RMSNorm, arXiv:1910.07467)
void rms_norm(const float* h, const float* gain, float* out, std::size_t rows, std::size_t cols, float eps);
void rms_norm(const float* h, const float* gain, Bf16* out, std::size_t rows, std::size_t cols, float eps);
// In place on [rows, heads, head_dim] with row stride `stride`; cos and sin are [rows, head_dim / 2] (half-split
// layout).
void rope(float* x, const float* cos, const float* sin, std::size_t rows, std::size_t heads, std::size_t head_dim,
          std::size_t stride);
void rope(Bf16* x, const float* cos, const float* sin, std::size_t rows, std::size_t heads, std::size_t head_dim,
          std::size_t stride);
// gate <- silu(gate) * up, element by element; error of the vector exp at most 2 ulp of fp32, 0 below e^-87.
void silu_mul(float* gate, const float* up, std::size_t n);
void silu_mul(Bf16* gate, const Bf16* up, std::size_t n);
void add(float* h, const float* y, std::size_t n);  // h += y
void add(float* h, const Bf16* y, std::size_t n);
void add(Bf16* h, const Bf16* y, std::size_t n);
// Online log-sum-exp over blocks of the vocabulary: per row, (max, sum) of what came before takes in `cols` more
// logits.
void log_sum_exp(const float* logits, std::size_t rows, std::size_t cols, std::size_t stride, float* max, float* sum);
void log_sum_exp(const Bf16* logits, std::size_t rows, std::size_t cols, std::size_t stride, float* max, float* sum);
inline constexpr std::size_t kMatvecTokens = 8;
// y[t, r] = sum_c w[r, c] x[t, c] for few rows of x (tokens <= kMatvecTokens): reads w once. For generation, bound by
// memory.
void matvec(const Bf16* w, const float* x, float* y, std::size_t tokens, std::size_t rows, std::size_t cols,
            std::size_t y_stride);
void matvec(const float* w, const float* x, float* y, std::size_t tokens, std::size_t rows, std::size_t cols,
            std::size_t y_stride);
// Scores of causal attention. Row r sees columns [0, visible + r): p <- softmax(scale * p) there, 0 in the other
// columns.
void causal_softmax(float* p, std::size_t rows, std::size_t cols, std::size_t stride, std::size_t visible, float scale);
// Attention of one token, for `heads` query heads that share a key head: out[h] = sum_k p[h, k] values[k], p[h] =
// softmax_k(q[h] . keys[k] / sqrt(head_dim)) over `count` >= 1 keys; key and value k at k * stride. q, out [heads,
// head_dim]; scores: room for [heads, count].
void attend(const float* q, const Bf16* keys, const Bf16* values, float* out, std::size_t heads, std::size_t count,
            std::size_t head_dim, std::size_t stride, float* scores);
void attend(const float* q, const float* keys, const float* values, float* out, std::size_t heads, std::size_t count,
            std::size_t head_dim, std::size_t stride, float* scores);

std::string isa();                         // the instruction set in use, Highway's name
std::vector<std::string> isa_available();  // what this processor can run of what was compiled
// Whether the kernels of bf16_*.h run here: the processor has AVX512-BF16, and AVX-512 is in use.
bool can_run_bf16_products();
// Whether products are to go to them: they run, and the processor has no AMX, whose kernels LibTorch has.
bool has_bf16_products();
// name: "" for the best; for tests and FRUGAL_ISA. Error(Exit::usage) for an unknown or unavailable one.
void force_isa(const std::string& name);

}  // namespace frugal::kernels
