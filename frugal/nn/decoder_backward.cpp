// The backward of a packed batch, a layer at a time: see decoder.h, decoder_state.h for the letters, decoder_layer.h
// for the layout.
#include "frugal/nn/decoder_backward.h"

#include "frugal/base/error.h"
#include "frugal/core/attention_backward.h"
#include "frugal/core/kernels/backward.h"
#include "frugal/nn/decoder_pass.h"
#include "frugal/nn/pairs_backward.h"

namespace frugal {

template <class T, class E>
void DecoderState::backward_attention(const PackedBatch& batch, const LayerLayout& at, const LayerTape& tape,
                                      std::int64_t root, std::int64_t part, std::int64_t parts, int thread) {
  auto& [q, kv, dout, dq, dkv, scores] = back->attention[static_cast<std::size_t>(thread)];
  // Of the part's heads: k and v lie side by side.
  const std::int64_t W = at.qkv_width, Q = at.q_width / parts, K = at.kv_width / parts, KV = 2 * K,
                     of_keys = at.q_width + part * K, of_values = of_keys + at.kv_width;
  const Segment& parent = batch.segments[static_cast<std::size_t>(root)];
  std::int64_t longest = 0;
  for (const Segment& s : batch.segments) longest = std::max(longest, s.parent == root ? s.length : 0);
  const std::int64_t queries = std::max(parent.length, longest), keys = parent.length + longest;
  for (Buffer* buffer : {&q, &dout}) buffer->grow(static_cast<std::size_t>(queries * Q) * sizeof(E));
  kv.grow(static_cast<std::size_t>(keys * KV) * sizeof(E));
  dq.grow(static_cast<std::size_t>(queries * Q) * sizeof(float));
  dkv.grow(static_cast<std::size_t>(keys * KV) * sizeof(float));
  std::fill_n(dkv.as<float>(), keys * KV, 0.0f);

  // One segment over the parent's keys and its own, which begin at row `own`; its dk and dv are left there.
  const auto run = [&](const Segment& s, std::int64_t own) {
    for (std::int64_t t = 0; t < s.length; ++t) {
      const T* row = tape.qkv.as<T>() + (s.begin + t) * W;
      E* to = kv.as<E>() + (own + t) * KV;
      convert(row + part * Q, q.as<E>() + t * Q, Q);
      convert(row + of_keys, to, K);
      convert(row + of_values, to + K, K);
      convert(back->dattended.as<T>() + (s.begin + t) * at.q_width + part * Q, dout.as<E>() + t * Q, Q);
    }
    attention_backward(q.as<E>(), kv.as<E>(), kv.as<E>() + K, dout.as<E>(), dq.as<float>(), dkv.as<float>(),
                       dkv.as<float>() + K, {s.length, own + s.length, at.H / parts, at.K / parts, at.D, Q, KV},
                       scores);
    for (std::int64_t t = 0; t < s.length; ++t)
      convert(dq.as<float>() + t * Q, back->dqkv.as<T>() + (s.begin + t) * W + part * Q, Q);
  };
  const auto write = [&](const Segment& s, std::int64_t own) {
    for (std::int64_t t = 0; t < s.length; ++t) {
      const float* from = dkv.as<float>() + (own + t) * KV;
      T* row = back->dqkv.as<T>() + (s.begin + t) * W;
      convert(from, row + of_keys, K);
      convert(from + K, row + of_values, K);
    }
  };
  run(parent, 0);
  for (const Segment& s : batch.segments) {
    if (s.parent != root) continue;
    std::fill_n(dkv.as<float>() + parent.length * KV, longest * KV, 0.0f);
    run(s, parent.length);
    write(s, parent.length);
  }
  write(parent, 0);
}

// With h the layer's input, m what attention leaves and y its output (forward_layer has the formulas), dhidden goes
// from dy to dh in place, d. being the loss's gradient by it:
//   feed-forward: dp = dy Wd, p = silu(g) * u; dg, du by silu's derivative; dx = dg Wg + du Wu; dm = dy + norm's of dx
//   attention: da = dm Wo; dq, dk, dv from da and the scores made again, turned back; dx = dq Wq + dk Wk + dv Wv;
//   dh = dm + norm's of dx
// and where they are wanted dW = dy^T x of each linear (its output's gradient, its input), db = sums of dy, and those
// of the norms' gains. Gate and up on the tape become their gradients.
template <class T>
void DecoderState::backward_layer(PassMemory& pass, const WeightView& view, const PackedBatch& batch, std::size_t l,
                                  LayerTape& tape, bool is_recorded, std::uint32_t part, Gradients& gradients) {
  const LayerLayout at(shape, shape.layers[l]);
  const LayerIds& id = ids.layers[l];
  BackwardState& b = *back;
  const std::int64_t N = batch.size(), C = at.C, F = at.F, chunk = chunk_tokens(N, 1), chunks = (N + chunk - 1) / chunk;
  const auto half = static_cast<std::size_t>(at.D / 2);
  const auto eps = static_cast<float>(shape.norm_eps);
  const auto bytes = [&](std::int64_t width) { return static_cast<std::size_t>(N * width) * sizeof(T); };

  {
    const Preparation<T> qkv_panels = prepare_qkv<T>(view, id, at, panels_qkv),
                         rest = prepare_rest<T>(view, id, at, panels_rest);
    const std::int64_t first = qkv_panels.size();
    threads.run(first + (is_recorded ? rest.size() : 0), [&](std::int64_t item, int) {
      item < first ? qkv_panels.run(view, item) : rest.run(view, item - first);
    });
  }
  const LayerPairs<T> low_rank(view, id, at, threads, part);
  if (is_recorded) {
    read_vector(view, id.input_norm, gains, 0);
    read_vector(view, id.post_norm, gains, static_cast<std::size_t>(C));
  } else {
    forward_layer<T>(pass, view, batch, l, {}, &tape, Recording::again, low_rank, {});
  }
  const auto wants = [&](Slot slot) {
    return gradients.of(id[slot].weight).is_wanted() || low_rank.pair(slot).rank > 0;
  };
  const bool wants_input = wants(kQ) || wants(kK) || wants(kV), wants_middle = wants(kGate) || wants(kUp);
  const GradientSum input_gain = gradients.of(id.input_norm), middle_gain = gradients.of(id.post_norm);
  const bool goes_on = gradients.lowest_layer() < static_cast<std::int64_t>(l) || input_gain.sum != nullptr;
  b.dout.grow(bytes(C));
  b.dmiddle.grow(bytes(C));
  b.dattended.grow(bytes(at.q_width));
  b.dqkv.grow(bytes(at.qkv_width));
  if (wants(kDown)) b.activated.grow(bytes(F));
  if (wants_middle) b.normed_middle.grow(bytes(C));
  if (wants_input) b.normed_input.grow(bytes(C));
  PairsBackward<T> pairs(low_rank, at, b, gradients, N, chunk);
  b.dgains.grow(static_cast<std::size_t>(chunks * 2 * C) * sizeof(float));
  std::fill_n(b.dgains.as<float>(), chunks * 2 * C, 0.0f);
  const auto share = [&](const GradientSum& gain, std::int64_t begin, std::int64_t which) {
    return gain.sum == nullptr ? nullptr : b.dgains.as<float>() + (begin / chunk * 2 + which) * C;
  };

  // Feed-forward and output projection, rows of tokens.
  threads.run(chunks, [&](std::int64_t item, int thread) {
    const std::int64_t begin = item * chunk, rows = std::min(N, begin + chunk) - begin;
    const auto n = static_cast<std::size_t>(rows), c = static_cast<std::size_t>(C);
    Buffer& mine = scratch[static_cast<std::size_t>(thread)];
    mine.grow(static_cast<std::size_t>(chunk * (F + C)) * sizeof(T));
    T* dproduct = mine.as<T>();
    T* dx = dproduct + chunk * F;
    T* dy = b.dout.as<T>() + begin * C;
    T* gate = tape.gate_up.as<T>() + begin * 2 * F;
    float* dh = pass.dhidden.as<float>() + begin * C;
    const float* middle = tape.middle.as<float>() + begin * C;
    const T* panel = panels_rest.at<T>(0);
    PairScratch& beside = pair_scratch[static_cast<std::size_t>(thread)];
    const auto gate_panel = [&](Slot slot) { return panel + at.gate_at() + at.column(slot) * C; };
    convert(dh, dy, rows * C);
    T* activated = wants(kDown) ? b.activated.as<T>() + begin * F : nullptr;
    if (low_rank.pair(kDown).factor != nullptr) {  // the magnitude's gradient reads it before silu's backward makes it
      for (std::int64_t r = 0; r < rows; ++r) {
        std::copy_n(gate + r * 2 * F, F, activated + r * F);
        kernels::silu_mul(activated + r * F, gate + r * 2 * F + F, static_cast<std::size_t>(F));
      }
    }
    pairs.magnitude(kDown, panel + at.down_at(), dy, activated, F, begin, rows, beside);
    linear_input_gradient(dy, panel + at.down_at(), dproduct, {rows, F, C, F, C});
    pairs.input_gradient(kDown, panel + at.down_at(), dy, dproduct, F, begin, rows, beside);
    for (std::int64_t r = 0; r < rows; ++r) {
      kernels::silu_mul_backward(gate + r * 2 * F, gate + r * 2 * F + F, dproduct + r * F,
                                 activated == nullptr ? nullptr : activated + r * F, static_cast<std::size_t>(F));
    }
    pairs.inner(kDown, activated, F, begin, rows);
    if (wants_middle) {
      T* x = b.normed_middle.as<T>() + begin * C;
      kernels::rms_norm(middle, gains.at<float>(0, c), x, n, c, eps);
      for (const Slot slot : {kGate, kUp}) {
        pairs.magnitude(slot, gate_panel(slot), gate, x, C, begin, rows, beside);
        pairs.inner(slot, x, C, begin, rows);
      }
    }
    linear_input_gradient(gate, panel + at.gate_at(), dx, {rows, C, 2 * F, C, 2 * F});
    for (const Slot slot : {kGate, kUp}) pairs.input_gradient(slot, gate_panel(slot), gate, dx, C, begin, rows, beside);
    kernels::rms_norm_backward(middle, gains.at<float>(0, c), dx, dh, share(middle_gain, begin, 1), n, c, eps);
    T* dm = b.dmiddle.as<T>() + begin * C;
    convert(dh, dm, rows * C);
    T* dattended = b.dattended.as<T>() + begin * at.q_width;
    const T* seen = tape.attended.as<T>() + begin * at.q_width;
    pairs.magnitude(kO, panel, dm, seen, at.q_width, begin, rows, beside);
    linear_input_gradient(dm, panel, dattended, {rows, at.q_width, C, at.q_width, C});
    pairs.input_gradient(kO, panel, dm, dattended, at.q_width, begin, rows, beside);
    pairs.inner(kO, seen, at.q_width, begin, rows);
  });

  // Attention, a prompt and its continuations as one item, of a long one by heads of keys; beside it the weights that
  // are done.
  const auto add_weight = [&](WeightGradients<T>& work, Slot slot, const T* dy, const T* x) {
    work.add(gradients.of(id[slot].weight), dy + at.column(slot), at.row_width(slot), x, at.in(slot), N, at.out(slot),
             at.in(slot));
    if (id[slot].bias != kNoTensor)
      work.add_bias(gradients.of(id[slot].bias).sum, dy + at.column(slot), at.row_width(slot), N, at.out(slot));
    pairs.add_gradients(slot, dy, x, work);
  };
  WeightGradients<T> rest_work, qkv_work;
  add_weight(rest_work, kDown, b.dout.as<T>(), b.activated.as<T>());
  for (const Slot slot : {kGate, kUp}) add_weight(rest_work, slot, tape.gate_up.as<T>(), b.normed_middle.as<T>());
  add_weight(rest_work, kO, b.dmiddle.as<T>(), tape.attended.as<T>());
  std::vector<std::int64_t> roots;
  for (std::size_t s = 0; s < batch.segments.size(); ++s) {
    if (batch.segments[s].parent < 0) roots.push_back(static_cast<std::int64_t>(s));
  }
  const std::int64_t parts = attention_parts(batch, at), items = static_cast<std::int64_t>(roots.size()) * parts;
  const bool in_bf16 = std::is_same_v<T, kernels::Bf16> && kernels::has_bf16_products();
  const auto attention =
      in_bf16 ? &DecoderState::backward_attention<T, kernels::Bf16> : &DecoderState::backward_attention<T, float>;
  threads.run(items + rest_work.size(), [&](std::int64_t item, int thread) {
    if (item < items)
      (this->*attention)(batch, at, tape, roots[static_cast<std::size_t>(item / parts)], item % parts, parts, thread);
    else
      rest_work.run(item - items, scratch[static_cast<std::size_t>(thread)]);
  });

  // Rotation, q k v, norm.
  threads.run(chunks, [&](std::int64_t item, int thread) {
    const std::int64_t begin = item * chunk, rows = std::min(N, begin + chunk) - begin;
    const auto n = static_cast<std::size_t>(rows), c = static_cast<std::size_t>(C);
    Buffer& mine = scratch[static_cast<std::size_t>(thread)];
    mine.grow(static_cast<std::size_t>(chunk * C) * sizeof(T));
    T* dx = goes_on ? mine.as<T>() : nullptr;
    T* dy = b.dqkv.as<T>() + begin * at.qkv_width;
    const float* input = tape.input.as<float>() + begin * C;
    PairScratch& beside = pair_scratch[static_cast<std::size_t>(thread)];
    const auto qkv_panel = [&](Slot slot) {
      return panels_qkv.at<T>(0, static_cast<std::size_t>(at.column(slot) * C));
    };
    kernels::rope(dy, pass.cos.data() + static_cast<std::size_t>(begin) * half,
                  b.minus_sin.data() + static_cast<std::size_t>(begin) * half, n, static_cast<std::size_t>(at.H + at.K),
                  static_cast<std::size_t>(at.D), static_cast<std::size_t>(at.qkv_width));
    if (wants_input) {
      T* x = b.normed_input.as<T>() + begin * C;
      kernels::rms_norm(input, gains.at<float>(0), x, n, c, eps);
      for (const Slot slot : {kQ, kK, kV}) {
        pairs.magnitude(slot, qkv_panel(slot), dy, x, C, begin, rows, beside);
        pairs.inner(slot, x, C, begin, rows);
      }
    }
    if (goes_on) linear_input_gradient(dy, panels_qkv.at<T>(0), dx, {rows, C, at.qkv_width, C, at.qkv_width});
    for (const Slot slot : {kQ, kK, kV}) pairs.input_gradient(slot, qkv_panel(slot), dy, dx, C, begin, rows, beside);
    if (goes_on)
      kernels::rms_norm_backward(input, gains.at<float>(0), dx, pass.dhidden.as<float>() + begin * C,
                                 share(input_gain, begin, 0), n, c, eps);
  });
  for (const Slot slot : {kQ, kK, kV}) add_weight(qkv_work, slot, b.dqkv.as<T>(), b.normed_input.as<T>());
  threads.run(qkv_work.size(),
              [&](std::int64_t item, int thread) { qkv_work.run(item, scratch[static_cast<std::size_t>(thread)]); });
  for (std::int64_t i = 0; i < chunks; ++i) {
    if (input_gain.sum != nullptr)
      kernels::add(input_gain.sum, share(input_gain, i * chunk, 0), static_cast<std::size_t>(C));
    if (middle_gain.sum != nullptr)
      kernels::add(middle_gain.sum, share(middle_gain, i * chunk, 1), static_cast<std::size_t>(C));
  }
  pairs.add_magnitudes();
  gradients.layer_done(l);
}

void DecoderPass::backward(Gradients& gradients) {
  DecoderState& s = state_;
  PassMemory& pass = usable();
  if (pass.dhidden_tokens != batch_.size())
    throw Error(Exit::internal, "backward without the head's gradient", "report this with the command you ran");
  is_used_up_ = true;
  BackwardState& b = *s.back;
  Tape& tape = pass.tape;
  b.minus_sin.resize(pass.sin.size());
  std::transform(pass.sin.begin(), pass.sin.end(), b.minus_sin.begin(), [](float x) { return -x; });
  for (auto l = static_cast<std::int64_t>(s.shape.layers.size()) - 1;
       l >= std::max<std::int64_t>(0, gradients.lowest_layer()); --l) {
    const auto layer = static_cast<std::size_t>(l);
    LayerTape& own = tape.at(layer);
    if (!tape.keeps()) std::swap(b.again.input, own.input);  // one layer's intermediates serve all
    LayerTape& of = tape.keeps() ? own : b.again;
    if (s.compute == Compute::f32)
      s.backward_layer<float>(pass, view_, batch_, layer, of, tape.keeps(), tape.part(), gradients);
    else
      s.backward_layer<kernels::Bf16>(pass, view_, batch_, layer, of, tape.keeps(), tape.part(), gradients);
    if (!tape.keeps()) std::swap(b.again.input, own.input);
  }
  if (const GradientSum embedding = gradients.of(s.ids.embedding);
      gradients.lowest_layer() < 0 && embedding.sum != nullptr) {
    for (std::int64_t t = 0; t < batch_.size(); ++t) {
      const std::int64_t C = s.shape.hidden, row = batch_.tokens[static_cast<std::size_t>(t)];
      kernels::add(embedding.sum + row * C, pass.dhidden.as<float>() + t * C, static_cast<std::size_t>(C));
    }
  }
}

}  // namespace frugal
