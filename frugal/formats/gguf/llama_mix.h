// Which type each tensor of a GGUF file gets: llama.cpp's own choice, so that a file of ours has the size and the
// quality that its users know by the name of the mix.
#pragma once
#include <vector>

#include "frugal/formats/export_dtype.h"
#include "frugal/formats/model_shape.h"

namespace frugal {

// In the order of tensor_specs(shape). Facts: src/llama-quant.cpp of ggml-org/llama.cpp 0.5.0, without an importance
// matrix, for the architectures llama and deci.
//
// Vectors stay F32 (tensor_allows_quantization). Of matrices, floats are all of the type asked for.
//
// The head, or the embedding that serves as one: Q6_K, but Q8_0 where the type asked for is Q8_0 or its blocks do not
// divide the columns (llama_tensor_get_type_impl).
//
// Q4_K_M and Q5_K_M: attn_v and ffn_down of the layers that use_more_bits names get Q6_K: the first eighth, the last,
// and each third between. Q4_K_S: the first 4 attn_v and the first eighth of ffn_down get Q5_K. attn_v is counted among
// the layers that have attention, ffn_down among all.
//
// 80 layers with grouped queries (LLM_TYPE_70B): attn_v in Q5_K where it would be Q4_K.
//
// Blocks that do not divide the columns (tensor_type_fallback): Q4_K becomes Q5_0, Q5_K Q5_1, Q6_K Q8_0, and where 32
// does not divide them either, F16.
std::vector<const BlockType*> llama_types(const ModelShape& shape, const ExportDtype& dtype);

}  // namespace frugal
