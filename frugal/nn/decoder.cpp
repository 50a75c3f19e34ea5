#include "frugal/nn/decoder.h"

#include <cmath>
#include <numbers>
#include <string>

#include "frugal/base/error.h"
#include "frugal/nn/decoder_backward.h"
#include "frugal/nn/decoder_pass.h"

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

DecoderState::DecoderState(const ModelShape& shape_, Threads& threads_, Compute compute_)
    : shape(shape_),
      ids(shape_),
      threads(threads_),
      compute(compute_),
      inverse_frequencies(make_inverse_frequencies(shape_)),
      scratch(static_cast<std::size_t>(threads_.slots())),
      pair_scratch(static_cast<std::size_t>(threads_.slots())) {}
DecoderState::~DecoderState() = default;

std::unique_ptr<PassMemory> DecoderState::take_memory() {
  if (resting.empty()) return std::make_unique<PassMemory>();
  std::unique_ptr<PassMemory> memory = std::move(resting.back());
  resting.pop_back();
  memory->head_tape.rows.clear();
  memory->dhidden_tokens = 0;
  return memory;
}

void DecoderState::rotations(PassMemory& pass, const std::vector<std::int32_t>& positions) const {
  std::vector<float>&cos = pass.cos, &sin = pass.sin;
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
    : state_(std::make_unique<DecoderState>(shape, threads, compute)) {}
Decoder::~Decoder() = default;
const ModelShape& Decoder::shape() const { return state_->shape; }
Compute Decoder::compute() const { return state_->compute; }

std::unique_ptr<Pass> Decoder::forward(const WeightView& view, const PackedBatch& batch,
                                       std::span<KvCache* const> caches) {
  return std::make_unique<DecoderPass>(*state_, view, batch, caches, nullptr);
}

std::unique_ptr<RecordedPass> Decoder::record(const WeightView& view, const PackedBatch& batch, const TapePlan& plan) {
  return std::make_unique<DecoderPass>(*state_, view, batch, std::span<KvCache* const>(), &plan);
}

DecoderPass::DecoderPass(DecoderState& state, const WeightView& view, const PackedBatch& batch,
                         std::span<KvCache* const> caches, const TapePlan* plan)
    : state_(state), view_(view), batch_(batch) {
  const std::int64_t vocab = state.shape.vocab;
  for (const std::int32_t token : batch.tokens) {
    if (token < 0 || token >= vocab) {
      throw Error(Exit::input,
                  "token id " + std::to_string(token) + " is outside the vocabulary of " + std::to_string(vocab),
                  "use the tokenizer that belongs to the model");
    }
  }
  memory_ = state.take_memory();
  PassMemory& pass = *memory_;
  pass.is_recorded = plan != nullptr;
  if (plan != nullptr) pass.tape.begin(*plan);
  Tape* tape = plan != nullptr ? &pass.tape : nullptr;
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
  state.rotations(pass, positions);
  if (state.compute == Compute::f32) {
    if (narrow)
      state.forward_narrow<float>(pass, view.store(), batch, caches);
    else
      state.forward_packed<float>(pass, view, batch, caches, tape);
  } else {
    if (narrow)
      state.forward_narrow<kernels::Bf16>(pass, view.store(), batch, caches);
    else
      state.forward_packed<kernels::Bf16>(pass, view, batch, caches, tape);
  }
  for (std::size_t s = 0; s < caches.size(); ++s) caches[s]->length += batch.segments[s].length;
}

DecoderPass::~DecoderPass() { state_.resting.push_back(std::move(memory_)); }

PassMemory& DecoderPass::usable() const {
  if (is_used_up_)
    throw Error(Exit::internal, "a pass is used after its backward", "report this with the command you ran");
  return *memory_;
}

}  // namespace frugal
