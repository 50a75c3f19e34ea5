#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "frugal/base/error.h"
#include "frugal/formats/gguf/gguf_model.h"
#include "frugal/formats/gguf/gguf_writer.h"

namespace frugal {
namespace {

class Metadata {
 public:
  Metadata(const GgufFile& file, std::string name) : file_(file), name_(std::move(name)) {}
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Exit::input, name_ + ": " + what, "use a GGUF file of the llama family");
  }
  const Json* find(const std::string& key) const {
    const auto found = file_.metadata.find(key);
    return found == file_.metadata.end() ? nullptr : &found->second;
  }
  // An integer in [least, 2^24], or one a layer.
  std::int64_t integer(const std::string& key, std::int64_t least, std::size_t layer = 0) const {
    const Json* value = find(key);
    if (value == nullptr) fail("metadata '" + key + "' is missing");
    if (value->is_array()) {
      if (layer >= value->size())
        fail("metadata '" + key + "' has " + std::to_string(value->size()) + " entries, layer " +
             std::to_string(layer) + " needs one");
      value = &(*value)[layer];
    }
    if (!value->is_number_integer() || value->get<std::int64_t>() < least ||
        value->get<std::int64_t>() > (std::int64_t{1} << 24)) {
      fail("metadata '" + key + "' is " + value->dump().substr(0, 40) + ", expected an integer from " +
           std::to_string(least) + " to 16777216");
    }
    return value->get<std::int64_t>();
  }
  double number(const std::string& key, double fallback) const {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_number() || !std::isfinite(value->get<double>())) fail("metadata '" + key + "' is not a number");
    return value->get<double>();
  }
  double positive(const std::string& key, double fallback) const {
    const double value = number(key, fallback);
    if (!(value > 0)) fail("metadata '" + key + "' is " + std::to_string(value) + ", expected a number above 0");
    return value;
  }
  std::string text(const std::string& key) const {
    const Json* value = find(key);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
  }

 private:
  const GgufFile& file_;
  std::string name_;
};

// llama 3's factors are kept as a tensor in GGUF. The parameters come back by trying what its models use.
Rope llama3_from_factors(const GgufTensor& tensor, ModelShape shape, const Metadata& metadata) {
  const auto half = static_cast<std::size_t>(shape.head_dim / 2);
  if (tensor.type->name != "F32" || tensor.data.size() != half * 4)
    metadata.fail("rope_freqs.weight is not F32 of " + std::to_string(half) + " values");
  std::vector<float> factors(half);
  std::memcpy(factors.data(), tensor.data.data(), tensor.data.size());
  shape.rope.scaling = "llama3";
  shape.rope.factor = std::round(*std::max_element(factors.begin(), factors.end()));
  const std::vector<float> expected = rope_factors(shape);
  for (std::size_t i = 0; i < half; ++i) {
    if (!(std::fabs(factors[i] - expected[i]) <= 1e-3f * expected[i]))
      metadata.fail("rope_freqs.weight is not llama 3's scaling");
  }
  return shape.rope;
}

}  // namespace

std::vector<float> rope_factors(const ModelShape& shape) {
  const Rope& rope = shape.rope;
  std::vector<float> factors;
  if (rope.scaling != "llama3") return factors;
  const double context = static_cast<double>(rope.original_context);
  for (std::int64_t i = 0; i < shape.head_dim / 2; ++i) {
    const double wavelength =
        2 * std::numbers::pi * std::pow(rope.theta, 2.0 * static_cast<double>(i) / static_cast<double>(shape.head_dim));
    double factor = 1;
    if (wavelength > context / rope.low_freq_factor) {
      factor = rope.factor;
    } else if (wavelength >= context / rope.high_freq_factor) {
      const double smooth =
          (context / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
      factor = 1 / ((1 - smooth) / rope.factor + smooth);
    }
    factors.push_back(static_cast<float>(factor));
  }
  return factors;
}

ModelShape shape_from_gguf(const GgufFile& file, const std::string& name) {
  const Metadata metadata(file, name);
  const std::string architecture = metadata.text("general.architecture");
  if (architecture != "llama") metadata.fail("the architecture is '" + architecture + "', known is llama");
  if (metadata.find("split.count") != nullptr && metadata.integer("split.count", 0) > 1) {
    throw Error(Exit::input,
                name + " is one of " + std::to_string(metadata.integer("split.count", 0)) + " parts of a model",
                "join them first (llama-gguf-split --merge)");
  }
  ModelShape shape;
  shape.hidden = metadata.integer("llama.embedding_length", 1);
  shape.context = metadata.integer("llama.context_length", 1);
  shape.norm_eps = metadata.positive("llama.attention.layer_norm_rms_epsilon", 1e-5);
  const std::int64_t layers = metadata.integer("llama.block_count", 1);
  if (layers > 10000) metadata.fail("llama.block_count is " + std::to_string(layers));
  if (metadata.find("llama.expert_count") != nullptr && metadata.integer("llama.expert_count", 0) > 0)
    metadata.fail("mixtures of experts are not known");
  for (std::int64_t i = 0; i < layers; ++i) {
    const auto layer = static_cast<std::size_t>(i);
    const std::int64_t heads = metadata.integer("llama.attention.head_count", 1, layer);
    const std::int64_t kv_heads = metadata.find("llama.attention.head_count_kv") != nullptr
                                      ? metadata.integer("llama.attention.head_count_kv", 1, layer)
                                      : heads;
    if (heads % kv_heads != 0)
      metadata.fail(std::to_string(heads) + " attention heads cannot share " + std::to_string(kv_heads) +
                    " key-value heads");
    shape.layers.push_back({heads, kv_heads, metadata.integer("llama.feed_forward_length", 1, layer)});
  }
  shape.head_dim = metadata.find("llama.rope.dimension_count") != nullptr
                       ? metadata.integer("llama.rope.dimension_count", 2)
                       : shape.hidden / shape.layers[0].heads;
  if (metadata.find("llama.attention.key_length") != nullptr &&
      metadata.integer("llama.attention.key_length", 2) != shape.head_dim) {
    metadata.fail("rotary positions on a part of each head are not known");
  }
  if (shape.head_dim < 2 || shape.head_dim % 2 != 0)
    metadata.fail("the head size is " + std::to_string(shape.head_dim) + ", expected an even number");
  shape.rope.theta = metadata.positive("llama.rope.freq_base", 10000);
  if (const std::string scaling = metadata.text("llama.rope.scaling.type"); !scaling.empty() && scaling != "none") {
    if (scaling != "linear") metadata.fail("the rope scaling is '" + scaling + "', known are linear and llama 3's");
    shape.rope.scaling = "linear";
    shape.rope.factor = metadata.positive("llama.rope.scaling.factor", 1);
  }
  if (const GgufTensor* factors = file.find("rope_freqs.weight"))
    shape.rope = llama3_from_factors(*factors, shape, metadata);
  shape.tied_embeddings = file.find("output.weight") == nullptr;
  shape.attention_bias = file.find("blk.0.attn_q.bias") != nullptr;
  shape.mlp_bias = file.find("blk.0.ffn_gate.bias") != nullptr;
  const GgufTensor* embedding = file.find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) metadata.fail("the tensor token_embd.weight is missing");
  shape.vocab = embedding->shape[1];
  return shape;
}

void write_shape(GgufWriter& out, const ModelShape& shape) {
  const LayerShape& first = shape.layers.front();
  for (const LayerShape& layer : shape.layers) {
    if (layer.heads != first.heads || layer.kv_heads != first.kv_heads || layer.ffn != first.ffn) {
      throw Error(Exit::input, "the layers have different sizes, which GGUF's llama cannot say",
                  "export the model before it was pruned");
    }
  }
  const auto u32 = [&](const char* key, std::int64_t value) {
    out.set_u32(std::string("llama.") + key, static_cast<std::uint32_t>(value));
  };
  u32("block_count", static_cast<std::int64_t>(shape.layers.size()));
  u32("context_length", shape.context);
  u32("embedding_length", shape.hidden);
  u32("feed_forward_length", first.ffn);
  u32("attention.head_count", first.heads);
  u32("attention.head_count_kv", first.kv_heads);
  u32("attention.key_length", shape.head_dim);
  u32("attention.value_length", shape.head_dim);
  u32("rope.dimension_count", shape.head_dim);
  u32("vocab_size", shape.vocab);
  out.set_f32("llama.attention.layer_norm_rms_epsilon", static_cast<float>(shape.norm_eps));
  out.set_f32("llama.rope.freq_base", static_cast<float>(shape.rope.theta));
  if (shape.rope.scaling == "linear") {
    out.set_text("llama.rope.scaling.type", "linear");
    out.set_f32("llama.rope.scaling.factor", static_cast<float>(shape.rope.factor));
  }
}

}  // namespace frugal
