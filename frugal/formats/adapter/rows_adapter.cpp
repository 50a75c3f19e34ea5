#include "frugal/formats/adapter/rows_adapter.h"

#include <algorithm>
#include <cstring>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/formats/adapter/adapter_tensor.h"
#include "frugal/formats/memory_map.h"
#include "frugal/formats/names.h"
#include "frugal/formats/safetensors/safetensors_file.h"

namespace frugal {
namespace {

constexpr const char* kOther = "the adapter was made for another model; give that one as MODEL";

struct Keys {
  std::string indices, values;
};
Keys keys_of(const std::string& tensor, bool is_columns) {
  return is_columns ? Keys{tensor + ".columns", tensor + ".column_values"}
                    : Keys{tensor + ".rows", tensor + ".row_values"};
}

std::vector<std::int32_t> read_indices(const std::string& key, const SafeTensor& tensor, std::int64_t below) {
  if (tensor.dtype != "I32" || tensor.shape.size() != 1 || tensor.shape[0] == 0) {
    throw Error(Exit::input,
                key + " is " + tensor.dtype + " " + shape_text(tensor.shape) + ", expected I32 of one " +
                    "dimension with something in it",
                "write the adapter again with frugal merge --adapter");
  }
  std::vector<std::int32_t> indices(static_cast<std::size_t>(tensor.shape[0]));
  std::memcpy(indices.data(), tensor.data.data(), tensor.data.size());
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] < 0 || indices[i] >= below)
      throw Error(
          Exit::input,
          key + " holds " + std::to_string(indices[i]) + ", the model has " + std::to_string(below) + " of them",
          kOther);
    if (i > 0 && indices[i] <= indices[i - 1])
      throw Error(Exit::input,
                  key + " holds " + std::to_string(indices[i]) + " after " + std::to_string(indices[i - 1]) +
                      ", expected them rising",
                  "write the adapter again with frugal merge --adapter");
  }
  return indices;
}

}  // namespace

bool is_rows_adapter(const std::filesystem::path& path) { return path.extension() == ".safetensors"; }

RowsAdapter parse_rows_adapter(std::span<const std::byte> bytes, const ModelShape& shape, const std::string& name) {
  std::map<std::string, SafeTensor> tensors = parse_safetensors(bytes, name);
  RowsAdapter adapter;
  for (const TensorSpec& spec : tensor_specs(shape)) {
    for (const bool is_columns : {false, true}) {
      const Keys keys = keys_of(spec.name, is_columns);
      const auto indices = tensors.find(keys.indices), values = tensors.find(keys.values);
      if (indices == tensors.end() && values == tensors.end()) continue;
      if (spec.is_vector)
        throw Error(Exit::input, name + " has " + keys.indices + ", and " + spec.name + " is no matrix", kOther);
      for (const auto& [found, key] : {std::pair(indices, keys.indices), {values, keys.values}}) {
        if (found == tensors.end())
          throw Error(Exit::input, name + " has no tensor " + key + " beside its pair",
                      "write the adapter again with frugal merge --adapter");
      }
      if (!adapter.parts.empty() && adapter.parts.front().is_columns != is_columns)
        throw Error(Exit::input, name + " has rows and columns both", "write one adapter for each");
      TrainedLines part{
          spec.name, is_columns, read_indices(keys.indices, indices->second, is_columns ? spec.cols : spec.rows), {}};
      const auto count = static_cast<std::int64_t>(part.indices.size());
      const std::vector<std::int64_t> expected =
          is_columns ? std::vector{spec.rows, count} : std::vector{count, spec.cols};
      if (values->second.shape != expected) {
        throw Error(
            Exit::input,
            keys.values + " has shape " + shape_text(values->second.shape) + ", expected " + shape_text(expected),
            kOther);
      }
      part.values = adapter_values(keys.values, values->second);
      tensors.erase(indices);
      tensors.erase(values);
      adapter.parts.push_back(std::move(part));
    }
  }
  if (!tensors.empty()) {
    throw Error(Exit::input, name + " has the tensor " + tensors.begin()->first + ", which the model has no place for",
                kOther);
  }
  if (adapter.parts.empty())
    throw Error(Exit::input, name + " has no trained rows", "name a file that frugal merge --adapter wrote");
  return adapter;
}

RowsAdapter read_rows_adapter(const std::filesystem::path& path, const ModelShape& shape) {
  const MemoryMap file(path);
  return parse_rows_adapter(file.bytes(), shape, path.string());
}

void write_rows_adapter(const RowsAdapter& adapter, const ModelShape& shape, const std::filesystem::path& path,
                        const std::string& dtype) {
  const BlockType& type = adapter_dtype(dtype);
  if (std::filesystem::exists(path))
    throw Error(Exit::input, path.string() + " exists", "choose another --out, or remove it first");
  std::vector<SafeTensorHeader> headers;
  for (const TrainedLines& part : adapter.parts) {
    const std::vector<TensorSpec> specs = tensor_specs(shape);
    const auto spec =
        std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& s) { return s.name == part.tensor; });
    const auto count = static_cast<std::int64_t>(part.indices.size());
    const bool fits = spec != specs.end() && static_cast<std::int64_t>(part.values.size()) ==
                                                 count * (part.is_columns ? spec->rows : spec->cols);
    if (!fits)
      throw Error(Exit::internal, "the trained rows of " + part.tensor + " do not fit the model",
                  "report this with the command you ran");
    const Keys keys = keys_of(part.tensor, part.is_columns);
    headers.push_back({keys.indices, "I32", {count}, part.indices.size() * sizeof(std::int32_t)});
    headers.push_back({keys.values, std::string(type.name),
                       part.is_columns ? std::vector{spec->rows, count} : std::vector{count, spec->cols},
                       part.values.size() * static_cast<std::uint64_t>(type.bytes)});
  }
  AtomicFile file(path);
  file.write(make_safetensors_header(headers));
  for (const TrainedLines& part : adapter.parts) {
    file.write(part.indices.data(), part.indices.size() * sizeof(std::int32_t));
    write_values(part.values, type, [&](const void* bytes, std::size_t size) { file.write(bytes, size); });
  }
  file.commit();
}

}  // namespace frugal
