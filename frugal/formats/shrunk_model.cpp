#include "frugal/formats/shrunk_model.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>

#include "frugal/base/error.h"
#include "frugal/formats/tokenizer.h"

namespace frugal {
namespace {

[[noreturn]] void refuse(std::size_t layer, const std::string& what) {
  throw Error(Exit::internal, "layer " + std::to_string(layer) + " cannot keep " + what, "report this");
}

void check_units(std::size_t layer, const std::vector<std::int32_t>& units, std::int64_t count, const char* kind) {
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (units[i] < 0 || units[i] >= count || (i > 0 && units[i] <= units[i - 1]))
      refuse(layer, std::string(kind) + " " + std::to_string(units[i]) + " of " + std::to_string(count));
  }
}

std::vector<std::int32_t> key_heads(const LayerShape& layer, const KeptUnits& kept) {
  std::vector<std::int32_t> heads;
  for (const std::int32_t head : kept.heads) {
    const auto own = static_cast<std::int32_t>(head / (layer.heads / layer.kv_heads));
    if (heads.empty() || heads.back() != own) heads.push_back(own);
  }
  return heads;
}

// A generation_config.json: eos_token_id and its like, suppress_tokens. Ids that are not kept leave lists; what then
// has no id, and constraints on words, which are of ids in pairs and lists, go.
Json with_kept_ids(Json config, const SmallerVocabulary& vocabulary) {
  const auto id_of = [&](const Json& id) {
    return id.is_number_integer() ? vocabulary.id_of(id.get<std::int32_t>()) : -1;
  };
  std::vector<std::string> gone;
  for (auto& [key, value] : config.items()) {
    if (key.ends_with("_ids") || key == "sequence_bias") gone.push_back(key);
    if (!key.ends_with("_token_id") && !key.ends_with("suppress_tokens")) continue;
    if (value.is_array()) {
      Json kept = Json::array();
      for (const Json& id : value) {
        if (id_of(id) >= 0) kept.push_back(id_of(id));
      }
      value = kept;
    } else if (id_of(value) >= 0) {
      value = id_of(value);
    } else {
      gone.push_back(key);
    }
  }
  for (const std::string& key : gone) config.erase(key);
  return config;
}

class ShrunkModel : public ModelSource {
 public:
  ShrunkModel(std::shared_ptr<const ModelSource> base, std::vector<KeptUnits> layers, bool drops_empty,
              std::optional<SmallerVocabulary> vocabulary)
      : base_(std::move(base)), kept_(std::move(layers)), vocabulary_(std::move(vocabulary)) {
    path_ = base_->path();
    format_ = base_->format();
    shape_ = base_->shape();
    if (vocabulary_) shape_.vocab = static_cast<std::int64_t>(vocabulary_->kept.size());
    for (std::size_t l = 0; l < shape_.layers.size(); ++l) {
      LayerShape& layer = shape_.layers[l];
      check_units(l, kept_[l].heads, layer.heads, "head");
      check_units(l, kept_[l].neurons, layer.ffn, "neuron");
      layer = shrunk_layer(layer, kept_[l]);
      if (layer.heads > 0 && (layer.heads % layer.kv_heads != 0 || !shares_evenly(l)))
        refuse(l, std::to_string(layer.heads) + " query heads for " + std::to_string(layer.kv_heads) + " key heads");
    }
    std::vector<LayerShape> left;
    for (std::size_t l = 0; l < shape_.layers.size(); ++l) {
      if (drops_empty && shape_.layers[l] == LayerShape{}) continue;
      left.push_back(shape_.layers[l]);
      layers_.push_back(static_cast<std::int64_t>(l));
    }
    layers_.push_back(static_cast<std::int64_t>(shape_.layers.size()));  // of the final norm and the head
    shape_.layers = std::move(left);
    for (const TensorSpec& spec : tensor_specs(shape_)) {
      const std::int64_t layer = spec.layer < 0 ? spec.layer : layers_[static_cast<std::size_t>(spec.layer)];
      const auto found =
          std::find_if(base_->tensors().begin(), base_->tensors().end(), [&](const SourceTensor& theirs) {
            return theirs.layer == layer && theirs.role == spec.role && theirs.is_bias == spec.is_bias;
          });
      const auto index = static_cast<std::size_t>(found - base_->tensors().begin());
      SourceTensor tensor;
      static_cast<TensorSpec&>(tensor) = spec;
      tensor.type = "F32";
      tensor.bytes = found->bytes;  // of the file, whose pages a row lies among
      tensors_.push_back(std::move(tensor));
      theirs_.push_back({index, rows_of(spec), columns_of(spec)});
      file_bytes_ += found->bytes;
    }
  }

  std::string sha256() const override { return base_->sha256(); }
  std::string metadata_sha256() const override { return base_->metadata_sha256(); }
  void require_unchanged() const override { base_->require_unchanged(); }
  void read_rows(std::size_t index, std::int64_t begin, std::int64_t end, float* out) const override {
    const auto& [id, rows, columns] = theirs_[index];
    const std::int64_t cols = base_->tensors()[id].cols;
    if (tensors_[index].is_vector) {
      if (rows.empty()) return base_->read_rows(id, 0, 1, out);
      std::vector<float> whole(static_cast<std::size_t>(cols));
      base_->read_rows(id, 0, 1, whole.data());
      for (const std::int32_t row : rows) *out++ = whole[static_cast<std::size_t>(row)];
      return;
    }
    if (columns.empty() && rows.empty()) return base_->read_rows(id, begin, end, out);
    std::vector<float> whole(columns.empty() ? 0 : static_cast<std::size_t>(cols));
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t from = rows.empty() ? row : rows[static_cast<std::size_t>(row)];
      if (columns.empty()) {
        base_->read_rows(id, from, from + 1, out);
        out += cols;
        continue;
      }
      base_->read_rows(id, from, from + 1, whole.data());
      for (const std::int32_t column : columns) *out++ = whole[static_cast<std::size_t>(column)];
    }
  }
  const std::byte* stored_row(std::size_t, std::int64_t) const override {
    throw Error(Exit::internal, "a shrunk model has no stored rows", "report this");
  }
  void release_rows(std::size_t index, std::int64_t begin, std::int64_t end) const override {
    const auto& [id, rows, columns] = theirs_[index];
    if (tensors_[index].is_vector || begin == end) return base_->release(id);
    const auto& kept = rows;
    const auto from = [&](std::int64_t row) { return kept.empty() ? row : kept[static_cast<std::size_t>(row)]; };
    base_->release_rows(id, from(begin), from(end - 1) + 1);
  }
  void read_ahead(std::size_t index) const override { base_->read_ahead(theirs_[index].id); }
  std::unique_ptr<Tokenizer> tokenizer() const override {
    return vocabulary_ ? std::make_unique<Tokenizer>(vocabulary_->tokenizer) : base_->tokenizer();
  }
  std::string chat_template() const override { return base_->chat_template(); }
  Json generation_config() const override {
    Json config = base_->generation_config();
    return vocabulary_ ? with_kept_ids(std::move(config), *vocabulary_) : config;
  }
  std::string license() const override { return base_->license(); }

 private:
  struct Theirs {
    std::size_t id;
    std::vector<std::int32_t> rows, columns;  // empty: all
  };
  bool shares_evenly(std::size_t l) const {
    const std::int64_t group = base_->shape().layers[l].heads / base_->shape().layers[l].kv_heads,
                       own = shape_.layers[l].heads / shape_.layers[l].kv_heads;
    for (std::size_t i = 0; i < kept_[l].heads.size(); ++i) {
      if (kept_[l].heads[i] / group !=
          kept_[l].heads[i / static_cast<std::size_t>(own) * static_cast<std::size_t>(own)] / group)
        return false;
    }
    return true;
  }
  std::vector<std::int32_t> of_heads(const std::vector<std::int32_t>& heads) const {
    std::vector<std::int32_t> rows;
    for (const std::int32_t head : heads) {
      for (std::int32_t i = 0; i < shape_.head_dim; ++i)
        rows.push_back(head * static_cast<std::int32_t>(shape_.head_dim) + i);
    }
    return rows;
  }
  std::vector<std::int32_t> rows_of(const TensorSpec& spec) const {
    if (vocabulary_ && (spec.role == Role::embedding || spec.role == Role::head)) return vocabulary_->kept;
    if (!spec.is_of_layer()) return {};
    const auto l = static_cast<std::size_t>(layers_[static_cast<std::size_t>(spec.layer)]);
    switch (spec.role) {
      case Role::q:
        return of_heads(kept_[l].heads);
      case Role::k:
      case Role::v:
        return of_heads(key_heads(base_->shape().layers[l], kept_[l]));
      case Role::gate:
      case Role::up:
        return kept_[l].neurons;
      default:
        return {};
    }
  }
  std::vector<std::int32_t> columns_of(const TensorSpec& spec) const {
    if (!spec.is_layer_linear()) return {};
    const auto l = static_cast<std::size_t>(layers_[static_cast<std::size_t>(spec.layer)]);
    if (spec.role == Role::o) return of_heads(kept_[l].heads);
    return spec.role == Role::down ? kept_[l].neurons : std::vector<std::int32_t>();
  }
  std::shared_ptr<const ModelSource> base_;
  std::vector<KeptUnits> kept_;
  std::optional<SmallerVocabulary> vocabulary_;
  std::vector<Theirs> theirs_;
  std::vector<std::int64_t> layers_;  // of the base, for each of this model
};

}  // namespace

KeptUnits all_units(const LayerShape& layer) {
  KeptUnits all;
  all.heads.resize(static_cast<std::size_t>(layer.heads));
  all.neurons.resize(static_cast<std::size_t>(layer.ffn));
  std::iota(all.heads.begin(), all.heads.end(), 0);
  std::iota(all.neurons.begin(), all.neurons.end(), 0);
  return all;
}

LayerShape shrunk_layer(const LayerShape& layer, const KeptUnits& kept) {
  return {static_cast<std::int64_t>(kept.heads.size()),
          kept.heads.empty() ? 0 : static_cast<std::int64_t>(key_heads(layer, kept).size()),
          static_cast<std::int64_t>(kept.neurons.size())};
}

std::unique_ptr<ModelSource> open_shrunk(std::shared_ptr<const ModelSource> base, std::vector<KeptUnits> layers,
                                         bool drops_empty) {
  if (layers.size() != base->shape().layers.size())
    throw Error(Exit::internal,
                std::to_string(layers.size()) + " layers for a model of " + std::to_string(base->shape().layers.size()),
                "report this");
  return std::make_unique<ShrunkModel>(std::move(base), std::move(layers), drops_empty, std::nullopt);
}

std::unique_ptr<ModelSource> with_vocabulary(std::shared_ptr<const ModelSource> base, SmallerVocabulary vocabulary) {
  const ModelShape& shape = base->shape();
  for (std::size_t id = 0; id < vocabulary.kept.size(); ++id) {
    if (vocabulary.kept[id] < shape.vocab) continue;
    throw Error(Exit::input,
                "the token '" + vocabulary.tokenizer.tokens[id].substr(0, 60) + "' has the id " +
                    std::to_string(vocabulary.kept[id]) + ", but the model has " + std::to_string(shape.vocab) +
                    " rows",
                "use the tokenizer.json that belongs to the model");
  }
  std::vector<KeptUnits> all;
  for (const LayerShape& layer : shape.layers) all.push_back(all_units(layer));
  return std::make_unique<ShrunkModel>(std::move(base), std::move(all), false, std::move(vocabulary));
}

}  // namespace frugal
