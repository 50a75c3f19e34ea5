// What a backward pass needs of its forward: each layer's input, or all of a layer's intermediates. One tape serves one
// step after the other: its memory stays, since pages given back would have to be cleared again.
#pragma once
#include <cstdint>
#include <vector>

#include "frugal/core/buffer.h"

namespace frugal {

// [N, ...] rows of a packed batch, T is the type the decoder computes in.
struct LayerTape {
  Buffer input;     // [N, C] fp32
  Buffer qkv;       // [N, (H + 2K) D] T, rotated
  Buffer attended;  // [N, H D] T
  Buffer middle;    // [N, C] fp32: after attention, before the feed-forward
  Buffer gate_up;   // [N, 2F] T, before the activation
};

class Tape {
 public:
  // first_layer: layers below it are not recorded and run as in evaluation. keeps: intermediates are kept, which spares
  // the backward a second forward of each layer (checkpointing, arXiv:1604.06174, is the default) for about 10 times
  // the memory. part: which of a step's forwards this is, for what is drawn anew in each (dropout).
  Tape(std::int64_t first_layer, bool keeps, std::uint32_t part = 0) { begin(first_layer, keeps, part); }
  Tape() : Tape(0, false) {}
  // For the next forward; what was recorded is lost.
  void begin(std::int64_t first_layer, bool keeps, std::uint32_t part = 0) {
    first_ = first_layer < 0 ? 0 : first_layer;
    keeps_ = keeps;
    part_ = part;
    // Layers below hold nothing: a backward that stops higher up, as BAdam's do, needs no memory for them.
    for (std::size_t layer = 0; layer < layers_.size() && !records(layer); ++layer) layers_[layer] = {};
  }
  bool records(std::size_t layer) const { return static_cast<std::int64_t>(layer) >= first_; }
  bool keeps() const { return keeps_; }
  std::uint32_t part() const { return part_; }
  LayerTape& at(std::size_t layer) {
    if (layers_.size() <= layer) layers_.resize(layer + 1);
    return layers_[layer];
  }

 private:
  std::int64_t first_;
  bool keeps_;
  std::uint32_t part_;
  std::vector<LayerTape> layers_;
};

}  // namespace frugal
