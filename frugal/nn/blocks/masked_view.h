// Versions of a model that differ in which heads and neurons are on; they share the weights, so a forward over several
// of them reads these once.
#pragma once
#include <vector>

#include "frugal/nn/model/weight_view.h"

namespace frugal {

using ModelMask = std::vector<UnitMask>;  // one a layer

class MaskedView : public BaseView {
 public:
  // masks: of each branch, 1 to 8; they outlive the view.
  MaskedView(const WeightStore& store, const std::vector<ModelMask>& masks) : BaseView(store), masks_(masks) {}
  int branches() const override { return static_cast<int>(masks_.size()); }
  bool shares_weights() const override { return true; }
  bool is_plain() const override { return false; }
  const UnitMask* mask(std::size_t layer, int branch) const override {
    return &masks_[static_cast<std::size_t>(branch)][layer];
  }
  void rows(std::size_t id, std::int64_t begin, std::int64_t end, float* const* out) const override {
    BaseView::rows(id, begin, end, out);
    share(out, (end - begin) * store_.spec(id).cols);
  }
  void rows(std::size_t id, std::int64_t begin, std::int64_t end, kernels::Bf16* const* out) const override {
    BaseView::rows(id, begin, end, out);
    share(out, (end - begin) * store_.spec(id).cols);
  }

 private:
  const std::vector<ModelMask>& masks_;
};

// The weights as they are, watched.
class WatchedView : public BaseView {
 public:
  WatchedView(const WeightStore& store, UnitObserver& observer) : BaseView(store), observer_(observer) {}
  bool is_plain() const override { return false; }
  UnitObserver* observer() const override { return &observer_; }

 private:
  UnitObserver& observer_;
};

}  // namespace frugal
