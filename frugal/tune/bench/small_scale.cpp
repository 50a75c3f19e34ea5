// BAdam and SPruFT against AdamW on all weights and LoRA on a tiny language model over bytes, as their acceptance asks:
// how much is learned, how many directions an update has, what is allocated, how fast a row's gradient is. One line of
// JSON a measurement. usage: bench_small_scale badam|spruft PRETRAIN.txt TUNE.txt HELD_OUT.txt [SEEDS [STEPS]], or
// bench_small_scale memory|speed
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/core/budget/memory_usage.h"
#include "frugal/tune/bench/spectrum.h"
#include "frugal/tune/bench/tiny_gpt.h"

namespace frugal::small_scale {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }
void print(const Json& line) { std::cout << line.dump() << std::endl; }

const Json kLinears = {"q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"};

struct Texts {
  std::vector<Sequence> pretrain, pretrain_held_out, tune, tune_held_out;
};

Texts read_texts(char** names) {
  constexpr std::size_t kHeldOut = 16384;  // bytes at the end of the text to pre-train on
  const std::string wiki = read_file(names[0]);
  if (wiki.size() < 2 * kHeldOut) {
    throw Error(Exit::input,
                std::string(names[0]) + " has " + std::to_string(wiki.size()) + " bytes, expected at least " +
                    std::to_string(2 * kHeldOut),
                "give a longer text");
  }
  const std::size_t cut = wiki.size() - kHeldOut;
  return {windows(wiki.substr(0, cut), 1 << 20), windows(wiki.substr(cut), 128), windows(read_file(names[1]), 1 << 20),
          windows(read_file(names[2]), 256)};
}

std::shared_ptr<TinyModel> pretrained(const Texts& texts, Threads& team, std::uint64_t seed, std::int64_t steps) {
  auto model = std::make_shared<TinyModel>(tiny_shape(), seed);
  Bench bench(model, team, texts.pretrain, texts.pretrain_held_out);
  const auto tuner = bench.tuner("full", {{"seed", seed}});
  const auto begin = Clock::now();
  const double before = bench.held_out(*tuner);
  bench.train(*tuner, steps, 3e-3, seed);
  print({{"run", "pretrain"},
         {"seed", seed},
         {"steps", steps},
         {"before", before},
         {"after", bench.held_out(*tuner)},
         {"seconds", since(begin)}});
  model->take(*tuner);
  return model;
}

struct Method {
  std::string name, method;
  double lr = 0;
  Json settings = Json::object();
};

// One run of a method from `model` on; the mean spectrum of what changed in the up projections. A line is printed.
Json run(const Method& method, const std::shared_ptr<TinyModel>& model, Threads& team,
         const std::vector<Sequence>& train, const std::vector<Sequence>& held_out, std::int64_t steps,
         std::uint64_t seed, const std::string& what, std::int64_t judge_every = 0) {
  Bench bench(model, team, train, held_out);
  Json settings = method.settings;
  settings["seed"] = seed;
  const auto tuner = bench.tuner(method.method, settings);
  Json line = {{"run", what},     {"method", method.name}, {"seed", seed},
               {"lr", method.lr}, {"steps", steps},        {"before", bench.held_out(*tuner)}};
  std::uint64_t numbers = 0;
  for (const NamedBytes& part : tuner->result()) numbers += part.bytes.size() / sizeof(float);
  line["trained"] = numbers;
  Json curve = Json::array();
  const auto begin = Clock::now();
  bench.train(*tuner, steps, method.lr, seed + 100, [&](std::int64_t done) {
    if (judge_every > 0 && done % judge_every == 0) curve.push_back(bench.held_out(*tuner));
  });
  line["seconds"] = since(begin);
  line["after"] = bench.held_out(*tuner);
  if (!curve.empty()) line["curve"] = curve;
  double effective = 0, stable = 0;
  for (std::size_t id = 0; id < bench.store.size(); ++id) {
    const TensorSpec& spec = bench.store.spec(id);
    if (spec.name.find("up_proj") == std::string::npos) continue;
    std::vector<float> now(static_cast<std::size_t>(spec.rows * spec.cols));
    tuner->merged_rows(id, 0, spec.rows, now.data());
    std::vector<double> change(now.size());
    for (std::size_t i = 0; i < now.size(); ++i)
      change[i] = static_cast<double>(now[i]) - static_cast<double>(model->values(id)[i]);
    const Rank rank = rank_of(
        singular_values(std::move(change), static_cast<std::size_t>(spec.rows), static_cast<std::size_t>(spec.cols)));
    effective += rank.effective / kLayers;
    stable += rank.stable / kLayers;
  }
  line["effective_rank"] = effective;
  line["stable_rank"] = stable;
  print(line);
  return line;
}

constexpr std::int64_t kTurn = 25, kRound = kTurn * kLayers;  // steps of a layer, of all layers
const Json kInTurns = {{"block", "layer"}, {"switch_every", kTurn}, {"switch_mode", "random"}};
const Json kLastLayer = {{"block", "layer"}, {"switch_mode", "fixed"}, {"start_block", kLayers - 1}};

// Each method from `model` on, with that of its rates that ends with the least loss, on the same held-out windows: the
// first seed tries all, each other seed takes that.
void run_all(std::vector<Method>& methods, const std::vector<std::vector<double>>& rates,
             const std::shared_ptr<TinyModel>& model, Threads& team, const Texts& texts, std::int64_t steps,
             std::uint64_t seed) {
  for (std::size_t m = 0; m < methods.size(); ++m) {
    const auto measure = [&](double lr) {
      methods[m].lr = lr;
      return run(methods[m], model, team, texts.tune, texts.tune_held_out, steps, seed, "shift",
                 methods[m].name == "badam" ? kRound : 0)["after"]
          .get<double>();
    };
    if (seed > 1) {
      measure(methods[m].lr);
      continue;
    }
    double best = 0, least = INFINITY;
    for (const double lr : rates[m]) {
      if (const double loss = measure(lr); loss < least) least = loss, best = lr;
    }
    if (best == 0) throw Error(Exit::diverged, methods[m].name + " diverged at every rate", "try smaller ones");
    methods[m].lr = best;
  }
}

void measure_badam(const Texts& texts, Threads& team, std::uint64_t seeds, std::int64_t steps) {
  std::vector<Method> methods = {{"adamw", "full", 0, Json::object()},
                                 {"badam", "badam", 0, kInTurns},
                                 {"last layer", "badam", 0, kLastLayer},
                                 {"lora r=4", "lora", 0, {{"rank", 4}}}};
  const std::vector<std::vector<double>> rates = {{1e-3, 2e-3}, {1e-3, 3e-3}, {1e-3, 3e-3}, {3e-3, 1e-2}};
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto model = pretrained(texts, team, seed, 300);
    run_all(methods, rates, model, team, texts, steps, seed);
    const std::size_t damaged = static_cast<std::size_t>(2 + seed % 4);
    model->redraw_layer(damaged, 77 + seed);
    for (int i : {1, 2})
      run(methods[i], model, team, texts.pretrain, texts.pretrain_held_out, steps, seed,
          "layer " + std::to_string(damaged) + " drawn anew");
  }
}

void measure_spruft(const Texts& texts, Threads& team, std::uint64_t seeds, std::int64_t steps) {
  const auto rows = [](const char* score) {
    return Json{{"rows", 16}, {"targets", kLinears}, {"score", score}, {"score_batches", 16}};
  };
  std::vector<Method> methods = {{"adamw", "full", 0, Json::object()},
                                 {"lora r=8", "lora", 0, {{"rank", 8}, {"targets", kLinears}}},
                                 {"spruft taylor", "spruft", 0, rows("taylor")},
                                 {"spruft random", "spruft", 0, rows("random")}};
  const std::vector<std::vector<double>> rates = {{1e-3, 2e-3}, {5e-3, 1e-2}, {1e-2, 2e-2}, {1e-2, 2e-2}};
  for (std::uint64_t seed = 1; seed <= seeds; ++seed)
    run_all(methods, rates, pretrained(texts, team, seed, 300), team, texts, steps, seed);
}

// Peak of what three steps take above what was there before them, each method in a process of its own. Rows and pairs
// train as many numbers.
void measure_memory() {
  const auto rows = Json{{"rows", 16}, {"targets", kLinears}, {"score", "magnitude"}};
  const auto lora = [](double dropout) { return Json{{"rank", 8}, {"targets", kLinears}, {"dropout", dropout}}; };
  const Method methods[] = {{"spruft", "spruft", 1e-3, rows},
                            {"lora", "lora", 1e-3, lora(0)},
                            {"lora, dropout 0.1", "lora", 1e-3, lora(0.1)},
                            {"adamw", "full", 1e-3, Json::object()}};
  for (const char* activations : {"keep", "checkpoint"}) {
    for (const Method& method : methods) {
      if (const pid_t child = ::fork(); child != 0) {
        ::waitpid(child, nullptr, 0);
        continue;
      }
      Threads team(1, single_threaded_torch);
      std::string text;
      PhiloxSequence random(3, Stream::initial);
      for (int i = 0; i < 64 * kWindow; ++i) text += static_cast<char>('a' + random.below(26));
      const auto data = windows(text, 64);
      Bench bench(std::make_shared<TinyModel>(tiny_shape(), 1), team, data, data);
      bench.held_out(*bench.tuner("mezo", {{"seed", 1}}));  // kernels and buffers of a forward
      reset_peak();
      const std::uint64_t before = memory_usage().anonymous;
      Json settings = method.settings;
      settings["seed"] = 1;
      settings["activations"] = activations;
      const auto tuner = bench.tuner(method.method, settings);
      bench.train(*tuner, 3, method.lr, 1);
      std::uint64_t numbers = 0;
      for (const NamedBytes& part : tuner->result()) numbers += part.bytes.size() / sizeof(float);
      const MemoryUsage now = memory_usage();
      print({{"run", "memory"},
             {"method", method.name},
             {"activations", activations},
             {"trained", numbers},
             {"bytes_above_weights", now.peak - now.file - before}});
      ::_exit(0);
    }
  }
}

// Forward and backward of one linear, least of 30 rounds: its trained rows in place; rows as a second branch through a
// one-hot matrix; all of the weight's gradient.
void measure_speed() {
  Threads team(1, single_threaded_torch);
  constexpr std::int64_t d = 1024, n = 512, r = 128;
  PhiloxSequence random(1, Stream::initial);
  const auto matrix = [&](std::int64_t rows, std::int64_t cols) {
    std::vector<float> values(static_cast<std::size_t>(rows * cols));
    for (float& value : values) value = static_cast<float>(random.uniform() - 0.5);
    return values;
  };
  const auto x = matrix(n, d), dy = matrix(n, d), w = matrix(d, d), delta = matrix(r, d);
  std::vector<float> one_hot(static_cast<std::size_t>(d * r)), y(static_cast<std::size_t>(n * d)), dx(y.size()),
      inner(static_cast<std::size_t>(n * r)), rows_of_dy(inner.size()), dw(static_cast<std::size_t>(d * d));
  std::vector<std::size_t> chosen;
  for (std::int64_t i = 0; i < r; ++i) {
    chosen.push_back(static_cast<std::size_t>(i * 7 + 3));
    one_hot[chosen.back() * r + static_cast<std::size_t>(i)] = 1;
  }
  Buffer scratch;
  const LinearShape whole{n, d, d, d, d};
  const auto base = [&] {
    linear(x.data(), w.data(), y.data(), whole);
    linear_input_gradient(dy.data(), w.data(), dx.data(), whole);
  };
  const auto in_place = [&] {
    base();
    for (std::size_t t = 0; t < static_cast<std::size_t>(n); ++t)
      for (std::size_t i = 0; i < chosen.size(); ++i) rows_of_dy[t * r + i] = dy[t * d + chosen[i]];
    linear_weight_gradient(rows_of_dy.data(), x.data(), dw.data(), d, {n, d, r, d, r}, scratch);
  };
  const auto branches = [&] {
    base();
    linear(x.data(), delta.data(), inner.data(), {n, d, r, d, r});
    linear(inner.data(), one_hot.data(), y.data(), {n, r, d, r, d, true});
    linear_input_gradient(dy.data(), one_hot.data(), rows_of_dy.data(), {n, r, d, r, d});
    linear_input_gradient(rows_of_dy.data(), delta.data(), dx.data(), {n, d, r, d, r, true});
    linear_weight_gradient(rows_of_dy.data(), x.data(), dw.data(), d, {n, d, r, d, r}, scratch);
  };
  const auto dense = [&] {
    base();
    linear_weight_gradient(dy.data(), x.data(), dw.data(), d, whole, scratch);
  };
  double least[] = {1e9, 1e9, 1e9};
  const std::function<void()> arms[] = {in_place, branches, dense};
  for (int round = 0; round < 30; ++round) {
    for (std::size_t arm = 0; arm < 3; ++arm) {
      const auto begin = Clock::now();
      arms[arm]();
      least[arm] = std::min(least[arm], since(begin));
    }
  }
  print({{"run", "speed"},
         {"rows_ms", 1e3 * least[0]},
         {"one_hot_ms", 1e3 * least[1]},
         {"dense_ms", 1e3 * least[2]},
         {"one_hot_over_rows", least[1] / least[0]},
         {"dense_over_rows", least[2] / least[0]}});
}

int main_of(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  if (what == "memory") return measure_memory(), 0;
  if (what == "speed") return measure_speed(), 0;
  if ((what != "badam" && what != "spruft") || count < 5) {
    std::cerr << "usage: bench_small_scale badam|spruft PRETRAIN.txt TUNE.txt HELD_OUT.txt [SEEDS [STEPS]]\n"
                 "       bench_small_scale memory|speed\n";
    return 2;
  }
  const Texts texts = read_texts(arguments + 2);
  const std::uint64_t seeds = count > 5 ? std::stoull(arguments[5]) : 3;
  Threads team(1, single_threaded_torch);  // losses do not depend on it
  if (what == "badam")
    measure_badam(texts, team, seeds, count > 6 ? std::stoll(arguments[6]) : 600);
  else
    measure_spruft(texts, team, seeds, count > 6 ? std::stoll(arguments[6]) : 400);
  return 0;
}

}  // namespace
}  // namespace frugal::small_scale

int main(int count, char** arguments) {
  try {
    return frugal::small_scale::main_of(count, arguments);
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
