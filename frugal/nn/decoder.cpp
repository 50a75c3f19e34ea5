#include "frugal/nn/decoder.h"

#include <cmath>
#include <cstring>
#include <numbers>
#include <string>

#include "frugal/base/error.h"
#include "frugal/nn/decoder_backward.h"

namespace frugal {
namespace {

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

}  // namespace

KvCache::KvCache(const ModelShape& shape, std::int64_t capacity, Compute compute) : capacity_(capacity) {
  std::size_t total = 0;
  for (const LayerShape& layer : shape.layers) {
    widths_.push_back(layer.kv_heads * shape.head_dim);
    offsets_.push_back(total);
    total += static_cast<std::size_t>(2 * capacity * widths_.back());
  }
  element_ = compute == Compute::f32 ? sizeof(float) : sizeof(kernels::Bf16);
  memory_ = Buffer(total * element_);
}

KvCache KvCache::copy() const {
  KvCache other;
  other.length = length;
  other.capacity_ = capacity_;
  other.widths_ = widths_;
  other.offsets_ = offsets_;
  other.element_ = element_;
  other.memory_ = Buffer(memory_.size());
  for (std::size_t l = 0; l < widths_.size(); ++l) {
    for (const std::int64_t token : {std::int64_t{0}, capacity_}) {  // keys, values: only what is used is touched
      const std::size_t at = (offsets_[l] + static_cast<std::size_t>(token * widths_[l])) * element_;
      std::memcpy(other.memory_.data() + at, memory_.data() + at,
                  static_cast<std::size_t>(length * widths_[l]) * element_);
    }
  }
  return other;
}

Decoder::State::State(const ModelShape& shape_, Threads& threads_, Compute compute_)
    : shape(shape_),
      ids(shape_),
      threads(threads_),
      compute(compute_),
      inverse_frequencies(make_inverse_frequencies(shape_)),
      scratch(static_cast<std::size_t>(threads_.slots())),
      pair_scratch(static_cast<std::size_t>(threads_.slots())) {}
Decoder::State::~State() = default;

void Decoder::State::rotations(const std::vector<std::int32_t>& positions) {
  const std::size_t half = inverse_frequencies.size();
  cos.resize(positions.size() * half);
  sin.resize(positions.size() * half);
  for (std::size_t t = 0; t < positions.size(); ++t) {
    const auto position = static_cast<float>(positions[t]);
    for (std::size_t i = 0; i < half; ++i) {
      const float angle = position * inverse_frequencies[i];
      cos[t * half + i] = std::cos(angle);
      sin[t * half + i] = std::sin(angle);
    }
  }
}

Decoder::Decoder(const ModelShape& shape, Threads& threads, Compute compute)
    : state_(std::make_unique<State>(shape, threads, compute)) {}
Decoder::~Decoder() = default;
const ModelShape& Decoder::shape() const { return state_->shape; }
Compute Decoder::compute() const { return state_->compute; }
Threads& Decoder::threads() const { return state_->threads; }

const Hidden& Decoder::forward(const WeightView& view, const PackedBatch& batch, KvCache* cache, Tape* tape) {
  KvCache* const one[] = {cache};
  return forward(view, batch, std::span<KvCache* const>(one, cache == nullptr ? 0u : 1u), tape);
}

const Hidden& Decoder::forward(const WeightView& view, const PackedBatch& batch, std::span<KvCache* const> caches,
                               Tape* tape) {
  for (const std::int32_t token : batch.tokens) {
    if (token < 0 || token >= shape().vocab) {
      throw Error(
          Exit::input,
          "token id " + std::to_string(token) + " is outside the vocabulary of " + std::to_string(shape().vocab),
          "use the tokenizer that belongs to the model");
    }
  }
  state_->has_tape = tape != nullptr;
  state_->head_tape.rows.clear();
  constexpr std::int64_t kNarrow = 8, kNarrowSequences = 32;
  const auto segments = static_cast<std::int64_t>(batch.segments.size());
  const bool is_step = batch.size() == segments && segments <= kNarrowSequences;  // a token more of each sequence
  const bool narrow = view.is_plain() && !caches.empty() && (is_step || (segments == 1 && batch.size() <= kNarrow));
  std::vector<std::int32_t> positions = batch.positions;
  for (std::size_t s = 0; s < caches.size(); ++s) {
    const Segment& segment = batch.segments[s];
    for (std::int64_t t = 0; t < segment.length; ++t)
      positions[static_cast<std::size_t>(segment.begin + t)] += static_cast<std::int32_t>(caches[s]->length);
  }
  state_->rotations(positions);
  if (compute() == Compute::f32) {
    if (narrow)
      state_->forward_narrow<float>(view.store(), batch, caches);
    else
      state_->forward_packed<float>(view, batch, caches, tape);
  } else {
    if (narrow)
      state_->forward_narrow<kernels::Bf16>(view.store(), batch, caches);
    else
      state_->forward_packed<kernels::Bf16>(view, batch, caches, tape);
  }
  for (std::size_t s = 0; s < caches.size(); ++s) caches[s]->length += batch.segments[s].length;
  return state_->hidden;
}

}  // namespace frugal
