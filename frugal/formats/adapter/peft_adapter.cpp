#include <map>

#include "frugal/base/atomic_file.h"
#include "frugal/base/atomic_folder.h"
#include "frugal/base/error.h"
#include "frugal/formats/adapter/adapter_tensor.h"
#include "frugal/formats/adapter/peft_config.h"
#include "frugal/formats/memory_map.h"
#include "frugal/formats/names.h"
#include "frugal/formats/safetensors/safetensors_file.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr const char *kConfig = "adapter_config.json", *kWeights = "adapter_model.safetensors";
constexpr const char* kPrefix = "base_model.model.";
// The parameter is saved under the name it had before it became a module of its own (LoraModel of PEFT).
constexpr const char *kA = ".lora_A.weight", *kB = ".lora_B.weight", *kMagnitude = ".lora_magnitude_vector";
constexpr const char* kOther = "the adapter was made for another model; give that one as MODEL";

// The tensors of a file, each to be taken once.
class Tensors {
 public:
  Tensors(std::map<std::string, SafeTensor> tensors, std::string name)
      : tensors_(std::move(tensors)), name_(std::move(name)) {}

  bool has(const std::string& key) const { return tensors_.count(key) != 0; }
  std::vector<float> take(const std::string& key, const std::vector<std::int64_t>& shape) {
    const auto found = tensors_.find(key);
    if (found == tensors_.end())
      throw Error(Exit::input, name_ + " has no tensor " + key + ", which " + kConfig + " and the model ask for",
                  "put back the files that were written together, or give the adapter's own model as MODEL");
    const SafeTensor& tensor = found->second;
    if (tensor.shape != shape)
      throw Error(Exit::input, key + " has shape " + shape_text(tensor.shape) + ", expected " + shape_text(shape),
                  kOther);
    std::vector<float> values = adapter_values(key, tensor);
    tensors_.erase(found);
    return values;
  }
  void refuse_the_rest() const {
    if (tensors_.empty()) return;
    throw Error(
        Exit::input,
        name_ + " has the tensor " + tensors_.begin()->first + ", which " + kConfig + " or the model has no place for",
        "use an adapter of this model with LoRA factors for linears alone");
  }

 private:
  std::map<std::string, SafeTensor> tensors_;
  std::string name_;
};

}  // namespace

LoraAdapter parse_peft_adapter(std::string_view config_text, std::span<const std::byte> weights,
                               const ModelShape& shape, const std::string& name) {
  const PeftConfig config = parse_peft_config(config_text, name + "/" + kConfig);
  for (const char* module : {"model.embed_tokens", "lm_head"}) {
    if ((module == std::string_view("lm_head") && !shape.tied_embeddings) || !config.adapts(module)) continue;
    throw Error(
        Exit::input,
        name + "/" + kConfig + ": 'target_modules' selects " + module + ", and factors of embeddings are not supported",
        "use an adapter for the linears of the layers");
  }
  Tensors tensors(parse_safetensors(weights, name + "/" + kWeights), name + "/" + kWeights);
  LoraAdapter adapter;
  adapter.use_rslora = config.use_rslora;
  adapter.dropout = config.dropout;
  adapter.base_model = config.base_model;
  for (const TensorSpec& spec : adaptable_linears(shape)) {
    LowRankFactor factor;
    factor.module = spec.name.substr(0, spec.name.size() - std::string_view(".weight").size());
    if (!config.adapts(factor.module)) continue;
    factor.rank = config.rank(factor.module);
    factor.alpha = config.alpha(factor.module);
    factor.scale = lora_scale(factor.alpha, factor.rank, config.use_rslora);
    factor.in = spec.cols;
    factor.out = spec.rows;
    const std::string key = kPrefix + factor.module;
    factor.a = tensors.take(key + kA, {factor.rank, factor.in});
    factor.b = tensors.take(key + kB, {factor.out, factor.rank});
    if (config.use_dora) {
      const std::string magnitude = key + kMagnitude;
      factor.magnitude =
          tensors.take(tensors.has(magnitude + ".weight") ? magnitude + ".weight" : magnitude, {factor.out});
    }
    adapter.factors.push_back(std::move(factor));
  }
  if (adapter.factors.empty())
    throw Error(Exit::input, name + "/" + kConfig + ": 'target_modules' selects no linear of the model", kOther);
  tensors.refuse_the_rest();
  return adapter;
}

bool is_peft_adapter(const fs::path& path) {
  std::error_code failed;
  return fs::exists(path / kConfig, failed) && !fs::exists(path / "run.json", failed);
}

LoraAdapter read_peft_adapter(const fs::path& folder, const ModelShape& shape) {
  if (!fs::exists(folder / kConfig))
    throw Error(Exit::input, folder.string() + " has no " + kConfig, "name a folder that PEFT or frugal wrote");
  if (!fs::exists(folder / kWeights)) {
    throw Error(Exit::input, folder.string() + " has no " + kWeights,
                "save the adapter with safe_serialization=True; pickled files are not read");
  }
  const std::string config = read_file(folder / kConfig, kMostSettings);
  const MemoryMap weights(folder / kWeights);
  return parse_peft_adapter(config, weights.bytes(), shape, folder.string());
}

void write_peft_adapter(const LoraAdapter& adapter, const ModelShape& shape, const fs::path& path,
                        const std::string& dtype) {
  check_adapter(adapter, shape);
  const BlockType& type = adapter_dtype(dtype);
  AtomicFolder folder(path);
  write_file(folder / kConfig, peft_config(adapter, shape).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  std::vector<SafeTensorHeader> headers;
  std::vector<const std::vector<float>*> values;
  const auto add = [&](const std::string& name, const std::vector<std::int64_t>& size, const std::vector<float>& from) {
    headers.push_back({name, std::string(type.name), size, from.size() * static_cast<std::uint64_t>(type.bytes)});
    values.push_back(&from);
  };
  for (const LowRankFactor& factor : adapter.factors) {
    const std::string key = kPrefix + factor.module;
    add(key + kA, {factor.rank, factor.in}, factor.a);
    add(key + kB, {factor.out, factor.rank}, factor.b);
    if (!factor.magnitude.empty()) add(key + kMagnitude, {factor.out}, factor.magnitude);
  }
  AtomicFile file(folder / kWeights);
  file.write(make_safetensors_header(headers));
  for (const auto* from : values)
    write_values(*from, type, [&](const void* bytes, std::size_t size) { file.write(bytes, size); });
  file.commit();
  folder.commit();
}

}  // namespace frugal
