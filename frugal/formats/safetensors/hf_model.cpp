#include "frugal/formats/safetensors/hf_model.h"

#include <malloc.h>

#include <set>

#include "frugal/base/atomic_file.h"
#include "frugal/base/atomic_folder.h"
#include "frugal/base/error.h"
#include "frugal/base/sha256.h"
#include "frugal/formats/export_dtype.h"
#include "frugal/formats/ggml/blocks.h"
#include "frugal/formats/json_file.h"
#include "frugal/formats/memory_map.h"
#include "frugal/formats/names.h"
#include "frugal/formats/row_stream.h"
#include "frugal/formats/safetensors/model_card.h"
#include "frugal/formats/safetensors/modeling_code.h"
#include "frugal/formats/safetensors/safetensors_file.h"
#include "frugal/formats/tokenizer.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

Json read_json_if_there(const fs::path& path) { return fs::exists(path) ? read_json(path) : Json(); }

// The files the weights lie in, by model.safetensors or its index.
std::vector<fs::path> weight_files(const fs::path& folder) {
  if (fs::exists(folder / "model.safetensors")) return {folder / "model.safetensors"};
  const fs::path index = folder / "model.safetensors.index.json";
  if (!fs::exists(index)) {
    throw Error(Exit::input, folder.string() + " has neither model.safetensors nor model.safetensors.index.json",
                "convert the weights to safetensors");
  }
  const auto json = read_json<nlohmann::json>(index);  // sorted keys: Json compares each with all before it
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (!json.is_object() || map == json.end() || !map->is_object())
    throw Error(Exit::input, index.string() + " has no weight_map", "download the file again");
  std::set<std::string> names;
  for (const auto& file : *map) {
    if (!file.is_string() || !is_tensor_name(file.get<std::string>())) {
      throw Error(
          Exit::input,
          index.string() + " names the shard " + printable(file.is_string() ? file.get<std::string>() : file.dump()),
          "download the file again");
    }
    names.insert(file.get<std::string>());
  }
  std::vector<fs::path> files;
  for (const std::string& name : names) files.push_back(folder / name);
  return files;
}

constexpr std::uint64_t kMostConfig = 1 << 20, kMostTokenizer = 512 << 20;  // bytes

class HfModel : public ModelSource {
 public:
  explicit HfModel(const fs::path& folder) {
    path_ = folder;
    format_ = "safetensors";
    config_ = read_json(folder / "config.json", kMostConfig);
    shape_ = shape_from_config(config_);
    std::map<std::string, std::pair<std::size_t, SafeTensor>> found;
    for (const fs::path& file : weight_files(folder)) {
      maps_.emplace_back(file);
      file_bytes_ += maps_.back().bytes().size();
      for (auto& [name, tensor] : parse_safetensors(maps_.back().bytes(), file.string())) {
        if (!found.emplace(name, std::pair{maps_.size() - 1, tensor}).second) {
          throw Error(Exit::input, "the tensor " + name + " lies in two shards of " + folder.string(),
                      "download the files again");
        }
      }
    }
    // A checkpoint without lm_head.weight shares it with the embedding, whatever the configuration leaves out.
    if (found.count("lm_head.weight") == 0) shape_.tied_embeddings = true;
    for (const TensorSpec& spec : tensor_specs(shape_)) {
      const auto entry = found.find(spec.name);
      if (entry == found.end())
        throw Error(Exit::input, folder.string() + " has no tensor " + spec.name,
                    "download or convert the model again");
      const auto [map, tensor] = entry->second;
      const std::vector<std::int64_t> expected =
          spec.is_vector ? std::vector{spec.cols} : std::vector{spec.rows, spec.cols};
      if (tensor.shape != expected) {
        throw Error(Exit::input,
                    spec.name + " has shape " + shape_text(tensor.shape) + ", expected " + shape_text(expected),
                    "use the config.json that belongs to the weights");
      }
      const BlockType* type = tensor.dtype == "F32" || tensor.dtype == "F16" || tensor.dtype == "BF16"
                                  ? find_block_type(tensor.dtype)
                                  : nullptr;
      if (type == nullptr)
        throw Error(Exit::input, spec.name + " has the dtype " + tensor.dtype + ", known are F32, F16 and BF16",
                    "convert the weights");
      SourceTensor source;
      static_cast<TensorSpec&>(source) = spec;
      source.type = tensor.dtype;
      source.bytes = tensor.data.size();
      tensors_.push_back(std::move(source));
      stored_.push_back({map, type, tensor.data});
      found.erase(entry);
    }
    for (const auto& [name, entry] : found) refuse_missed(name);
  }

  std::string metadata_sha256() const override {  // of names and hashes, one after the other
    Sha256 all;
    for (const char* name :
         {"config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"}) {
      if (!fs::exists(path_ / name)) continue;
      const std::string one = name + sha256_file(path_ / name);
      all.update(one.data(), one.size());
    }
    return all.hex();
  }
  void require_unchanged() const override {
    for (const MemoryMap& map : maps_) map.require_unchanged();
  }
  std::string sha256() const override {  // of the files' hashes, one after the other
    Sha256 all;
    for (const fs::path& file : weight_files(path_)) {
      const std::string one = sha256_file(file);
      all.update(one.data(), one.size());
    }
    return all.hex();
  }
  void read_rows(std::size_t index, std::int64_t begin, std::int64_t end, float* out) const override {
    const auto& [map, type, data] = stored_[index];
    const std::int64_t cols = tensors_[index].cols;
    type->dequantize(data.data() + begin * cols * type->bytes, (end - begin) * cols, out);
  }
  const std::byte* stored_row(std::size_t index, std::int64_t row) const override {
    return stored_[index].data.data() + row * tensors_[index].cols * stored_[index].type->bytes;
  }
  void release_rows(std::size_t index, std::int64_t begin, std::int64_t end) const override {
    const auto& [map, type, data] = stored_[index];
    const auto row = static_cast<std::size_t>(tensors_[index].cols * type->bytes);
    maps_[map].release(
        data.subspan(static_cast<std::size_t>(begin) * row, static_cast<std::size_t>(end - begin) * row));
  }
  void read_ahead(std::size_t index) const override { maps_[stored_[index].map].read_ahead(stored_[index].data); }

  std::unique_ptr<Tokenizer> tokenizer() const override {
    if (!fs::exists(path_ / "tokenizer.json"))
      throw Error(Exit::input, path_.string() + " has no tokenizer.json", "copy it from where the model came from");
    auto tokenizer = std::make_unique<Tokenizer>(Tokenizer::parse_json_text(
        read_file(path_ / "tokenizer.json", kMostTokenizer), read_json_if_there(path_ / "tokenizer_config.json")));
    ::malloc_trim(0);  // the parsed text took 70 MB for 49,152 entries, which no plan counts
    return tokenizer;
  }
  std::string chat_template() const override {
    if (fs::exists(path_ / "chat_template.jinja")) return read_file(path_ / "chat_template.jinja", kMostSettings);
    const Json config = read_json_if_there(path_ / "tokenizer_config.json");
    const auto found = config.is_object() ? config.find("chat_template") : config.end();
    return config.is_object() && found != config.end() && found->is_string() ? found->get<std::string>()
                                                                             : std::string();
  }
  Json generation_config() const override {
    Json generation = read_json_if_there(path_ / "generation_config.json");
    if (!generation.is_object()) generation = Json::object();
    for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
      if (!generation.contains(key) && config_.contains(key) && !config_[key].is_null()) generation[key] = config_[key];
    }
    return generation;
  }
  std::string license() const override {
    return fs::exists(path_ / "README.md") ? card_license(read_file(path_ / "README.md", kMostSettings))
                                           : std::string();
  }

 private:
  void refuse_missed(const std::string& name) const {
    if (is_missed(name, "model.layers.", shape_.layers.size()))
      throw Error(Exit::input, path_.string() + " holds the tensor " + name + ", which its config.json does not name",
                  "use the config.json that belongs to the weights");
  }
  struct Stored {
    std::size_t map;
    const BlockType* type;
    std::span<const std::byte> data;
  };
  Json config_;
  std::vector<MemoryMap> maps_;
  std::vector<Stored> stored_;
};

}  // namespace

std::unique_ptr<ModelSource> open_hf_model(const fs::path& folder) { return std::make_unique<HfModel>(folder); }

void export_hf_folder(const ModelSource& base, const RowReader& rows, const std::string& dtype, const fs::path& out,
                      const ExportProgress& progress, const std::map<std::string, std::string>& beside) {
  const ExportDtype& wanted = find_export_dtype(dtype, true, "a Hugging Face folder");
  const BlockType& type = wanted.type();
  const auto tokenizer = base.tokenizer();
  AtomicFolder folder(out);
  Json config = config_from_shape(base.shape(), std::string(wanted.torch_dtype));
  const TokenizerModel& model = tokenizer->model();
  if (model.bos >= 0) config["bos_token_id"] = model.bos;
  if (model.eos >= 0) config["eos_token_id"] = model.eos;
  if (!base.shape().is_uniform()) {
    const std::string module = fs::path(kModelingFile).stem().string();
    config["auto_map"] = {{"AutoConfig", module + ".FrugalLlamaConfig"},
                          {"AutoModelForCausalLM", module + ".FrugalLlamaForCausalLM"}};
    write_file(folder / kModelingFile, kModelingCode);
  }
  write_file(folder / "config.json", config.dump(2) + "\n");
  write_file(folder / "generation_config.json", base.generation_config().dump(2) + "\n");
  write_file(folder / "tokenizer.json", tokenizer->to_json().dump() + "\n");
  write_file(folder / "tokenizer_config.json", tokenizer->config_json(base.chat_template()).dump(2) + "\n");
  if (!base.license().empty()) write_file(folder / "README.md", make_card(base.license()));
  for (const auto& [name, text] : beside) write_file(folder / name.c_str(), text);

  // transformers' llama has the biases of all of attention or of none, and so of the feed-forward: those that are not
  // there are written as zeros.
  ModelShape written = base.shape();
  Biases& biases = written.biases;
  biases.q = biases.k = biases.v = biases.o = biases.of_attention();
  biases.gate = biases.up = biases.down = biases.of_feed_forward();
  const std::vector<TensorSpec> specs = tensor_specs(written);
  std::vector<SafeTensorHeader> headers;
  for (const TensorSpec& spec : specs) {
    headers.push_back({spec.name, std::string(type.name),
                       spec.is_vector ? std::vector{spec.cols} : std::vector{spec.rows, spec.cols},
                       static_cast<std::uint64_t>(spec.rows * spec.cols * type.bytes)});
  }
  AtomicFile file(folder / "model.safetensors");
  file.write(make_safetensors_header(headers));
  std::size_t index = 0;  // of the base's next
  for (const TensorSpec& spec : specs) {
    const auto write = [&](const void* bytes, std::size_t size) { file.write(bytes, size); };
    if (spec.name != base.tensors()[index].name) {
      const RowReader zeros = [&](std::size_t, std::int64_t, std::int64_t, float* out) {
        std::fill_n(out, spec.cols, 0.0f);
      };
      stream_rows(spec, index, zeros, type, write);
      continue;
    }
    stream_rows(spec, index, rows, type, write);
    progress(++index, base.tensors().size());
  }
  file.commit();
  folder.commit();
}

}  // namespace frugal
