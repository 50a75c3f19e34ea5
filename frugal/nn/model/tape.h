// What a backward pass needs of its forward: each layer's input, or all of a layer's intermediates. One tape serves one
// step after the other: its memory stays, since pages given back would have to be cleared again.
#pragma once
#include <cstdint>
#include <vector>

#include "frugal/core/buffer.h"
#include "frugal/nn/model/gradients.h"

namespace frugal {

// [N, ...] rows of a packed batch, T is the type the decoder computes in.
struct LayerTape {
  Buffer input;     // [N, C] fp32
  Buffer qkv;       // [N, (H + 2K) D] T, rotated
  Buffer attended;  // [N, H D] T
  Buffer middle;    // [N, C] fp32: after attention, before the feed-forward
  Buffer gate_up;   // [N, 2F] T, before the activation
};

// With plan.keeps intermediates are kept, which spares the backward a second forward of each layer (checkpointing,
// arXiv:1604.06174, is the default) for about 10 times the memory.
class Tape {
 public:
  // For the next forward; what was recorded is lost.
  void begin(const TapePlan& plan) {
    plan_ = plan;
    // Layers below hold nothing: a backward that stops higher up, as BAdam's do, needs no memory for them.
    for (std::size_t layer = 0; layer < layers_.size() && !records(layer); ++layer) layers_[layer] = {};
  }
  bool records(std::size_t layer) const { return static_cast<std::int64_t>(layer) >= plan_.first_layer; }
  bool keeps() const { return plan_.keeps; }
  std::uint32_t part() const { return plan_.part; }
  LayerTape& at(std::size_t layer) {
    if (layers_.size() <= layer) layers_.resize(layer + 1);
    return layers_[layer];
  }

 private:
  TapePlan plan_;
  std::vector<LayerTape> layers_;
};

}  // namespace frugal
