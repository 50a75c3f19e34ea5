#include <utility>

#include "frugal/prune/torch/pruner.h"

namespace frugal {
namespace {

class OneShot : public Pruner {
 public:
  OneShot(PruneContext context, Look look)
      : context_(std::move(context)), look_(std::move(look)), goals_(context_.config.goals()) {}
  std::int64_t steps() const override { return static_cast<std::int64_t>(goals_.size()); }
  bool has_changed(std::int64_t) const override { return true; }
  std::vector<std::int64_t> goal_steps() const override {
    std::vector<std::int64_t> steps;
    for (std::size_t k = 0; k < goals_.size(); ++k) steps.push_back(static_cast<std::int64_t>(k + 1));
    return steps;
  }
  // Every goal is reached from the whole model, so that no look is at what an earlier goal has left.
  StepResult step(std::int64_t index) override {
    PruneModel& model = context_.model;
    model.put_all_back();
    if (!choice_)
      choice_ = look_(model, model.windows(context_.seed, 0, context_.config.windows, context_.config.window_length));
    const auto P0 = static_cast<double>(block_parameters(model.source().shape()));
    model.remove(choice_(static_cast<std::int64_t>(goals_[static_cast<std::size_t>(index)] * P0)));
    const double sparsity = model.survivors().sparsity();
    return {.value = sparsity, .event = {{"sparsity", sparsity}}};
  }

 private:
  PruneContext context_;
  Look look_;
  std::vector<double> goals_;
  UnitChoice choice_;
};

}  // namespace

std::unique_ptr<Pruner> one_shot(PruneContext context, Look look) {
  return std::make_unique<OneShot>(std::move(context), std::move(look));
}

std::unique_ptr<Pruner> one_shot(PruneContext context, Scorer scorer, bool is_local) {
  SelectOptions options = context.select_options(0);
  options.is_local = is_local;
  return one_shot(std::move(context),
                  [scorer = std::move(scorer), options](PruneModel& model, const Windows& windows) -> UnitChoice {
                    std::vector<double> scores = scorer(model, windows);
                    model.keep_scores(scores);
                    return [=, shape = model.shape(), scores = std::move(scores)](std::int64_t budget) {
                      SelectOptions own = options;
                      own.budget = budget;
                      return select(shape, units_of(shape), scores, own);
                    };
                  });
}

}  // namespace frugal
