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
  if (architecture != "llama" && architecture != "deci")
    metadata.fail("the architecture is '" + architecture + "', known are llama and deci");
  const auto own = [&](const char* key) { return architecture + "." + key; };
  if (metadata.find("split.count") != nullptr && metadata.integer("split.count", 0) > 1) {
    throw Error(Exit::input,
                name + " is one of " + std::to_string(metadata.integer("split.count", 0)) + " parts of a model",
                "join them first (llama-gguf-split --merge)");
  }
  ModelShape shape;
  shape.hidden = metadata.integer(own("embedding_length"), 1);
  shape.context = metadata.integer(own("context_length"), 1);
  shape.norm_eps = metadata.positive(own("attention.layer_norm_rms_epsilon"), 1e-5);
  const std::int64_t layers = metadata.integer(own("block_count"), 1);
  if (layers > 10000) metadata.fail(own("block_count") + " is " + std::to_string(layers));
  if (metadata.find(own("expert_count")) != nullptr && metadata.integer(own("expert_count"), 0) > 0)
    metadata.fail("mixtures of experts are not known");
  for (std::int64_t i = 0; i < layers; ++i) {
    const auto layer = static_cast<std::size_t>(i);
    const std::int64_t least = architecture == "deci" ? 0 : 1;  // layers without attention, without feed-forward
    const std::int64_t heads = metadata.integer(own("attention.head_count"), least, layer);
    const std::int64_t kv_heads = metadata.find(own("attention.head_count_kv")) != nullptr
                                      ? metadata.integer(own("attention.head_count_kv"), least, layer)
                                      : heads;
    const std::int64_t ffn = metadata.integer(own("feed_forward_length"), least, layer);
    if (heads > 0 && kv_heads == 0)
      metadata.fail("layer " + std::to_string(i) + " has linear attention (heads without keys), which is not known");
    if (heads > 0 && heads % kv_heads != 0)
      metadata.fail(std::to_string(heads) + " attention heads cannot share " + std::to_string(kv_heads) +
                    " key-value heads");
    shape.layers.push_back({heads, heads > 0 ? kv_heads : 0, ffn});
  }
  shape.head_dim = metadata.find(own("rope.dimension_count")) != nullptr
                       ? metadata.integer(own("rope.dimension_count"), 2)
                       : shape.hidden / std::max<std::int64_t>(1, shape.layers[0].heads);
  if (metadata.find(own("attention.key_length")) != nullptr &&
      metadata.integer(own("attention.key_length"), 2) != shape.head_dim) {
    metadata.fail("rotary positions on a part of each head are not known");
  }
  if (shape.head_dim < 2 || shape.head_dim % 2 != 0)
    metadata.fail("the head size is " + std::to_string(shape.head_dim) + ", expected an even number");
  shape.rope.theta = metadata.positive(own("rope.freq_base"), 10000);
  if (const std::string scaling = metadata.text(own("rope.scaling.type")); !scaling.empty() && scaling != "none") {
    if (scaling != "linear") metadata.fail("the rope scaling is '" + scaling + "', known are linear and llama 3's");
    shape.rope.scaling = "linear";
    shape.rope.factor = metadata.positive(own("rope.scaling.factor"), 1);
  }
  if (const GgufTensor* factors = file.find("rope_freqs.weight"))
    shape.rope = llama3_from_factors(*factors, shape, metadata);
  shape.tied_embeddings = file.find("output.weight") == nullptr;
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    const auto has = [&](const char* linear) { return file.find(layer + linear + ".bias") != nullptr; };
    Biases& biases = shape.biases;
    biases.q |= has("attn_q"), biases.k |= has("attn_k"), biases.v |= has("attn_v"), biases.o |= has("attn_output");
    biases.gate |= has("ffn_gate"), biases.up |= has("ffn_up"), biases.down |= has("ffn_down");
  }
  const GgufTensor* embedding = file.find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) metadata.fail("the tensor token_embd.weight is missing");
  shape.vocab = embedding->shape[1];
  return shape;
}

std::string gguf_architecture(const ModelShape& shape) { return shape.is_uniform() ? "llama" : "deci"; }

// llama.cpp reads unequal layers where an architecture indexes by layer: of these deci is llama's. Its head sizes come
// from layer 0, and a layer without feed-forward loses its attention.
void require_gguf(const ModelShape& shape) {
  for (std::size_t i = 0; i < shape.layers.size(); ++i) {
    const LayerShape& layer = shape.layers[i];
    const auto refuse = [&](const std::string& what) {
      throw Error(Exit::input, "layer " + std::to_string(i) + " " + what + ", which GGUF's deci cannot say",
                  "write a Hugging Face folder (--out without .gguf), or prune with --layout uniform or padded");
    };
    if (layer.ffn == 0 && layer.heads > 0) refuse("has attention and no feed-forward");
    if (i == 0 && layer.heads == 0) refuse("has no attention");
  }
}

void write_shape(GgufWriter& out, const ModelShape& shape) {
  const std::string architecture = gguf_architecture(shape);
  const bool is_uniform = shape.is_uniform();
  std::vector<std::int32_t> heads, kv_heads, ffn;
  require_gguf(shape);
  for (const LayerShape& layer : shape.layers) {
    heads.push_back(static_cast<std::int32_t>(layer.heads));
    kv_heads.push_back(static_cast<std::int32_t>(layer.kv_heads));
    ffn.push_back(static_cast<std::int32_t>(layer.ffn));
  }
  const auto u32 = [&](const char* key, std::int64_t value) {
    out.set_u32(architecture + "." + key, static_cast<std::uint32_t>(value));
  };
  const auto of_layers = [&](const char* key, const std::vector<std::int32_t>& values) {
    if (is_uniform)
      u32(key, values.front());
    else
      out.set_i32s(architecture + "." + key, values);
  };
  u32("block_count", static_cast<std::int64_t>(shape.layers.size()));
  u32("context_length", shape.context);
  u32("embedding_length", shape.hidden);
  of_layers("feed_forward_length", ffn);
  of_layers("attention.head_count", heads);
  of_layers("attention.head_count_kv", kv_heads);
  u32("attention.key_length", shape.head_dim);
  u32("attention.value_length", shape.head_dim);
  u32("rope.dimension_count", shape.head_dim);
  u32("vocab_size", shape.vocab);
  out.set_f32(architecture + ".attention.layer_norm_rms_epsilon", static_cast<float>(shape.norm_eps));
  out.set_f32(architecture + ".rope.freq_base", static_cast<float>(shape.rope.theta));
  if (shape.rope.scaling == "linear") {
    out.set_text(architecture + ".rope.scaling.type", "linear");
    out.set_f32(architecture + ".rope.scaling.factor", static_cast<float>(shape.rope.factor));
  }
}

}  // namespace frugal
