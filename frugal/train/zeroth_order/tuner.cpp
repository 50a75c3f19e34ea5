#include "frugal/train/zeroth_order/tuner.h"

#include <algorithm>

#include "frugal/base/error.h"

namespace frugal {
namespace {

using kernels::Direction;
using Rule = kernels::Mask::Rule;

constexpr std::pair<const char*, Direction> kDirections[] = {
    {"sign", Direction::sign}, {"gaussian", Direction::gaussian}, {"gaussian-exact", Direction::gaussian_exact}};
constexpr std::pair<const char*, Rule> kRules[] = {
    {"none", Rule::none}, {"small", Rule::small}, {"large", Rule::large}, {"random", Rule::random}, {"file", Rule::file}};

template <class T, std::size_t N>
std::string name_of(const std::pair<const char*, T> (&table)[N], T value) {
  for (const auto& [name, entry] : table) {
    if (entry == value) return name;
  }
  return {};
}

template <class T, std::size_t N>
T parse(const std::pair<const char*, T> (&table)[N], const std::string& name, const char* option) {
  std::string names;
  for (const auto& [known, value] : table) {
    if (name == known) return value;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  throw Error(Exit::usage, std::string(option) + " is '" + name + "'", "choose one of " + names);
}

}  // namespace

Direction parse_direction(const std::string& name) { return parse(kDirections, name, "--direction"); }
Rule parse_mask_rule(const std::string& name) { return parse(kRules, name.starts_with("file:") ? "file" : name, "--mask"); }

ZerothOrderTuner::ZerothOrderTuner(WeightStore& store, Decoder& decoder, const PromptTask& task, ZerothOrderOptions options,
                                   Objective objective, std::int64_t accumulation)
    : engine_(store, decoder.threads(), std::move(options)), loss_(decoder, task.options(), 1024), objective_(objective),
      accumulation_(std::max<std::int64_t>(1, accumulation)) {}

StepResult ZerothOrderTuner::step(std::uint64_t step, double lr, std::span<const Example* const> batch) {
  const auto n = batch.size();
  const auto part = (n + static_cast<std::size_t>(accumulation_) - 1) / static_cast<std::size_t>(accumulation_);
  const auto estimate = engine_.estimate(step, [&](const WeightView& view) {
    double sums[2] = {0, 0};
    for (std::size_t begin = 0; begin < n; begin += part) {
      const auto examples = batch.subspan(begin, std::min(part, n - begin));
      const LabelObjective::Result scored = loss_.score(view, examples);
      for (std::size_t b = 0; b < 2; ++b) {
        for (std::size_t i = 0; i < examples.size(); ++i) {
          const std::size_t at = b * examples.size() + i;
          sums[b] += objective_ == Objective::cross_entropy ? scored.losses[at] : static_cast<double>(scored.predicted[at] != examples[i]->label);
        }
      }
    }
    return ZerothOrderEngine::BranchLosses{sums[0] / static_cast<double>(n), sums[1] / static_cast<double>(n)};
  });
  if (estimate.finite) engine_.update(step, static_cast<float>(lr), estimate.projected_gradients);
  return {estimate.loss, !estimate.finite, estimate.projected_gradients};
}

void ZerothOrderTuner::replay(std::uint64_t step, double lr, std::span<const float> record) {
  engine_.update(step, static_cast<float>(lr), record);
}

Json ZerothOrderTuner::trajectory_header() const {
  const ZerothOrderOptions& o = engine_.options();
  return {{"method", "zeroth-order"},
          {"generator", "philox4x32-10"},
          {"direction", name_of(kDirections, o.direction)},
          {"eps", o.eps},
          {"samples", o.samples},
          {"weight_decay", o.weight_decay},
          {"evaluated_direction", o.evaluated_direction},
          {"stochastic_rounding", o.stochastic_rounding},
          {"mask", name_of(kRules, o.mask)},
          {"mask_file", o.mask_file.string()},
          {"sparsity", o.sparsity},
          {"dynamic_mask", o.dynamic_mask},
          {"mask_vectors", o.mask_vectors},
          {"seed", o.seed}};
}

ZerothOrderOptions options_from_header(const Json& header) {
  try {
    return {.direction = parse_direction(header.at("direction")),
            .eps = header.at("eps").get<float>(),
            .samples = header.at("samples"),
            .weight_decay = header.at("weight_decay"),
            .evaluated_direction = header.at("evaluated_direction"),
            .stochastic_rounding = header.at("stochastic_rounding"),
            .mask = parse_mask_rule(header.at("mask")),
            .sparsity = header.at("sparsity"),
            .dynamic_mask = header.at("dynamic_mask"),
            .mask_vectors = header.at("mask_vectors"),
            .mask_file = header.at("mask_file").get<std::string>(),
            .seed = header.at("seed")};
  } catch (const nlohmann::json::exception& error) {
    throw Error(Exit::input, std::string("the trajectory's header is not complete: ") + error.what(), "use the trajectory of a frugal run");
  }
}

}  // namespace frugal
