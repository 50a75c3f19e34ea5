// Bonsai (arXiv:2402.05406): sub-models with random units off are evaluated on the same text, a linear model of their
// utilities says what each unit is worth, the least useful go, and so on until the target.
#include <algorithm>
#include <cmath>
#include <utility>

#include "frugal/base/log.h"
#include "frugal/base/philox.h"
#include "frugal/prune/bonsai/config.h"
#include "frugal/prune/bonsai/torch/design.h"
#include "frugal/prune/bonsai/torch/race.h"
#include "frugal/prune/bonsai/torch/regression.h"
#include "frugal/prune/torch/pruner.h"

namespace frugal {
namespace bonsai {
namespace {

constexpr double kWorst = 1e8;  // utilities below minus this, and those that are no number, are taken for it

class BonsaiPruner : public Pruner {
 public:
  BonsaiPruner(const BonsaiConfig& config, PruneContext context)
      : config_(config),
        context_(std::move(context)),
        P0_(static_cast<double>(block_parameters(context_.model.source().shape()))),
        per_iteration_((config.masks + context_.masks_together() - 1) / context_.masks_together()) {
    if (config.regression == "none") per_iteration_ = 1;
    for (const double goal : context_.config.goals()) {
      double s = aims_.empty() ? 0 : aims_.back();
      for (; goal - s > config.step * (1 + 1e-9); s = aims_.back()) aims_.push_back(s + config.step);
      aims_.push_back(goal);
      goal_steps_.push_back(iterations() * per_iteration_);
    }
  }

  std::int64_t iterations() const { return static_cast<std::int64_t>(aims_.size()); }
  std::int64_t steps() const override { return iterations() * per_iteration_; }
  std::vector<std::int64_t> goal_steps() const override { return goal_steps_; }
  bool has_changed(std::int64_t steps) const override { return steps % per_iteration_ == 0; }

  StepResult step(std::int64_t index) override {
    PruneModel& model = context_.model;
    const std::int64_t iteration = index / per_iteration_, part = index % per_iteration_;
    if (prepared_ != iteration) prepare(iteration);
    StepResult result;
    result.event = {{"iteration", iteration + 1}};
    const bool has_candidates = !design_.candidates().empty();  // none: all that is left must stay
    if (has_candidates && config_.regression != "none") {
      evaluate(iteration, part, config_.has_metric());
      result.value = config_.has_metric() ? -losses_.back() : losses_.back();
    }
    if (has_candidates && part + 1 == per_iteration_) finish(iteration, result);
    result.event["sparsity"] = model.survivors().sparsity();
    if (std::isnan(result.value)) result.value = model.survivors().sparsity();
    return result;
  }

  void state(State& state) override {
    state.list("losses", losses_);
    state.value("windows", seen_);
    state.value("whole", whole_);
    if (state.is_restored()) prepared_ = -1;
  }

 private:
  // Lines 3 to 8 of the algorithm: windows, prior, candidates.
  void prepare(std::int64_t iteration) {
    PruneModel& model = context_.model;
    const ModelShape& shape = model.shape();
    prepared_ = iteration;
    windows_ = model.windows(context_.seed, static_cast<std::uint64_t>(iteration), context_.config.windows,
                             context_.config.window_length);
    units_ = units_of(shape);
    if (config_.prior == "random") {
      PhiloxSequence random(philox_key(context_.seed, static_cast<std::uint64_t>(iteration)),
                            named_stream("bonsai.prior"));
      rho_.resize(units_.size());
      for (double& rho : rho_) rho = random.uniform();
    } else {
      rho_ = unit_scores(model, windows_,
                         config_.prior == "wanda"        ? Prior::wanda
                         : config_.prior == "activation" ? Prior::activation
                                                         : Prior::fluctuation);
    }
    const double s = model.survivors().sparsity();
    q_ = aims_[static_cast<std::size_t>(iteration)] - s;
    const double local = config_.reference_compat ? q_ : std::min(1.0, q_ / (1 - s));
    design_ = Design(shape, units_, rho_,
                     {.q = local,
                      .head_q = local * config_.attention_ratio,
                      .min_heads = context_.config.min_heads,
                      .min_neurons = context_.config.min_neurons,
                      .neuron_multiple = context_.config.neuron_multiple,
                      .is_block = config_.design == "block",
                      .is_uniform = context_.config.layout == "uniform",
                      .has_kinds = is_anchored(),
                      .pairs = config_.masks / 2,
                      .seed = context_.seed,
                      .iteration = static_cast<std::uint64_t>(iteration)});
    prefix_ = {};
  }

  // Lines 9 to 12: the masks of one part, in complementary pairs on the candidates, and what they are judged by.
  void evaluate(std::int64_t iteration, std::int64_t part, bool by_metric) {
    std::vector<ModelMask> masks;
    const std::int64_t first = part * context_.masks_together() / 2,
                       last = std::min(config_.masks / 2, first + context_.masks_together() / 2);
    for (std::int64_t index = first; index < last; ++index) {
      const MaskPair pair = design_.pair(index);
      if (index == first) context_.model.advance(prefix_, windows_, pair.begin);
      masks.push_back(design_.mask(pair.first));
      masks.push_back(design_.mask(pair.second));
    }
    const auto round = static_cast<std::uint64_t>(iteration);
    if (part == 0 && is_anchored()) {  // what masks of one kind are compared with
      const std::vector<ModelMask> whole(1, ModelMask(context_.model.shape().layers.size()));
      whole_ =
          context_.task == nullptr ? context_.model.losses(windows_, whole)[0] : judged(round, whole, by_metric)[0];
    }
    if (context_.task != nullptr) {
      const std::vector<double> found = judged(round, masks, by_metric);
      losses_.insert(losses_.end(), found.begin(), found.end());
      return;
    }
    const RaceResult found = race(context_.model, windows_, prefix_, masks, config_.race_tolerance, losses_);
    losses_.insert(losses_.end(), found.losses.begin(), found.losses.end());
    seen_ += found.windows;
  }

  // By examples: minus the metric of each mask, or minus its mean log-likelihood.
  std::vector<double> judged(std::uint64_t round, const std::vector<ModelMask>& masks, bool by_metric) {
    PruneTask& task = *context_.task;
    std::vector<double> found = by_metric ? task.metric(context_.model, config_.utility, round, masks)
                                          : task.likelihood(context_.model, round, masks);
    for (double& value : found) value = -value;
    return found;
  }

  // A metric that is the same for all masks says nothing of their units.
  void judge_by_likelihood(std::int64_t iteration, StepResult& result) {
    if (!std::exchange(has_told_, true))
      note("--utility " + config_.utility + " is " + Json(-losses_.front()).dump() +
           " for all masks of an iteration; there the likelihood decides");
    result.event["by_likelihood"] = true;
    losses_.clear();
    for (std::int64_t part = 0; part < per_iteration_; ++part) evaluate(iteration, part, false);
  }

  double utility(double loss) const {
    const double utility = config_.utility == "ppl" ? -std::exp(loss) : -loss;
    return std::isfinite(utility) ? std::max(utility, -kWorst) : -kWorst;
  }

  // What the regression reads. Pairs that touched other layers, or saw other windows, are alike in their differences
  // alone: their means are left out.
  MaskPairs measured(StepResult& result) const {
    const bool are_alike = config_.design == "full" && config_.race_tolerance == 0 && !is_anchored();
    std::int64_t broken = 0;
    MaskPairs pairs;
    for (std::int64_t index = 0; index < config_.masks / 2; ++index) {
      const MaskPair pair = design_.pair(index);
      std::vector<std::int8_t> z;
      for (const std::size_t u : design_.candidates()) {
        const bool in_first = std::binary_search(pair.first.begin(), pair.first.end(), u);
        z.push_back(in_first ? -1 : std::binary_search(pair.second.begin(), pair.second.end(), u) ? 1 : 0);
      }
      pairs.z.push_back(std::move(z));
      const double first = utility(losses_[static_cast<std::size_t>(2 * index)]),
                   second = utility(losses_[static_cast<std::size_t>(2 * index + 1)]),
                   mean = are_alike ? 0 : (first + second) / 2;
      broken += (first == -kWorst) + (second == -kWorst);
      pairs.first.push_back(first - mean);
      pairs.second.push_back(second - mean);
    }
    result.event["broken"] = broken;
    if (broken == config_.masks)
      throw Error(Exit::diverged, "the --utility of all " + std::to_string(broken) + " masked models is no number",
                  "check the model with frugal eval, or take a smaller --step");
    return pairs;
  }

  // What the priors let expect of each candidate. A prior is of a column of weights: a unit of many columns is worth so
  // much more, and its score is again that of one, so that what goes is worth little for the parameters it has. How
  // much a prior is worth is measured, for heads and for neurons: U - U_i, summed over a pair of masks that share out
  // the candidates of one kind, is what all of them add.
  std::vector<double> expected(StepResult& result) {
    const std::vector<std::size_t>& candidates = design_.candidates();
    std::vector<double> expected;
    double sums[kKindPairs] = {}, factors[kKindPairs];
    for (const std::size_t u : candidates) {
      expected.push_back(std::max(1e-12, rho_[u]) * static_cast<double>(units_[u].cost));
      sums[pair_of(u)] += expected.back();
    }
    for (std::size_t k = 0; k < kKindPairs; ++k) {
      const double gone = 2 * utility(whole_) - utility(losses_[2 * k]) - utility(losses_[2 * k + 1]);
      factors[k] = sums[k] > 0 ? gone / sums[k] : 0;
    }
    result.event.update({{"heads_factor", factors[0]}, {"neurons_factor", factors[1]}});
    // A kind that does no good goes first, in the order of its priors.
    const double least = 1e-3 * std::max(factors[0], factors[1]);
    for (std::size_t i = 0; i < candidates.size(); ++i)
      expected[i] *= least > 0 ? std::max(least, factors[pair_of(candidates[i])]) : 1;
    return expected;
  }
  std::size_t pair_of(std::size_t u) const { return units_[u].kind == UnitKind::head ? 0 : 1; }
  bool is_anchored() const { return config_.regression == "anchored"; }

  // Lines 13 to 17: importance of the candidates; the least useful go.
  void finish(std::int64_t iteration, StepResult& result) {
    const std::vector<std::size_t>& candidates = design_.candidates();
    std::vector<double> scores(units_.size(), INFINITY);
    if (config_.regression == "none") {
      for (const std::size_t u : candidates) scores[u] = rho_[u];
    } else {
      const auto is_constant =
          std::count(losses_.begin(), losses_.end(), losses_.front()) == static_cast<std::ptrdiff_t>(losses_.size());
      if (config_.has_metric() && is_constant) judge_by_likelihood(iteration, result);
      const MaskPairs pairs = measured(result);
      result.event["windows"] = seen_;
      const Fit fit = is_anchored()                   ? anchored_ridge(pairs, expected(result))
                      : config_.regression == "lasso" ? lasso(pairs)
                                                      : ridge(pairs);
      result.event.update({{"tau", fit.tau}, {"gamma", fit.gamma}});
      for (std::size_t i = 0; i < candidates.size(); ++i)
        scores[candidates[i]] = fit.beta[i] / (is_anchored() ? static_cast<double>(units_[candidates[i]].cost) : 1);
    }
    SelectOptions options = context_.select_options(static_cast<std::int64_t>(q_ * P0_));
    options.is_local = config_.scope.is_local();
    context_.model.keep_scores(scores);
    context_.model.remove(select(context_.model.shape(), units_, scores, options, rho_));
    losses_.clear();
    seen_ = 0;
    prepared_ = -1;
  }

  const BonsaiConfig config_;
  const PruneContext context_;
  const double P0_;
  std::int64_t per_iteration_;
  std::vector<double> aims_;  // what is to be gone after each iteration
  std::vector<std::int64_t> goal_steps_;
  std::int64_t prepared_ = -1;  // the iteration that what follows is of
  Windows windows_;
  std::vector<Unit> units_;
  std::vector<double> rho_;
  Design design_;
  Prefix prefix_;  // of the part's windows
  double q_ = 0;
  std::vector<double> losses_;  // of this iteration's masks; by a metric minus it
  double whole_ = NAN;          // the loss with all units, where it is compared with
  std::int64_t seen_ = 0;       // windows that they have seen, all together
  bool has_told_ = false;       // that the metric says nothing
};

std::unique_ptr<Pruner> make(const BonsaiConfig& config, PruneContext context) {
  return std::make_unique<BonsaiPruner>(config, std::move(context));
}

}  // namespace
}  // namespace bonsai

void register_pruner_prune_bonsai(PrunerRegistry& registry) { registry.add<BonsaiConfig>("bonsai", bonsai::make); }

}  // namespace frugal
