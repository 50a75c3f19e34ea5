// Bonsai (arXiv:2402.05406): sub-models with random units off are evaluated on the same text, a linear model of their
// utilities says what each unit is worth, the least useful go, and so on until the target.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "frugal/base/log.h"
#include "frugal/base/philox.h"
#include "frugal/prune/bonsai/config.h"
#include "frugal/prune/bonsai/torch/regression.h"
#include "frugal/prune/torch/pruner.h"

namespace frugal {
namespace bonsai {
namespace {

constexpr double kWorst = 1e8;  // utilities below minus this, and those that are no number, are taken for it

struct Module {                         // units whose masks are drawn together
  std::vector<std::size_t> candidates;  // into the units
  std::vector<double> weights;          // w_u: the chance to be drawn
  std::size_t off = 0;                  // of the candidates, in the first mask of a pair
};

class BonsaiPruner : public Pruner {
 public:
  BonsaiPruner(const BonsaiConfig& config, PruneContext context)
      : config_(config),
        context_(std::move(context)),
        P0_(static_cast<double>(block_parameters(context_.model.source().shape()))),
        per_iteration_((config.masks + context_.masks_together() - 1) / context_.masks_together()) {
    if (config.regression == "none") per_iteration_ = 1;
  }

  std::int64_t iterations() const {
    return static_cast<std::int64_t>(std::ceil(context_.config.sparsity / config_.step - 1e-9));
  }
  std::int64_t steps() const override { return iterations() * per_iteration_; }
  bool has_changed(std::int64_t steps) const override { return steps % per_iteration_ == 0; }

  StepResult step(std::int64_t index) override {
    PruneModel& model = context_.model;
    const std::int64_t iteration = index / per_iteration_, part = index % per_iteration_;
    if (prepared_ != iteration) prepare(iteration);
    StepResult result;
    result.event = {{"iteration", iteration + 1}};
    if (config_.regression != "none") {
      evaluate(iteration, part);
      result.value = -utilities_.back();
    }
    if (part + 1 == per_iteration_) finish(iteration, result);
    result.event["sparsity"] = model.survivors().sparsity();
    if (std::isnan(result.value)) result.value = model.survivors().sparsity();
    return result;
  }

  void state(State& state) override {
    state.list("utilities", utilities_);
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
    q_ = iteration + 1 == iterations() ? context_.config.sparsity - s
                                       : std::min(config_.step, context_.config.sparsity - s);
    const double local = config_.reference_compat ? q_ : std::min(1.0, q_ / (1 - s));
    modules_.clear();
    std::vector<std::size_t> heads;
    for (std::size_t begin = 0; begin < units_.size();) {
      std::size_t end = begin;
      while (end < units_.size() && units_[end].layer == units_[begin].layer && units_[end].kind == units_[begin].kind)
        ++end;
      std::vector<std::size_t> own(end - begin);
      std::iota(own.begin(), own.end(), begin);
      const LayerShape& layer = shape.layers[static_cast<std::size_t>(units_[begin].layer)];
      if (units_[begin].kind == UnitKind::neuron)
        add_module(own, local, layer.ffn - context_.config.min_neurons);
      else
        keep_least(own, layer.kv_heads - context_.config.min_heads, heads);
      begin = end;
    }
    // A layer has few key heads: where it would have one candidate, those of all layers are drawn together.
    add_module(heads, local * config_.attention_ratio, static_cast<std::int64_t>(heads.size()));
  }

  // The `most` units of `own` with the lowest prior, appended: the others of the layer must stay.
  void keep_least(std::vector<std::size_t> own, std::int64_t most, std::vector<std::size_t>& to) const {
    std::stable_sort(own.begin(), own.end(), [&](std::size_t a, std::size_t b) { return rho_[a] < rho_[b]; });
    own.resize(static_cast<std::size_t>(std::clamp<std::int64_t>(most, 0, static_cast<std::int64_t>(own.size()))));
    to.insert(to.end(), own.begin(), own.end());
  }

  void add_module(std::vector<std::size_t> live, double q, std::int64_t most) {
    const auto a = static_cast<double>(live.size());
    if (live.empty() || q <= 0 || most <= 0) return;
    Module module;
    const double largest = rho_[*std::max_element(live.begin(), live.end(),
                                                  [&](std::size_t x, std::size_t y) { return rho_[x] < rho_[y]; })];
    const auto fixed = static_cast<std::int64_t>(std::floor(a * std::max(0.0, 1 - 2 * q)));
    keep_least(live, std::min(most, static_cast<std::int64_t>(live.size()) - fixed), module.candidates);
    for (const std::size_t u : module.candidates) module.weights.push_back(largest - rho_[u]);
    const std::size_t half = (module.candidates.size() + 1) / 2;
    module.off = std::min(static_cast<std::size_t>(std::floor(q * a)) + 1, half);
    if (module.off > 0) modules_.push_back(std::move(module));
  }

  // Line 10: `off` candidates of each module without replacement, with chances that are as their weights (Efraimidis
  // and Spirakis, 2006: those with the smallest -log(u) / w).
  std::vector<std::size_t> draw(std::int64_t iteration, std::int64_t pair) const {
    PhiloxSequence random(
        philox_key(context_.seed, static_cast<std::uint64_t>(iteration), static_cast<std::uint32_t>(pair)),
        named_stream("bonsai.masks"));
    std::vector<std::size_t> off;
    for (const Module& module : modules_) {
      const auto positive = std::count_if(module.weights.begin(), module.weights.end(), [](double w) { return w > 0; });
      const bool is_uniform = static_cast<std::size_t>(positive) < module.off;
      std::vector<std::pair<double, std::size_t>> keys;
      for (std::size_t i = 0; i < module.candidates.size(); ++i) {
        const double u = (static_cast<double>(random.next()) + 0.5) * 0x1p-32, w = is_uniform ? 1 : module.weights[i];
        keys.emplace_back(w > 0 ? -std::log(u) / w : INFINITY, module.candidates[i]);
      }
      std::nth_element(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(module.off), keys.end());
      for (std::size_t i = 0; i < module.off; ++i) off.push_back(keys[i].second);
    }
    std::sort(off.begin(), off.end());
    return off;
  }

  ModelMask mask_of(const std::vector<std::size_t>& off) const {
    const ModelShape& shape = context_.model.shape();
    ModelMask mask(shape.layers.size());
    for (const std::size_t u : off) {
      const Unit& unit = units_[u];
      UnitMask& to = mask[static_cast<std::size_t>(unit.layer)];
      if (unit.kind == UnitKind::neuron) {
        to.neurons.push_back(unit.index);
        continue;
      }
      const LayerShape& layer = shape.layers[static_cast<std::size_t>(unit.layer)];
      const auto group = static_cast<std::int32_t>(layer.heads / layer.kv_heads);
      for (std::int32_t i = 0; i < group; ++i) to.heads.push_back(unit.index * group + i);
    }
    return mask;
  }

  std::vector<std::size_t> all_candidates() const {
    std::vector<std::size_t> all;
    for (const Module& module : modules_) all.insert(all.end(), module.candidates.begin(), module.candidates.end());
    std::sort(all.begin(), all.end());
    return all;
  }

  // Lines 9 to 12: the masks of one part, in complementary pairs on the candidates, and their utilities.
  void evaluate(std::int64_t iteration, std::int64_t part) {
    const std::vector<std::size_t> candidates = all_candidates();
    std::vector<ModelMask> masks;
    const std::int64_t first = part * context_.masks_together() / 2,
                       last = std::min(config_.masks / 2, first + context_.masks_together() / 2);
    for (std::int64_t pair = first; pair < last; ++pair) {
      const std::vector<std::size_t> off = draw(iteration, pair);
      std::vector<std::size_t> rest;
      std::set_difference(candidates.begin(), candidates.end(), off.begin(), off.end(), std::back_inserter(rest));
      masks.push_back(mask_of(off));
      masks.push_back(mask_of(rest));
    }
    for (const double loss : context_.model.losses(windows_, masks)) {
      const double utility = config_.utility == "ppl" ? -std::exp(loss) : -loss;
      utilities_.push_back(std::isfinite(utility) ? std::max(utility, -kWorst) : -kWorst);
    }
  }

  // Lines 13 to 17: importance of the candidates; the least useful go.
  void finish(std::int64_t iteration, StepResult& result) {
    const std::vector<std::size_t> candidates = all_candidates();
    std::vector<double> scores(units_.size(), INFINITY);
    if (config_.regression == "none") {
      for (const std::size_t u : candidates) scores[u] = rho_[u];
    } else {
      const auto broken = std::count(utilities_.begin(), utilities_.end(), -kWorst);
      result.event["broken"] = broken;
      if (broken == static_cast<std::ptrdiff_t>(utilities_.size()))
        throw Error(Exit::diverged, "the --utility of all " + std::to_string(broken) + " masked models is no number",
                    "check the model with frugal eval, or take a smaller --step");
      MaskPairs pairs;
      for (std::int64_t pair = 0; pair < config_.masks / 2; ++pair) {
        const std::vector<std::size_t> off = draw(iteration, pair);
        std::vector<std::uint8_t> on;
        for (const std::size_t u : candidates) on.push_back(!std::binary_search(off.begin(), off.end(), u));
        pairs.on.push_back(std::move(on));
        pairs.first.push_back(utilities_[static_cast<std::size_t>(2 * pair)]);
        pairs.second.push_back(utilities_[static_cast<std::size_t>(2 * pair + 1)]);
      }
      // A prior is of a column of weights: a unit of many columns is worth so much more, and its score is again that of
      // one, so that what goes is worth little for the parameters it has.
      std::vector<double> expected;
      for (const std::size_t u : candidates)
        expected.push_back(std::max(1e-12, rho_[u]) * static_cast<double>(units_[u].cost));
      const bool is_anchored = config_.regression == "anchored";
      const Fit fit = is_anchored                     ? anchored_ridge(pairs, expected)
                      : config_.regression == "lasso" ? lasso(pairs)
                                                      : ridge(pairs);
      result.event.update({{"tau", fit.tau}, {"gamma", fit.gamma}});
      for (std::size_t i = 0; i < candidates.size(); ++i)
        scores[candidates[i]] = fit.beta[i] / (is_anchored ? static_cast<double>(units_[candidates[i]].cost) : 1);
    }
    SelectOptions options = context_.select_options(static_cast<std::int64_t>(q_ * P0_));
    options.is_local = config_.scope.is_local();
    context_.model.remove(select(context_.model.shape(), units_, scores, options));
    utilities_.clear();
    prepared_ = -1;
  }

  const BonsaiConfig config_;
  const PruneContext context_;
  const double P0_;
  std::int64_t per_iteration_;
  std::int64_t prepared_ = -1;  // the iteration that what follows is of
  Windows windows_;
  std::vector<Unit> units_;
  std::vector<double> rho_;
  std::vector<Module> modules_;
  double q_ = 0;
  std::vector<double> utilities_;  // of this iteration's masks
};

std::unique_ptr<Pruner> make(const BonsaiConfig& config, PruneContext context) {
  return std::make_unique<BonsaiPruner>(config, std::move(context));
}

}  // namespace
}  // namespace bonsai

void register_pruner_prune_bonsai(PrunerRegistry& registry) { registry.add<BonsaiConfig>("bonsai", bonsai::make); }

}  // namespace frugal
