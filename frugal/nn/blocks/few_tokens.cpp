#include "frugal/nn/blocks/few_tokens.h"

#include "frugal/nn/blocks/norm.h"

namespace frugal {
namespace {

constexpr std::int64_t kRows = 64;  // rows of a weight in one work item

struct Product {  // y[N, y_stride] = x w^T + bias, and what the pair beside w makes of x
  LinearIds ids;
  const float* x;
  float* y;
  std::int64_t y_stride;
};

// y[N, y_stride] = x[N, cols] w[rows, cols]^T in fp32
void product(const float* w, std::int64_t rows, std::int64_t cols, const float* x, std::int64_t N, float* y,
             std::int64_t y_stride) {
  for (std::int64_t t = 0; t < N; t += kernels::kMatvecTokens)
    kernels::matvec(w, x + t * cols, y + t * y_stride,
                    std::min(kernels::kMatvecTokens, static_cast<std::size_t>(N - t)), static_cast<std::size_t>(rows),
                    static_cast<std::size_t>(cols), static_cast<std::size_t>(y_stride));
}

// scale x a^T, [N, rank]; empty: no pair.
std::vector<float> between_factors(const WeightView& view, const Product& p, std::int64_t N) {
  const LowRankPair* pair = view.low_rank(p.ids.weight);
  if (pair == nullptr) return {};
  std::vector<float> u(static_cast<std::size_t>(N * pair->rank));
  product(pair->a, pair->rank, view.store().spec(p.ids.weight).cols, p.x, N, u.data(), pair->rank);
  for (float& value : u) value *= pair->scale;
  return u;
}

void run_products(FewTokens& call, std::span<const Product> products) {
  struct Item {
    std::size_t product;
    std::int64_t begin, end;
  };
  const std::int64_t N = call.batch.size();
  std::vector<Item> items;
  std::vector<std::vector<float>> between;
  for (std::size_t i = 0; i < products.size(); ++i) {
    between.push_back(between_factors(call.view, products[i], N));
    const std::int64_t rows = call.store.spec(products[i].ids.weight).rows;
    for (std::int64_t begin = 0; begin < rows; begin += kRows)
      items.push_back({i, begin, std::min(rows, begin + kRows)});
  }
  call.threads.run(static_cast<std::int64_t>(items.size()), [&](std::int64_t item, int) {
    const auto& [index, begin, end] = items[static_cast<std::size_t>(item)];
    const WeightStore& store = call.store;
    const Product* const p = &products[index];
    store.matvec(p->ids.weight, begin, end, p->x, static_cast<std::size_t>(N), p->y + begin,
                 static_cast<std::size_t>(p->y_stride));
    if (const std::vector<float>& u = between[index]; !u.empty()) {
      const LowRankPair& pair = *call.view.low_rank(p->ids.weight);
      std::vector<float> low(static_cast<std::size_t>(N * (end - begin)));
      product(pair.b + begin * pair.rank, end - begin, pair.rank, u.data(), N, low.data(), end - begin);
      for (std::int64_t t = 0; t < N; ++t)
        kernels::add(p->y + t * p->y_stride + begin, low.data() + t * (end - begin),
                     static_cast<std::size_t>(end - begin));
    }
    if (p->ids.bias == kNoTensor) return;
    for (std::int64_t t = 0; t < N; ++t) {
      kernels::add(p->y + t * p->y_stride + begin, store.f32(p->ids.bias) + begin,
                   static_cast<std::size_t>(end - begin));
    }
  });
}

void norm(FewTokens& call, const LayerLayout& at, std::size_t gain) {
  const std::int64_t N = call.batch.size();
  call.x.resize(static_cast<std::size_t>(N * std::max({at.C, at.q_width, at.F})));
  NormBlock{call.store.f32(gain), at.C, call.norm_eps}.forward(call.pass.hidden.at(0), call.x.data(), N);
}

// h += x w^T + bias
void add_product(FewTokens& call, const LayerLayout& at, const LinearIds& linear) {
  const std::int64_t N = call.batch.size();
  call.y.resize(static_cast<std::size_t>(N * at.C));
  const Product of_out[] = {{linear, call.x.data(), call.y.data(), at.C}};
  run_products(call, of_out);
  kernels::add(call.pass.hidden.at(0), call.y.data(), static_cast<std::size_t>(N * at.C));
}

}  // namespace

template <class T>
void attend_few(FewTokens& call, const LayerLayout& at, const LayerIds& id, std::size_t layer) {
  const std::int64_t N = call.batch.size(), D = at.D, width = at.qkv_width, group = at.H / at.K;
  norm(call, at, id.input_norm);
  call.projected.resize(static_cast<std::size_t>(N * width));
  float* const rows = call.projected.data();
  const Product products[] = {{id[kQ], call.x.data(), rows, width},
                              {id[kK], call.x.data(), rows + at.q_width, width},
                              {id[kV], call.x.data(), rows + at.q_width + at.kv_width, width}};
  run_products(call, products);
  kernels::rope(rows, call.pass.cos.data(), call.pass.sin.data(), static_cast<std::size_t>(N),
                static_cast<std::size_t>(at.H + at.K), static_cast<std::size_t>(D), static_cast<std::size_t>(width));
  call.threads.run(static_cast<std::int64_t>(call.caches.size()) * at.K, [&](std::int64_t item, int) {
    KvCache& cache = *call.caches[static_cast<std::size_t>(item / at.K)];
    const Segment& segment = call.batch.segments[static_cast<std::size_t>(item / at.K)];
    const std::int64_t head = item % at.K * D;
    T *keys = cache.keys<T>(layer) + head, *values = cache.values<T>(layer) + head;
    std::vector<float> scores(static_cast<std::size_t>(group * (cache.length + segment.length)));
    for (std::int64_t t = 0; t < segment.length; ++t) {
      const float* row = rows + (segment.begin + t) * width;
      const std::int64_t to = cache.length + t;
      convert(row + at.q_width + head, keys + to * at.kv_width, D);
      convert(row + at.q_width + at.kv_width + head, values + to * at.kv_width, D);
      kernels::attend(row + group * head, keys, values, call.x.data() + (segment.begin + t) * at.q_width + group * head,
                      static_cast<std::size_t>(group), static_cast<std::size_t>(to + 1), static_cast<std::size_t>(D),
                      static_cast<std::size_t>(at.kv_width), scores.data());
    }
  });
  add_product(call, at, id[kO]);
}

void feed_forward_few(FewTokens& call, const LayerLayout& at, const LayerIds& id) {
  const std::int64_t N = call.batch.size(), F = at.F;
  norm(call, at, id.post_norm);
  call.projected.resize(static_cast<std::size_t>(N * 2 * F));
  float* const rows = call.projected.data();
  const Product products[] = {{id[kGate], call.x.data(), rows, 2 * F}, {id[kUp], call.x.data(), rows + F, 2 * F}};
  run_products(call, products);
  for (std::int64_t t = 0; t < N; ++t) {
    float* gate = rows + t * 2 * F;
    kernels::silu_mul(gate, gate + F, static_cast<std::size_t>(F));
    std::copy_n(gate, F, call.x.data() + t * F);
  }
  add_product(call, at, id[kDown]);
}

template void attend_few<float>(FewTokens&, const LayerLayout&, const LayerIds&, std::size_t);
template void attend_few<kernels::Bf16>(FewTokens&, const LayerLayout&, const LayerIds&, std::size_t);

}  // namespace frugal
