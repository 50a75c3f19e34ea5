#include "frugal/train/zeroth_order/engine.h"

#include <algorithm>
#include <cmath>

#include "frugal/base/error.h"
#include "frugal/base/philox.h"
#include "frugal/train/zeroth_order/mask_file.h"
#include "frugal/train/zeroth_order/perturbed_view.h"

namespace frugal {
namespace {

using kernels::Bf16;
using Rule = kernels::Mask::Rule;

constexpr std::uint32_t kMaskSample = 0xffffffff, kRoundingSample = 0xfffffffe;  // ids beside the samples 0, 1, ...
constexpr std::size_t kUpdateTile = 1 << 16;                                     // weights of one work item

bool is_magnitude(Rule rule) { return rule == Rule::small || rule == Rule::large; }

float magnitude(const Bf16* w, std::size_t i) {
  float value;
  kernels::to_float(w + i, &value, 1);
  return std::fabs(value);
}
float magnitude(const float* w, std::size_t i) { return std::fabs(w[i]); }

template <class Call>
void with_weights(WeightStore& store, std::size_t id, const Call& call) {
  if (store.type(id) == WeightType::f32)
    call(reinterpret_cast<float*>(store.bytes(id).data()));
  else
    call(reinterpret_cast<Bf16*>(store.bytes(id).data()));
}

}  // namespace

ZerothOrderEngine::ZerothOrderEngine(WeightStore& store, Threads& threads, ZerothOrderOptions options)
    : store_(store),
      threads_(threads),
      options_(std::move(options)),
      thresholds_(store.size(), 0),
      masks_(store.size()),
      bits_(store.size()) {
  const bool from_file = options_.mask == Rule::file;
  if (from_file) bits_ = read_mask_file(options_.mask_file, store.source());
  std::vector<char> bad(store.size(), 0);
  threads.run(static_cast<std::int64_t>(store.size()), [&](std::int64_t item, int) {
    const auto id = static_cast<std::size_t>(item);
    const auto n = static_cast<std::size_t>(store.elements(id));
    with_weights(store, id, [&](auto* w) {
      bad[id] = !std::isfinite(kernels::magnitude_quantile(w, n, 1.0));
      if (options_.mask == Rule::none || from_file || (store.spec(id).is_vector && !options_.mask_vectors)) return;
      kernels::Mask& mask = masks_[id];
      mask.rule = options_.mask;
      mask.density = 1 - options_.sparsity;
      if (is_magnitude(mask.rule)) {
        thresholds_[id] =
            kernels::magnitude_quantile(w, n, mask.rule == Rule::small ? 1 - options_.sparsity : options_.sparsity);
        mask.threshold = thresholds_[id];
        if (!options_.dynamic_mask) {
          bits_[id].assign((n + 7) / 8, 0);
          for (std::size_t i = 0; i < n; ++i) {
            if ((magnitude(w, i) <= mask.threshold) == (mask.rule == Rule::small))
              bits_[id][i / 8] |= static_cast<std::uint8_t>(1 << i % 8);
          }
        }
      }
    });
  });
  for (std::size_t id = 0; id < store.size(); ++id) {
    if (bad[id]) {
      throw Error(Exit::input, store.spec(id).name + " holds weights that are not finite",
                  "check the model file; convert it again");
    }
    if (!bits_[id].empty()) masks_[id] = {.rule = Rule::file, .bits = bits_[id].data()};
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
  Estimate result;
  for (int sample = 0; sample < options_.samples; ++sample) {
    const auto [plus, minus] = loss(PerturbedView(store_, noise(step, sample), masks_));
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
    std::size_t id, first, n;
  };
  std::vector<Item> items;
  for (std::size_t id = 0; id < store_.size(); ++id) {
    const auto n = static_cast<std::size_t>(store_.elements(id));
    for (std::size_t first = 0; first < n; first += kUpdateTile)
      items.push_back({id, first, std::min(kUpdateTile, n - first)});
  }
  threads_.run(static_cast<std::int64_t>(items.size()), [&](std::int64_t item, int) {
    const auto [id, first, n] = items[static_cast<std::size_t>(item)];
    const kernels::Update update{
        .direction = options_.direction,
        .tensor = static_cast<std::uint32_t>(id),
        .eps = options_.eps,
        .decay = store_.spec(id).is_vector ? 0.0f : lr * static_cast<float>(options_.weight_decay),
        .evaluated = options_.evaluated_direction,
        .stochastic = options_.stochastic_rounding,
        .rounding_key = philox_key(options_.seed, step, kRoundingSample),
        .samples = samples};
    with_weights(store_, id, [&](auto* w) { kernels::update(w + first, first, n, update, masks_[id]); });
  });
}

}  // namespace frugal
