#include "frugal/nn/model/decoder.h"

#include <cmath>
#include <string>

#include "frugal/base/error.h"
#include "frugal/nn/blocks/attention.h"
#include "frugal/nn/blocks/attention_backward.h"
#include "frugal/nn/blocks/feed_forward.h"
#include "frugal/nn/blocks/feed_forward_backward.h"
#include "frugal/nn/blocks/few_tokens.h"
#include "frugal/nn/model/decoder_pass.h"
#include "frugal/nn/model/rope.h"

namespace frugal {

DecoderState::DecoderState(const ModelShape& shape_, Threads& threads_, Compute compute_)
    : shape(shape_),
      ids(shape_),
      threads(threads_),
      compute(compute_),
      inverse_frequencies(make_inverse_frequencies(shape_)),
      work(threads_) {
  for (const LayerShape& layer : shape.layers) layouts.emplace_back(shape, layer);
}

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

template <class T>
LayerCall<T> DecoderState::call(PassMemory& pass, const WeightView& view, const PackedBatch& batch, std::size_t layer,
                                const LayerLayout& at, const LayerPairs<T>& pairs, LayerTape* tape,
                                Recording recording) {
  const LayerIds& id = ids.layers[layer];
  return {work,  pass,      view,
          batch, at,        id,
          pairs, layer,     static_cast<float>(shape.norm_eps),
          tape,  recording, ffn_blocks(at, id, view, sizeof(T), tape != nullptr)};
}

template <class T>
void DecoderState::reserve(PassMemory& pass, const WeightView& view, std::int64_t tokens, bool is_recorded) {
  Hidden& hidden = pass.hidden;
  const int branches = view.branches();
  hidden.branches = branches;
  hidden.tokens = tokens;
  hidden.width = shape.hidden;
  hidden.memory.grow(static_cast<std::size_t>(branches * tokens * shape.hidden) * sizeof(float));
  std::size_t most_bias = 0;
  std::int64_t most_qkv = 0, most_rest = 0, most_row = 0, most_attended = 0;
  for (std::size_t l = 0; l < layouts.size(); ++l) {
    const LayerLayout& at = layouts[l];
    most_qkv = std::max(most_qkv, at.attention.qkv_weights());
    most_rest = std::max(most_rest, at.behind(ffn_blocks(at, ids.layers[l], view, sizeof(T), is_recorded).width));
    most_bias = std::max(most_bias, at.bias_size());
    most_row = std::max(most_row, at.qkv_width);
    most_attended = std::max(most_attended, at.q_width);
  }
  const auto bytes = [](std::int64_t numbers) { return static_cast<std::size_t>(numbers) * sizeof(T); };
  work.qkv.grow(branches, bytes(tokens * most_row));
  work.attended.grow(branches, bytes(tokens * most_attended));
  work.panels_qkv.grow(branches, bytes(most_qkv), view.shares_weights());
  work.panels_rest.grow(branches, bytes(most_rest), view.shares_weights());
  work.gains.grow(branches, static_cast<std::size_t>(2 * shape.hidden) * sizeof(float));
  work.biases.grow(branches, most_bias * sizeof(float));
}

namespace {

// One layer: attention, then the feed-forward, each added to the hidden states, each left out where the layer has none.
// Expects the layer's q k v weights in panels_qkv, and leaves its other weights in panels_rest; `next`, the next
// layer's q k v weights, is made beside the last products. Recording::again starts from the recorded input instead of
// the hidden states and stops before the down projection.
template <class T>
void forward_layer(const LayerCall<T>& call, std::span<KvCache* const> caches, const Preparation<T>& next) {
  Threads& threads = call.work.threads;
  const AttentionBlock<T> attention(call, caches);
  const FeedForwardBlock<T> feed_forward(call);
  const LayerLayout& at = call.at;
  read_vectors(call.view, call.id, at, call.work);
  threads.run(call.items(), [&](std::int64_t item, int thread) {
    const Rows rows = call.rows(item, thread);
    call.record_input(rows);
    if (UnitObserver* observer = call.view.observer())
      observer->hidden(call.layer, rows.begin, rows.count, call.hidden(rows));
    if (at.has_attention()) attention.project(rows);
  });
  const Preparation<T> rest = prepare_rest<T>(call.view, call.id, at, call.work.panels_rest, call.blocks);
  threads.run(attention.items() + rest.size(), [&](std::int64_t item, int thread) {
    if (item < attention.items())
      attention.attend(item, thread);
    else
      rest.run(call.view, item - attention.items());
  });
  for (std::int64_t part = 0; part < call.blocks.count; ++part) {
    const bool is_last = part + 1 == call.blocks.count;
    if (part > 0) {
      const Preparation<T> weights = prepare_rest<T>(call.view, call.id, at, call.work.panels_rest, call.blocks, part);
      threads.run(weights.size(), [&](std::int64_t item, int) { weights.run(call.view, item); });
    }
    threads.run(call.items() + (is_last ? next.size() : 0), [&](std::int64_t item, int thread) {
      if (item >= call.items()) return next.run(call.view, item - call.items());
      const Rows rows = call.rows(item, thread);
      if (part == 0 && at.has_attention()) attention.output(rows);
      if (at.has_feed_forward()) feed_forward.run(rows, part);
    });
  }
}

}  // namespace

template <class T>
void DecoderState::forward_packed(PassMemory& pass, const WeightView& view, const PackedBatch& batch,
                                  std::span<KvCache* const> caches, const LayerRange& range, Tape* tape) {
  const int B = view.branches();
  const std::int64_t N = batch.size(), chunk = chunk_tokens(N, B), chunks = (N + chunk - 1) / chunk;
  reserve<T>(pass, view, N, tape != nullptr);
  const Hidden& hidden = pass.hidden;
  threads.run(chunks, [&](std::int64_t item, int) {  // embedding rows, made only for the tokens that occur
    for (std::int64_t t = item * chunk; t < std::min(N, (item + 1) * chunk); ++t) {
      float* out[Preparation<T>::kMaxBranches];
      for (int b = 0; b < B; ++b) out[b] = hidden.at(b, t);
      if (range.hidden != nullptr) {
        for (int b = 0; b < B; ++b) std::copy_n(range.hidden + t * shape.hidden, shape.hidden, out[b]);
        continue;
      }
      view.rows(ids.embedding, batch.tokens[static_cast<std::size_t>(t)], batch.tokens[static_cast<std::size_t>(t)] + 1,
                out);
    }
  });
  const std::size_t last = std::min(range.last, layouts.size());
  const auto qkv_of = [&](std::size_t l) {
    return l < last ? prepare_qkv<T>(view, ids.layers[l], layouts[l], work.panels_qkv) : Preparation<T>();
  };
  const Preparation<T> first = qkv_of(range.first);
  threads.run(first.size(), [&](std::int64_t item, int) { first.run(view, item); });
  for (std::size_t l = range.first; l < last; ++l) {
    LayerTape* record = tape != nullptr && tape->records(l) ? &tape->at(l) : nullptr;
    const bool keeps = record != nullptr && tape->keeps();
    if (record != nullptr) record->input.grow(static_cast<std::size_t>(N * shape.hidden) * sizeof(float));
    const LayerPairs<T> pairs(view, ids.layers[l], layouts[l], threads, tape == nullptr ? 0 : tape->part(),
                              LayerPairs<T>::For::forward);
    const Recording recording = keeps ? Recording::all : record != nullptr ? Recording::input : Recording::none;
    forward_layer<T>(call(pass, view, batch, l, layouts[l], pairs, record, recording), caches, qkv_of(l + 1));
  }
  if (UnitObserver* observer = view.observer()) observer->hidden(last, 0, N, hidden.at(0));
}

template <class T>
void DecoderState::forward_part(PassMemory& pass, const WeightView& view, const PackedBatch& batch, std::size_t l,
                                LayerPart part, float* h) {
  const std::int64_t N = batch.size();
  reserve<T>(pass, view, N, false);
  LayerShape only = shape.layers[l];
  if (part == LayerPart::attention)
    only.ffn = 0;
  else
    only.heads = only.kv_heads = 0;
  const LayerLayout at(shape, only);
  const std::size_t bytes = static_cast<std::size_t>(N * shape.hidden) * sizeof(float);
  std::memcpy(pass.hidden.at(0), h, bytes);
  const Preparation<T> qkv = prepare_qkv<T>(view, ids.layers[l], at, work.panels_qkv);
  threads.run(qkv.size(), [&](std::int64_t item, int) { qkv.run(view, item); });
  const LayerPairs<T> pairs(view, ids.layers[l], at, threads, 0, LayerPairs<T>::For::forward);
  forward_layer<T>(call(pass, view, batch, l, at, pairs, nullptr, Recording::none), {}, {});
  std::memcpy(h, pass.hidden.at(0), bytes);
}

template <class T>
void DecoderState::forward_few(PassMemory& pass, const WeightView& view, const PackedBatch& batch,
                               std::span<KvCache* const> caches) {
  const std::int64_t N = batch.size();
  Hidden& hidden = pass.hidden;
  hidden.branches = 1;
  hidden.tokens = N;
  hidden.width = shape.hidden;
  hidden.memory.grow(static_cast<std::size_t>(N * shape.hidden) * sizeof(float));
  for (std::int64_t t = 0; t < N; ++t) {
    const std::int64_t token = batch.tokens[static_cast<std::size_t>(t)];
    view.store().read_rows(ids.embedding, token, token + 1, hidden.at(0, t));
  }
  FewTokens few{threads, view, view.store(), batch, caches, pass, static_cast<float>(shape.norm_eps)};
  for (std::size_t l = 0; l < layouts.size(); ++l) {
    if (layouts[l].has_attention()) attend_few<T>(few, layouts[l], ids.layers[l], l);
    if (layouts[l].has_feed_forward()) feed_forward_few(few, layouts[l], ids.layers[l]);
  }
}

// dhidden goes from the gradient of the layer's output to that of its input, in place; a layer whose intermediates are
// not on the tape runs forward again first.
template <class T>
void DecoderState::backward_layer(PassMemory& pass, const WeightView& view, const PackedBatch& batch, std::size_t l,
                                  LayerTape& tape, bool is_recorded, std::uint32_t part, Gradients& gradients) {
  const LayerLayout& at = layouts[l];
  const LayerIds& id = ids.layers[l];
  BackwardState& back = *work.back;
  {
    const Preparation<T> qkv = prepare_qkv<T>(view, id, at, work.panels_qkv),
                         rest = prepare_rest<T>(view, id, at, work.panels_rest);
    threads.run(qkv.size() + (is_recorded ? rest.size() : 0), [&](std::int64_t item, int) {
      item < qkv.size() ? qkv.run(view, item) : rest.run(view, item - qkv.size());
    });
  }
  const LayerPairs<T> low_rank(view, id, at, threads, part, LayerPairs<T>::For::backward);
  const LayerCall<T> layer = call<T>(pass, view, batch, l, at, low_rank, &tape, Recording::again);
  if (is_recorded)
    read_vectors(view, id, at, work);
  else
    forward_layer<T>(layer, {}, {});
  const std::int64_t N = batch.size(), chunk = layer.chunk(), chunks = (N + chunk - 1) / chunk;
  const PairsBackward<T> pairs(low_rank, at, back, gradients, N, chunk);
  const std::size_t gain_shares = static_cast<std::size_t>(chunks * 2 * at.C);
  back.dgains.grow(gain_shares * sizeof(float));
  std::fill_n(back.dgains.as<float>(), gain_shares, 0.0f);
  const BackwardCall<T> backward{layer, back, pairs, gradients};
  const FeedForwardBackward<T> feed_forward(backward);
  const AttentionBackward<T> attention(backward);

  threads.run(chunks, [&](std::int64_t item, int thread) {
    const Rows rows = layer.rows(item, thread);
    if (at.has_feed_forward()) feed_forward.run(rows);
    if (at.has_attention()) attention.output(rows);
  });
  // Beside attention the gradients of weights whose inputs and outputs' gradients are there.
  const auto run = [&](const WeightGradients<T>& sums, std::int64_t item, int thread) {
    sums.run(item, work.scratch[static_cast<std::size_t>(thread)]);
  };
  WeightGradients<T> behind, before;
  feed_forward.add_gradients(behind);
  attention.add_output_gradients(behind);
  threads.run(attention.items() + behind.size(), [&](std::int64_t item, int thread) {
    item < attention.items() ? attention.attend(item, thread) : run(behind, item - attention.items(), thread);
  });
  if (at.has_attention()) {
    threads.run(chunks, [&](std::int64_t item, int thread) { attention.project(layer.rows(item, thread)); });
    attention.add_gradients(before);
    threads.run(before.size(), [&](std::int64_t item, int thread) { run(before, item, thread); });
  }
  attention.add_gain();
  feed_forward.add_gain();
  pairs.add_magnitudes();
  gradients.layer_done(l);
}

Decoder::Decoder(const ModelShape& shape, Threads& threads, Compute compute)
    : state_(std::make_unique<DecoderState>(shape, threads, compute)) {}
Decoder::~Decoder() = default;
const ModelShape& Decoder::shape() const { return state_->shape; }
Compute Decoder::compute() const { return state_->compute; }

std::unique_ptr<Pass> Decoder::forward(const WeightView& view, const PackedBatch& batch,
                                       std::span<KvCache* const> caches, const LayerRange& layers) {
  return std::make_unique<DecoderPass>(*state_, view, batch, caches, layers, nullptr);
}

std::unique_ptr<RecordedPass> Decoder::record(const WeightView& view, const PackedBatch& batch, const TapePlan& plan) {
  return std::make_unique<DecoderPass>(*state_, view, batch, std::span<KvCache* const>(), LayerRange(), &plan);
}

void Decoder::run_part(const WeightView& view, const PackedBatch& batch, std::size_t layer, LayerPart part,
                       float* hidden) {
  const LayerShape& own = state_->shape.layers[layer];
  if ((part == LayerPart::attention ? own.heads : own.ffn) == 0) return;
  std::unique_ptr<PassMemory> memory = state_->take_memory();
  state_->rotations(*memory, batch.positions);
  if (state_->compute == Compute::f32)
    state_->forward_part<float>(*memory, view, batch, layer, part, hidden);
  else
    state_->forward_part<kernels::Bf16>(*memory, view, batch, layer, part, hidden);
  state_->resting.push_back(std::move(memory));
}

DecoderPass::DecoderPass(DecoderState& state, const WeightView& view, const PackedBatch& batch,
                         std::span<KvCache* const> caches, const LayerRange& layers, const TapePlan* plan)
    : state_(state), view_(view), batch_(batch) {
  const std::int64_t vocab = state.shape.vocab;
  for (const std::int32_t token : batch.tokens) {
    if (token < 0 || token >= vocab) {
      throw Error(Exit::input,
                  "token id " + std::to_string(token) + " is outside the vocabulary of " + std::to_string(vocab),
                  "use the tokenizer that belongs to the model");
    }
  }
  if (plan != nullptr && !state.layouts.empty() && view.mask(0, 0) != nullptr)
    throw Error(Exit::internal, "a masked view has no backward", "report this with the command you ran");
  memory_ = state.take_memory();
  PassMemory& pass = *memory_;
  pass.is_recorded = plan != nullptr;
  if (plan != nullptr) pass.tape.begin(*plan);
  Tape* tape = plan != nullptr ? &pass.tape : nullptr;
  constexpr std::int64_t kNarrow = 8, kNarrowSequences = 32;
  const auto segments = static_cast<std::int64_t>(batch.segments.size());
  const bool is_step = batch.size() == segments && segments <= kNarrowSequences;  // a token more of each sequence
  const bool narrow =
      view.takes_few_tokens() && !caches.empty() && (is_step || (segments == 1 && batch.size() <= kNarrow));
  std::vector<std::int32_t> positions = batch.positions;
  for (std::size_t s = 0; s < caches.size(); ++s) {
    const Segment& segment = batch.segments[s];
    for (std::int64_t t = 0; t < segment.length; ++t)
      positions[static_cast<std::size_t>(segment.begin + t)] += static_cast<std::int32_t>(caches[s]->length);
  }
  state.rotations(pass, positions);
  if (state.compute == Compute::f32) {
    if (narrow)
      state.forward_few<float>(pass, view, batch, caches);
    else
      state.forward_packed<float>(pass, view, batch, caches, layers, tape);
  } else {
    if (narrow)
      state.forward_few<kernels::Bf16>(pass, view, batch, caches);
    else
      state.forward_packed<kernels::Bf16>(pass, view, batch, caches, layers, tape);
  }
  for (std::size_t s = 0; s < caches.size(); ++s) caches[s]->length += batch.segments[s].length;
}

DecoderPass::~DecoderPass() { state_.resting.push_back(std::move(memory_)); }

void DecoderPass::backward(Gradients& gradients, const HiddenLoss& hidden) {
  DecoderState& s = state_;
  PassMemory& pass = usable();
  if (pass.dhidden_tokens != batch_.size())
    throw Error(Exit::internal, "backward without the head's gradient", "report this with the command you ran");
  is_used_up_ = true;
  BackwardState& back = *s.work.back;
  Tape& tape = pass.tape;
  back.minus_sin.resize(pass.sin.size());
  std::transform(pass.sin.begin(), pass.sin.end(), back.minus_sin.begin(), [](float x) { return -x; });
  const auto layers = static_cast<std::int64_t>(s.layouts.size());
  for (std::int64_t l = layers - 1; l >= std::max<std::int64_t>(0, gradients.lowest_layer()); --l) {
    const auto layer = static_cast<std::size_t>(l);
    if (hidden)
      hidden(layer, l + 1 == layers ? pass.hidden.at(0) : tape.at(layer + 1).input.as<float>(),
             pass.dhidden.as<float>());
    LayerTape& own = tape.at(layer);
    if (!tape.keeps()) std::swap(back.again.input, own.input);  // one layer's intermediates serve all
    LayerTape& of = tape.keeps() ? own : back.again;
    if (s.compute == Compute::f32)
      s.backward_layer<float>(pass, view_, batch_, layer, of, tape.keeps(), tape.part(), gradients);
    else
      s.backward_layer<kernels::Bf16>(pass, view_, batch_, layer, of, tape.keeps(), tape.part(), gradients);
    if (!tape.keeps()) std::swap(back.again.input, own.input);
  }
  if (const GradientSum embedding = gradients.of(s.ids.embedding);
      gradients.lowest_layer() < 0 && embedding.sum != nullptr) {
    for (std::int64_t t = 0; t < batch_.size(); ++t) {
      const std::int64_t C = s.shape.hidden, row = batch_.tokens[static_cast<std::size_t>(t)];
      kernels::add(embedding.sum + row * C, pass.dhidden.as<float>() + t * C, static_cast<std::size_t>(C));
    }
  }
}

PassMemory& DecoderPass::usable() const {
  if (is_used_up_)
    throw Error(Exit::internal, "a pass is used after its backward", "report this with the command you ran");
  return *memory_;
}

}  // namespace frugal
