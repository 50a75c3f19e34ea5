// A model with fewer heads, neurons or words than the one on disk: its rows and columns are read from there, so that it
// is exported, loaded and tuned like any other.
#pragma once
#include <memory>
#include <vector>

#include "frugal/formats/model_source.h"
#include "frugal/formats/smaller_vocabulary.h"

namespace frugal {

// The heads and neurons that a layer keeps, by their index in the larger model, rising. Heads: query heads; with them
// stays every key head that one of them reads. Each key head that stays keeps as many query heads.
struct KeptUnits {
  std::vector<std::int32_t> heads, neurons;
};

// layers: of each layer of the base. drops_empty: layers that keep nothing are not there, and those behind them count
// from where they were; they would change nothing. Error(Exit::internal): units out of range, not rising, or query
// heads that do not divide over key heads.
std::unique_ptr<ModelSource> open_shrunk(std::shared_ptr<const ModelSource> base, std::vector<KeptUnits> layers,
                                         bool drops_empty = false);

// The model with the rows of the embedding and the head that a smaller vocabulary keeps, and its tokenizer. Ids of the
// generation's settings follow. Error(Exit::input): a token has no row.
std::unique_ptr<ModelSource> with_vocabulary(std::shared_ptr<const ModelSource> base, SmallerVocabulary vocabulary);

// All units of a layer.
KeptUnits all_units(const LayerShape& layer);
// What is left of a layer with these units.
LayerShape shrunk_layer(const LayerShape& layer, const KeptUnits& kept);

}  // namespace frugal
