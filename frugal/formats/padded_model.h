// A model whose layers differ as one whose layers are the same: zeros are put where a layer has fewer heads or neurons.
// It computes what it did, takes the room of its largest layers, and every program that reads llama loads it.
#pragma once
#include <memory>

#include "frugal/formats/model_source.h"

namespace frugal {

// Every layer has the heads and neurons of the largest; key heads as many more as it takes for the query heads to
// divide the hidden size, which transformers asks for. A key head has as many query heads as in the layer where it has
// most.
std::unique_ptr<ModelSource> open_padded(std::shared_ptr<const ModelSource> base);

}  // namespace frugal
