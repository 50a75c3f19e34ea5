// The forward of a few tokens, as in generation: bound by reading the weights once, so each product is split by rows of
// the weight over the threads and reads the weights as they lie. See decoder_state.h for the letters.
#include <cstring>

#include "frugal/nn/decoder_state.h"

namespace frugal {
namespace {

using kernels::Bf16;

constexpr std::int64_t kRows = 64;  // rows of a weight in one work item

struct Product {  // y[N, y_stride] at column `column` = x w^T + bias
  LinearIds ids;
  const float* x;
  float* y;
  std::int64_t y_stride;
};

void run_products(Threads& threads, const WeightStore& store, std::span<const Product> products, std::int64_t N) {
  struct Item {
    const Product* product;
    std::int64_t begin, end;
  };
  std::vector<Item> items;
  for (const Product& p : products) {
    const std::int64_t rows = store.spec(p.ids.weight).rows;
    for (std::int64_t begin = 0; begin < rows; begin += kRows)
      items.push_back({&p, begin, std::min(rows, begin + kRows)});
  }
  threads.run(static_cast<std::int64_t>(items.size()), [&](std::int64_t item, int) {
    const auto& [p, begin, end] = items[static_cast<std::size_t>(item)];
    store.matvec(p->ids.weight, begin, end, p->x, static_cast<std::size_t>(N), p->y + begin,
                 static_cast<std::size_t>(p->y_stride));
    if (p->ids.bias == kNoTensor) return;
    for (std::int64_t t = 0; t < N; ++t) {
      kernels::add(p->y + t * p->y_stride + begin, store.f32(p->ids.bias) + begin,
                   static_cast<std::size_t>(end - begin));
    }
  });
}

}  // namespace

template <class T>
void DecoderState::forward_narrow(PassMemory& pass, const WeightStore& store, const PackedBatch& batch,
                                  std::span<KvCache* const> caches) {
  const std::int64_t N = batch.size(), C = shape.hidden, D = shape.head_dim;
  Hidden& hidden = pass.hidden;
  hidden.branches = 1;
  hidden.tokens = N;
  hidden.width = C;
  hidden.memory.grow(static_cast<std::size_t>(N * C) * sizeof(float));
  for (std::int64_t t = 0; t < N; ++t) {
    const std::int64_t token = batch.tokens[static_cast<std::size_t>(t)];
    store.read_rows(ids.embedding, token, token + 1, hidden.at(0, t));
  }
  std::vector<float> x, projected, y;
  for (std::size_t l = 0; l < shape.layers.size(); ++l) {
    const LayerShape& layer = shape.layers[l];
    const LayerIds& id = ids.layers[l];
    const std::int64_t q_width = layer.heads * D, kv_width = layer.kv_heads * D, width = q_width + 2 * kv_width,
                       F = layer.ffn;
    x.resize(static_cast<std::size_t>(N * std::max({C, q_width, F})));
    projected.resize(static_cast<std::size_t>(N * std::max(width, 2 * F)));
    y.resize(static_cast<std::size_t>(N * C));
    const auto norm = [&](std::size_t gain) {
      kernels::rms_norm(hidden.at(0), store.f32(gain), x.data(), static_cast<std::size_t>(N),
                        static_cast<std::size_t>(C), static_cast<float>(shape.norm_eps));
    };

    norm(id.input_norm);
    const Product qkv_products[] = {{id[kQ], x.data(), projected.data(), width},
                                    {id[kK], x.data(), projected.data() + q_width, width},
                                    {id[kV], x.data(), projected.data() + q_width + kv_width, width}};
    run_products(threads, store, qkv_products, N);
    kernels::rope(projected.data(), pass.cos.data(), pass.sin.data(), static_cast<std::size_t>(N),
                  static_cast<std::size_t>(layer.heads + layer.kv_heads), static_cast<std::size_t>(D),
                  static_cast<std::size_t>(width));
    const std::int64_t group = layer.heads / layer.kv_heads;
    threads.run(static_cast<std::int64_t>(caches.size()) * layer.kv_heads, [&](std::int64_t item, int) {
      KvCache& cache = *caches[static_cast<std::size_t>(item / layer.kv_heads)];
      const Segment& segment = batch.segments[static_cast<std::size_t>(item / layer.kv_heads)];
      const std::int64_t head = item % layer.kv_heads * D;
      T *keys = cache.keys<T>(l) + head, *values = cache.values<T>(l) + head;
      std::vector<float> scores(static_cast<std::size_t>(group * (cache.length + segment.length)));
      for (std::int64_t t = 0; t < segment.length; ++t) {
        const float* row = projected.data() + (segment.begin + t) * width;
        const std::int64_t at = cache.length + t;
        convert(row + q_width + head, keys + at * kv_width, D);
        convert(row + q_width + kv_width + head, values + at * kv_width, D);
        kernels::attend(row + group * head, keys, values, x.data() + (segment.begin + t) * q_width + group * head,
                        static_cast<std::size_t>(group), static_cast<std::size_t>(at + 1), static_cast<std::size_t>(D),
                        static_cast<std::size_t>(kv_width), scores.data());
      }
    });

    const Product o[] = {{id[kO], x.data(), y.data(), C}};
    run_products(threads, store, o, N);
    kernels::add(hidden.at(0), y.data(), static_cast<std::size_t>(N * C));
    norm(id.post_norm);
    const Product gate_up[] = {{id[kGate], x.data(), projected.data(), 2 * F},
                               {id[kUp], x.data(), projected.data() + F, 2 * F}};
    run_products(threads, store, gate_up, N);
    for (std::int64_t t = 0; t < N; ++t) {
      float* gate = projected.data() + t * 2 * F;
      kernels::silu_mul(gate, gate + F, static_cast<std::size_t>(F));
      std::copy_n(gate, F, x.data() + t * F);
    }
    const Product down[] = {{id[kDown], x.data(), y.data(), C}};
    run_products(threads, store, down, N);
    kernels::add(hidden.at(0), y.data(), static_cast<std::size_t>(N * C));
  }
}

template void DecoderState::forward_narrow<float>(PassMemory&, const WeightStore&, const PackedBatch&,
                                                  std::span<KvCache* const>);
template void DecoderState::forward_narrow<kernels::Bf16>(PassMemory&, const WeightStore&, const PackedBatch&,
                                                          std::span<KvCache* const>);

}  // namespace frugal
