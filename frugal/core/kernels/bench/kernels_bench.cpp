// Speed of each kernel on each instruction set of this processor: items are weights (or elements), bytes what must be
// moved.
#include "frugal/core/kernels/kernels.h"

#include <benchmark/benchmark.h>

#include <functional>

namespace frugal::kernels {
namespace {

constexpr std::size_t kRows = 1536, kCols = 576, kWeights = kRows * kCols;  // one projection of a small model

template <class T>
std::vector<T> weights() {
  Noise noise{.direction = Direction::gaussian_exact, .key = 7, .tensor = 1};
  std::vector<float> z(kWeights);
  directions(noise, 0, z.size(), z.data());
  for (float& value : z) value *= 0.05f;
  if constexpr (std::is_same_v<T, float>)
    return z;
  else {
    std::vector<Bf16> w(z.size());
    to_bf16(z.data(), w.data(), z.size());
    return w;
  }
}

void add_benchmark(const std::string& name, std::size_t items, std::size_t bytes, std::function<void()> body) {
  for (const std::string& target : isa_available()) {
    benchmark::RegisterBenchmark((name + "/" + target).c_str(), [=](benchmark::State& state) {
      force_isa(target);
      for (auto _ : state) {
        body();
        benchmark::ClobberMemory();
      }
      state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * items));
      state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes));
      state.counters["ns_per_item"] = benchmark::Counter(static_cast<double>(state.iterations() * items) * 1e-9,
                                                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
      force_isa("");
    });
  }
}

void register_all() {
  static std::vector<Bf16> w = weights<Bf16>(), plus(kWeights), minus(kWeights), moving = w;
  static std::vector<float> w32 = weights<float>(), z(kWeights), gain(kCols, 1.0f), x(8 * kCols, 0.5f), y(8 * kRows),
                            log_max(kRows), log_sum(kRows);
  static const std::vector<std::uint8_t> bits(kWeights / 8, 0x5A);
  const std::pair<Direction, const char*> all[] = {{Direction::sign, "sign"},
                                                   {Direction::gaussian, "gaussian"},
                                                   {Direction::gaussian16, "gaussian16"},
                                                   {Direction::gaussian_exact, "gaussian_exact"}};
  for (const auto& [direction, name] : all) {
    const Noise noise{.direction = direction, .key = 42, .tensor = 3};
    add_benchmark(std::string("directions/") + name, kWeights, 4 * kWeights,
                  [=] { directions(noise, 0, kWeights, z.data()); });
    const auto panels = [=](Mask mask) {
      return [=] { perturb(w.data(), plus.data(), minus.data(), 0, kWeights, noise, mask); };
    };
    add_benchmark(std::string("panels/") + name, kWeights, 6 * kWeights, panels({}));
    add_benchmark(std::string("panels_small/") + name, kWeights, 6 * kWeights,
                  panels({.rule = Mask::Rule::small, .threshold = 0.03f}));
    add_benchmark(std::string("panels_file/") + name, kWeights, 6 * kWeights,
                  panels({.rule = Mask::Rule::file, .bits = bits.data()}));
    const auto step = [=](Mask mask) {
      return [=] {
        static const Sample sample{42, 1e-6f};
        update(moving.data(), 0, kWeights,
               {.direction = direction, .tensor = 3, .rounding_key = 5, .samples = {&sample, 1}}, mask);
      };
    };
    add_benchmark(std::string("update/") + name, kWeights, 4 * kWeights, step({}));
    add_benchmark(std::string("update_small/") + name, kWeights, 4 * kWeights,
                  step({.rule = Mask::Rule::small, .threshold = 0.03f}));
  }
  add_benchmark("quantile/bf16", kWeights, 2 * kWeights,
                [] { benchmark::DoNotOptimize(magnitude_quantile(w.data(), kWeights, 0.25)); });
  add_benchmark("rms_norm/bf16", kWeights, 6 * kWeights,
                [] { rms_norm(w32.data(), gain.data(), plus.data(), kRows, kCols, 1e-5f); });
  add_benchmark("rope/bf16", kWeights, 4 * kWeights,
                [] { rope(minus.data(), z.data(), z.data(), kRows, 9, 64, kCols); });
  add_benchmark("silu_mul/bf16", kWeights, 10 * kWeights,
                [] {  // with a copy: repeated in place the gate would sink into denormals
                  plus = w;
                  silu_mul(plus.data(), w.data(), kWeights);
                });
  add_benchmark("add/bf16", kWeights, 10 * kWeights, [] { add(z.data(), w.data(), kWeights); });
  add_benchmark("log_sum_exp/float", kWeights, 4 * kWeights,
                [] { log_sum_exp(w32.data(), kRows, kCols, kCols, log_max.data(), log_sum.data()); });
  for (const std::size_t tokens : {1, 2, 4, 8}) {
    add_benchmark("matvec/bf16/" + std::to_string(tokens), kWeights, 2 * kWeights,
                  [=] { matvec(w.data(), x.data(), y.data(), tokens, kRows, kCols, kRows); });
  }
  add_benchmark("matvec/float/1", kWeights, 4 * kWeights,
                [] { matvec(w32.data(), x.data(), y.data(), 1, kRows, kCols, kRows); });
}

}  // namespace
}  // namespace frugal::kernels

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  frugal::kernels::register_all();
  benchmark::RunSpecifiedBenchmarks();
}
