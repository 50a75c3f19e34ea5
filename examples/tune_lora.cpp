// Tunes a model with LoRA through the C++ API. The settings are structs; the result is a PEFT adapter.
//   tune_lora MODEL OUT     MODEL: a GGUF file or a Hugging Face folder; OUT: the adapter's folder
#include <algorithm>
#include <iostream>
#include <numeric>

#include "frugal/base/processor.h"
#include "frugal/base/report_error.h"
#include "frugal/core/products.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/train/objective/sequence_loss.h"
#include "frugal/tune/lora/torch/tuner.h"

namespace {

// What is learned: to count. Eight sequences of twelve token ids, each one more than the one before it.
std::vector<frugal::Sequence> counting(std::int64_t vocabulary) {
  std::vector<frugal::Sequence> data(8);
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i].tokens.resize(12);
    std::iota(data[i].tokens.begin(), data[i].tokens.end(), static_cast<std::int32_t>(2 * i));
    for (std::int32_t& token : data[i].tokens) token %= static_cast<std::int32_t>(vocabulary);
    data[i].is_target.assign(data[i].tokens.size(), 1);
  }
  return data;
}

int tune(const std::string& path, const std::string& out) {
  using namespace frugal;
  Threads threads(static_cast<int>(usable_cores()), single_threaded_torch);
  WeightStore store(ModelSource::open(path), WeightType::f32, threads);
  Decoder decoder(store.shape(), threads, Compute::f32);
  const std::vector<Sequence> data = counting(store.shape().vocab);
  SequenceLoss loss(decoder, data);

  LoraConfig config;  // its defaults are those of `frugal tune --method lora`
  config.low_rank.rank = 4;
  config.low_rank.targets = {"q_proj", "v_proj", "up_proj", "down_proj"};
  validate(config);
  Json chosen;  // what a method chooses at its start; LoRA nothing
  TunerContext context{store, threads, &loss, chosen, {.seed = 1}};
  const auto tuner = make_lora_tuner(config, context);

  std::vector<std::uint32_t> batch(data.size());  // every example, in each step
  std::iota(batch.begin(), batch.end(), 0u);
  const auto mean_loss = [&] { return loss.loss_sums(tuner->view(), batch)[0] / loss.terms(batch); };
  const double before = mean_loss();
  for (std::uint64_t step = 0; step < 60; ++step) tuner->step(step, /*lr=*/1e-2, batch);
  const double after = mean_loss();

  write_peft_adapter(*tuner->adapter(), store.shape(), out);
  std::cout << tuner->trained() << " numbers trained, loss " << before << " -> " << after << ", adapter in " << out
            << '\n';
  return after < before ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: tune_lora MODEL OUT\n";
    return 2;
  }
  try {
    return tune(argv[1], argv[2]);
  } catch (...) {
    return frugal::report_exception(false);  // error: and fix: lines
  }
}
