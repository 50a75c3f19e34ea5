#include "frugal/formats/gguf/gguf_model.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/base/sha256.h"
#include "frugal/formats/gguf/gguf_writer.h"
#include "frugal/formats/gguf/llama_mix.h"
#include "frugal/formats/gguf/llama_names.h"
#include "frugal/formats/names.h"
#include "frugal/formats/row_stream.h"

namespace frugal {
namespace {

class GgufModel : public ModelSource {
 public:
  explicit GgufModel(const std::filesystem::path& path) : map_(path) {
    path_ = path;
    format_ = "gguf";
    file_bytes_ = map_.bytes().size();
    file_ = parse_gguf(map_.bytes(), path.string());
    shape_ = shape_from_gguf(file_, path.string());
    for (const TensorSpec& spec : tensor_specs(shape_)) {
      const std::string theirs = gguf_name(spec.name);
      const GgufTensor* tensor = file_.find(theirs);
      if (tensor == nullptr)
        throw Error(Exit::input, path.string() + " has no tensor " + theirs, "download or convert the file again");
      const bool same = spec.is_vector ? tensor->shape == std::vector<std::int64_t>{spec.cols}
                                       : tensor->shape == std::vector<std::int64_t>{spec.cols, spec.rows};
      if (!same) {
        std::string shape;
        for (auto it = tensor->shape.rbegin(); it != tensor->shape.rend(); ++it)
          shape += (shape.empty() ? "" : ", ") + std::to_string(*it);
        throw Error(Exit::input,
                    theirs + " has shape [" + shape + "], expected [" +
                        (spec.is_vector ? "" : std::to_string(spec.rows) + ", ") + std::to_string(spec.cols) + "]",
                    "download or convert the file again");
      }
      SourceTensor entry;
      static_cast<TensorSpec&>(entry) = spec;
      entry.type = tensor->type->name;
      entry.bytes = tensor->data.size();
      tensors_.push_back(std::move(entry));
      stored_.push_back(tensor);
      is_rotary_.push_back(has_rotary_rows(spec.name));
      row_bytes_.push_back(spec.cols / tensor->type->elements * tensor->type->bytes);
    }
    for (const GgufTensor& tensor : file_.tensors) {
      const bool is_used = std::any_of(stored_.begin(), stored_.end(), [&](const auto* one) { return one == &tensor; });
      if (!is_used && is_missed(tensor.name, "blk.", shape_.layers.size()))
        throw Error(Exit::input,
                    path.string() + " holds the tensor " + tensor.name + ", which its metadata do not name",
                    "download or convert the file again");
    }
  }

  std::string sha256() const override { return sha256_file(path_); }
  std::string metadata_sha256() const override {  // of what stands before the first tensor
    const std::byte* end = map_.bytes().data() + map_.bytes().size();
    for (const GgufTensor& tensor : file_.tensors) end = std::min(end, tensor.data.data());
    Sha256 sha;
    sha.update(map_.bytes().data(), static_cast<std::size_t>(end - map_.bytes().data()));
    return sha.hex();
  }
  void require_unchanged() const override { map_.require_unchanged(); }
  void read_rows(std::size_t index, std::int64_t begin, std::int64_t end, float* out) const override {
    const SourceTensor& spec = tensors_[index];
    const GgufTensor& tensor = *stored_[index];
    const std::int64_t blocks = spec.cols / tensor.type->elements;
    const std::int64_t row_bytes = row_bytes_[index];
    if (!is_rotary_[index])
      return tensor.type->dequantize(tensor.data.data() + begin * row_bytes, (end - begin) * blocks, out);
    if (spec.is_vector) {  // a bias: its elements are the rows
      std::vector<float> theirs(static_cast<std::size_t>(spec.cols));
      tensor.type->dequantize(tensor.data.data(), blocks, theirs.data());
      for (std::int64_t i = 0; i < spec.cols; ++i)
        out[i] = theirs[static_cast<std::size_t>(gguf_row(i, shape_.head_dim))];
      return;
    }
    for (std::int64_t row = begin; row < end; ++row, out += spec.cols) {
      tensor.type->dequantize(tensor.data.data() + gguf_row(row, shape_.head_dim) * row_bytes, blocks, out);
    }
  }
  const std::byte* stored_row(std::size_t index, std::int64_t row) const override {
    const std::int64_t at = is_rotary_[index] ? gguf_row(row, shape_.head_dim) : row;
    return stored_[index]->data.data() + at * row_bytes_[index];
  }
  void release_rows(std::size_t index, std::int64_t begin, std::int64_t end) const override {
    const std::span<const std::byte> all = stored_[index]->data;
    const std::size_t row = all.size() / static_cast<std::size_t>(tensors_[index].rows);
    map_.release(all.subspan(static_cast<std::size_t>(begin) * row, static_cast<std::size_t>(end - begin) * row));
  }
  void read_ahead(std::size_t index) const override { map_.read_ahead(stored_[index]->data); }
  std::unique_ptr<Tokenizer> tokenizer() const override {
    return std::make_unique<Tokenizer>(tokenizer_from_gguf(file_, path_.string()));
  }
  std::string chat_template() const override { return text("tokenizer.chat_template"); }
  std::string license() const override { return text("general.license"); }
  Json generation_config() const override {
    Json config = Json::object();
    const auto copy = [&](const char* key, const char* theirs) {
      const auto found = file_.metadata.find(theirs);
      if (found != file_.metadata.end() && found->second.is_number_integer()) config[key] = found->second;
    };
    copy("bos_token_id", "tokenizer.ggml.bos_token_id");
    copy("eos_token_id", "tokenizer.ggml.eos_token_id");
    copy("pad_token_id", "tokenizer.ggml.padding_token_id");
    return config;
  }

 private:
  std::string text(const char* key) const {
    const auto found = file_.metadata.find(key);
    return found != file_.metadata.end() && found->second.is_string() ? found->second.get<std::string>()
                                                                      : std::string();
  }
  MemoryMap map_;
  GgufFile file_;
  std::vector<const GgufTensor*> stored_;
  std::vector<bool> is_rotary_;
  std::vector<std::int64_t> row_bytes_;
};

}  // namespace

std::unique_ptr<ModelSource> open_gguf_model(const std::filesystem::path& path) {
  return std::make_unique<GgufModel>(path);
}

void export_gguf(const ModelSource& base, const RowReader& rows, const std::string& dtype,
                 const std::filesystem::path& out, const ExportProgress& progress) {
  const ExportDtype& wanted = find_export_dtype(dtype, false, "a GGUF file");
  const std::vector<const BlockType*> types = llama_types(base.shape(), wanted);
  const BlockType& f32 = *find_block_type("F32");
  if (std::filesystem::exists(out))
    throw Error(Exit::input, out.string() + " exists", "choose another --out, or remove it first");
  GgufWriter writer;
  writer.set_text("general.architecture", gguf_architecture(base.shape()));
  writer.set_text("general.name", base.path().stem().string());
  if (!base.license().empty()) writer.set_text("general.license", base.license());
  writer.set_u32("general.file_type", wanted.file_type);
  writer.set_u32("general.quantization_version", 2);
  write_shape(writer, base.shape());
  write_tokenizer(writer, base.tokenizer()->model());
  if (!base.chat_template().empty()) writer.set_text("tokenizer.chat_template", base.chat_template());
  const std::vector<float> factors = rope_factors(base.shape());
  if (!factors.empty()) writer.declare("rope_freqs.weight", {static_cast<std::int64_t>(factors.size())}, f32);
  for (std::size_t index = 0; index < base.tensors().size(); ++index) {
    const TensorSpec& spec = base.tensors()[index];
    writer.declare(
        gguf_name(spec.name),
        spec.is_vector ? std::vector<std::int64_t>{spec.cols} : std::vector<std::int64_t>{spec.cols, spec.rows},
        *types[index]);
  }
  AtomicFile file(out);
  writer.write_header(file);
  if (!factors.empty()) writer.write_data(file, factors.data(), factors.size() * 4);
  const std::int64_t head_dim = base.shape().head_dim;
  for (std::size_t index = 0; index < base.tensors().size(); ++index) {
    const SourceTensor& spec = base.tensors()[index];
    RowReader ordered = rows;
    if (has_rotary_rows(spec.name)) {
      ordered = [&](std::size_t id, std::int64_t begin, std::int64_t end, float* to) {
        if (spec.is_vector) {
          std::vector<float> ours(static_cast<std::size_t>(spec.cols));
          rows(id, 0, 1, ours.data());
          for (std::int64_t i = 0; i < spec.cols; ++i)
            to[i] = ours[static_cast<std::size_t>(canonical_row(i, head_dim))];
          return;
        }
        for (std::int64_t row = begin; row < end; ++row, to += spec.cols) {
          const std::int64_t from = canonical_row(row, head_dim);
          rows(id, from, from + 1, to);
        }
      };
    }
    stream_rows(spec, index, ordered, *types[index],
                [&](const void* bytes, std::size_t size) { writer.write_data(file, bytes, size); });
    progress(index + 1, base.tensors().size());
  }
  file.commit();
}

}  // namespace frugal
