#include "frugal/verbs/bench/torch/machine.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "frugal/core/kernels/optimizers.h"
#include "frugal/core/products.h"
#include "frugal/formats/model_source.h"
#include "frugal/verbs/torch/session.h"

namespace frugal {
namespace {

using kernels::Bf16;

double seconds_of(const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

// The least of several calls after one that is not counted, in `budget` seconds or three calls.
double least_seconds(double budget, const std::function<void()>& work) {
  work();
  double least = seconds_of(work), spent = least;
  for (int call = 1; call < 3 || spent < budget; ++call) {
    const double each = seconds_of(work);
    least = std::min(least, each);
    spent += each;
  }
  return least;
}

struct Product {
  std::int64_t in, out;
  double times = 1;  // in a forward
};

// Of a chunk in bf16 or fp32 by each thread at once, in operations a second of all threads; weighted by the operations.
template <class T>
double product_rate(Threads& threads, std::int64_t rows, const std::vector<Product>& products) {
  double operations = 0, seconds = 0;
  for (const Product& p : products) {
    const auto size = [](std::int64_t a, std::int64_t b) { return static_cast<std::size_t>(a * b); };
    Buffer w(size(p.in, p.out) * sizeof(T)),
        x(static_cast<std::size_t>(threads.count()) * size(rows, p.in) * sizeof(T)),
        y(static_cast<std::size_t>(threads.count()) * size(rows, p.out) * sizeof(T));
    const auto fill = [](Buffer& buffer) {
      for (std::size_t i = 0; i < buffer.size() / sizeof(T); ++i) {
        const float value = static_cast<float>(i * 7919 % 255) / 255 - 0.5f;
        if constexpr (std::is_same_v<T, float>)
          *buffer.as<T>(i) = value;
        else
          kernels::to_bf16(&value, buffer.as<T>(i), 1);
      }
    };
    fill(w);
    fill(x);
    const double each = least_seconds(0.05, [&] {
      threads.run(threads.count(), [&](std::int64_t item, int) {
        linear(x.as<T>(static_cast<std::size_t>(item) * size(rows, p.in)), w.as<T>(),
               y.as<T>(static_cast<std::size_t>(item) * size(rows, p.out)), {rows, p.in, p.out, p.in, p.out});
      });
    });
    const double of_one = 2.0 * static_cast<double>(rows) * static_cast<double>(p.in) * static_cast<double>(p.out);
    operations += p.times * of_one * threads.count();
    seconds += p.times * each;
  }
  return operations / seconds;
}

template <class T>
Json product_rates(Threads& threads, const ModelShape& shape, std::int64_t rows) {
  constexpr std::int64_t kHeadRows = 2048;  // of the vocabulary, as the head takes it
  const LayerShape& layer = shape.layers.front();
  const std::int64_t C = shape.hidden, Q = layer.heads * shape.head_dim, F = layer.ffn;
  const auto layers = static_cast<double>(shape.layers.size());
  const std::vector<Product> own = {{C, Q + 2 * layer.kv_heads * shape.head_dim, layers},
                                    {Q, C, layers},
                                    {C, 2 * F, layers},
                                    {F, C, layers},
                                    {C, kHeadRows, static_cast<double>(shape.vocab) / static_cast<double>(kHeadRows)}};
  return {{"product_flops", product_rate<T>(threads, 512, {{2048, 2048}})},
          {"model_product_flops", product_rate<T>(threads, rows, own)}};
}

}  // namespace

int run_bench_machine(const MachineConfig& config) {
  const auto source = ModelSource::open(config.model);
  Threads threads(thread_count(config.threads), single_threaded_torch);
  const Compute compute = best_compute();
  const std::int64_t rows = config.length;
  Json result = compute == Compute::bf16 ? product_rates<Bf16>(threads, source->shape(), rows)
                                         : product_rates<float>(threads, source->shape(), rows);
  constexpr std::size_t kNumbers = 64 << 20;  // 256 MiB of fp32 a thread: beyond every cache
  Buffer memory(static_cast<std::size_t>(threads.count()) * kNumbers * sizeof(float));
  threads.run(threads.count(), [&](std::int64_t item, int) {
    std::fill_n(memory.as<float>(static_cast<std::size_t>(item) * kNumbers), kNumbers, 1.0f);
  });
  std::vector<double> sums(static_cast<std::size_t>(threads.count()));
  const double read = least_seconds(0.3, [&] {
    threads.run(threads.count(), [&](std::int64_t item, int) {
      sums[static_cast<std::size_t>(item)] =
          kernels::sum_of_squares(memory.as<float>(static_cast<std::size_t>(item) * kNumbers), kNumbers);
    });
  });
  result.update({{"read_bytes_per_second", static_cast<double>(memory.size()) / read},
                 {"threads", threads.count()},
                 {"compute", name(compute)},
                 {"rows", rows}});
  if (config.output.json) {
    print_line(result.dump());
    return 0;
  }
  std::printf(
      "products  %.0f GFLOP/s, at the model's sizes with %lld rows %.0f (%s, %d threads)\nmemory    %.1f GB/s\n",
      result["product_flops"].get<double>() / 1e9, static_cast<long long>(rows),
      result["model_product_flops"].get<double>() / 1e9, name(compute), threads.count(),
      result["read_bytes_per_second"].get<double>() / 1e9);
  return 0;
}

}  // namespace frugal
