#include "frugal/verbs/prune/torch/pictures.h"

#include <algorithm>
#include <cmath>

namespace frugal {
namespace {

constexpr std::int64_t kParts = 16;  // of a layer's neurons

HeatMap by_layer(const char* name, const char* title, std::size_t layers) {
  HeatMap map{.name = name, .title = title};
  for (std::size_t l = 0; l < layers; ++l) map.rows.push_back(std::to_string(l));
  return map;
}

std::int64_t most(const ModelShape& shape, std::int64_t LayerShape::*size) {
  std::int64_t found = 0;
  for (const LayerShape& layer : shape.layers) found = std::max(found, layer.*size);
  return found;
}

double share(std::int64_t left, std::int64_t all) {
  return all > 0 ? static_cast<double>(left) / static_cast<double>(all) : NAN;
}

}  // namespace

void draw_quality(Figures& figures, const std::string& name, const std::vector<double>& sizes,
                  const std::vector<double>& quality) {
  if (sizes.size() < 2) return;
  figures.add(Figure{.name = "quality",
                     .title = "Quality against size",
                     .x_name = "share of the blocks' parameters that is left",
                     .y_name = name,
                     .series = {{name, sizes, quality}}});
}

void draw_left(Figures& figures, const ModelShape& all, const std::vector<KeptUnits>& kept) {
  const std::size_t layers = all.layers.size();
  HeatMap shares = by_layer("left", "What is left of each layer", layers);
  shares.columns = {"key heads", "neurons"};
  HeatMap heads = by_layer("heads", "Key heads that are left", layers);
  heads.note = "a row is a layer; an empty cell is a head that went";
  for (std::int64_t head = 0; head < most(all, &LayerShape::kv_heads); ++head)
    heads.columns.push_back(std::to_string(head));
  HeatMap neurons = by_layer("neurons", "Neurons that are left", layers);
  neurons.note = "a row is a layer, its neurons in sixteenths; a cell is the share that is left";
  for (std::int64_t part = 0; part < kParts; ++part) neurons.columns.push_back(std::to_string(part));
  for (std::size_t l = 0; l < layers; ++l) {
    const LayerShape& layer = all.layers[l];
    shares.values.push_back(share(shrunk_layer(layer, kept[l]).kv_heads, layer.kv_heads));
    shares.values.push_back(share(static_cast<std::int64_t>(kept[l].neurons.size()), layer.ffn));
    std::vector<double> own(heads.columns.size(), NAN);
    for (const std::int32_t head : kept[l].heads)
      own[static_cast<std::size_t>(head / (layer.heads / layer.kv_heads))] = 1;
    heads.values.insert(heads.values.end(), own.begin(), own.end());
    std::vector<std::int64_t> left(kParts), there(kParts);
    for (std::int64_t i = 0; i < layer.ffn; ++i) ++there[static_cast<std::size_t>(i * kParts / layer.ffn)];
    for (const std::int32_t i : kept[l].neurons) ++left[static_cast<std::size_t>(i * kParts / layer.ffn)];
    for (std::size_t part = 0; part < left.size(); ++part) neurons.values.push_back(share(left[part], there[part]));
  }
  figures.add(shares);
  figures.add(heads);
  figures.add(neurons);
}

void draw_importance(Figures& figures, const ModelShape& all, const std::vector<UnitScores>& scores) {
  if (scores.empty()) return;
  HeatMap heads = by_layer("head_importance", "Importance of key heads", scores.size());
  heads.note = "as they were last scored; an empty cell was no candidate";
  for (std::int64_t head = 0; head < most(all, &LayerShape::kv_heads); ++head)
    heads.columns.push_back(std::to_string(head));
  HeatMap neurons = by_layer("neuron_importance", "Importance of neurons", scores.size());
  neurons.note = "as those that were candidates were last scored: quantiles of each layer";
  constexpr std::pair<double, const char*> kQuantiles[] = {
      {0, "least"}, {0.25, "25 %"}, {0.5, "50 %"}, {0.75, "75 %"}, {1, "most"}};
  for (const auto& [q, name] : kQuantiles) neurons.columns.emplace_back(name);
  for (const UnitScores& layer : scores) {
    std::vector<double> own(heads.columns.size(), NAN);
    std::copy(layer.heads.begin(), layer.heads.end(), own.begin());
    heads.values.insert(heads.values.end(), own.begin(), own.end());
    std::vector<double> known;
    std::copy_if(layer.neurons.begin(), layer.neurons.end(), std::back_inserter(known),
                 [](double x) { return std::isfinite(x); });
    std::sort(known.begin(), known.end());
    for (const auto& [q, name] : kQuantiles)
      neurons.values.push_back(
          known.empty() ? NAN : known[static_cast<std::size_t>(q * static_cast<double>(known.size() - 1))]);
  }
  figures.add(heads);
  figures.add(neurons);
}

Json kept_json(const ModelShape& all, const std::vector<KeptUnits>& kept) {
  Json layers = Json::array();
  for (std::size_t l = 0; l < kept.size(); ++l) {
    if (shrunk_layer(all.layers[l], kept[l]) == LayerShape{}) continue;
    layers.push_back({{"layer", l}, {"heads", kept[l].heads}, {"neurons", kept[l].neurons}});
  }
  return layers;
}

}  // namespace frugal
