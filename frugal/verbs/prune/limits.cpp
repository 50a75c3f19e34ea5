#include "frugal/verbs/prune/limits.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "frugal/base/log.h"
#include "frugal/formats/gguf/gguf_model.h"
#include "frugal/prune/common/units.h"
#include "frugal/prune/registry.h"

namespace frugal {

void require_export(const PruneVerbConfig& c, const ModelSource& model, const Tokenizer& tokenizer) {
  const PruneConfig& p = c.prune;
  const ModelShape& shape = model.shape();
  if (p.layout == "uniform" && !shape.is_uniform())
    throw Error(Exit::usage, "--layout is uniform, but the layers of " + c.model + " differ",
                "--layout native or padded");
  if (!c.out.ends_with(".gguf")) return;
  require_gguf(tokenizer.model());
  if (p.layout != "native") return;
  ModelShape left = shape;
  std::erase(left.layers, LayerShape{});  // they are not written
  require_gguf(left);
  if (prune_methods().at(c.method).takes_layers || p.sparsity == 0) return;
  const std::string fix = ", --layout padded, or a Hugging Face folder: --out without .gguf";
  if (p.min_heads == 0)
    throw Error(Exit::usage, "--min-heads is 0, but GGUF's deci cannot say that layer 0 has no attention",
                "--min-heads 1" + fix);
  if (p.min_neurons == 0)
    throw Error(Exit::usage, "--min-neurons is 0, but GGUF's deci cannot say that a layer has attention alone",
                "--min-neurons " + std::to_string(p.neuron_multiple) + fix);
}

void require_reachable(const PruneVerbConfig& c, const ModelShape& shape) {
  const PruneConfig& p = c.prune;
  if (p.sparsity == 0) return;
  std::int64_t widest = 0;
  for (const LayerShape& layer : shape.layers) widest = std::max(widest, layer.ffn);
  const bool takes_layers = prune_methods().at(c.method).takes_layers;
  if (!takes_layers && p.neuron_multiple > widest)
    throw Error(Exit::usage,
                "--neuron-multiple is " + std::to_string(p.neuron_multiple) + ", but no layer has more than " +
                    std::to_string(widest) + " neurons",
                "--neuron-multiple 32 is usual");
  const Reach reach = takes_layers ? reach_of_layers(shape) : reach_of(shape, select_options(p, 0));
  const auto text = [](double share) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.4g", share);
    return std::string(digits);
  };
  const std::string limits = takes_layers ? "the last layer stays"
                                          : "--min-heads " + std::to_string(p.min_heads) + ", --min-neurons " +
                                                std::to_string(p.min_neurons) + " and --neuron-multiple " +
                                                std::to_string(p.neuron_multiple);
  if (reach.most == 0)
    throw Error(Exit::input, "nothing is left that can be removed from " + c.model + ": " + limits,
                takes_layers ? "choose another --method" : "give smaller ones, or --layout native");
  const double smallest = p.goals().front();
  const std::string option = p.also.empty() ? "--sparsity" : "--also";
  if (smallest < reach.least)
    throw Error(Exit::usage,
                option + " is " + text(smallest) + ", but the smallest part that can go is " + text(reach.least) +
                    " of the blocks' parameters",
                option + " " + text(std::ceil(reach.least * 1e4) / 1e4) +
                    (takes_layers ? ", or another --method" : ", or a smaller --neuron-multiple"));
  if (p.sparsity > reach.most)
    warn("--sparsity is " + text(p.sparsity) + ", but at most " + text(reach.most) +
         " of the blocks' parameters can go (" + limits + "): " + text(p.sparsity - reach.most) + " less");
}

}  // namespace frugal
