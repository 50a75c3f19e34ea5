#include "frugal/train/zeroth_order/tuner.h"

#include <algorithm>

#include "frugal/base/error.h"

namespace frugal {
namespace {

using kernels::Direction;
using Rule = kernels::Mask::Rule;

constexpr std::pair<const char*, Direction> kDirections[] = {{"sign", Direction::sign},
                                                             {"gaussian", Direction::gaussian},
                                                             {"gaussian16", Direction::gaussian16},
                                                             {"gaussian-exact", Direction::gaussian_exact}};
constexpr std::pair<const char*, Rule> kRules[] = {{"none", Rule::none},
                                                   {"small", Rule::small},
                                                   {"large", Rule::large},
                                                   {"random", Rule::random},
                                                   {"file", Rule::file}};

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
Rule parse_mask_rule(const std::string& name) {
  return parse(kRules, name.starts_with("file:") ? "file" : name, "--mask");
}

ZerothOrderTuner::ZerothOrderTuner(std::unique_ptr<Parametrisation> what, Threads& threads, Objective* objective,
                                   ZerothOrderOptions options, Loss loss, std::int64_t accumulation, Json description)
    : what_(std::move(what)),
      engine_(*what_, threads, std::move(options)),
      objective_(objective),
      loss_(loss),
      accumulation_(static_cast<std::size_t>(std::max<std::int64_t>(1, accumulation))),
      description_(std::move(description)) {}

std::vector<double> ZerothOrderTuner::likely_rates() const {
  if (what_->has_pairs()) return {1e-4, 3e-4, 1e-3, 3e-3};
  return {1e-5, 3e-5, 1e-4, 3e-4};
}

TuningStep ZerothOrderTuner::step(std::uint64_t step, double lr, std::span<const std::uint32_t> batch) {
  const std::size_t n = batch.size(), part = (n + accumulation_ - 1) / accumulation_;
  const double terms = objective_->terms(batch);
  const auto estimate = engine_.estimate(step, [&](const WeightView& view) {
    double sums[2] = {0, 0};
    for (std::size_t begin = 0; begin < n; begin += part) {
      const auto examples = batch.subspan(begin, std::min(part, n - begin));
      const auto found =
          loss_ == Loss::cross_entropy ? objective_->loss_sums(view, examples) : objective_->error_sums(view, examples);
      for (std::size_t b = 0; b < 2; ++b) sums[b] += found[b];
    }
    return ZerothOrderEngine::BranchLosses{sums[0] / terms, sums[1] / terms};
  });
  if (estimate.finite) engine_.update(step, static_cast<float>(lr), estimate.projected_gradients);
  return {estimate.loss,
          !estimate.finite,
          estimate.projected_gradients,
          {{"projected_gradients", estimate.projected_gradients}}};
}

void ZerothOrderTuner::replay(std::uint64_t step, double lr, std::span<const float> record) {
  engine_.update(step, static_cast<float>(lr), record);
}

Json ZerothOrderTuner::trajectory_header() const {
  const ZerothOrderOptions& o = engine_.options();
  Json header = {{"method", "zeroth-order"},
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
  header.update(description_);
  return header;
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
    throw Error(Exit::input, std::string("the trajectory's header is not complete: ") + error.what(),
                "use the trajectory of a frugal run");
  }
}

}  // namespace frugal
