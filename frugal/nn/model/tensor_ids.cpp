#include "frugal/nn/model/tensor_ids.h"

#include "frugal/base/error.h"

namespace frugal {
namespace {

Slot slot_of(Role role) {
  switch (role) {
    case Role::q:
      return kQ;
    case Role::k:
      return kK;
    case Role::v:
      return kV;
    case Role::o:
      return kO;
    case Role::gate:
      return kGate;
    case Role::up:
      return kUp;
    case Role::down:
      return kDown;
    default:
      throw Error(Exit::internal, "a tensor of a layer that is neither norm nor linear", "report this");
  }
}

}  // namespace

DecoderIds::DecoderIds(const ModelShape& shape) : layers(shape.layers.size()) {
  const std::vector<TensorSpec> specs = tensor_specs(shape);
  for (std::size_t id = 0; id < specs.size(); ++id) {
    const TensorSpec& spec = specs[id];
    if (spec.role == Role::embedding) {
      embedding = id;
    } else if (spec.role == Role::final_norm) {
      norm = id;
    } else if (spec.role == Role::head) {
      head = id;
    } else {
      LayerIds& layer = layers[static_cast<std::size_t>(spec.layer)];
      if (spec.role == Role::input_norm) {
        layer.input_norm = id;
      } else if (spec.role == Role::feed_forward_norm) {
        layer.post_norm = id;
      } else {
        LinearIds& linear = layer.linears[slot_of(spec.role)];
        (spec.is_bias ? linear.bias : linear.weight) = id;
      }
    }
  }
  if (shape.tied_embeddings) head = embedding;
}

}  // namespace frugal
