// What --dtype names: how the matrices of a written model or adapter are stored. The one list of these names.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/formats/ggml/blocks.h"

namespace frugal {

// Which matrices of a K-quantised GGUF file get a better type than the others.
enum class Mix : std::uint8_t { none, small, medium };

struct ExportDtype {
  std::string_view name;         // "q4_k_m"
  std::string_view type_name;    // of most matrices, a BlockType
  std::string_view torch_dtype;  // empty: a GGUF file alone can hold it
  std::uint32_t file_type;       // general.file_type of a GGUF file: llama.cpp's LLAMA_FTYPE (include/llama.h)
  Mix mix = Mix::none;

  const BlockType& type() const { return *find_block_type(type_name); }
  bool is_plain() const { return !torch_dtype.empty(); }  // floats, which any format holds
};

std::span<const ExportDtype> export_dtypes();
std::vector<std::string_view> export_dtype_names();  // in the order of the list
// "bf16, f16 or f32", or with those for GGUF files alone.
std::string export_dtype_text(bool plain_alone);
// Error(Exit::usage) with what may be chosen: no such name, or one that `out` ("a GGUF file", "an adapter") cannot
// hold.
const ExportDtype& find_export_dtype(std::string_view name, bool plain_alone, const std::string& out);

}  // namespace frugal
