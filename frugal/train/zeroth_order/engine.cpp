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

ZerothOrderEngine::ZerothOrderEngine(Parametrisation& what, Threads& threads, ZerothOrderOptions options)
    : what_(what),
      tensors_(what.view().store().size()),
      threads_(threads),
      options_(std::move(options)),
      thresholds_(kStreamsOfATensor * tensors_, 0),
      masks_(thresholds_.size()),
      bits_(thresholds_.size()) {
  const bool from_file = options_.mask == Rule::file;
  if (from_file) {
    bits_ = read_mask_file(options_.mask_file, what.view().store().source());
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
      if (options_.mask == Rule::none || from_file || (!p.decays && !options_.mask_vectors)) return;
      if (is_magnitude(options_.mask) && p.part != Parameter::Part::whole && largest == 0) return;
      kernels::Mask& mask = masks_[stream];
      mask.rule = options_.mask;
      mask.density = 1 - options_.sparsity;
      if (is_magnitude(mask.rule)) {
        thresholds_[stream] =
            kernels::magnitude_quantile(w, n, mask.rule == Rule::small ? 1 - options_.sparsity : options_.sparsity);
        mask.threshold = thresholds_[stream];
        if (!options_.dynamic_mask) {
          bits_[stream].assign((n + 7) / 8, 0);
          for (std::size_t i = 0; i < n; ++i) {
            if ((magnitude(w, i) <= mask.threshold) == (mask.rule == Rule::small))
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
  if (options_.mask != Rule::random) return;
  const std::uint64_t key = philox_key(options_.seed, options_.dynamic_mask ? step : 0, kMaskSample);
  for (kernels::Mask& mask : masks_) mask.key = key;
}

kernels::Noise ZerothOrderEngine::noise(std::uint64_t step, int sample) const {
  return {.direction = options_.direction,
          .key = philox_key(options_.seed, step, static_cast<std::uint32_t>(sample)),
          .eps = options_.eps};
}

ZerothOrderEngine::Estimate ZerothOrderEngine::estimate(std::uint64_t step, const Loss& loss) {
  set_masks(step);
  const bool is_pairs = what_.parameters().front().part != Parameter::Part::whole;
  Estimate result;
  for (int sample = 0; sample < options_.samples; ++sample) {
    const kernels::Noise of = noise(step, sample);
    const auto [plus, minus] = is_pairs ? loss(PerturbedPairs(what_.view(), of, masks_))
                                        : loss(PerturbedView(what_.view().store(), of, masks_));
    const auto g = static_cast<float>((plus - minus) / (2.0 * static_cast<double>(options_.eps)));
    result.projected_gradients.push_back(g);
    result.loss += (plus + minus) / (2.0 * options_.samples);
    result.finite = result.finite && std::isfinite(g) && std::isfinite(plus) && std::isfinite(minus);
  }
  return result;
}

void ZerothOrderEngine::update(std::uint64_t step, float lr, std::span<const float> projected_gradients) {
  set_masks(step);
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
    const kernels::Update update{.direction = options_.direction,
                                 .tensor = static_cast<std::uint32_t>(stream),
                                 .eps = options_.eps,
                                 .decay = p.decays ? lr * static_cast<float>(options_.weight_decay) : 0.0f,
                                 .evaluated = options_.evaluated_direction,
                                 .stochastic = options_.stochastic_rounding,
                                 .rounding_key = philox_key(options_.seed, step, kRoundingSample),
                                 .samples = samples};
    with_numbers(what_, parameter, [&](auto* w) { kernels::update(w + first, first, n, update, masks_[stream]); });
  });
}

}  // namespace frugal
