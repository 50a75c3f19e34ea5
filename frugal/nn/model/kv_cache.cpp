#include "frugal/nn/model/kv_cache.h"

#include <cstring>

#include "frugal/core/kernels/kernels.h"

namespace frugal {

KvCache::KvCache(const ModelShape& shape, std::int64_t capacity, Compute compute) : capacity_(capacity) {
  std::size_t total = 0;
  for (const LayerShape& layer : shape.layers) {
    widths_.push_back(layer.kv_heads * shape.head_dim);
    offsets_.push_back(total);
    total += static_cast<std::size_t>(2 * capacity * widths_.back());
  }
  element_ = compute == Compute::f32 ? sizeof(float) : sizeof(kernels::Bf16);
  memory_ = Buffer(total * element_);
}

KvCache KvCache::copy() const {
  KvCache other;
  other.length = length;
  other.capacity_ = capacity_;
  other.widths_ = widths_;
  other.offsets_ = offsets_;
  other.element_ = element_;
  other.memory_ = Buffer(memory_.size());
  for (std::size_t l = 0; l < widths_.size(); ++l) {
    for (const std::int64_t token : {std::int64_t{0}, capacity_}) {  // keys, values: only what is used is touched
      const std::size_t at = (offsets_[l] + static_cast<std::size_t>(token * widths_[l])) * element_;
      std::memcpy(other.memory_.data() + at, memory_.data() + at,
                  static_cast<std::size_t>(length * widths_[l]) * element_);
    }
  }
  return other;
}

}  // namespace frugal
