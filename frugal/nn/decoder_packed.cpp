// The forward of a packed batch: see decoder.h for the plan of work, decoder_state.h for the letters.
#include <cstring>

#include "frugal/nn/layer_pairs.h"

namespace frugal {
namespace {

using kernels::Bf16;

void add_bias(float* y, const float* bias, std::int64_t n, std::int64_t m, std::int64_t stride) {
  for (std::int64_t r = 0; r < n; ++r) kernels::add(y + r * stride, bias, static_cast<std::size_t>(m));
}
void add_bias(Bf16* y, const float* bias, std::int64_t n, std::int64_t m, std::int64_t stride) {
  std::vector<float> row(static_cast<std::size_t>(m));
  for (std::int64_t r = 0; r < n; ++r) {
    kernels::to_float(y + r * stride, row.data(), row.size());
    kernels::add(row.data(), bias, row.size());
    kernels::to_bf16(row.data(), y + r * stride, row.size());
  }
}

}  // namespace

template <class T>
void DecoderState::reserve(PassMemory& pass, const WeightView& view, std::int64_t tokens, bool is_recorded) {
  Hidden& hidden = pass.hidden;
  const int branches = view.branches();
  hidden.branches = branches;
  hidden.tokens = tokens;
  hidden.width = shape.hidden;
  hidden.memory.grow(static_cast<std::size_t>(branches * tokens * shape.hidden) * sizeof(float));
  std::size_t most_qkv = 0, most_rest = 0, most_bias = 0, most_row = 0, most_attended = 0;
  for (std::size_t l = 0; l < shape.layers.size(); ++l) {
    const LayerLayout at(shape, shape.layers[l]);
    const std::int64_t width = ffn_blocks(at, ids.layers[l], view, sizeof(T), is_recorded).width;
    most_qkv = std::max(most_qkv, at.qkv_size());
    most_rest = std::max(most_rest, at.gate_at() + static_cast<std::size_t>(3 * width * at.C));
    most_bias = std::max(most_bias, at.bias_size());
    most_row = std::max(most_row, static_cast<std::size_t>(at.qkv_width));
    most_attended = std::max(most_attended, static_cast<std::size_t>(at.q_width));
  }
  const auto n = static_cast<std::size_t>(tokens);
  qkv.grow(branches, n * most_row * sizeof(T));
  attended.grow(branches, n * most_attended * sizeof(T));
  panels_qkv.grow(branches, most_qkv * sizeof(T), view.shares_weights());
  panels_rest.grow(branches, most_rest * sizeof(T), view.shares_weights());
  gains.grow(branches, static_cast<std::size_t>(2 * shape.hidden) * sizeof(float));
  biases.grow(branches, most_bias * sizeof(float));
}

template <class T>
void DecoderState::forward_packed(PassMemory& pass, const WeightView& view, const PackedBatch& batch,
                                  std::span<KvCache* const> caches, Tape* tape) {
  const int B = view.branches();
  const std::int64_t N = batch.size(), chunk = chunk_tokens(N, B), chunks = (N + chunk - 1) / chunk;
  reserve<T>(pass, view, N, tape != nullptr);
  const Hidden& hidden = pass.hidden;
  threads.run(chunks, [&](std::int64_t item, int) {  // embedding rows, made only for the tokens that occur
    for (std::int64_t t = item * chunk; t < std::min(N, (item + 1) * chunk); ++t) {
      float* out[Preparation<T>::kMaxBranches];
      for (int b = 0; b < B; ++b) out[b] = hidden.at(b, t);
      view.rows(ids.embedding, batch.tokens[static_cast<std::size_t>(t)], batch.tokens[static_cast<std::size_t>(t)] + 1,
                out);
    }
  });
  const auto qkv_of = [&](std::size_t l) {
    return l < shape.layers.size() ? prepare_qkv<T>(view, ids.layers[l], {shape, shape.layers[l]}, panels_qkv)
                                   : Preparation<T>();
  };
  const Preparation<T> first = qkv_of(0);
  threads.run(first.size(), [&](std::int64_t item, int) { first.run(view, item); });
  for (std::size_t l = 0; l < shape.layers.size(); ++l) {
    LayerTape* record = tape != nullptr && tape->records(l) ? &tape->at(l) : nullptr;
    const bool keeps = record != nullptr && tape->keeps();
    if (record != nullptr) record->input.grow(static_cast<std::size_t>(N * shape.hidden) * sizeof(float));
    const LayerPairs<T> low_rank(view, ids.layers[l], {shape, shape.layers[l]}, threads,
                                 tape == nullptr ? 0 : tape->part());
    forward_layer<T>(pass, view, batch, l, caches, record,
                     keeps               ? Recording::all
                     : record != nullptr ? Recording::input
                                         : Recording::none,
                     low_rank, qkv_of(l + 1));
  }
}

// One layer over the hidden states h [N, C] of every branch:
//   x = norm(h);  q, k, v = x Wq^T + bq, ... , q and k turned by their positions
//   a = softmax(q k^T / sqrt(D)) v, each head of queries with its head of keys, tokens seeing those before them
//   m = h + a Wo^T + bo;  x = norm(m);  h <- m + (silu(x Wg^T + bg) * (x Wu^T + bu)) Wd^T + bd
// and beside every linear what its low-rank pair makes of the same input.
// Expects the layer's q k v weights in panels_qkv, and leaves its other weights in panels_rest. Recording::again starts
// from the recorded input instead of the hidden states and stops before the down projection.
template <class T>
void DecoderState::forward_layer(PassMemory& pass, const WeightView& view, const PackedBatch& batch, std::size_t l,
                                 std::span<KvCache* const> caches, LayerTape* tape, Recording recording,
                                 const LayerPairs<T>& low_rank, const Preparation<T>& next) {
  const Hidden& hidden = pass.hidden;
  const int B = view.branches();
  const std::int64_t N = batch.size(), C = shape.hidden, D = shape.head_dim;
  const auto half = static_cast<std::size_t>(D / 2), n = static_cast<std::size_t>(N);
  const std::int64_t chunk = chunk_tokens(N, B), chunks = (N + chunk - 1) / chunk;
  const auto segments = static_cast<std::int64_t>(batch.segments.size());
  const LayerLayout at(shape, shape.layers[l]);
  const LayerIds& id = ids.layers[l];
  const bool keeps = recording == Recording::all || recording == Recording::again;
  if (keeps) {
    tape->qkv.grow(n * static_cast<std::size_t>(at.qkv_width) * sizeof(T));
    tape->attended.grow(n * static_cast<std::size_t>(at.q_width) * sizeof(T));
    tape->middle.grow(n * static_cast<std::size_t>(C) * sizeof(float));
    tape->gate_up.grow(n * static_cast<std::size_t>(2 * at.F) * sizeof(T));
  }
  const auto qkv_at = [&](int b, std::int64_t row) {
    const std::int64_t element = row * at.qkv_width;
    return keeps ? tape->qkv.as<T>() + element : qkv.at<T>(b, static_cast<std::size_t>(element));
  };
  const auto attended_at = [&](int b, std::int64_t row) {
    const std::int64_t element = row * at.q_width;
    return keeps ? tape->attended.as<T>() + element : attended.at<T>(b, static_cast<std::size_t>(element));
  };
  const FfnBlocks blocks = ffn_blocks(at, id, view, sizeof(T), tape != nullptr);
  const std::size_t scratch_bytes =
      static_cast<std::size_t>(chunk * (2 * C + (keeps ? 1 : 2) * blocks.width)) * sizeof(T);

  read_vector(view, id.input_norm, gains, 0);
  read_vector(view, id.post_norm, gains, static_cast<std::size_t>(C));
  for (std::size_t s = 0; s < kSlots; ++s) {
    const auto slot = static_cast<Slot>(s);
    if (id[slot].bias != kNoTensor) read_vector(view, id[slot].bias, biases, at.bias_at(slot));
  }

  // Norm, q k v, rotary positions.
  threads.run(B * chunks, [&](std::int64_t item, int thread) {
    const int b = static_cast<int>(item % B);
    const std::int64_t begin = item / B * chunk, rows = std::min(N, begin + chunk) - begin;
    Buffer& mine = scratch[static_cast<std::size_t>(thread)];
    mine.grow(scratch_bytes);
    const auto bytes = static_cast<std::size_t>(rows * C) * sizeof(float);
    if (recording == Recording::again)
      std::memcpy(hidden.at(b, begin), tape->input.as<float>() + begin * C, bytes);
    else if (tape != nullptr)
      std::memcpy(tape->input.as<float>() + begin * C, hidden.at(b, begin), bytes);
    kernels::rms_norm(hidden.at(b, begin), gains.at<float>(b), mine.as<T>(), static_cast<std::size_t>(rows),
                      static_cast<std::size_t>(C), static_cast<float>(shape.norm_eps));
    T* out = qkv_at(b, begin);
    linear(mine.as<T>(), panels_qkv.at<T>(b), out, {rows, C, at.qkv_width, C, at.qkv_width});
    for (const Slot slot : {kQ, kK, kV})
      low_rank.add(slot, b, at, panels_qkv.at<T>(b, static_cast<std::size_t>(at.column(slot) * C)), mine.as<T>(), C,
                   out, begin, rows, pair_scratch[static_cast<std::size_t>(thread)]);
    if (id[kQ].bias != kNoTensor) add_bias(out, biases.at<float>(b), rows, at.qkv_width, at.qkv_width);
    // q and k heads lie side by side, so one call turns both.
    kernels::rope(out, pass.cos.data() + static_cast<std::size_t>(begin) * half,
                  pass.sin.data() + static_cast<std::size_t>(begin) * half, static_cast<std::size_t>(rows),
                  static_cast<std::size_t>(at.H + at.K), static_cast<std::size_t>(D),
                  static_cast<std::size_t>(at.qkv_width));
  });

  // Attention of each sequence, of a long one by heads of keys; beside it the layer's other weights are made.
  const Preparation<T> rest = prepare_rest<T>(view, id, at, panels_rest, blocks);
  const std::int64_t parts = attention_parts(batch, at), width = at.kv_width / parts, group = at.H / at.K;
  threads.run(B * segments * parts + rest.size(), [&](std::int64_t item, int thread) {
    if (item >= B * segments * parts) return rest.run(view, item - B * segments * parts);
    const int b = static_cast<int>(item / parts % B);
    const std::int64_t index = item / parts / B, first = item % parts * width;  // columns of k and of v
    const Segment& segment = batch.segments[static_cast<std::size_t>(index)];
    const T* q = qkv_at(b, segment.begin) + group * first;
    const T* k = qkv_at(b, segment.begin) + at.q_width + first;
    T* out = attended_at(b, segment.begin) + group * first;
    AttentionShape a{segment.length, segment.length, at.H / parts, at.K / parts, D,
                     at.qkv_width,   at.qkv_width,   at.q_width};
    const auto bytes = static_cast<std::size_t>(width) * sizeof(T);
    if (!caches.empty()) {
      KvCache& cache = *caches[static_cast<std::size_t>(index)];
      for (std::int64_t r = 0; r < segment.length; ++r) {
        const std::int64_t to = (cache.length + r) * at.kv_width + first;
        std::memcpy(cache.keys<T>(l) + to, k + r * at.qkv_width, bytes);
        std::memcpy(cache.values<T>(l) + to, k + r * at.qkv_width + at.kv_width, bytes);
      }
      a.keys += cache.length;
      a.kv_stride = at.kv_width;
      return attention(q, cache.keys<T>(l) + first, cache.values<T>(l) + first, out, a);
    }
    if (segment.parent < 0) return attention(q, k, k + at.kv_width, out, a);
    const Segment& parent = batch.segments[static_cast<std::size_t>(segment.parent)];
    a.keys += parent.length;
    a.kv_stride = 2 * width;
    Buffer& mine = scratch[static_cast<std::size_t>(thread)];
    mine.grow(static_cast<std::size_t>(a.keys) * 2 * bytes);
    for (std::int64_t t = 0; t < a.keys; ++t) {
      const std::int64_t from = t < parent.length ? parent.begin + t : segment.begin + t - parent.length;
      const T* row = qkv_at(b, from) + at.q_width + first;
      std::memcpy(mine.as<T>(static_cast<std::size_t>(2 * t * width)), row, bytes);
      std::memcpy(mine.as<T>(static_cast<std::size_t>((2 * t + 1) * width)), row + at.kv_width, bytes);
    }
    attention(q, mine.as<T>(), mine.as<T>(static_cast<std::size_t>(width)), out, a);
  });

  // Output projection, norm, feed-forward, perhaps in blocks; behind them the next layer's q k v weights are made.
  for (std::int64_t block = 0; block < blocks.count; ++block) {
    const bool is_first = block == 0, is_last = block + 1 == blocks.count;
    if (!is_first) {
      const Preparation<T> part = prepare_rest<T>(view, id, at, panels_rest, blocks, block);
      threads.run(part.size(), [&](std::int64_t item, int) { part.run(view, item); });
    }
    const std::int64_t F = std::min(at.F, (block + 1) * blocks.width) - block * blocks.width;
    threads.run(B * chunks + (is_last ? next.size() : 0), [&](std::int64_t item, int thread) {
      if (item >= B * chunks) return next.run(view, item - B * chunks);
      const int b = static_cast<int>(item % B);
      const std::int64_t begin = item / B * chunk, rows = std::min(N, begin + chunk) - begin;
      Buffer& mine = scratch[static_cast<std::size_t>(thread)];
      mine.grow(scratch_bytes);
      PairScratch& beside = pair_scratch[static_cast<std::size_t>(thread)];
      T* y = mine.as<T>();
      T* wide = y + 2 * chunk * C;
      // What the blocks read outlives one of them, in place of what the projection has read.
      T* x = blocks.count > 1 ? attended_at(b, begin) : y + chunk * C;
      T* gate = keeps ? tape->gate_up.as<T>() + begin * 2 * F : wide;  // [rows, 2F]: gate, up
      const T* panel = panels_rest.at<T>(b);
      const float* bias = biases.at<float>(b);
      float* h = hidden.at(b, begin);
      if (is_first) {
        linear(attended_at(b, begin), panel, y, {rows, at.q_width, C, at.q_width, C});
        low_rank.add(kO, b, at, panel, attended_at(b, begin), at.q_width, y, begin, rows, beside);
        if (id[kO].bias != kNoTensor) add_bias(y, bias + at.o_bias(), rows, C, C);
        kernels::add(h, y, static_cast<std::size_t>(rows * C));
        if (keeps)
          std::memcpy(tape->middle.as<float>() + begin * C, h, static_cast<std::size_t>(rows * C) * sizeof(float));
        kernels::rms_norm(h, gains.at<float>(b, static_cast<std::size_t>(C)), x, static_cast<std::size_t>(rows),
                          static_cast<std::size_t>(C), static_cast<float>(shape.norm_eps));
      }
      linear(x, panel + at.gate_at(), gate, {rows, C, 2 * F, C, 2 * F});
      for (const Slot slot : {kGate, kUp})
        low_rank.add(slot, b, at, panel + at.gate_at() + at.column(slot) * C, x, C, gate, begin, rows, beside);
      if (id[kGate].bias != kNoTensor) add_bias(gate, bias + at.gate_bias(), rows, 2 * F, 2 * F);
      if (recording == Recording::again) return;
      T* activated = keeps ? wide : gate;  // a kept gate is not overwritten
      const std::int64_t stride = keeps ? F : 2 * F;
      for (std::int64_t r = 0; r < rows; ++r) {
        if (keeps) std::memcpy(activated + r * stride, gate + r * 2 * F, static_cast<std::size_t>(F) * sizeof(T));
        kernels::silu_mul(activated + r * stride, gate + r * 2 * F + F, static_cast<std::size_t>(F));
      }
      const T* down = panel + at.gate_at() + 2 * F * C;
      linear(activated, down, y, {rows, F, C, stride, C});
      low_rank.add(kDown, b, at, down, activated, stride, y, begin, rows, beside);
      if (id[kDown].bias != kNoTensor) add_bias(y, bias + at.down_bias(), rows, C, C);
      kernels::add(h, y, static_cast<std::size_t>(rows * C));
    });
  }
}

template void DecoderState::forward_packed<float>(PassMemory&, const WeightView&, const PackedBatch&,
                                                  std::span<KvCache* const>, Tape*);
template void DecoderState::forward_packed<Bf16>(PassMemory&, const WeightView&, const PackedBatch&,
                                                 std::span<KvCache* const>, Tape*);
template void DecoderState::forward_layer<float>(PassMemory&, const WeightView&, const PackedBatch&, std::size_t,
                                                 std::span<KvCache* const>, LayerTape*, Recording,
                                                 const LayerPairs<float>&, const Preparation<float>&);
template void DecoderState::forward_layer<Bf16>(PassMemory&, const WeightView&, const PackedBatch&, std::size_t,
                                                std::span<KvCache* const>, LayerTape*, Recording,
                                                const LayerPairs<Bf16>&, const Preparation<Bf16>&);

}  // namespace frugal
