#include "frugal/prune/torch/pruner.h"

namespace frugal {
namespace {

class OneShot : public Pruner {
 public:
  OneShot(PruneContext context, Scorer scorer, bool is_local)
      : context_(std::move(context)), scorer_(std::move(scorer)), is_local_(is_local) {}
  std::int64_t steps() const override { return 1; }
  bool has_changed(std::int64_t steps) const override { return steps == 1; }
  StepResult step(std::int64_t) override {
    PruneModel& model = context_.model;
    const Windows windows = model.windows(context_.seed, 0, context_.config.windows, context_.config.window_length);
    const auto budget =
        static_cast<std::int64_t>(context_.config.sparsity * static_cast<double>(block_parameters(model.shape())));
    const std::vector<Unit> units = units_of(model.shape());
    SelectOptions options = context_.select_options(budget);
    options.is_local = is_local_;
    const std::vector<double> scores = scorer_(model, windows);
    model.keep_scores(scores);
    model.remove(select(model.shape(), units, scores, options));
    return {.value = model.survivors().sparsity(), .event = {{"sparsity", model.survivors().sparsity()}}};
  }

 private:
  PruneContext context_;
  Scorer scorer_;
  bool is_local_;
};

}  // namespace

std::unique_ptr<Pruner> one_shot(PruneContext context, Scorer scorer, bool is_local) {
  return std::make_unique<OneShot>(std::move(context), std::move(scorer), is_local);
}

}  // namespace frugal
