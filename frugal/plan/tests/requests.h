// Requests that plans are tested with.
#pragma once
#include "frugal/plan/plan.h"

namespace frugal {

inline ModelShape shape_of(std::int64_t vocab, std::int64_t hidden, std::int64_t head_dim,
                           std::vector<LayerShape> layers) {
  ModelShape shape;
  shape.vocab = vocab;
  shape.hidden = hidden;
  shape.head_dim = head_dim;
  shape.layers = std::move(layers);
  shape.tied_embeddings = true;
  return shape;
}

// SmolLM2-135M.
inline PlanRequest smollm() {
  PlanRequest r;
  r.shape = shape_of(49152, 576, 64, std::vector<LayerShape>(30, {9, 3, 1536}));
  r.file_bytes = 98'000'000;
  r.bf16_compute = true;
  r.all_tokens = true;
  r.rates = {};
  return r;
}

}  // namespace frugal
