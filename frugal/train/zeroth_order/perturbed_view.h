// The weights plus and minus eps z, made row by row as the forward asks for them; nothing is written to the weights.
#pragma once
#include <vector>

#include "frugal/nn/model/weight_view.h"

namespace frugal {

class PerturbedView : public WeightView {
 public:
  // masks: one a tensor. noise.tensor is set to the tensor's id.
  PerturbedView(const WeightStore& store, const kernels::Noise& noise, const std::vector<kernels::Mask>& masks)
      : WeightView(store), noise_(noise), masks_(masks) {}
  int branches() const override { return 2; }  // plus, minus
  void rows(std::size_t id, std::int64_t begin, std::int64_t end, float* const* out) const override {
    make(id, begin, end, out);
  }
  void rows(std::size_t id, std::int64_t begin, std::int64_t end, kernels::Bf16* const* out) const override {
    make(id, begin, end, out);
  }
  void columns(std::size_t id, std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last,
               float* const* out) const override {
    make_columns(id, begin, end, first, last, out);
  }
  void columns(std::size_t id, std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last,
               kernels::Bf16* const* out) const override {
    make_columns(id, begin, end, first, last, out);
  }

 private:
  template <class T>
  void make(std::size_t id, std::int64_t begin, std::int64_t end, T* const* out) const {
    make_run(id, begin * store_.spec(id).cols, (end - begin) * store_.spec(id).cols, out);
  }
  template <class T>
  void make_columns(std::size_t id, std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last,
                    T* const* out) const {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t at = (row - begin) * (last - first);
      T* const to[] = {out[0] + at, out[1] + at};
      make_run(id, row * store_.spec(id).cols + first, last - first, to);
    }
  }
  // Elements [first, first + n) of the tensor.
  template <class T>
  void make_run(std::size_t id, std::int64_t first, std::int64_t n, T* const* out) const {
    kernels::Noise noise = noise_;
    noise.tensor = static_cast<std::uint32_t>(id);
    const auto from = static_cast<std::uint64_t>(first);
    if (store_.type(id) == WeightType::f32) {
      kernels::perturb(store_.f32(id) + first, out[0], out[1], from, static_cast<std::size_t>(n), noise, masks_[id]);
    } else {
      kernels::perturb(store_.bf16(id) + first, out[0], out[1], from, static_cast<std::size_t>(n), noise, masks_[id]);
    }
  }
  kernels::Noise noise_;
  const std::vector<kernels::Mask>& masks_;
};

}  // namespace frugal
