// Low-rank adapters as files: LoRA (arXiv:2106.09685), rank-stabilised LoRA (arXiv:2312.03732), DoRA
// (arXiv:2402.09353).
//   W' = W + scale B A            W [out, in], A [rank, in], B [out, rank]
//   DoRA: row i of W' is magnitude[i] (W + scale B A)[i] / |(W + scale B A)[i]|
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/formats/model_shape.h"

namespace frugal {

struct LowRankFactor {
  std::string module;  // Hugging Face's name of the linear's weight without ".weight": model.layers.0.self_attn.q_proj
  std::int64_t rank = 0, in = 0, out = 0;
  std::vector<float> a, b;       // [rank, in], [out, rank], row-major
  std::vector<float> magnitude;  // [out]; empty unless DoRA
  double scale = 0;              // lora_scale(alpha, rank, use_rslora)
  double alpha = 0;              // > 0
};

struct LoraAdapter {
  std::vector<LowRankFactor> factors;  // in the order of tensor_specs when read
  bool use_rslora = false;
  double dropout = 0;      // of the linear's input while training, in [0, 1)
  std::string base_model;  // name or path of the model it was made for; may be empty
  bool use_dora() const { return !factors.empty() && !factors.front().magnitude.empty(); }
};

double lora_scale(double alpha, std::int64_t rank, bool use_rslora);  // alpha / rank, or alpha / sqrt(rank)

// The matrices an adapter can have factors for: every linear of the layers, and lm_head unless it is the embedding.
std::vector<TensorSpec> adaptable_linears(const ModelShape& shape);

bool is_peft_adapter(const std::filesystem::path& path);  // a folder with adapter_config.json that is no run
// A folder of huggingface/peft: adapter_config.json and adapter_model.safetensors in F32, F16 or BF16.
// Error(Exit::input) names the setting that is not supported; the tensor that is missing, left over, not finite, or of
// another shape than the model asks for (both shapes).
LoraAdapter read_peft_adapter(const std::filesystem::path& folder, const ModelShape& shape);
// The same from the two files' content; `name` is for messages.
LoraAdapter parse_peft_adapter(std::string_view config, std::span<const std::byte> weights, const ModelShape& shape,
                               const std::string& name);

// dtype: "f32", "f16" or "bf16" (nearest even). The folder appears under its name only when whole. Error(Exit::input)
// if it exists and is not empty; Error(Exit::usage) for another dtype; Error(Exit::internal) if the factors do not fit
// the shape or each other.
void write_peft_adapter(const LoraAdapter& adapter, const ModelShape& shape, const std::filesystem::path& folder,
                        const std::string& dtype = "f32");

// A GGUF adapter as llama.cpp loads it with --lora. There scale is alpha / rank with one alpha for all: where the
// factors' scales do not come from one alpha, each scale is folded into its B. dtype as above. Error(Exit::input):
// DoRA, or the file exists.
void write_gguf_adapter(const LoraAdapter& adapter, const ModelShape& shape, const std::filesystem::path& path,
                        const std::string& dtype = "f32");

// Error(Exit::internal) unless the factors are of distinct linears of the model, with sizes, alphas and scales that
// agree, and either all or none have magnitudes.
void check_adapter(const LoraAdapter& adapter, const ModelShape& shape);

}  // namespace frugal
