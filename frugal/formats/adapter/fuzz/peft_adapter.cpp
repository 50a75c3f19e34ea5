// Any two files as an adapter of a small model: refused with an Error, or factors of the sizes the model asks for.
// Input: a byte, then
//   0, 1  u16 length, that many bytes of adapter_config.json, adapter_model.safetensors
//   else  changes to a valid adapter: 4 bytes each, u16 position, u8 file, u8 value
#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "frugal/base/error.h"
#include "frugal/formats/adapter/peft_config.h"
#include "frugal/formats/safetensors/safetensors_file.h"

namespace {

using namespace frugal;

ModelShape small_shape() {
  ModelShape shape;
  shape.vocab = 5;
  shape.hidden = 4;
  shape.head_dim = 2;
  shape.context = 8;
  shape.layers.assign(2, LayerShape{2, 1, 3});
  shape.tied_embeddings = true;
  return shape;
}

struct Files {
  std::string config, weights;
};

Files valid_files() {
  std::vector<SafeTensorHeader> headers;
  for (const char* layer : {"0", "1"}) {
    const std::string name = "base_model.model.model.layers." + std::string(layer) + ".self_attn.k_proj.lora_";
    headers.push_back({name + "A.weight", "F32", {2, 4}, 32});
    headers.push_back({name + "B.weight", "BF16", {2, 2}, 8});
    headers.push_back({name + "magnitude_vector", "F16", {2}, 4});
  }
  const std::string config =
      R"({"peft_type": "LORA", "r": 1, "lora_alpha": 2.5, "lora_dropout": 0.1, "use_dora": true, "use_rslora": false,)"
      R"("target_modules": ["k_proj"], "exclude_modules": "(a|b)+", "rank_pattern": {"layers\\.\\d+.*": 2},)"
      R"("bias": "none", "alpha_pattern": {"0.self_attn.k_proj": 7}, "task_type": "CAUSAL_LM", "loftq_config": {}})";
  return {config, make_safetensors_header(headers) + std::string(88, '\1')};
}

void check(const LowRankFactor& factor) {
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  if (factor.a.size() != size(factor.rank * factor.in) || factor.b.size() != size(factor.out * factor.rank))
    __builtin_trap();
  if (!factor.magnitude.empty() && factor.magnitude.size() != size(factor.out)) __builtin_trap();
  for (const float value : factor.a) {
    if (!std::isfinite(value)) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ModelShape shape = small_shape();
  static const Files valid = valid_files();
  if (size < 3) return 0;
  Files files = valid;
  if (data[0] < 2) {
    const std::size_t length = std::min<std::size_t>(data[1] | data[2] << 8, size - 3);
    files.config.assign(reinterpret_cast<const char*>(data + 3), length);
    files.weights.assign(reinterpret_cast<const char*>(data + 3 + length), size - 3 - length);
  } else {
    for (std::size_t at = 1; at + 4 <= size; at += 4) {
      std::string& file = data[at + 2] % 2 == 0 ? files.config : files.weights;
      file[(data[at] | data[at + 1] << 8) % file.size()] = static_cast<char>(data[at + 3]);
    }
  }
  try {
    const LoraAdapter adapter =
        parse_peft_adapter(files.config, std::as_bytes(std::span(files.weights)), shape, "input");
    for (const LowRankFactor& factor : adapter.factors) check(factor);
    check_adapter(adapter, shape);
    const std::string config = peft_config(adapter, shape).dump(-1, ' ', false, Json::error_handler_t::replace);
    if (parse_peft_adapter(config, std::as_bytes(std::span(files.weights)), shape, "again").factors.size() !=
        adapter.factors.size())
      __builtin_trap();
  } catch (const Error& error) {
    if (error.code() != Exit::input) __builtin_trap();
  }
  return 0;
}
