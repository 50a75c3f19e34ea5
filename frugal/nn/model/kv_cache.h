// Keys and values of one sequence, for tokens that come later.
#pragma once
#include <cstdint>
#include <vector>

#include "frugal/core/buffer.h"
#include "frugal/core/products.h"
#include "frugal/formats/model_shape.h"

namespace frugal {

// [layer][token, kv_heads * head_dim], first of keys, then of values, in fp32 or bf16 as the model computes.
class KvCache {
 public:
  KvCache(const ModelShape& shape, std::int64_t capacity, Compute compute);
  std::int64_t length = 0;
  std::int64_t capacity() const { return capacity_; }
  template <class T>
  T* keys(std::size_t layer) {
    return memory_.as<T>() + offsets_[layer];
  }
  template <class T>
  T* values(std::size_t layer) {
    return keys<T>(layer) + capacity_ * widths_[layer];
  }
  std::int64_t width(std::size_t layer) const { return widths_[layer]; }
  KvCache copy() const;  // of what it holds, with the same capacity

 private:
  KvCache() = default;
  std::int64_t capacity_ = 0;
  std::vector<std::int64_t> widths_;
  std::vector<std::size_t> offsets_;  // elements
  std::size_t element_ = 0;           // bytes
  Buffer memory_;
};

}  // namespace frugal
