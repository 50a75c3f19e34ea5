#include "frugal/nn/model/weight_store.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "frugal/base/error.h"
#include "frugal/formats/nf4.h"
#include "frugal/plan/cuts.h"

namespace frugal {
namespace {

// Of a tensor's codes, so that the scales behind them are aligned.
std::size_t nf4_code_bytes(std::int64_t elements) {
  return static_cast<std::size_t>((nf4::code_bytes(elements) + 63) / 64 * 64);
}

WeightType type_of(const SourceTensor& tensor, WeightType wish) {
  if (tensor.is_vector) return WeightType::f32;
  return wish == WeightType::nf4 && !tensor.is_of_layer() ? WeightType::bf16 : wish;
}

std::size_t bytes_of(std::int64_t elements, WeightType type) {
  switch (type) {
    case WeightType::bf16:
      return static_cast<std::size_t>(elements) * 2;
    case WeightType::f32:
      return static_cast<std::size_t>(elements) * 4;
    case WeightType::nf4:
      return nf4_code_bytes(elements) + static_cast<std::size_t>(nf4::blocks(elements)) * sizeof(float);
    default:
      return 0;
  }
}

}  // namespace

WeightStore::WeightStore(std::shared_ptr<const ModelSource> source, WeightType type, Threads& threads)
    : source_(std::move(source)) {
  std::size_t total = 0;
  for (const SourceTensor& tensor : source_->tensors()) {
    const WeightType own = type_of(tensor, type);
    const std::size_t bytes = bytes_of(tensor.rows * tensor.cols, own);
    tensors_.push_back({tensor, own, total, bytes});
    if (own == WeightType::stored) tensors_.back().blocks = kernels::find_block_format(tensor.type);
    total += (bytes + 63) / 64 * 64;
  }
  memory_ = Buffer(total);
  load(threads);
}

WeightStore::~WeightStore() {
  for (std::size_t id = 0; id < tensors_.size(); ++id) {
    if (tensors_[id].type == WeightType::stored) source_->release(id);
  }
}

void WeightStore::load(Threads& threads) {
  for (std::size_t id = 0; id < tensors_.size(); ++id) {
    const Tensor& tensor = tensors_[id];
    if (tensor.type == WeightType::stored) continue;
    const std::int64_t rows = tensor.spec.rows, cols = tensor.spec.cols;
    std::int64_t step = std::max<std::int64_t>(1, kConvertedNumbers / cols);
    if (tensor.type == WeightType::nf4) {  // tiles of whole blocks
      const std::int64_t whole = nf4::kBlock / std::gcd(nf4::kBlock, cols);
      step = (step + whole - 1) / whole * whole;
    }
    // A span of tiles at a time, whose pages are released before the next one's are read.
    const std::int64_t tiles = (rows + step - 1) / step,
                       span = std::max<std::int64_t>(1, kResidentNumbers / (step * cols));
    for (std::int64_t first = 0; first < tiles; first += span) {
      threads.run(std::min(span, tiles - first), [&](std::int64_t item, int) {
        const std::int64_t begin = (first + item) * step, end = std::min(rows, begin + step);
        std::byte* to = memory_.data() + tensor.offset;
        if (tensor.type == WeightType::f32) {
          source_->read_rows(id, begin, end, reinterpret_cast<float*>(to) + begin * cols);
        } else {
          std::vector<float> values(static_cast<std::size_t>((end - begin) * cols));
          source_->read_rows(id, begin, end, values.data());
          if (tensor.type == WeightType::nf4)
            encode(tensor, begin * cols, values);
          else
            kernels::to_bf16(values.data(), reinterpret_cast<kernels::Bf16*>(to) + begin * cols, values.size());
        }
      });
      source_->release_rows(id, first * step, std::min(rows, (first + span) * step));
    }
    source_->release(id);
  }
}

float* WeightStore::scales(const Tensor& tensor) const {
  const std::size_t behind = nf4_code_bytes(tensor.spec.rows * tensor.spec.cols);
  return reinterpret_cast<float*>(memory_.data() + tensor.offset + behind);
}

void WeightStore::encode(const Tensor& tensor, std::int64_t first, const std::vector<float>& values) {
  try {
    nf4::encode(values.data(), static_cast<std::int64_t>(values.size()), codes(tensor) + first / 2,
                scales(tensor) + first / nf4::kBlock);
  } catch (const Error& error) {
    const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
    if (bad == values.end()) throw;
    const std::int64_t at = first + (bad - values.begin()), cols = tensor.spec.cols;
    throw Error(error.code(),
                tensor.spec.name + ": row " + std::to_string(at / cols) + ", column " + std::to_string(at % cols) +
                    " is " + std::to_string(*bad) + ", which NF4 cannot hold",
                error.fix());
  }
}

std::span<std::byte> WeightStore::bytes(std::size_t id) {
  const Tensor& tensor = tensors_[id];
  if (tensor.type == WeightType::stored) {
    throw Error(Exit::internal, tensor.spec.name + " is kept as stored and has no copy",
                "report this with the command you ran");
  }
  return {memory_.data() + tensor.offset, tensor.bytes};
}

template <class T>
void WeightStore::read_stored(std::size_t id, std::int64_t begin, std::int64_t end, T* out) const {
  const Tensor& tensor = tensors_[id];
  const auto cols = static_cast<std::size_t>(tensor.spec.cols);
  if (window_) window_->touch(id, begin, end);
  if (tensor.blocks) {
    const std::size_t count = cols / kernels::block_elements(*tensor.blocks);
    for (std::int64_t row = begin; row < end; ++row, out += cols)
      kernels::dequantize(*tensor.blocks, source_->stored_row(id, row), count, out);
  } else if constexpr (std::is_same_v<T, float>) {
    source_->read_rows(id, begin, end, out);
  } else if (source_->tensors()[id].type == "BF16") {
    for (std::int64_t row = begin; row < end; ++row, out += cols)
      std::memcpy(out, source_->stored_row(id, row), cols * sizeof(T));
  } else {
    std::vector<float> values(static_cast<std::size_t>(end - begin) * cols);
    source_->read_rows(id, begin, end, values.data());
    kernels::to_bf16(values.data(), out, values.size());
  }
}

void WeightStore::read_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const {
  const Tensor& tensor = tensors_[id];
  const std::int64_t at = begin * tensor.spec.cols, n = (end - begin) * tensor.spec.cols;
  if (tensor.type == WeightType::stored)
    read_stored(id, begin, end, out);
  else if (tensor.type == WeightType::nf4)
    nf4::decode(codes(tensor), scales(tensor), at, at + n, out);
  else if (tensor.type == WeightType::f32)
    std::copy_n(f32(id) + at, n, out);
  else
    kernels::to_float(bf16(id) + at, out, static_cast<std::size_t>(n));
}

void WeightStore::read_rows(std::size_t id, std::int64_t begin, std::int64_t end, kernels::Bf16* out) const {
  const Tensor& tensor = tensors_[id];
  const std::int64_t at = begin * tensor.spec.cols, n = (end - begin) * tensor.spec.cols;
  if (tensor.type == WeightType::bf16) {
    std::copy_n(bf16(id) + at, n, out);
  } else if (tensor.type == WeightType::f32) {
    kernels::to_bf16(f32(id) + at, out, static_cast<std::size_t>(n));
  } else if (tensor.type == WeightType::stored) {
    read_stored(id, begin, end, out);
  } else {
    std::vector<float> values(static_cast<std::size_t>(n));
    read_rows(id, begin, end, values.data());
    kernels::to_bf16(values.data(), out, values.size());
  }
}

void WeightStore::matvec(std::size_t id, std::int64_t begin, std::int64_t end, const float* x, std::size_t tokens,
                         float* y, std::size_t y_stride) const {
  const Tensor& tensor = tensors_[id];
  const auto cols = static_cast<std::size_t>(tensor.spec.cols), rows = static_cast<std::size_t>(end - begin);
  if (tensor.blocks) {
    if (window_) window_->touch(id, begin, end);
    std::vector<const std::byte*> at(rows);
    for (std::size_t r = 0; r < rows; ++r) at[r] = source_->stored_row(id, begin + static_cast<std::int64_t>(r));
    return kernels::matvec(*tensor.blocks, at.data(), rows, x, y, tokens, cols, y_stride);
  }
  const auto times = [&](const auto* w) {
    for (std::size_t t = 0; t < tokens; t += kernels::kMatvecTokens)
      kernels::matvec(w, x + t * cols, y + t * y_stride, std::min(kernels::kMatvecTokens, tokens - t), rows, cols,
                      y_stride);
  };
  if (tensor.type == WeightType::bf16) return times(bf16(id) + begin * tensor.spec.cols);
  if (tensor.type == WeightType::f32) return times(f32(id) + begin * tensor.spec.cols);
  std::vector<float> values(rows * cols);
  read_rows(id, begin, end, values.data());
  times(values.data());
}

}  // namespace frugal
