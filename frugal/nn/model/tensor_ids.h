// Where each part of a decoder lies in the list of tensors of its shape.
#pragma once
#include <array>
#include <cstddef>
#include <vector>

#include "frugal/formats/model_shape.h"

namespace frugal {

inline constexpr std::size_t kNoTensor = static_cast<std::size_t>(-1);

struct LinearIds {
  std::size_t weight = kNoTensor, bias = kNoTensor;
};

// The linears of a layer, in the order they run.
enum Slot : std::size_t { kQ, kK, kV, kO, kGate, kUp, kDown, kSlots };

struct LayerIds {
  std::size_t input_norm = kNoTensor, post_norm = kNoTensor;  // before attention, before the feed-forward
  std::array<LinearIds, kSlots> linears;
  const LinearIds& operator[](Slot slot) const { return linears[slot]; }
};

struct DecoderIds {
  explicit DecoderIds(const ModelShape& shape);
  std::size_t embedding = kNoTensor, norm = kNoTensor, head = kNoTensor;  // head == embedding when they are tied
  std::vector<LayerIds> layers;
};

}  // namespace frugal
