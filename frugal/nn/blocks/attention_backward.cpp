#include "frugal/nn/blocks/attention_backward.h"

#include "frugal/core/attention_backward.h"
#include "frugal/nn/blocks/attention.h"

namespace frugal {

template <class T>
AttentionBackward<T>::AttentionBackward(const BackwardCall<T>& call) : call_(call) {
  const LayerLayout& at = call.layer.at;
  if (!at.has_attention()) return;
  const auto& segments = call.layer.batch.segments;
  for (std::size_t s = 0; s < segments.size(); ++s) {
    if (segments[s].parent < 0) roots_.push_back(static_cast<std::int64_t>(s));
  }
  parts_ = attention_parts(call.layer.batch, at);
  goes_on_ = call.gradients.lowest_layer() < static_cast<std::int64_t>(call.layer.layer) || gain().sum != nullptr;
  BackwardState& back = call.back;
  back.dmiddle.grow(call.bytes(at.C));
  back.dattended.grow(call.bytes(at.q_width));
  back.dqkv.grow(call.bytes(at.qkv_width));
  if (wants_input()) back.normed_input.grow(call.bytes(at.C));
}

template <class T>
void AttentionBackward<T>::output(const Rows& r) const {
  const LayerLayout& at = call_.layer.at;
  const T* panel = call_.layer.work.panels_rest.template at<T>(0);
  PairScratch& beside = call_.layer.pair_scratch(r);
  T* dm = call_.back.dmiddle.template as<T>() + r.begin * at.C;
  convert(call_.dhidden(r), dm, r.count * at.C);
  T* dattended = call_.back.dattended.template as<T>() + r.begin * at.q_width;
  const T* seen = call_.layer.attended(0, r.begin);
  call_.pairs.magnitude(kO, panel, dm, seen, at.q_width, r.begin, r.count, beside);
  linear_input_gradient(dm, panel, dattended, {r.count, at.q_width, at.C, at.q_width, at.C});
  call_.pairs.input_gradient(kO, panel, dm, dattended, at.q_width, r.begin, r.count, beside);
  call_.pairs.inner(kO, seen, at.q_width, r.begin, r.count);
}

template <class T>
void AttentionBackward<T>::attend(std::int64_t item, int thread) const {
  if (std::is_same_v<T, kernels::Bf16> && kernels::has_bf16_products())
    attend_in<kernels::Bf16>(item, thread);
  else
    attend_in<float>(item, thread);
}

template <class T>
template <class E>
void AttentionBackward<T>::attend_in(std::int64_t item, int thread) const {
  const LayerLayout& at = call_.layer.at;
  const PackedBatch& batch = call_.layer.batch;
  const LayerTape& tape = *call_.layer.tape;
  BackwardState& back = call_.back;
  const std::int64_t root = roots_[static_cast<std::size_t>(item / parts_)], part = item % parts_, parts = parts_;
  auto& [q, kv, dout, dq, dkv, scores] = back.attention[static_cast<std::size_t>(thread)];
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
      convert(back.dattended.as<T>() + (s.begin + t) * at.q_width + part * Q, dout.as<E>() + t * Q, Q);
    }
    attention_backward(q.as<E>(), kv.as<E>(), kv.as<E>() + K, dout.as<E>(), dq.as<float>(), dkv.as<float>(),
                       dkv.as<float>() + K, {s.length, own + s.length, at.H / parts, at.K / parts, at.D, Q, KV},
                       scores);
    for (std::int64_t t = 0; t < s.length; ++t)
      convert(dq.as<float>() + t * Q, back.dqkv.as<T>() + (s.begin + t) * W + part * Q, Q);
  };
  const auto write = [&](const Segment& s, std::int64_t own) {
    for (std::int64_t t = 0; t < s.length; ++t) {
      const float* from = dkv.as<float>() + (own + t) * KV;
      T* row = back.dqkv.as<T>() + (s.begin + t) * W;
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

template <class T>
void AttentionBackward<T>::project(const Rows& r) const {
  const LayerCall<T>& layer = call_.layer;
  const LayerLayout& at = layer.at;
  const auto half = static_cast<std::size_t>(at.D / 2), begin = static_cast<std::size_t>(r.begin);
  const std::int64_t C = at.C, rows = r.count;
  Buffer& mine = layer.work.scratch[static_cast<std::size_t>(r.thread)];
  mine.grow(static_cast<std::size_t>(layer.chunk() * C) * sizeof(T));
  T* dx = goes_on_ ? mine.as<T>() : nullptr;
  T* dy = call_.back.dqkv.template as<T>() + r.begin * at.qkv_width;
  const float* input = layer.tape->input.template as<float>() + r.begin * C;
  const NormBlock norm = layer.norm(0, 0);
  PairScratch& beside = layer.pair_scratch(r);
  const T* panel = layer.work.panels_qkv.template at<T>(0);
  const auto of = [&](Slot slot) { return panel + at.column(slot) * C; };
  kernels::rope(dy, layer.pass.cos.data() + begin * half, call_.back.minus_sin.data() + begin * half,
                static_cast<std::size_t>(rows), static_cast<std::size_t>(at.H + at.K), static_cast<std::size_t>(at.D),
                static_cast<std::size_t>(at.qkv_width));
  if (wants_input()) {
    T* x = call_.back.normed_input.template as<T>() + r.begin * C;
    norm.forward(input, x, rows);
    for (const Slot slot : {kQ, kK, kV}) {
      call_.pairs.magnitude(slot, of(slot), dy, x, C, r.begin, rows, beside);
      call_.pairs.inner(slot, x, C, r.begin, rows);
    }
  }
  if (goes_on_) linear_input_gradient(dy, panel, dx, {rows, C, at.qkv_width, C, at.qkv_width});
  for (const Slot slot : {kQ, kK, kV}) call_.pairs.input_gradient(slot, of(slot), dy, dx, C, r.begin, rows, beside);
  if (goes_on_) norm.backward(input, dx, call_.dhidden(r), call_.gain_share(gain(), r, 0), rows);
}

template <class T>
void AttentionBackward<T>::add_output_gradients(WeightGradients<T>& work) const {
  if (!call_.layer.at.has_attention()) return;
  call_.add_gradients(kO, call_.back.dmiddle.template as<T>(), call_.layer.attended(0, 0), work);
}

template <class T>
void AttentionBackward<T>::add_gradients(WeightGradients<T>& work) const {
  for (const Slot slot : {kQ, kK, kV})
    call_.add_gradients(slot, call_.back.dqkv.template as<T>(), call_.back.normed_input.template as<T>(), work);
}

template <class T>
void AttentionBackward<T>::add_gain() const {
  call_.add_gain_shares(gain(), 0);
}

template class AttentionBackward<float>;
template class AttentionBackward<kernels::Bf16>;

}  // namespace frugal
