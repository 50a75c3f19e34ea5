// Trained rows or columns of linears as one safetensors file: for a tensor T of [out, in]
//   T.rows     I32 [r] rising, T.row_values     [r, in]    or
//   T.columns  I32 [c] rising, T.column_values  [out, c]
// The values are the trained ones themselves, not differences: on any base they are exact.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "frugal/formats/model_shape.h"

namespace frugal {

struct TrainedLines {
  std::string tensor;  // Hugging Face's name: model.layers.0.mlp.up_proj.weight
  bool is_columns = false;
  std::vector<std::int32_t> indices;  // rising
  std::vector<float> values;          // as in the file, row-major
};

struct RowsAdapter {
  std::vector<TrainedLines> parts;  // in the order of tensor_specs when read
};

bool is_rows_adapter(const std::filesystem::path& path);  // by its name: a file that ends in .safetensors

// Values in F32, F16 or BF16. Error(Exit::input) names the tensor that the model has not, that is no matrix, of another
// size (both), alone without its pair; an index that is out of range or does not rise; a value that is not finite; an
// adapter of nothing, or of rows and columns both.
RowsAdapter read_rows_adapter(const std::filesystem::path& path, const ModelShape& shape);
RowsAdapter parse_rows_adapter(std::span<const std::byte> bytes, const ModelShape& shape, const std::string& name);

// dtype: "f32", "f16" or "bf16" (nearest even). The file appears under its name only when whole. Error(Exit::input) if
// it exists.
void write_rows_adapter(const RowsAdapter& adapter, const ModelShape& shape, const std::filesystem::path& path,
                        const std::string& dtype = "f32");

}  // namespace frugal
