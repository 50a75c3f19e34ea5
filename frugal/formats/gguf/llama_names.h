// How the llama family is called in GGUF, and how its rows are ordered there.
#pragma once
#include <cstdint>
#include <string>

namespace frugal {

// "model.layers.3.self_attn.q_proj.weight" -> "blk.3.attn_q.weight". Error(Exit::internal) for a name that tensor_specs
// does not make.
std::string gguf_name(const std::string& canonical);

// GGUF stores each head of q and k with its rotary pairs side by side, Hugging Face in two halves.
bool has_rotary_rows(const std::string& canonical);
inline std::int64_t gguf_row(std::int64_t row, std::int64_t head_dim) {
  const std::int64_t i = row % head_dim, half = head_dim / 2;
  return row - i + 2 * (i % half) + i / half;
}
inline std::int64_t canonical_row(std::int64_t row, std::int64_t head_dim) {
  const std::int64_t i = row % head_dim, half = head_dim / 2;
  return row - i + i % 2 * half + i / 2;
}

}  // namespace frugal
