// What a decoder language model looks like, read from file headers: config.json or GGUF metadata. No weights, no torch.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "frugal/base/json.h"

namespace frugal {

// Layers may differ, as those of a pruned model do. heads and kv_heads 0: the layer has no attention; ffn 0: no
// feed-forward.
struct LayerShape {
  std::int64_t heads = 0, kv_heads = 0, ffn = 0;
  bool operator==(const LayerShape&) const = default;
};

// Rotary positions (RoFormer, arXiv:2104.09864), in the half-split layout of Hugging Face's llama.
struct Rope {
  double theta = 10000;
  std::string scaling = "none";                      // none, linear, llama3
  double factor = 1;                                 // linear and llama3
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  std::int64_t original_context = 8192;              // llama3
};

// Which linears have a bias, each in all layers that have the linear.
struct Biases {
  bool q = false, k = false, v = false, o = false, gate = false, up = false, down = false;
  bool of_attention() const { return q || k || v || o; }
  bool of_feed_forward() const { return gate || up || down; }
  bool operator==(const Biases&) const = default;
};

struct ModelShape {
  std::string architecture = "llama";  // as transformers' model_type
  std::int64_t vocab = 0, hidden = 0, head_dim = 0, context = 0;
  std::vector<LayerShape> layers;
  double norm_eps = 1e-5;
  Rope rope;
  bool tied_embeddings = false;  // lm_head is the embedding
  Biases biases;
  std::string activation = "silu";

  bool is_uniform() const {  // every layer has the same sizes
    for (const LayerShape& layer : layers) {
      if (layer != layers.front()) return false;
    }
    return true;
  }
};

// What a tensor does in the model; a bias has the role of its linear.
enum class Role : std::uint8_t {
  embedding,
  input_norm,  // before attention
  q,
  k,
  v,
  o,
  feed_forward_norm,  // before the feed-forward
  gate,
  up,
  down,
  final_norm,
  head
};

// Where a tensor lies and what it does are layer and role, set where the list is made; its name is what files and users
// call it, and says nothing to the program.
struct TensorSpec {
  std::string name;       // Hugging Face's name, e.g. model.layers.0.self_attn.q_proj.weight
  std::int64_t rows = 1;  // 1-D tensors are one row
  std::int64_t cols = 0;
  bool is_vector = false;   // a norm gain or a bias: 1-D in files
  std::int64_t layer = -1;  // -1: the embedding; the number of layers: the final norm and a head of its own
  Role role = Role::embedding;
  bool is_bias = false;

  bool is_of_layer() const { return role != Role::embedding && role != Role::final_norm && role != Role::head; }
  // The weight of a linear inside a layer: what has low-rank pairs, chosen rows, 4-bit codes.
  bool is_layer_linear() const { return is_of_layer() && !is_vector; }
};

// The tensors a model of this shape has, in the order their ids count: embedding, layers, norm, lm_head (unless tied).
std::vector<TensorSpec> tensor_specs(const ModelShape& shape);
std::int64_t parameter_count(const ModelShape& shape);

// From a Hugging Face config.json, whose per_layer_config (transformers 5) says where layers differ. Error(Exit::input)
// names a model_type, activation, scaling or key of a layer this version does not know.
ModelShape shape_from_config(const Json& config);
Json config_from_shape(const ModelShape& shape, const std::string& dtype);  // config.json that transformers loads

}  // namespace frugal
