// The forward of a packed batch: see decoder.h for the plan of work, decoder_state.h for the letters.
#include <cstring>

#include "frugal/nn/decoder_state.h"

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

// One layer's sizes and where its weights and biases lie in the panels.
struct LayerLayout {
  LayerLayout(const ModelShape& shape, const LayerShape& layer)
      : C(shape.hidden), D(shape.head_dim), H(layer.heads), K(layer.kv_heads), F(layer.ffn), q_width(H * D), kv_width(K * D),
        qkv_width(q_width + 2 * kv_width) {}
  std::int64_t C, D, H, K, F, q_width, kv_width, qkv_width;
  std::size_t qkv_size() const { return static_cast<std::size_t>(qkv_width * C); }
  std::size_t gate_at() const { return static_cast<std::size_t>(C * q_width); }
  std::size_t down_at() const { return gate_at() + static_cast<std::size_t>(2 * F * C); }
  std::size_t rest_size() const { return down_at() + static_cast<std::size_t>(C * F); }
  std::size_t o_bias() const { return static_cast<std::size_t>(qkv_width); }
  std::size_t gate_bias() const { return o_bias() + static_cast<std::size_t>(C); }
  std::size_t down_bias() const { return gate_bias() + static_cast<std::size_t>(2 * F); }
  std::size_t bias_size() const { return down_bias() + static_cast<std::size_t>(C); }
};

// Vectors are small: made by the caller's thread for all branches.
void read_vector(const WeightView& view, std::size_t id, const BranchBuffer& to, std::size_t element) {
  float* out[8];
  for (int b = 0; b < view.branches(); ++b) out[b] = to.at<float>(b, element);
  view.rows(id, 0, 1, out);
}

}  // namespace

template <class T>
void Decoder::State::forward_packed(const WeightView& view, const PackedBatch& batch, KvCache* cache) {
  const int B = view.branches();
  const std::int64_t N = batch.size(), C = shape.hidden, D = shape.head_dim;
  const auto half = static_cast<std::size_t>(D / 2);
  const std::int64_t chunk = chunk_tokens(N, B), chunks = (N + chunk - 1) / chunk;
  const auto segments = static_cast<std::int64_t>(batch.segments.size());

  hidden.branches = B;
  hidden.tokens = N;
  hidden.width = C;
  hidden.memory.grow(static_cast<std::size_t>(B * N * C) * sizeof(float));
  std::size_t most_qkv = 0, most_rest = 0, most_bias = 0, most_row = 0, most_attended = 0, most_chunk = 0;
  for (const LayerShape& layer : shape.layers) {
    const LayerLayout at(shape, layer);
    most_qkv = std::max(most_qkv, at.qkv_size());
    most_rest = std::max(most_rest, at.rest_size());
    most_bias = std::max(most_bias, at.bias_size());
    most_row = std::max(most_row, static_cast<std::size_t>(at.qkv_width));
    most_attended = std::max(most_attended, static_cast<std::size_t>(at.q_width));
    most_chunk = std::max(most_chunk, static_cast<std::size_t>(2 * C + 2 * at.F));
  }
  const auto n = static_cast<std::size_t>(N);
  qkv.grow(B, n * most_row * sizeof(T));
  attended.grow(B, n * most_attended * sizeof(T));
  panels_qkv.grow(B, most_qkv * sizeof(T));
  panels_rest.grow(B, most_rest * sizeof(T));
  gains.grow(B, static_cast<std::size_t>(2 * C) * sizeof(float));
  biases.grow(B, most_bias * sizeof(float));

  threads.run(chunks, [&](std::int64_t item, int) {  // embedding rows, made only for the tokens that occur
    for (std::int64_t t = item * chunk; t < std::min(N, (item + 1) * chunk); ++t) {
      float* out[Preparation<T>::kMaxBranches];
      for (int b = 0; b < B; ++b) out[b] = hidden.at(b, t);
      view.rows(ids.embedding, batch.tokens[static_cast<std::size_t>(t)], batch.tokens[static_cast<std::size_t>(t)] + 1, out);
    }
  });

  const auto prepare_qkv = [&](std::size_t l) {
    Preparation<T> work;
    const LayerLayout at(shape, shape.layers[l]);
    work.add(view, ids.layers[l].q.weight, panels_qkv, 0, 0, at.q_width);
    work.add(view, ids.layers[l].k.weight, panels_qkv, static_cast<std::size_t>(at.q_width * C), 0, at.kv_width);
    work.add(view, ids.layers[l].v.weight, panels_qkv, static_cast<std::size_t>((at.q_width + at.kv_width) * C), 0, at.kv_width);
    return work;
  };
  {
    const Preparation<T> work = prepare_qkv(0);
    threads.run(work.size(), [&](std::int64_t item, int) { work.run(view, item); });
  }

  for (std::size_t l = 0; l < shape.layers.size(); ++l) {
    const LayerLayout at(shape, shape.layers[l]);
    const LayerIds& id = ids.layers[l];
    read_vector(view, id.input_norm, gains, 0);
    read_vector(view, id.post_norm, gains, static_cast<std::size_t>(C));
    if (id.q.bias != kNoTensor) {
      read_vector(view, id.q.bias, biases, 0);
      read_vector(view, id.k.bias, biases, static_cast<std::size_t>(at.q_width));
      read_vector(view, id.v.bias, biases, static_cast<std::size_t>(at.q_width + at.kv_width));
      if (id.o.bias != kNoTensor) read_vector(view, id.o.bias, biases, at.o_bias());
    }
    if (id.gate.bias != kNoTensor) {
      read_vector(view, id.gate.bias, biases, at.gate_bias());
      read_vector(view, id.up.bias, biases, at.gate_bias() + static_cast<std::size_t>(at.F));
      read_vector(view, id.down.bias, biases, at.down_bias());
    }

    // Norm, q k v, rotary positions.
    threads.run(B * chunks, [&](std::int64_t item, int thread) {
      const int b = static_cast<int>(item % B);
      const std::int64_t begin = item / B * chunk, rows = std::min(N, begin + chunk) - begin;
      Buffer& mine = scratch[static_cast<std::size_t>(thread)];
      mine.grow(static_cast<std::size_t>(chunk) * most_chunk * sizeof(T));
      kernels::rms_norm(hidden.at(b, begin), gains.at<float>(b), mine.as<T>(), static_cast<std::size_t>(rows), static_cast<std::size_t>(C),
                        static_cast<float>(shape.norm_eps));
      T* out = qkv.at<T>(b, static_cast<std::size_t>(begin * at.qkv_width));
      linear(mine.as<T>(), panels_qkv.at<T>(b), out, {rows, C, at.qkv_width, C, at.qkv_width});
      if (id.q.bias != kNoTensor) add_bias(out, biases.at<float>(b), rows, at.qkv_width, at.qkv_width);
      // q and k heads lie side by side, so one call turns both.
      kernels::rope(out, cos.data() + static_cast<std::size_t>(begin) * half, sin.data() + static_cast<std::size_t>(begin) * half,
                    static_cast<std::size_t>(rows), static_cast<std::size_t>(at.H + at.K), static_cast<std::size_t>(D),
                    static_cast<std::size_t>(at.qkv_width));
      if (cache != nullptr) {
        for (std::int64_t r = 0; r < rows; ++r) {
          const std::int64_t to = (cache->length + begin + r) * at.kv_width;
          std::memcpy(cache->keys<T>(l) + to, out + r * at.qkv_width + at.q_width, static_cast<std::size_t>(at.kv_width) * sizeof(T));
          std::memcpy(cache->values<T>(l) + to, out + r * at.qkv_width + at.q_width + at.kv_width,
                      static_cast<std::size_t>(at.kv_width) * sizeof(T));
        }
      }
    });

    // Attention of each sequence; beside it the layer's other weights are made.
    Preparation<T> rest;
    rest.add(view, id.o.weight, panels_rest, 0, 0, C);
    rest.add(view, id.gate.weight, panels_rest, at.gate_at(), 0, at.F);
    rest.add(view, id.up.weight, panels_rest, at.gate_at() + static_cast<std::size_t>(at.F * C), 0, at.F);
    rest.add(view, id.down.weight, panels_rest, at.down_at(), 0, C);
    threads.run(B * segments + rest.size(), [&](std::int64_t item, int thread) {
      if (item >= B * segments) return rest.run(view, item - B * segments);
      const int b = static_cast<int>(item % B);
      const Segment& segment = batch.segments[static_cast<std::size_t>(item / B)];
      const T* own = qkv.at<T>(b, static_cast<std::size_t>(segment.begin * at.qkv_width));
      T* out = attended.at<T>(b, static_cast<std::size_t>(segment.begin * at.q_width));
      AttentionShape a{segment.length, segment.length, at.H, at.K, D, at.qkv_width, at.qkv_width, at.q_width};
      if (cache != nullptr) {
        a.keys += cache->length;
        a.kv_stride = at.kv_width;
        return attention(own, cache->keys<T>(l), cache->values<T>(l), out, a);
      }
      if (segment.parent < 0) return attention(own, own + at.q_width, own + at.q_width + at.kv_width, out, a);
      const Segment& parent = batch.segments[static_cast<std::size_t>(segment.parent)];
      a.keys += parent.length;
      a.kv_stride = 2 * at.kv_width;
      const auto pair = static_cast<std::size_t>(2 * at.kv_width);  // k and v lie side by side
      Buffer& mine = scratch[static_cast<std::size_t>(thread)];
      mine.grow(static_cast<std::size_t>(a.keys) * pair * sizeof(T));
      for (std::int64_t t = 0; t < a.keys; ++t) {
        const std::int64_t from = t < parent.length ? parent.begin + t : segment.begin + t - parent.length;
        std::memcpy(mine.as<T>(static_cast<std::size_t>(t) * pair),
                    qkv.at<T>(b, static_cast<std::size_t>(from * at.qkv_width + at.q_width)), pair * sizeof(T));
      }
      attention(own, mine.as<T>(), mine.as<T>(static_cast<std::size_t>(at.kv_width)), out, a);
    });

    // Output projection, norm, feed-forward; behind them the next layer's q k v weights are made.
    const Preparation<T> next = l + 1 < shape.layers.size() ? prepare_qkv(l + 1) : Preparation<T>();
    threads.run(B * chunks + next.size(), [&](std::int64_t item, int thread) {
      if (item >= B * chunks) return next.run(view, item - B * chunks);
      const int b = static_cast<int>(item % B);
      const std::int64_t begin = item / B * chunk, rows = std::min(N, begin + chunk) - begin;
      Buffer& mine = scratch[static_cast<std::size_t>(thread)];
      mine.grow(static_cast<std::size_t>(chunk) * most_chunk * sizeof(T));
      T* x = mine.as<T>();
      T* y = x + chunk * C;
      T* gate = y + chunk * C;  // [rows, 2F]: gate, up
      const T* panel = panels_rest.at<T>(b);
      const float* bias = biases.at<float>(b);
      float* h = hidden.at(b, begin);
      linear(attended.at<T>(b, static_cast<std::size_t>(begin * at.q_width)), panel, y, {rows, at.q_width, C, at.q_width, C});
      if (id.o.bias != kNoTensor) add_bias(y, bias + at.o_bias(), rows, C, C);
      kernels::add(h, y, static_cast<std::size_t>(rows * C));
      kernels::rms_norm(h, gains.at<float>(b, static_cast<std::size_t>(C)), x, static_cast<std::size_t>(rows), static_cast<std::size_t>(C),
                        static_cast<float>(shape.norm_eps));
      linear(x, panel + at.gate_at(), gate, {rows, C, 2 * at.F, C, 2 * at.F});
      if (id.gate.bias != kNoTensor) add_bias(gate, bias + at.gate_bias(), rows, 2 * at.F, 2 * at.F);
      for (std::int64_t r = 0; r < rows; ++r) {
        kernels::silu_mul(gate + r * 2 * at.F, gate + r * 2 * at.F + at.F, static_cast<std::size_t>(at.F));
      }
      linear(gate, panel + at.down_at(), y, {rows, at.F, C, 2 * at.F, C});
      if (id.down.bias != kNoTensor) add_bias(y, bias + at.down_bias(), rows, C, C);
      kernels::add(h, y, static_cast<std::size_t>(rows * C));
    });
  }
}

template void Decoder::State::forward_packed<float>(const WeightView&, const PackedBatch&, KvCache*);
template void Decoder::State::forward_packed<kernels::Bf16>(const WeightView&, const PackedBatch&, KvCache*);

}  // namespace frugal
