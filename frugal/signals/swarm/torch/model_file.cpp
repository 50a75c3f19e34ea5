#include "frugal/signals/swarm/torch/model_file.h"

#include "frugal/base/atomic_file.h"
#include "frugal/formats/safetensors/safetensors_file.h"
#include "frugal/train/run/snapshot.h"

namespace frugal::swarm {
namespace {

using Named = std::vector<std::pair<std::string, torch::Tensor>>;

Named tensors_of(tsc::Classifier& classifier, const Scaler& scaler) {
  Named all;
  for (const auto& item : classifier.named_parameters()) all.emplace_back(item.key(), item.value().detach());
  for (const auto& item : classifier.named_buffers()) all.emplace_back(item.key(), item.value());
  all.emplace_back("scaler.mean", torch::tensor(scaler.mean));
  all.emplace_back("scaler.deviation", torch::tensor(scaler.deviation));
  return all;
}

std::string dtype_of(const torch::Tensor& tensor) { return tensor.scalar_type() == torch::kLong ? "I64" : "F32"; }

std::span<std::byte> bytes_of(const torch::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()};
}

}  // namespace

tsc::Classifier make_classifier(const ModelCard& card, std::uint64_t seed) {
  const TrainConfig& c = card.config;
  return {
      c.model,
      c.sizes,
      {.features = card.inputs(), .window = c.window, .is_sequence = c.length == "seq", .agents = c.engagement.agents},
      c.output,
      seed};
}

std::string write_model(const std::filesystem::path& folder, const ModelCard& card, tsc::Classifier& classifier,
                        const Scaler& scaler) {
  const Named all = tensors_of(classifier, scaler);
  std::vector<SafeTensorHeader> headers;
  std::vector<NamedBytes> parts;
  for (const auto& [name, tensor] : all) {
    headers.push_back({name, dtype_of(tensor), tensor.sizes().vec(), tensor.nbytes()});
    parts.push_back({name, bytes_of(tensor)});
  }
  AtomicFile file(folder / "model.safetensors");
  file.write(make_safetensors_header(headers));
  for (const auto& part : parts) file.write(part.bytes.data(), part.bytes.size());
  write_file(folder / "model.json", card.json().dump(1) + "\n");
  file.commit();
  return weights_sha256(parts);
}

LoadedModel read_model(const std::filesystem::path& folder, const ModelCard& card) {
  const std::string path = (folder / "model.safetensors").string(), bytes = read_file(path);
  auto found = parse_safetensors(std::as_bytes(std::span(bytes)), path);
  LoadedModel model{.classifier = make_classifier(card, 0), .scaler = {}};
  const auto features = static_cast<std::size_t>(4 * card.config.engagement.agents);
  model.scaler.mean.resize(features), model.scaler.deviation.resize(features);
  for (const auto& [name, tensor] : tensors_of(model.classifier, model.scaler)) {
    const auto at = found.find(name);
    const std::string what = path + ": tensor '" + name + "'";
    if (at == found.end()) throw Error(Exit::input, what + " is missing", "take the folder of a run as it was written");
    const SafeTensor& stored = at->second;
    if (stored.dtype != dtype_of(tensor) || stored.shape != tensor.sizes().vec()) {
      throw Error(Exit::input,
                  what + " is " + stored.dtype + " " + Json(stored.shape).dump() + ", expected " + dtype_of(tensor) +
                      " " + Json(tensor.sizes().vec()).dump(),
                  "model.json and model.safetensors must be of one run");
    }
    std::copy(stored.data.begin(), stored.data.end(), bytes_of(tensor).begin());
    if (!tensor.isfinite().all().item<bool>())
      throw Error(Exit::input, what + " holds a number that is not finite", "train again");
    const auto* values = static_cast<const float*>(tensor.data_ptr());
    if (name == "scaler.mean") model.scaler.mean.assign(values, values + features);
    if (name == "scaler.deviation") model.scaler.deviation.assign(values, values + features);
  }
  return model;
}

}  // namespace frugal::swarm
