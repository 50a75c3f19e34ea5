#include "frugal/nn/tensor_ids.h"

#include <string>
#include <unordered_map>

namespace frugal {

DecoderIds::DecoderIds(const ModelShape& shape) {
  std::unordered_map<std::string, std::size_t> ids;
  for (const TensorSpec& spec : tensor_specs(shape)) ids.emplace(spec.name, ids.size());
  const auto find = [&](const std::string& name) {
    const auto found = ids.find(name);
    return found == ids.end() ? kNoTensor : found->second;
  };
  embedding = find("model.embed_tokens.weight");
  norm = find("model.norm.weight");
  head = shape.tied_embeddings ? embedding : find("lm_head.weight");
  for (std::size_t i = 0; i < shape.layers.size(); ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    const auto linear = [&](const std::string& part) {
      return LinearIds{find(layer + part + ".weight"), find(layer + part + ".bias")};
    };
    layers.push_back(
        {find(layer + "input_layernorm.weight"),
         find(layer + "post_attention_layernorm.weight"),
         {linear("self_attn.q_proj"), linear("self_attn.k_proj"), linear("self_attn.v_proj"),
          linear("self_attn.o_proj"), linear("mlp.gate_proj"), linear("mlp.up_proj"), linear("mlp.down_proj")}});
  }
}

}  // namespace frugal
