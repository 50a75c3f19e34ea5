// A model reads its weights through a view. A view has one or more branches, versions of the same model that run
// through a forward side by side: one for evaluation, two (plus and minus) for a zeroth-order estimate.
#pragma once
#include <cstdint>

#include "frugal/nn/weight_store.h"

namespace frugal {

// A product of two factors beside a linear; see low_rank.h. a [rank, in], b [out, rank], fp32.
struct LowRankPair {
  std::int64_t rank = 0;
  float scale = 1;
  const float* a = nullptr;
  const float* b = nullptr;
};
struct Dropout {
  double p = 0;
  std::uint64_t key = 0;
};

class WeightView {
 public:
  explicit WeightView(const WeightStore& store) : store_(store) {}
  virtual ~WeightView() = default;
  const WeightStore& store() const { return store_; }

  virtual int branches() const = 0;
  virtual bool is_plain() const { return false; }  // one branch, and its rows are the store's
  // The pair beside the linear whose weight is `id`, the same in every branch; null: none.
  virtual const LowRankPair* low_rank(std::size_t) const { return nullptr; }
  virtual Dropout low_rank_dropout() const { return {}; }
  // Rows [begin, end) of tensor `id` for every branch b into out[b][(end - begin) * cols]. Called from several threads.
  virtual void rows(std::size_t id, std::int64_t begin, std::int64_t end, float* const* out) const = 0;
  virtual void rows(std::size_t id, std::int64_t begin, std::int64_t end, kernels::Bf16* const* out) const = 0;

 protected:
  const WeightStore& store_;
};

// The weights as they are.
class BaseView : public WeightView {
 public:
  using WeightView::WeightView;
  int branches() const override { return 1; }
  bool is_plain() const override { return true; }
  void rows(std::size_t id, std::int64_t begin, std::int64_t end, float* const* out) const override {
    store_.read_rows(id, begin, end, out[0]);
  }
  void rows(std::size_t id, std::int64_t begin, std::int64_t end, kernels::Bf16* const* out) const override {
    store_.read_rows(id, begin, end, out[0]);
  }
};

}  // namespace frugal
