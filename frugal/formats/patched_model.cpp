#include "frugal/formats/patched_model.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/formats/tokenizer.h"

namespace frugal {
namespace {

std::size_t find_in(const std::vector<SourceTensor>& tensors, std::int64_t layer, Role role, bool is_bias) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const SourceTensor& tensor) {
    return tensor.layer == layer && tensor.role == role && tensor.is_bias == is_bias;
  });
  return static_cast<std::size_t>(found - tensors.begin());
}

}  // namespace

PatchedModel::PatchedModel(std::shared_ptr<const ModelSource> base, Biases biases) : base_(std::move(base)) {
  path_ = base_->path();
  format_ = base_->format();
  shape_ = base_->shape();
  file_bytes_ = base_->file_bytes();
  Biases& own = shape_.biases;
  own.q |= biases.q, own.k |= biases.k, own.v |= biases.v, own.o |= biases.o;
  own.gate |= biases.gate, own.up |= biases.up, own.down |= biases.down;
  for (const TensorSpec& spec : tensor_specs(shape_)) {
    theirs_.push_back(find_in(base_->tensors(), spec.layer, spec.role, spec.is_bias));
    SourceTensor tensor;
    if (theirs_.back() < base_->tensors().size())
      tensor = base_->tensors()[theirs_.back()];
    else
      tensor.type = "F32";
    static_cast<TensorSpec&>(tensor) = spec;
    tensors_.push_back(std::move(tensor));
  }
}

void PatchedModel::replace(std::size_t index, std::vector<float> values) {
  SourceTensor& tensor = tensors_[index];
  if (static_cast<std::int64_t>(values.size()) != tensor.rows * tensor.cols) {
    throw Error(Exit::internal,
                tensor.name + " cannot be " + std::to_string(values.size()) + " numbers, it has " +
                    std::to_string(tensor.rows * tensor.cols),
                "report this");
  }
  tensor.type = "F32";
  patches_[index] = std::move(values);
}

std::size_t PatchedModel::find(std::int64_t layer, Role role, bool is_bias) const {
  return find_in(tensors_, layer, role, is_bias);
}

void PatchedModel::read_rows(std::size_t index, std::int64_t begin, std::int64_t end, float* out) const {
  const std::int64_t cols = tensors_[index].cols;
  if (const auto patch = patches_.find(index); patch != patches_.end())
    std::copy(patch->second.begin() + begin * cols, patch->second.begin() + end * cols, out);
  else if (theirs_[index] < base_->tensors().size())
    base_->read_rows(theirs_[index], begin, end, out);
  else
    std::fill_n(out, (end - begin) * cols, 0.0f);
}

const std::byte* PatchedModel::stored_row(std::size_t index, std::int64_t row) const {
  if (const auto patch = patches_.find(index); patch != patches_.end())
    return reinterpret_cast<const std::byte*>(patch->second.data() + row * tensors_[index].cols);
  return base_->stored_row(theirs_[index], row);
}

void PatchedModel::release_rows(std::size_t index, std::int64_t begin, std::int64_t end) const {
  if (patches_.count(index) == 0 && theirs_[index] < base_->tensors().size())
    base_->release_rows(theirs_[index], begin, end);
}

void PatchedModel::read_ahead(std::size_t index) const {
  if (patches_.count(index) == 0 && theirs_[index] < base_->tensors().size()) base_->read_ahead(theirs_[index]);
}

std::unique_ptr<Tokenizer> PatchedModel::tokenizer() const { return base_->tokenizer(); }

}  // namespace frugal
