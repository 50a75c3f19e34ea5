#include "frugal/train/zeroth_order/engine.h"

#include <algorithm>
#include <cmath>

#include "frugal/base/error.h"
#include "frugal/base/philox.h"
#include "frugal/train/zeroth_order/mask_file.h"
#include "frugal/train/zeroth_order/perturbed_pairs.h"
#include "frugal/train/zeroth_order/perturbed_view.h"

namespace frugal {
namespace {

using kernels::Bf16;
using Rule = kernels::Mask::Rule;

constexpr std::size_t kUpdateTile = 1 << 16;  // weights of one work item

bool is_magnitude(Rule rule) { return rule == Rule::small || rule == Rule::large; }

float magnitude(const Bf16* w, std::size_t i) {
  float value;
  kernels::to_float(w + i, &value, 1);
  return std::fabs(value);
}
float magnitude(const float* w, std::size_t i) { return std::fabs(w[i]); }

template <class Call>
void with_numbers(Parametrisation& what, std::size_t parameter, const Call& call) {
  std::byte* values = what.values(parameter);
  if (what.parameters()[parameter].type == WeightType::f32)
    call(reinterpret_cast<float*>(values));
  else
    call(reinterpret_cast<Bf16*>(values));
}

}  // namespace

ZerothOrderEngine::ZerothOrderEngine(Parametrisation& what, Threads& threads, const ZerothOrderConfig& config,
                                     std::uint64_t seed, const MaskConfig& mask)
    : what_(what),
      tensors_(what.view().store().size()),
      threads_(threads),
      settings_{config, mask, seed},
      direction_(parse_direction(config.direction)),
      rule_(parse_mask_rule(mask.mask)),
      eps_(static_cast<float>(config.eps)),
      thresholds_(kStreamsOfATensor * tensors_, 0),
      masks_(thresholds_.size()),
      bits_(thresholds_.size()) {
  const bool from_file = rule_ == Rule::file;
  if (from_file) {
    bits_ = read_mask_file(mask.file(), what.view().store().source());
    bits_.resize(masks_.size());
  }
  const std::vector<Parameter>& parameters = what.parameters();
  std::vector<char> bad(parameters.size(), 0);
  threads.run(static_cast<std::int64_t>(parameters.size()), [&](std::int64_t item, int) {
    const auto at = static_cast<std::size_t>(item);
    const Parameter& p = parameters[at];
    const auto n = static_cast<std::size_t>(p.count);
    const std::size_t stream = stream_id(p, tensors_);
    with_numbers(what, at, [&](auto* w) {
      const float largest = kernels::magnitude_quantile(w, n, 1.0);
      bad[at] = !std::isfinite(largest);
      if (rule_ == Rule::none || from_file || (!p.decays && !mask.mask_vectors)) return;
      if (is_magnitude(rule_) && p.part != Parameter::Part::whole && largest == 0) return;
      kernels::Mask& own = masks_[stream];
      own.rule = rule_;
      own.density = 1 - mask.sparsity;
      if (is_magnitude(rule_)) {
        // The threshold h of the paper: the quantile of |w| at the start that leaves `sparsity` of the matrix out.
        thresholds_[stream] =
            kernels::magnitude_quantile(w, n, rule_ == Rule::small ? 1 - mask.sparsity : mask.sparsity);
        own.threshold = thresholds_[stream];
        if (!mask.dynamic_mask) {
          bits_[stream].assign((n + 7) / 8, 0);
          for (std::size_t i = 0; i < n; ++i) {
            if ((magnitude(w, i) <= own.threshold) == (rule_ == Rule::small))
              bits_[stream][i / 8] |= static_cast<std::uint8_t>(1 << i % 8);
          }
        }
      }
    });
  });
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (bad[i]) {
      throw Error(Exit::input, parameters[i].name + " holds weights that are not finite",
                  "check the model file; convert it again");
    }
  }
  for (std::size_t stream = 0; stream < bits_.size(); ++stream) {
    if (!bits_[stream].empty()) masks_[stream] = {.rule = Rule::file, .bits = bits_[stream].data()};
  }
  set_masks(0);
}

void ZerothOrderEngine::set_masks(std::uint64_t step) {
  if (rule_ != Rule::random) return;
  const std::uint64_t key = philox_key(settings_.seed, settings_.mask.dynamic_mask ? step : 0, kMaskSample);
  for (kernels::Mask& mask : masks_) mask.key = key;
}

kernels::Noise ZerothOrderEngine::noise(std::uint64_t step, int sample) const {
  return {.direction = direction_,
          .key = philox_key(settings_.seed, step, static_cast<std::uint32_t>(sample)),
          .eps = eps_};
}

ZerothOrderEngine::Estimate ZerothOrderEngine::estimate(std::uint64_t step, const Loss& loss) {
  set_masks(step);
  const bool is_pairs = what_.parameters().front().part != Parameter::Part::whole;
  Estimate result;
  const auto samples = static_cast<int>(settings_.config.samples);
  // For each direction z_j: L+ and L- at w + eps z_j and w - eps z_j, and g_j = (L+ - L-) / (2 eps).
  for (int sample = 0; sample < samples; ++sample) {
    const kernels::Noise of = noise(step, sample);
    const auto [plus, minus] = is_pairs ? loss(PerturbedPairs(what_.view(), of, masks_))
                                        : loss(PerturbedView(what_.view().store(), of, masks_));
    const auto g = static_cast<float>((plus - minus) / (2.0 * static_cast<double>(eps_)));
    result.projected_gradients.push_back(g);
    result.loss += (plus + minus) / (2.0 * samples);
    result.finite = result.finite && std::isfinite(g) && std::isfinite(plus) && std::isfinite(minus);
  }
  return result;
}

void ZerothOrderEngine::update(std::uint64_t step, float lr, std::span<const float> projected_gradients) {
  set_masks(step);
  const ZerothOrderConfig& config = settings_.config;
  // lr g_j / n and the key of z_j, which is drawn again;
  std::vector<kernels::Sample> samples;
  for (std::size_t j = 0; j < projected_gradients.size(); ++j) {
    const kernels::Noise of = noise(step, static_cast<int>(j));
    samples.push_back({of.key, lr / static_cast<float>(projected_gradients.size()) * projected_gradients[j]});
  }
  struct Item {
    std::size_t parameter, first, n;
  };
  std::vector<Item> items;
  for (std::size_t i = 0; i < what_.parameters().size(); ++i) {
    const auto n = static_cast<std::size_t>(what_.parameters()[i].count);
    for (std::size_t first = 0; first < n; first += kUpdateTile)
      items.push_back({i, first, std::min(kUpdateTile, n - first)});
  }
  threads_.run(static_cast<std::int64_t>(items.size()), [&](std::int64_t item, int) {
    const auto [parameter, first, n] = items[static_cast<std::size_t>(item)];
    const Parameter& p = what_.parameters()[parameter];
    const std::size_t stream = stream_id(p, tensors_);
    const kernels::Update update{.direction = direction_,
                                 .tensor = static_cast<std::uint32_t>(stream),
                                 .eps = eps_,
                                 .decay = p.decays ? lr * static_cast<float>(config.step.weight_decay) : 0.0f,
                                 .evaluated = config.evaluated_direction,
                                 .stochastic = config.rounding == "stochastic",
                                 .rounding_key = philox_key(settings_.seed, step, kRoundingSample),
                                 .samples = samples};
    with_numbers(what_, parameter, [&](auto* w) { kernels::update(w + first, first, n, update, masks_[stream]); });
  });
}

}  // namespace frugal
