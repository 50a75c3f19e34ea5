// The weights a process computes with: its own copy in bf16, fp32 or NF4, or the file's blocks as stored.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "frugal/base/threads.h"
#include "frugal/base/weight_type.h"
#include "frugal/core/buffer.h"
#include "frugal/core/kernels/blocks.h"
#include "frugal/core/kernels/kernels.h"
#include "frugal/formats/file_window.h"
#include "frugal/formats/model_source.h"

namespace frugal {

class WeightStore {
 public:
  // Converts once, a tensor at a time, and releases the file's pages behind it. Vectors (norm gains, biases) are fp32
  // always. Error(Exit::input): a weight NF4 cannot hold.
  WeightStore(std::shared_ptr<const ModelSource> source, WeightType type, Threads& threads);
  // Pages of the file that tensors kept as stored were read from go back: others may hold the file longer.
  ~WeightStore();
  WeightStore(const WeightStore&) = delete;
  WeightStore& operator=(const WeightStore&) = delete;

  // Takes every weight from the file again.
  void load(Threads& threads);

  // Of the file's pages that tensors kept as stored are read from, at most so many bytes stay resident: see FileWindow.
  void keep_resident(std::uint64_t bytes) { window_ = std::make_unique<FileWindow>(*source_, bytes); }
  const FileWindow* window() const { return window_.get(); }  // null: all may stay

  const ModelShape& shape() const { return source_->shape(); }
  const ModelSource& source() const { return *source_; }
  std::size_t size() const { return tensors_.size(); }
  const TensorSpec& spec(std::size_t id) const { return tensors_[id].spec; }
  WeightType type(std::size_t id) const { return tensors_[id].type; }
  std::int64_t elements(std::size_t id) const { return tensors_[id].spec.rows * tensors_[id].spec.cols; }

  // The copy's own bytes, row-major; of NF4 its codes, then its scales. Error(Exit::internal) when the tensor is kept
  // as stored.
  std::span<std::byte> bytes(std::size_t id);
  std::span<const std::byte> bytes(std::size_t id) const { return const_cast<WeightStore*>(this)->bytes(id); }
  const float* f32(std::size_t id) const { return reinterpret_cast<const float*>(bytes(id).data()); }
  const kernels::Bf16* bf16(std::size_t id) const { return reinterpret_cast<const kernels::Bf16*>(bytes(id).data()); }

  // Rows [begin, end) in either type, converted as needed.
  void read_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const;
  void read_rows(std::size_t id, std::int64_t begin, std::int64_t end, kernels::Bf16* out) const;
  // y[t * y_stride + r - begin] = sum_c w[r, c] x[t, c] for rows r of [begin, end) and `tokens` rows x [cols];
  // quantised blocks are multiplied as they lie. For generation, where reading the weights is what costs.
  void matvec(std::size_t id, std::int64_t begin, std::int64_t end, const float* x, std::size_t tokens, float* y,
              std::size_t y_stride) const;

 private:
  struct Tensor {
    TensorSpec spec;
    WeightType type;
    std::size_t offset = 0, bytes = 0;
    std::optional<kernels::BlockFormat> blocks = {};  // of a tensor kept as stored
  };
  template <class T>
  void read_stored(std::size_t id, std::int64_t begin, std::int64_t end, T* out) const;
  std::uint8_t* codes(const Tensor& tensor) const {
    return reinterpret_cast<std::uint8_t*>(memory_.data() + tensor.offset);
  }
  float* scales(const Tensor& tensor) const;
  void encode(const Tensor& tensor, std::int64_t first, const std::vector<float>& values);  // elements from `first` on
  std::shared_ptr<const ModelSource> source_;
  std::unique_ptr<FileWindow> window_;
  std::vector<Tensor> tensors_;
  Buffer memory_;
};

}  // namespace frugal
