#include "frugal/nn/blocks/attention.h"

namespace frugal {

std::int64_t attention_parts(const PackedBatch& batch, const LayerLayout& at) {
  const auto is_long = [](const Segment& segment) { return segment.length >= kLongSegment; };
  return std::any_of(batch.segments.begin(), batch.segments.end(), is_long) ? at.K : 1;
}

template <class T>
AttentionBlock<T>::AttentionBlock(const LayerCall<T>& call, std::span<KvCache* const> caches)
    : call_(call),
      caches_(caches),
      segments_(call.at.has_attention() ? static_cast<std::int64_t>(call.batch.segments.size()) : 0),
      parts_(call.at.has_attention() ? attention_parts(call.batch, call.at) : 1) {
  if (!call.keeps() || !call.at.has_attention()) return;
  const auto n = static_cast<std::size_t>(call.tokens());
  call.tape->qkv.grow(n * static_cast<std::size_t>(call.at.qkv_width) * sizeof(T));
  call.tape->attended.grow(n * static_cast<std::size_t>(call.at.q_width) * sizeof(T));
}

template <class T>
void AttentionBlock<T>::project(const Rows& r) const {
  const LayerLayout& at = call_.at;
  const auto half = static_cast<std::size_t>(at.D / 2);
  T* x = call_.scratch(r);
  call_.norm(r.branch, 0).forward(call_.hidden(r), x, r.count);
  T* out = call_.qkv(r.branch, r.begin);
  const T* panel = call_.work.panels_qkv.template at<T>(r.branch);
  linear(x, panel, out, {r.count, at.C, at.qkv_width, at.C, at.qkv_width});
  for (const Slot slot : {kQ, kK, kV})
    call_.pairs.add(slot, r.branch, at, panel + at.column(slot) * at.C, x, at.C, out, r.begin, r.count,
                    call_.pair_scratch(r));
  call_.add_bias(kQ, r, out, at.qkv_width);
  // q and k heads lie side by side, so one call turns both.
  const PassMemory& pass = call_.pass;
  kernels::rope(out, pass.cos.data() + static_cast<std::size_t>(r.begin) * half,
                pass.sin.data() + static_cast<std::size_t>(r.begin) * half, static_cast<std::size_t>(r.count),
                static_cast<std::size_t>(at.H + at.K), static_cast<std::size_t>(at.D),
                static_cast<std::size_t>(at.qkv_width));
}

template <class T>
void AttentionBlock<T>::attend(std::int64_t item, int thread) const {
  const LayerLayout& at = call_.at;
  const PackedBatch& batch = call_.batch;
  const int B = call_.view.branches(), b = static_cast<int>(item / parts_ % B);
  const std::int64_t index = item / parts_ / B, width = at.kv_width / parts_, group = at.H / at.K,
                     first = item % parts_ * width;  // columns of k and of v
  const Segment& segment = batch.segments[static_cast<std::size_t>(index)];
  const T* q = call_.qkv(b, segment.begin) + group * first;
  const T* k = call_.qkv(b, segment.begin) + at.q_width + first;
  T* out = call_.attended(b, segment.begin) + group * first;
  AttentionShape a{segment.length, segment.length, at.H / parts_, at.K / parts_,
                   at.D,           at.qkv_width,   at.qkv_width,  at.q_width};
  const auto bytes = static_cast<std::size_t>(width) * sizeof(T);
  if (!caches_.empty()) {
    KvCache& cache = *caches_[static_cast<std::size_t>(index)];
    T *keys = cache.keys<T>(call_.layer), *values = cache.values<T>(call_.layer);
    for (std::int64_t r = 0; r < segment.length; ++r) {
      const std::int64_t to = (cache.length + r) * at.kv_width + first;
      std::memcpy(keys + to, k + r * at.qkv_width, bytes);
      std::memcpy(values + to, k + r * at.qkv_width + at.kv_width, bytes);
    }
    a.keys += cache.length;
    a.kv_stride = at.kv_width;
    return attention(q, keys + first, values + first, out, a);
  }
  if (segment.parent < 0) return attention(q, k, k + at.kv_width, out, a);
  // The parent's keys and values, then its own, side by side.
  const Segment& parent = batch.segments[static_cast<std::size_t>(segment.parent)];
  a.keys += parent.length;
  a.kv_stride = 2 * width;
  Buffer& mine = call_.work.scratch[static_cast<std::size_t>(thread)];
  mine.grow(static_cast<std::size_t>(a.keys) * 2 * bytes);
  for (std::int64_t t = 0; t < a.keys; ++t) {
    const std::int64_t from = t < parent.length ? parent.begin + t : segment.begin + t - parent.length;
    const T* row = call_.qkv(b, from) + at.q_width + first;
    std::memcpy(mine.as<T>(static_cast<std::size_t>(2 * t * width)), row, bytes);
    std::memcpy(mine.as<T>(static_cast<std::size_t>((2 * t + 1) * width)), row + at.kv_width, bytes);
  }
  attention(q, mine.as<T>(), mine.as<T>(static_cast<std::size_t>(width)), out, a);
}

template <class T>
void AttentionBlock<T>::output(const Rows& r) const {
  const LayerLayout& at = call_.at;
  const T* panel = call_.work.panels_rest.template at<T>(r.branch);
  T *y = call_.scratch(r), *attended = call_.attended(r.branch, r.begin);
  if (const UnitMask* mask = call_.view.mask(call_.layer, r.branch)) {
    for (std::int64_t row = 0; row < r.count; ++row) {
      for (const std::int32_t head : mask->heads) std::fill_n(attended + row * at.q_width + head * at.D, at.D, T{});
    }
  }
  if (UnitObserver* observer = call_.view.observer())
    observer->attended(call_.layer, r.begin, r.count, attended, at.q_width);
  linear(attended, panel, y, {r.count, at.q_width, at.C, at.q_width, at.C});
  call_.pairs.add(kO, r.branch, at, panel, attended, at.q_width, y, r.begin, r.count, call_.pair_scratch(r));
  call_.add_bias(kO, r, y, at.C);
  kernels::add(call_.hidden(r), y, static_cast<std::size_t>(r.count * at.C));
}

template class AttentionBlock<float>;
template class AttentionBlock<kernels::Bf16>;

}  // namespace frugal
