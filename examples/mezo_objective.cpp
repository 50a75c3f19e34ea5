// A loss of one's own for MeZO: it asks for losses alone, so the loss may be anything that a forward pass gives.
//   mezo_objective MODEL     MODEL: a GGUF file or a Hugging Face folder
// Here: after each context the token `wanted` is to be among the 5 likeliest. The loss is how many places it misses
// them by, as a logarithm; it has no gradient.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <numeric>

#include "frugal/base/processor.h"
#include "frugal/base/report_error.h"
#include "frugal/core/products.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/tune/torch/zeroth_order_maker.h"

using namespace frugal;

class WantedToken : public Objective {
 public:
  WantedToken(Model& model, std::int32_t wanted) : model_(model), wanted_(wanted) {}
  std::size_t size() const override { return 16; }
  std::vector<std::int32_t> classes() const override { return std::vector<std::int32_t>(size(), 0); }
  double terms(Indices examples) const override { return static_cast<double>(examples.size()); }
  std::size_t forwards(Indices) const override { return 1; }

  // One sum a branch: MeZO's two perturbed models go through the layers side by side.
  std::vector<double> loss_sums(const WeightView& view, Indices examples) override {
    PackedBatch batch;
    std::vector<std::int64_t> last;  // the row after which a context's next token is judged
    for (const std::uint32_t i : examples) {
      batch.append(std::vector<std::int32_t>{static_cast<std::int32_t>(i), 5, static_cast<std::int32_t>(i + 1)});
      last.push_back(batch.size() - 1);
    }
    const std::size_t vocabulary = static_cast<std::size_t>(model_.shape().vocab);
    std::vector<std::int32_t> all(vocabulary);
    std::iota(all.begin(), all.end(), 0);
    const std::vector<float> logits =
        model_.forward(view, batch)->candidate_logits(last, all);  // [branch, context, token]
    std::vector<double> sums(static_cast<std::size_t>(view.branches()), 0);
    for (std::size_t row = 0; row < logits.size() / vocabulary; ++row) {
      const float* of_row = logits.data() + row * vocabulary;
      const auto before = std::count_if(of_row, of_row + vocabulary, [&](float x) { return x > of_row[wanted_]; });
      sums[row / last.size()] += std::log1p(static_cast<double>(std::max<std::int64_t>(0, before - 4)));
    }
    return sums;
  }
  std::vector<double> error_sums(const WeightView& view, Indices examples) override {
    return loss_sums(view, examples);
  }
  double loss_and_gradients(const WeightView&, Indices, double, bool, Gradients&) override {
    throw Error(Exit::usage, "this loss has no gradient", "tune with mezo or sparse-mezo");
  }
  Json evaluate(const WeightView&, const std::string&) override { return nullptr; }
  Metric metric() const override { return {"loss", false}; }

 private:
  Model& model_;
  std::int32_t wanted_;
};

int main(int argc, char** argv) try {
  if (argc != 2) throw Error(Exit::usage, "no model is given", "mezo_objective MODEL");
  Threads threads(static_cast<int>(usable_cores()), single_threaded_torch);
  WeightStore store(ModelSource::open(argv[1]), WeightType::f32, threads);
  Decoder decoder(store.shape(), threads, Compute::f32);
  WantedToken objective(decoder, /*wanted=*/7);
  Json chosen;
  TunerContext context{store, threads, &objective, chosen, {.seed = 1}};
  const auto tuner = make_zeroth_order(ZerothOrderConfig{.eps = 0x1p-7}, context);
  std::vector<std::uint32_t> batch(objective.size());
  std::iota(batch.begin(), batch.end(), 0u);
  const double before = objective.loss_sums(tuner->view(), batch)[0];
  for (std::uint64_t step = 0; step < 200; ++step) tuner->step(step, /*lr=*/3e-4, batch);
  const double after = objective.loss_sums(tuner->view(), batch)[0];
  std::cout << "loss " << before << " -> " << after << '\n';
  return after < before ? 0 : 1;
} catch (...) {
  return report_exception(false);
}
