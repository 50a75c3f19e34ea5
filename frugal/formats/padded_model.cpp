#include "frugal/formats/padded_model.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/formats/tokenizer.h"

namespace frugal {
namespace {

// An attention and a feed-forward in every layer, at least of one head and one neuron.
LayerShape largest(const ModelShape& shape) {
  std::int64_t group = 1, kv_heads = 1, ffn = 1;
  for (const LayerShape& layer : shape.layers) {
    if (layer.heads > 0) group = std::max(group, layer.heads / layer.kv_heads);
    kv_heads = std::max(kv_heads, layer.kv_heads);
    ffn = std::max(ffn, layer.ffn);
  }
  const std::int64_t needed = kv_heads;
  while (kv_heads * group <= shape.hidden && shape.hidden % (kv_heads * group) != 0) ++kv_heads;
  if (kv_heads * group > shape.hidden) kv_heads = needed;  // none would do
  return {kv_heads * group, kv_heads, ffn};
}

class PaddedModel : public ModelSource {
 public:
  explicit PaddedModel(std::shared_ptr<const ModelSource> base) : base_(std::move(base)) {
    path_ = base_->path();
    format_ = base_->format();
    shape_ = base_->shape();
    file_bytes_ = base_->file_bytes();
    std::fill(shape_.layers.begin(), shape_.layers.end(), largest(base_->shape()));
    for (const TensorSpec& spec : tensor_specs(shape_)) {
      const auto found =
          std::find_if(base_->tensors().begin(), base_->tensors().end(), [&](const SourceTensor& theirs) {
            const bool is_of_layer = spec.is_of_layer() ? theirs.layer == spec.layer : !theirs.is_of_layer();
            return is_of_layer && theirs.role == spec.role && theirs.is_bias == spec.is_bias;
          });
      SourceTensor tensor;
      static_cast<TensorSpec&>(tensor) = spec;
      tensor.type = "F32";
      tensor.bytes = static_cast<std::uint64_t>(spec.rows * spec.cols) * sizeof(float);
      tensors_.push_back(std::move(tensor));
      theirs_.push_back(static_cast<std::size_t>(found - base_->tensors().begin()));
    }
  }

  std::string sha256() const override { return base_->sha256(); }
  std::string metadata_sha256() const override { return base_->metadata_sha256(); }
  void require_unchanged() const override { base_->require_unchanged(); }
  void read_rows(std::size_t index, std::int64_t begin, std::int64_t end, float* out) const override {
    const SourceTensor& tensor = tensors_[index];
    const std::size_t id = theirs_[index];
    std::fill_n(out, (end - begin) * tensor.cols, 0.0f);
    if (id == base_->tensors().size()) return;
    const SourceTensor& theirs = base_->tensors()[id];
    const bool is_padded = tensor.is_of_layer() && (theirs.rows != tensor.rows || theirs.cols != tensor.cols);
    if (!is_padded) return base_->read_rows(id, begin, end, out);
    const bool has_places = tensor.is_vector || tensor.role == Role::o || tensor.role == Role::down;
    std::vector<float> row(static_cast<std::size_t>(theirs.cols));
    for (std::int64_t r = begin; r < end; ++r, out += tensor.cols) {
      const std::int64_t from = has_places ? r : place(tensor, r);
      if (from < 0) continue;
      base_->read_rows(id, from, from + 1, row.data());
      for (std::int64_t c = 0; c < tensor.cols; ++c) {
        const std::int64_t column = has_places ? place(tensor, c) : c;
        if (column >= 0) out[c] = row[static_cast<std::size_t>(column)];
      }
    }
  }
  const std::byte* stored_row(std::size_t, std::int64_t) const override {
    throw Error(Exit::internal, "a padded model has no stored rows", "report this");
  }
  void release_rows(std::size_t index, std::int64_t begin, std::int64_t end) const override {
    const std::size_t id = theirs_[index];
    if (id == base_->tensors().size()) return;
    const std::int64_t rows = base_->tensors()[id].rows;
    if (rows == tensors_[index].rows) return base_->release_rows(id, begin, end);
    base_->release(id);
  }
  void read_ahead(std::size_t index) const override {
    if (theirs_[index] < base_->tensors().size()) base_->read_ahead(theirs_[index]);
  }
  std::unique_ptr<Tokenizer> tokenizer() const override { return base_->tokenizer(); }
  std::string chat_template() const override { return base_->chat_template(); }
  Json generation_config() const override { return base_->generation_config(); }
  std::string license() const override { return base_->license(); }

 private:
  // Where row or column i of a unit's tensor lies in the base; -1: it is a zero.
  std::int64_t place(const TensorSpec& spec, std::int64_t i) const {
    const auto l = static_cast<std::size_t>(spec.layer);
    const LayerShape &ours = shape_.layers[l], &theirs = base_->shape().layers[l];
    if (spec.role == Role::gate || spec.role == Role::up || spec.role == Role::down) return i < theirs.ffn ? i : -1;
    const std::int64_t D = shape_.head_dim, head = i / D;
    if (spec.role == Role::k || spec.role == Role::v) return head < theirs.kv_heads ? i : -1;
    const std::int64_t group = ours.heads / ours.kv_heads, own = theirs.heads / theirs.kv_heads;
    if (head / group >= theirs.kv_heads || head % group >= own) return -1;
    return (head / group * own + head % group) * D + i % D;
  }
  std::shared_ptr<const ModelSource> base_;
  std::vector<std::size_t> theirs_;  // of each tensor here; as many as the base has: it has none
};

}  // namespace

std::unique_ptr<ModelSource> open_padded(std::shared_ptr<const ModelSource> base) {
  return std::make_unique<PaddedModel>(std::move(base));
}

}  // namespace frugal
