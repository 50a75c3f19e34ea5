// The backward of a packed batch, a layer at a time: see decoder.h, decoder_state.h for the letters, decoder_layer.h
// for the layout.
#include "frugal/nn/decoder_backward.h"

#include "frugal/base/error.h"
#include "frugal/core/attention_backward.h"
#include "frugal/core/kernels/backward.h"

namespace frugal {
namespace {

// A low-rank pair's part in a linear's backward, for rows [first, first + rows): du <- dy b, u <- x a^T, both scaled,
// and dx += du a.
template <class T>
struct PairBackward {
  const LowRankLayer<T>& low_rank;
  const LayerLayout& at;
  BackwardState& back;
  Buffer* scratch;
  std::int64_t first, rows;

  void input_gradient(Slot slot, const T* dy, T* dx, std::int64_t dx_stride) const {
    const auto& pair = low_rank[slot];
    if (pair.rank == 0) return;
    T* du = back.du[slot].template as<T>() + first * pair.rank;
    const std::int64_t in = at.in(slot), out = at.out(slot);
    linear_input_gradient(dy + at.column(slot), pair.b_scaled, du,
                          {rows, pair.rank, out, pair.rank, at.row_width(slot)});
    if (dx == nullptr) return;
    if (!low_rank.has_dropout()) {
      return linear_input_gradient(du, pair.a, dx, {rows, in, pair.rank, dx_stride, pair.rank, true});
    }
    scratch[0].grow(static_cast<std::size_t>(rows * in) * sizeof(T));
    T* dropped = scratch[0].as<T>();
    linear_input_gradient(du, pair.a, dropped, {rows, in, pair.rank, in, pair.rank});
    low_rank.drop_gradient(slot, dropped, first, rows, in);
    for (std::int64_t r = 0; r < rows; ++r)
      kernels::add(dx + r * dx_stride, dropped + r * in, static_cast<std::size_t>(in));
  }
  void inner(Slot slot, const T* x, std::int64_t stride) const {
    const auto& pair = low_rank[slot];
    if (pair.rank == 0) return;
    const auto seen = low_rank.dropped(slot, x, stride, first, rows, at.in(slot), scratch[0]);
    linear(seen.data, pair.a_scaled, back.u[slot].template as<T>() + first * pair.rank,
           {rows, at.in(slot), pair.rank, seen.stride, pair.rank});
  }
};

}  // namespace

// The factors' gradients: db = dy^T u, da = du^T dropout(x).
template <class T>
void Decoder::State::add_pair_gradients(const LowRankLayer<T>& low_rank, Slot slot, const LayerLayout& at, const T* dy,
                                        const T* x, std::int64_t tokens, Gradients& gradients,
                                        WeightGradients<T>& work) {
  const auto& pair = low_rank[slot];
  if (pair.rank == 0) return;
  const LowRankSum to = gradients.of_low_rank(pair.id);
  const std::int64_t in = at.in(slot);
  if (low_rank.has_dropout() && to.a != nullptr) {
    Buffer& all = back->dropped[slot];
    all.grow(static_cast<std::size_t>(tokens * in) * sizeof(T));
    for (std::int64_t r = 0; r < tokens; r += 64) {
      const std::int64_t rows = std::min<std::int64_t>(64, tokens - r);
      const auto seen = low_rank.dropped(slot, x + r * in, in, r, rows, in, low_rank_scratch[0][0]);
      std::copy_n(seen.data, rows * in, all.as<T>() + r * in);
    }
    x = all.as<T>();
  }
  work.add({to.b}, dy + at.column(slot), at.row_width(slot), back->u[slot].template as<T>(), pair.rank, tokens,
           at.out(slot), pair.rank);
  work.add({to.a}, back->du[slot].template as<T>(), pair.rank, x, in, tokens, pair.rank, in);
}

template <class T>
void Decoder::State::backward_attention(const PackedBatch& batch, const LayerLayout& at, const LayerTape& tape,
                                        std::int64_t root, int thread) {
  auto& [q, kv, dout, dq, dkv, scores] = back->attention[static_cast<std::size_t>(thread)];
  const std::int64_t W = at.qkv_width, Q = at.q_width, KV = 2 * at.kv_width;  // k and v lie side by side
  const Segment& parent = batch.segments[static_cast<std::size_t>(root)];
  std::int64_t longest = 0;
  for (const Segment& s : batch.segments) longest = std::max(longest, s.parent == root ? s.length : 0);
  const std::int64_t queries = std::max(parent.length, longest), keys = parent.length + longest;
  for (Buffer* buffer : {&q, &dout, &dq}) buffer->grow(static_cast<std::size_t>(queries * Q) * sizeof(float));
  for (Buffer* buffer : {&kv, &dkv}) buffer->grow(static_cast<std::size_t>(keys * KV) * sizeof(float));
  std::fill_n(dkv.as<float>(), keys * KV, 0.0f);

  // One segment over the parent's keys and its own, which begin at row `own`; its dk and dv are left there.
  const auto run = [&](const Segment& s, std::int64_t own) {
    for (std::int64_t t = 0; t < s.length; ++t) {
      const T* row = tape.qkv.as<T>() + (s.begin + t) * W;
      convert(row, q.as<float>() + t * Q, Q);
      convert(row + Q, kv.as<float>() + (own + t) * KV, KV);
      convert(back->dattended.as<T>() + (s.begin + t) * Q, dout.as<float>() + t * Q, Q);
    }
    attention_backward(q.as<float>(), kv.as<float>(), kv.as<float>() + at.kv_width, dout.as<float>(), dq.as<float>(),
                       dkv.as<float>(), dkv.as<float>() + at.kv_width,
                       {s.length, own + s.length, at.H, at.K, at.D, Q, KV}, scores);
    for (std::int64_t t = 0; t < s.length; ++t)
      convert(dq.as<float>() + t * Q, back->dqkv.as<T>() + (s.begin + t) * W, Q);
  };
  const auto write = [&](const Segment& s, std::int64_t own) {
    for (std::int64_t t = 0; t < s.length; ++t)
      convert(dkv.as<float>() + (own + t) * KV, back->dqkv.as<T>() + (s.begin + t) * W + Q, KV);
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

template <class T>
void Decoder::State::backward_layer(const WeightView& view, const PackedBatch& batch, std::size_t l, LayerTape& tape,
                                    bool is_recorded, Gradients& gradients) {
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
  if (is_recorded) {
    read_vector(view, id.input_norm, gains, 0);
    read_vector(view, id.post_norm, gains, static_cast<std::size_t>(C));
  } else {
    forward_layer<T>(view, batch, l, {}, &tape, Recording::again, {});
  }
  const LowRankLayer<T> low_rank(view, id, at);
  const auto wants = [&](Slot slot) { return gradients.of(id[slot].weight).is_wanted() || low_rank[slot].rank > 0; };
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
  for (std::size_t s = 0; s < kSlots; ++s) {
    b.u[s].grow(bytes(low_rank[static_cast<Slot>(s)].rank));
    b.du[s].grow(bytes(low_rank[static_cast<Slot>(s)].rank));
  }
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
    float* dh = b.dhidden.as<float>() + begin * C;
    const float* middle = tape.middle.as<float>() + begin * C;
    const T* panel = panels_rest.at<T>(0);
    const PairBackward<T> pairs{low_rank, at,  b, low_rank_scratch[static_cast<std::size_t>(thread)].data(),
                                begin,    rows};
    convert(dh, dy, rows * C);
    linear_input_gradient(dy, panel + at.down_at(), dproduct, {rows, F, C, F, C});
    pairs.input_gradient(kDown, dy, dproduct, F);
    T* activated = wants(kDown) ? b.activated.as<T>() + begin * F : nullptr;
    for (std::int64_t r = 0; r < rows; ++r) {
      kernels::silu_mul_backward(gate + r * 2 * F, gate + r * 2 * F + F, dproduct + r * F,
                                 activated == nullptr ? nullptr : activated + r * F, static_cast<std::size_t>(F));
    }
    pairs.inner(kDown, activated, F);
    linear_input_gradient(gate, panel + at.gate_at(), dx, {rows, C, 2 * F, C, 2 * F});
    for (const Slot slot : {kGate, kUp}) pairs.input_gradient(slot, gate, dx, C);
    if (wants_middle) {
      T* x = b.normed_middle.as<T>() + begin * C;
      kernels::rms_norm(middle, gains.at<float>(0, c), x, n, c, eps);
      for (const Slot slot : {kGate, kUp}) pairs.inner(slot, x, C);
    }
    kernels::rms_norm_backward(middle, gains.at<float>(0, c), dx, dh, share(middle_gain, begin, 1), n, c, eps);
    T* dm = b.dmiddle.as<T>() + begin * C;
    convert(dh, dm, rows * C);
    T* dattended = b.dattended.as<T>() + begin * at.q_width;
    linear_input_gradient(dm, panel, dattended, {rows, at.q_width, C, at.q_width, C});
    pairs.input_gradient(kO, dm, dattended, at.q_width);
    pairs.inner(kO, tape.attended.as<T>() + begin * at.q_width, at.q_width);
  });

  // Attention, a prompt and its continuations as one item; beside it the weights that are done.
  const auto add_weight = [&](WeightGradients<T>& work, Slot slot, const T* dy, const T* x) {
    work.add(gradients.of(id[slot].weight), dy + at.column(slot), at.row_width(slot), x, at.in(slot), N, at.out(slot),
             at.in(slot));
    if (id[slot].bias != kNoTensor)
      work.add_bias(gradients.of(id[slot].bias).sum, dy + at.column(slot), at.row_width(slot), N, at.out(slot));
    add_pair_gradients(low_rank, slot, at, dy, x, N, gradients, work);
  };
  WeightGradients<T> rest_work, qkv_work;
  add_weight(rest_work, kDown, b.dout.as<T>(), b.activated.as<T>());
  for (const Slot slot : {kGate, kUp}) add_weight(rest_work, slot, tape.gate_up.as<T>(), b.normed_middle.as<T>());
  add_weight(rest_work, kO, b.dmiddle.as<T>(), tape.attended.as<T>());
  std::vector<std::int64_t> roots;
  for (std::size_t s = 0; s < batch.segments.size(); ++s) {
    if (batch.segments[s].parent < 0) roots.push_back(static_cast<std::int64_t>(s));
  }
  const auto families = static_cast<std::int64_t>(roots.size());
  threads.run(families + rest_work.size(), [&](std::int64_t item, int thread) {
    if (item < families)
      backward_attention<T>(batch, at, tape, roots[static_cast<std::size_t>(item)], thread);
    else
      rest_work.run(item - families, scratch[static_cast<std::size_t>(thread)]);
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
    const PairBackward<T> pairs{low_rank, at,  b, low_rank_scratch[static_cast<std::size_t>(thread)].data(),
                                begin,    rows};
    kernels::rope(dy, cos.data() + static_cast<std::size_t>(begin) * half,
                  b.minus_sin.data() + static_cast<std::size_t>(begin) * half, n, static_cast<std::size_t>(at.H + at.K),
                  static_cast<std::size_t>(at.D), static_cast<std::size_t>(at.qkv_width));
    if (goes_on) linear_input_gradient(dy, panels_qkv.at<T>(0), dx, {rows, C, at.qkv_width, C, at.qkv_width});
    for (const Slot slot : {kQ, kK, kV}) pairs.input_gradient(slot, dy, dx, C);
    if (wants_input) {
      T* x = b.normed_input.as<T>() + begin * C;
      kernels::rms_norm(input, gains.at<float>(0), x, n, c, eps);
      for (const Slot slot : {kQ, kK, kV}) pairs.inner(slot, x, C);
    }
    if (goes_on)
      kernels::rms_norm_backward(input, gains.at<float>(0), dx, b.dhidden.as<float>() + begin * C,
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
  gradients.layer_done(l);
}

void Decoder::backward(const WeightView& view, const PackedBatch& batch, Tape& tape, Gradients& gradients) {
  State& s = *state_;
  BackwardState& b = *s.back;
  if (b.tokens != batch.size())
    throw Error(Exit::internal, "backward without the head's gradient", "report this with the command you ran");
  b.minus_sin.resize(s.sin.size());
  std::transform(s.sin.begin(), s.sin.end(), b.minus_sin.begin(), [](float x) { return -x; });
  LayerTape again;
  for (auto l = static_cast<std::int64_t>(shape().layers.size()) - 1;
       l >= std::max<std::int64_t>(0, gradients.lowest_layer()); --l) {
    const auto layer = static_cast<std::size_t>(l);
    LayerTape& own = tape.at(layer);
    if (!tape.keeps()) std::swap(again.input, own.input);  // one layer's intermediates serve all
    LayerTape& of = tape.keeps() ? own : again;
    if (s.compute == Compute::f32)
      s.backward_layer<float>(view, batch, layer, of, tape.keeps(), gradients);
    else
      s.backward_layer<kernels::Bf16>(view, batch, layer, of, tape.keeps(), gradients);
    if (!tape.keeps()) std::swap(again.input, own.input);
  }
  if (const GradientSum embedding = gradients.of(s.ids.embedding);
      gradients.lowest_layer() < 0 && embedding.sum != nullptr) {
    for (std::int64_t t = 0; t < batch.size(); ++t) {
      const std::int64_t C = shape().hidden, row = batch.tokens[static_cast<std::size_t>(t)];
      kernels::add(embedding.sum + row * C, b.dhidden.as<float>() + t * C, static_cast<std::size_t>(C));
    }
  }
  b.tokens = 0;
}

}  // namespace frugal
