#include "frugal/nn/weight_store.h"

#include <algorithm>

#include "frugal/base/error.h"

namespace frugal {
namespace {
constexpr std::int64_t kTile = 1 << 18;  // elements converted at a time by one thread: 1 MiB of fp32
}

WeightType parse_weight_type(const std::string& text) {
  if (text == "bf16") return WeightType::bf16;
  if (text == "f32") return WeightType::f32;
  if (text == "stored") return WeightType::stored;
  throw Error(Exit::usage, "--weights is '" + text + "'", "choose bf16, f32 or stored");
}

WeightStore::WeightStore(std::shared_ptr<const ModelSource> source, WeightType type, Threads& threads)
    : source_(std::move(source)) {
  std::size_t total = 0;
  for (const SourceTensor& tensor : source_->tensors()) {
    const WeightType own = tensor.is_vector ? WeightType::f32 : type;
    const auto elements = static_cast<std::size_t>(tensor.rows * tensor.cols);
    const std::size_t bytes = own == WeightType::stored ? 0 : elements * (own == WeightType::f32 ? 4 : 2);
    tensors_.push_back({tensor, own, total, bytes});
    total += (bytes + 63) / 64 * 64;
  }
  memory_ = Buffer(total);
  load(threads);
}

void WeightStore::load(Threads& threads) {
  for (std::size_t id = 0; id < tensors_.size(); ++id) {
    const Tensor& tensor = tensors_[id];
    if (tensor.type == WeightType::stored) continue;
    const std::int64_t rows = tensor.spec.rows, cols = tensor.spec.cols, step = std::max<std::int64_t>(1, kTile / cols);
    threads.run((rows + step - 1) / step, [&](std::int64_t item, int) {
      const std::int64_t begin = item * step, end = std::min(rows, begin + step);
      std::byte* to = memory_.data() + tensor.offset;
      if (tensor.type == WeightType::f32) {
        source_->read_rows(id, begin, end, reinterpret_cast<float*>(to) + begin * cols);
      } else {
        std::vector<float> values(static_cast<std::size_t>((end - begin) * cols));
        source_->read_rows(id, begin, end, values.data());
        kernels::to_bf16(values.data(), reinterpret_cast<kernels::Bf16*>(to) + begin * cols, values.size());
      }
    });
    source_->release(id);
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

void WeightStore::read_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const {
  const Tensor& tensor = tensors_[id];
  const std::int64_t at = begin * tensor.spec.cols, n = (end - begin) * tensor.spec.cols;
  if (tensor.type == WeightType::stored)
    source_->read_rows(id, begin, end, out);
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
  } else {
    std::vector<float> values(static_cast<std::size_t>(n));
    source_->read_rows(id, begin, end, values.data());
    kernels::to_bf16(values.data(), out, values.size());
  }
}

}  // namespace frugal
