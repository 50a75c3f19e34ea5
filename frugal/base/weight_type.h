// How a process keeps the weights it computes with: --weights.
#pragma once
#include <string>

namespace frugal {

// nf4 (QLoRA, arXiv:2305.14314): the layers' linears in blocks of 64 4-bit codes, see formats/nf4.h; embedding and head
// in bf16. stored: the file's blocks as they lie.
enum class WeightType { bf16, f32, nf4, stored };

WeightType parse_weight_type(const std::string& text);  // Error(Exit::usage)
const char* name(WeightType type);                      // as --weights, records and plans have it
inline bool can_change(WeightType type) { return type == WeightType::bf16 || type == WeightType::f32; }

}  // namespace frugal
