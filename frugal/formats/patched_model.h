// A model some of whose tensors are others than on disk, and some of whose linears have biases that are not there: it
// is loaded, exported and tuned like any other.
#pragma once
#include <map>
#include <memory>
#include <vector>

#include "frugal/formats/model_source.h"

namespace frugal {

class PatchedModel : public ModelSource {
 public:
  // biases: of the linears that have one here; those the base has stay. A new one is 0 until it is replaced.
  PatchedModel(std::shared_ptr<const ModelSource> base, Biases biases = {});

  // values: [rows * cols] of tensor `index` of this model, from the next read on. Error(Exit::internal): of another
  // size.
  void replace(std::size_t index, std::vector<float> values);
  // Where the tensor lies in tensors(); as many as there are: nowhere.
  std::size_t find(std::int64_t layer, Role role, bool is_bias = false) const;

  std::string sha256() const override { return base_->sha256(); }
  std::string metadata_sha256() const override { return base_->metadata_sha256(); }
  void require_unchanged() const override { base_->require_unchanged(); }
  void read_rows(std::size_t index, std::int64_t begin, std::int64_t end, float* out) const override;
  const std::byte* stored_row(std::size_t index, std::int64_t row) const override;
  void release_rows(std::size_t index, std::int64_t begin, std::int64_t end) const override;
  void read_ahead(std::size_t index) const override;
  std::unique_ptr<Tokenizer> tokenizer() const override;
  std::string chat_template() const override { return base_->chat_template(); }
  Json generation_config() const override { return base_->generation_config(); }
  std::string license() const override { return base_->license(); }

 private:
  std::shared_ptr<const ModelSource> base_;
  std::vector<std::size_t> theirs_;                    // of each tensor here; as many as the base has: it has none
  std::map<std::size_t, std::vector<float>> patches_;  // by the index here
};

}  // namespace frugal
