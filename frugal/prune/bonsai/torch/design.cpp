#include "frugal/prune/bonsai/torch/design.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "frugal/base/philox.h"

namespace frugal::bonsai {
namespace {

constexpr std::int64_t kBlocks = 6;  // a block has so great a part of the layers

// The `most` units of `own` with the lowest prior, appended: the others of the layer must stay.
void keep_least(std::vector<std::size_t> own, const std::vector<double>& rho, std::int64_t most,
                std::vector<std::size_t>& to) {
  std::stable_sort(own.begin(), own.end(), [&](std::size_t a, std::size_t b) { return rho[a] < rho[b]; });
  own.resize(static_cast<std::size_t>(std::clamp<std::int64_t>(most, 0, static_cast<std::int64_t>(own.size()))));
  to.insert(to.end(), own.begin(), own.end());
}

double largest_of(const std::vector<std::size_t>& units, const std::vector<double>& rho) {
  double largest = -INFINITY;
  for (const std::size_t u : units) largest = std::max(largest, rho[u]);
  return largest;
}

}  // namespace

Design::Design(const ModelShape& shape, std::vector<Unit> units, const std::vector<double>& rho,
               const DesignOptions& options)
    : layers_(shape.layers), units_(std::move(units)), options_(options) {
  std::vector<std::size_t> heads, lowest;
  for (std::size_t begin = 0; begin < units_.size();) {
    std::size_t end = begin;
    while (end < units_.size() && units_[end].layer == units_[begin].layer && units_[end].kind == units_[begin].kind)
      ++end;
    std::vector<std::size_t> own(end - begin);
    std::iota(own.begin(), own.end(), begin);
    const LayerShape& layer = layers_[static_cast<std::size_t>(units_[begin].layer)];
    if (units_[begin].kind == UnitKind::neuron)
      add_module(own, rho, options.q, (layer.ffn - 1) % options.neuron_multiple + 1, layer.ffn - options.min_neurons);
    else {
      keep_least(own, rho, layer.kv_heads - options.min_heads, heads);
      const auto share = static_cast<std::int64_t>(std::ceil(2 * options.head_q * static_cast<double>(own.size())));
      keep_least(own, rho, std::min(share, layer.kv_heads - options.min_heads), lowest);
    }
    begin = end;
  }
  // A layer has few key heads: where it would have one candidate, those of all layers are drawn together.
  if (options.is_uniform)
    add(lowest, rho, largest_of(heads, rho), (lowest.size() + 1) / 2);
  else
    add_module(heads, rho, options.head_q, 1, static_cast<std::int64_t>(heads.size()));
  for (const Module& module : modules_)
    candidates_.insert(candidates_.end(), module.candidates.begin(), module.candidates.end());
  std::sort(candidates_.begin(), candidates_.end());
}

void Design::add_module(std::vector<std::size_t> live, const std::vector<double>& rho, double q, std::int64_t least,
                        std::int64_t most) {
  const auto a = static_cast<double>(live.size());
  if (live.empty() || q <= 0 || most <= 0) return;
  const double largest = largest_of(live, rho);
  const auto fixed = static_cast<std::int64_t>(std::floor(a * std::max(0.0, 1 - 2 * q))),
             share = static_cast<std::int64_t>(live.size()) - fixed;
  std::vector<std::size_t> candidates;
  keep_least(live, rho, std::min(most, std::max(share, least)), candidates);
  const std::size_t half = (candidates.size() + 1) / 2;
  add(std::move(candidates), rho, largest,
      share < least ? half : std::min(static_cast<std::size_t>(std::floor(q * a)) + 1, half));
}

void Design::add(std::vector<std::size_t> candidates, const std::vector<double>& rho, double largest, std::size_t off) {
  if (off == 0 || candidates.empty()) return;
  Module module{.candidates = std::move(candidates), .off = off};
  for (const std::size_t u : module.candidates) module.weights.push_back(largest - rho[u]);
  modules_.push_back(std::move(module));
}

Design::Module Design::within(const Module& module, std::int64_t begin, std::int64_t end) const {
  Module part;
  for (std::size_t i = 0; i < module.candidates.size(); ++i) {
    const std::int64_t layer = units_[module.candidates[i]].layer;
    if (layer < begin || layer >= end) continue;
    part.candidates.push_back(module.candidates[i]);
    part.weights.push_back(module.weights[i]);
  }
  // The same share of them, rounded up.
  const std::size_t all = module.candidates.size();
  part.off = (part.candidates.size() * module.off + all - 1) / all;
  return part;
}

MaskPair Design::pair(std::int64_t index) const {
  PhiloxSequence random(philox_key(options_.seed, options_.iteration, static_cast<std::uint32_t>(index)),
                        named_stream("bonsai.masks"));
  const auto L = static_cast<std::int64_t>(layers_.size());
  std::int64_t begin = 0, end = L;
  const bool is_of_kind = options_.has_kinds && index < kKindPairs, is_block = options_.is_block && !is_of_kind;
  if (is_block) {
    // Places of blocks, those that reach over an end included, so that every layer is in as many: one from each of
    // `pairs` equal parts of them.
    const std::int64_t length = (L + kBlocks - 1) / kBlocks, places = L + length - 1;
    const std::int64_t first = options_.has_kinds ? kKindPairs : 0;
    const double at =
        (static_cast<double>(index - first) + random.uniform()) / static_cast<double>(options_.pairs - first);
    const std::int64_t place = std::min(places - 1, static_cast<std::int64_t>(at * static_cast<double>(places)));
    end = std::min(L, place + 1);
    begin = std::max<std::int64_t>(0, place + 1 - length);
  }
  MaskPair pair{.begin = static_cast<std::size_t>(begin)};
  for (const Module& all : modules_) {
    const UnitKind kind = units_[all.candidates.front()].kind;
    if (is_of_kind && kind != (index == 0 ? UnitKind::head : UnitKind::neuron)) continue;
    const Module part = is_block ? within(all, begin, end) : Module();
    const Module& module = is_block ? part : all;
    if (module.off == 0) continue;
    // `off` candidates without replacement, with chances that are as their weights (Efraimidis and Spirakis, 2006:
    // those with the smallest -log(u) / w).
    const auto positive = std::count_if(module.weights.begin(), module.weights.end(), [](double w) { return w > 0; });
    const bool is_uniform = static_cast<std::size_t>(positive) < module.off;
    std::vector<std::pair<double, std::size_t>> keys;
    for (std::size_t i = 0; i < module.candidates.size(); ++i) {
      const double u = (static_cast<double>(random.next()) + 0.5) * 0x1p-32, w = is_uniform ? 1 : module.weights[i];
      keys.emplace_back(w > 0 ? -std::log(u) / w : INFINITY, module.candidates[i]);
    }
    std::nth_element(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(module.off), keys.end());
    for (std::size_t i = 0; i < keys.size(); ++i) (i < module.off ? pair.first : pair.second).push_back(keys[i].second);
  }
  std::sort(pair.first.begin(), pair.first.end());
  std::sort(pair.second.begin(), pair.second.end());
  return pair;
}

ModelMask Design::mask(const std::vector<std::size_t>& off) const {
  ModelMask mask(layers_.size());
  for (const std::size_t u : off) {
    const Unit& unit = units_[u];
    UnitMask& to = mask[static_cast<std::size_t>(unit.layer)];
    if (unit.kind == UnitKind::neuron) {
      to.neurons.push_back(unit.index);
      continue;
    }
    const LayerShape& layer = layers_[static_cast<std::size_t>(unit.layer)];
    const auto group = static_cast<std::int32_t>(layer.heads / layer.kv_heads);
    for (std::int32_t i = 0; i < group; ++i) to.heads.push_back(unit.index * group + i);
  }
  return mask;
}

}  // namespace frugal::bonsai
