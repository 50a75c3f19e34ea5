// A model on disk, whatever its format: a GGUF file or a Hugging Face folder. Names, row order and shapes are canonical
// (Hugging Face's); what is different in GGUF is translated in formats/gguf. The files are mapped read-only.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "frugal/formats/model_shape.h"

namespace frugal {

class Tokenizer;

struct SourceTensor : TensorSpec {
  std::string type;         // as stored: "F32", "BF16", "F16", "Q4_1", ...
  std::uint64_t bytes = 0;  // as stored
};

class ModelSource {
 public:
  // Error(Exit::input): not a model, an unknown architecture or tensor type (named), truncated, a tensor missing or of
  // another shape than the header says (both shapes).
  static std::unique_ptr<ModelSource> open(const std::filesystem::path& path);
  virtual ~ModelSource() = default;

  const std::filesystem::path& path() const { return path_; }
  const ModelShape& shape() const { return shape_; }
  const std::vector<SourceTensor>& tensors() const { return tensors_; }  // same order as tensor_specs(shape())
  virtual std::string sha256() const = 0;                                // of the files that hold the weights
  // Of all else that says what the model does: configuration, tokenizer, chat template. Empty: it is in no file.
  virtual std::string metadata_sha256() const { return {}; }
  // Error(Exit::input): somebody has written to the files of the weights since they were opened.
  virtual void require_unchanged() const {}
  std::uint64_t file_bytes() const { return file_bytes_; }
  const std::string& format() const { return format_; }  // "gguf" or "safetensors"

  // Rows [begin, end) of tensor `index` as fp32 into out[(end - begin) * cols], the same bits on every instruction set.
  virtual void read_rows(std::size_t index, std::int64_t begin, std::int64_t end, float* out) const = 0;
  // Row `row` of a matrix as stored: cols elements of the tensor's type, one after the other.
  virtual const std::byte* stored_row(std::size_t index, std::int64_t row) const = 0;
  // Lets the kernel take back the resident pages of rows [begin, end), or of all, of tensor `index` (madvise); the next
  // read loads them again.
  virtual void release_rows(std::size_t index, std::int64_t begin, std::int64_t end) const = 0;
  void release(std::size_t index) const { release_rows(index, 0, tensors_[index].rows); }
  // Asks the kernel to load tensor `index` soon.
  virtual void read_ahead(std::size_t index) const = 0;
  virtual std::unique_ptr<Tokenizer> tokenizer() const = 0;  // Error(Exit::input) when there is none
  virtual std::string chat_template() const = 0;             // empty when there is none
  virtual Json generation_config() const = 0;                // {} when there is none; always has eos_token_id if known
  virtual std::string license() const = 0;                   // as the file says; may be empty

 protected:
  std::filesystem::path path_;
  ModelShape shape_;
  std::vector<SourceTensor> tensors_;
  std::uint64_t file_bytes_ = 0;
  std::string format_;
};

// Rows of a tensor to be written, produced on demand: rows [begin, end) of tensor `index` (order of tensor_specs) as
// fp32.
using RowReader = std::function<void(std::size_t index, std::int64_t begin, std::int64_t end, float* out)>;
// Called after each tensor with (tensors done, tensors in all); may throw to stop, and then nothing is left behind.
using ExportProgress = std::function<void(std::size_t done, std::size_t all)>;

// A Hugging Face folder: config.json, model.safetensors, tokenizer.json, tokenizer_config.json (with the chat
// template), generation_config.json; where layers differ, with code by which transformers loads it. dtype: a plain one
// of export_dtype.h. beside: further files of the folder, by name. The folder appears under its name only when whole;
// Error(Exit::input) if it exists and is not empty.
void export_hf_folder(const ModelSource& base, const RowReader& rows, const std::string& dtype,
                      const std::filesystem::path& out, const ExportProgress& progress,
                      const std::map<std::string, std::string>& beside = {});
// A GGUF v3 file that llama.cpp loads. dtype: any of export_dtype.h; gguf/llama_mix.h says which tensor gets what.
// Error(Exit::input) if it exists. Both refuse weights that are not finite or that dtype cannot hold (f16: over 65504),
// with tensor, value and limit.
void export_gguf(const ModelSource& base, const RowReader& rows, const std::string& dtype,
                 const std::filesystem::path& out, const ExportProgress& progress);

}  // namespace frugal
