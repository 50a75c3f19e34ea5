#include "frugal/formats/model_shape.h"

#include <algorithm>
#include <charconv>

#include "frugal/base/error.h"

namespace frugal {
namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& fix) { throw Error(Exit::input, what, fix); }

// An integer of config.json in [least, 2^24]: larger ones are not sizes of anything that exists.
std::int64_t integer(const Json& config, const char* key, std::int64_t least) {
  const auto found = config.find(key);
  if (found == config.end() || !found->is_number_integer()) {
    refuse(std::string("config.json has no integer '") + key + "'", "use the config.json that belongs to the model");
  }
  const auto value = found->get<std::int64_t>();
  if (value < least || value > (std::int64_t{1} << 24)) {
    refuse(std::string("config.json: ") + key + " is " + std::to_string(value) + ", expected " + std::to_string(least) +
               " to 16777216",
           "use the config.json that belongs to the model");
  }
  return value;
}

template <class T>
T optional(const Json& config, const char* key, T fallback) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return fallback;
  try {
    return found->get<T>();
  } catch (const nlohmann::json::exception&) {
    refuse(std::string("config.json: ") + key + " cannot be " + found->dump().substr(0, 60),
           "use the config.json that belongs to the model");
  }
}

double positive(const Json& config, const char* key, double fallback) {
  const double value = optional(config, key, fallback);
  if (!(value > 0)) refuse(std::string("config.json: ") + key + " is " + std::to_string(value), "it must be above 0");
  return value;
}

// transformers 5 keeps everything in rope_parameters; before it was rope_theta and rope_scaling.
Rope rope_from_config(const Json& config) {
  const Json parameters = optional(config, "rope_parameters", optional(config, "rope_scaling", Json::object()));
  Rope rope;
  if (!parameters.is_object())
    refuse("config.json: the rope parameters are not an object", "use the config.json that belongs to the model");
  rope.theta = positive(parameters, "rope_theta", positive(config, "rope_theta", 10000));
  const auto type = optional(parameters, "rope_type", optional(parameters, "type", std::string("default")));
  if (type == "default") return rope;
  if (type != "linear" && type != "llama3") {
    refuse("config.json asks for rope scaling '" + type + "'", "use a model without it; known are linear and llama3");
  }
  rope.scaling = type;
  rope.factor = positive(parameters, "factor", 1);
  if (type == "llama3") {
    rope.low_freq_factor = optional(parameters, "low_freq_factor", 1.0);
    rope.high_freq_factor = optional(parameters, "high_freq_factor", 4.0);
    rope.original_context = integer(parameters, "original_max_position_embeddings", 1);
    if (!(rope.low_freq_factor > 0 && rope.high_freq_factor > rope.low_freq_factor)) {
      refuse("config.json: low_freq_factor " + std::to_string(rope.low_freq_factor) +
                 " is not below high_freq_factor " + std::to_string(rope.high_freq_factor),
             "use the config.json that belongs to the model");
    }
  }
  return rope;
}

void check_heads(std::int64_t heads, std::int64_t kv_heads) {
  if (heads % kv_heads == 0) return;
  refuse("config.json: " + std::to_string(heads) + " attention heads cannot share " + std::to_string(kv_heads) +
             " key-value heads",
         "use the config.json that belongs to the model");
}

// The entry of a layer in per_layer_config: what differs from the rest.
LayerShape layer_from_config(const std::string& index, const Json& entry, LayerShape layer) {
  if (!entry.is_object())
    refuse("config.json: per_layer_config has no object for layer " + index,
           "use the config.json that belongs to the model");
  for (const auto& [key, value] : entry.items()) {
    if (key == "num_attention_heads") {
      layer.heads = integer(entry, "num_attention_heads", 1);
    } else if (key == "num_key_value_heads") {
      layer.kv_heads = integer(entry, "num_key_value_heads", 1);
    } else if (key == "intermediate_size") {
      layer.ffn = integer(entry, "intermediate_size", 1);
    } else if (key != "skip") {
      refuse("config.json: per_layer_config gives layer " + index + " the key '" + key.substr(0, 60) + "'",
             "known are num_attention_heads, num_key_value_heads, intermediate_size and skip");
    }
  }
  for (const Json& part : optional(entry, "skip", Json::array())) {
    if (part == "attention")
      layer.heads = layer.kv_heads = 0;
    else if (part == "mlp")
      layer.ffn = 0;
    else
      refuse("config.json: layer " + index + " skips " + part.dump().substr(0, 60), "known are attention and mlp");
  }
  if (layer.heads > 0) check_heads(layer.heads, layer.kv_heads);
  return layer;
}

void read_layers(const Json& config, std::vector<LayerShape>& layers) {
  const auto found = config.find("per_layer_config");
  if (found == config.end() || found->is_null()) return;
  if (!found->is_object())
    refuse("config.json: per_layer_config is not an object", "use the config.json that belongs to the model");
  for (const auto& [key, entry] : found->items()) {
    std::size_t index = layers.size();
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (error != std::errc() || end != key.data() + key.size() || index >= layers.size()) {
      refuse("config.json: per_layer_config names the layer '" + key.substr(0, 60) + "', the model has " +
                 std::to_string(layers.size()),
             "use the config.json that belongs to the model");
    }
    layers[index] = layer_from_config(key, entry, layers[index]);
  }
}

}  // namespace

std::vector<TensorSpec> tensor_specs(const ModelShape& shape) {
  const auto layers = static_cast<std::int64_t>(shape.layers.size());
  std::vector<TensorSpec> specs;
  const auto matrix = [&](std::int64_t layer, Role role, const std::string& name, std::int64_t rows,
                          std::int64_t cols) {
    specs.push_back({.name = name, .rows = rows, .cols = cols, .layer = layer, .role = role});
  };
  const auto norm = [&](std::int64_t layer, Role role, const std::string& name) {
    specs.push_back({.name = name, .cols = shape.hidden, .is_vector = true, .layer = layer, .role = role});
  };
  matrix(-1, Role::embedding, "model.embed_tokens.weight", shape.vocab, shape.hidden);
  for (std::int64_t i = 0; i < layers; ++i) {
    const LayerShape& layer = shape.layers[static_cast<std::size_t>(i)];
    const std::string name = "model.layers." + std::to_string(i) + ".";
    const std::int64_t q = layer.heads * shape.head_dim, kv = layer.kv_heads * shape.head_dim;
    const auto linear = [&](Role role, const char* part, std::int64_t rows, std::int64_t cols, bool has_bias) {
      matrix(i, role, name + part + ".weight", rows, cols);
      if (!has_bias) return;
      specs.push_back(
          {.name = name + part + ".bias", .cols = rows, .is_vector = true, .layer = i, .role = role, .is_bias = true});
    };
    if (layer.heads > 0) {
      norm(i, Role::input_norm, name + "input_layernorm.weight");
      linear(Role::q, "self_attn.q_proj", q, shape.hidden, shape.biases.q);
      linear(Role::k, "self_attn.k_proj", kv, shape.hidden, shape.biases.k);
      linear(Role::v, "self_attn.v_proj", kv, shape.hidden, shape.biases.v);
      linear(Role::o, "self_attn.o_proj", shape.hidden, q, shape.biases.o);
    }
    if (layer.ffn == 0) continue;
    norm(i, Role::feed_forward_norm, name + "post_attention_layernorm.weight");
    linear(Role::gate, "mlp.gate_proj", layer.ffn, shape.hidden, shape.biases.gate);
    linear(Role::up, "mlp.up_proj", layer.ffn, shape.hidden, shape.biases.up);
    linear(Role::down, "mlp.down_proj", shape.hidden, layer.ffn, shape.biases.down);
  }
  norm(layers, Role::final_norm, "model.norm.weight");
  if (!shape.tied_embeddings) matrix(layers, Role::head, "lm_head.weight", shape.vocab, shape.hidden);
  return specs;
}

std::int64_t parameter_count(const ModelShape& shape) {
  std::int64_t count = 0;
  for (const TensorSpec& spec : tensor_specs(shape)) count += spec.rows * spec.cols;
  return count;
}

ModelShape shape_from_config(const Json& config) {
  if (!config.is_object()) refuse("config.json is not an object", "use the config.json that belongs to the model");
  const auto type = optional(config, "model_type", std::string());
  if (type != "llama" && type != "mistral") {
    refuse("the model's type is '" + type + "'",
           "use a model of the llama family (model_type llama, or mistral without a sliding window)");
  }
  if (type == "mistral" && !optional(config, "sliding_window", Json()).is_null()) {
    refuse("the model has a sliding window of " + config["sliding_window"].dump() + " tokens",
           "use a model with full attention");
  }
  ModelShape shape;
  shape.architecture = "llama";
  shape.vocab = integer(config, "vocab_size", 1);
  shape.hidden = integer(config, "hidden_size", 1);
  shape.context = integer(config, "max_position_embeddings", 1);
  shape.norm_eps = positive(config, "rms_norm_eps", 1e-6);
  shape.rope = rope_from_config(config);
  shape.tied_embeddings = optional(config, "tie_word_embeddings", false);
  Biases& biases = shape.biases;
  biases.q = biases.k = biases.v = biases.o = optional(config, "attention_bias", false);
  biases.gate = biases.up = biases.down = optional(config, "mlp_bias", false);
  shape.activation = optional(config, "hidden_act", std::string("silu"));
  if (shape.activation != "silu") refuse("the activation is '" + shape.activation + "'", "use a model with silu");
  const std::int64_t heads = integer(config, "num_attention_heads", 1);
  const std::int64_t kv_heads =
      config.contains("num_key_value_heads") ? integer(config, "num_key_value_heads", 1) : heads;
  check_heads(heads, kv_heads);
  shape.head_dim =
      optional(config, "head_dim", Json()).is_null() ? shape.hidden / heads : integer(config, "head_dim", 2);
  if (shape.head_dim < 2 || shape.head_dim % 2 != 0) {
    refuse("config.json: the head size is " + std::to_string(shape.head_dim), "rotary positions need an even one");
  }
  const std::int64_t ffn = integer(config, "intermediate_size", 1), layers = integer(config, "num_hidden_layers", 1);
  if (layers > 10000)
    refuse("config.json: num_hidden_layers is " + std::to_string(layers),
           "use the config.json that belongs to the model");
  shape.layers.assign(static_cast<std::size_t>(layers), LayerShape{heads, kv_heads, ffn});
  read_layers(config, shape.layers);
  return shape;
}

Json config_from_shape(const ModelShape& shape, const std::string& dtype) {
  // What most readers look at; where layers differ, the largest of all.
  LayerShape most;
  for (const LayerShape& layer : shape.layers) {
    if (layer.heads > most.heads) most.heads = layer.heads, most.kv_heads = layer.kv_heads;
    most.ffn = std::max(most.ffn, layer.ffn);
  }
  most.heads = std::max<std::int64_t>(1, most.heads);
  most.kv_heads = std::max<std::int64_t>(1, most.kv_heads);
  most.ffn = std::max<std::int64_t>(1, most.ffn);
  const Rope& rope = shape.rope;
  Json config = {{"architectures", {"LlamaForCausalLM"}},
                 {"model_type", "llama"},
                 {"vocab_size", shape.vocab},
                 {"hidden_size", shape.hidden},
                 {"intermediate_size", most.ffn},
                 {"num_hidden_layers", shape.layers.size()},
                 {"num_attention_heads", most.heads},
                 {"num_key_value_heads", most.kv_heads},
                 {"head_dim", shape.head_dim},
                 {"hidden_act", shape.activation},
                 {"max_position_embeddings", shape.context},
                 {"rms_norm_eps", shape.norm_eps},
                 {"rope_theta", rope.theta},
                 {"tie_word_embeddings", shape.tied_embeddings},
                 {"attention_bias", shape.biases.of_attention()},
                 {"mlp_bias", shape.biases.of_feed_forward()},
                 {"torch_dtype", dtype}};
  for (std::size_t i = 0; i < shape.layers.size(); ++i) {
    const LayerShape& layer = shape.layers[i];
    Json entry = Json::object();
    if (layer.heads == 0)
      entry["skip"].push_back("attention");
    else if (layer.heads != most.heads || layer.kv_heads != most.kv_heads)
      entry.update({{"num_attention_heads", layer.heads}, {"num_key_value_heads", layer.kv_heads}});
    if (layer.ffn == 0)
      entry["skip"].push_back("mlp");
    else if (layer.ffn != most.ffn)
      entry["intermediate_size"] = layer.ffn;
    if (!entry.empty()) config["per_layer_config"][std::to_string(i)] = entry;
  }
  if (rope.scaling != "none") {
    config["rope_scaling"] = {{"rope_type", rope.scaling}, {"factor", rope.factor}};
    if (rope.scaling == "llama3") {
      config["rope_scaling"]["low_freq_factor"] = rope.low_freq_factor;
      config["rope_scaling"]["high_freq_factor"] = rope.high_freq_factor;
      config["rope_scaling"]["original_max_position_embeddings"] = rope.original_context;
    }
  }
  return config;
}

}  // namespace frugal
