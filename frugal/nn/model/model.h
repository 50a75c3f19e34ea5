// A model as objectives and generation see it: forward passes over weights that a view gives.
#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "frugal/nn/model/kv_cache.h"
#include "frugal/nn/model/packed_batch.h"
#include "frugal/nn/model/pass.h"
#include "frugal/nn/model/weight_view.h"

namespace frugal {

// Layers [first, last) of a model, those of them that it has. They begin at the embedding, or at hidden states that a
// pass of the layers before `first` has left.
struct LayerRange {
  std::size_t first = 0, last = SIZE_MAX;
  const float* hidden = nullptr;  // [tokens, hidden], of every branch alike; null only where first is 0
};

class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelShape& shape() const = 0;
  virtual Compute compute() const = 0;

  // Runs the layers. caches (none, or all layers, one branch and one cache a segment, no parents, no more than their
  // capacities): each takes in its segment's keys and values, and the segment goes on after what it holds.
  // Error(Exit::input): a token id outside the vocabulary.
  virtual std::unique_ptr<Pass> forward(const WeightView& view, const PackedBatch& batch,
                                        std::span<KvCache* const> caches = {}, const LayerRange& layers = {}) = 0;
  std::unique_ptr<Pass> forward(const WeightView& view, const PackedBatch& batch, KvCache& cache) {
    KvCache* const one[] = {&cache};
    return forward(view, batch, std::span<KvCache* const>(one));
  }
  // The same of one branch, without caches, for a backward.
  virtual std::unique_ptr<RecordedPass> record(const WeightView& view, const PackedBatch& batch,
                                               const TapePlan& plan) = 0;
};

}  // namespace frugal
