// A model reads its weights through a view. A view has one or more branches, versions of the same model that run
// through a forward side by side: one for evaluation, two (plus and minus) for a zeroth-order estimate.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "frugal/nn/model/units.h"
#include "frugal/nn/model/weight_store.h"

namespace frugal {

enum class PairPart { a, b, magnitude };
// A product of two factors beside a linear, fp32; see pairs_view.h.
struct LowRankPair {
  std::int64_t rank = 0;
  float scale = 1;
  const float* a = nullptr;          // [rank, in]
  const float* b = nullptr;          // [out, rank]
  const float* magnitude = nullptr;  // [out], DoRA's; null: none
  const float* values(PairPart part) const { return part == PairPart::a ? a : part == PairPart::b ? b : magnitude; }
  std::size_t count(PairPart part, const TensorSpec& weight) const {
    return static_cast<std::size_t>(part == PairPart::a   ? rank * weight.cols
                                    : part == PairPart::b ? weight.rows * rank
                                                          : weight.rows);
  }
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
  // All branches read the same weights; `out` of rows() may then be one pointer for all of them.
  virtual bool shares_weights() const { return branches() == 1; }
  virtual bool is_plain() const { return false; }  // one branch, and its rows are the store's
  // Likewise, or with pairs beside them that need no more than two products.
  virtual bool takes_few_tokens() const { return is_plain(); }
  // Of forwards that are not recorded; null: every unit is on.
  virtual const UnitMask* mask(std::size_t /*layer*/, int /*branch*/) const { return nullptr; }
  virtual UnitObserver* observer() const { return nullptr; }  // of forwards of one branch; null: nobody watches
  // The pair beside the linear whose weight is `id`, of which branches differ in the numbers alone; null: none.
  virtual const LowRankPair* low_rank(std::size_t) const { return nullptr; }
  // A part of that pair for every branch b into out[b].
  virtual void low_rank_part(std::size_t id, PairPart part, float* const* out) const;
  virtual Dropout low_rank_dropout() const { return {}; }
  // Rows [begin, end) of tensor `id` for every branch b into out[b][(end - begin) * cols]. Called from several threads.
  virtual void rows(std::size_t id, std::int64_t begin, std::int64_t end, float* const* out) const = 0;
  virtual void rows(std::size_t id, std::int64_t begin, std::int64_t end, kernels::Bf16* const* out) const = 0;
  // Columns [first, last) of such rows, out[b][(end - begin) * (last - first)].
  virtual void columns(std::size_t id, std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last,
                       float* const* out) const {
    cut(id, begin, end, first, last, out);
  }
  virtual void columns(std::size_t id, std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last,
                       kernels::Bf16* const* out) const {
    cut(id, begin, end, first, last, out);
  }

 protected:
  // Branch 0's `count` numbers are everybody's: copied to those that have memory of their own.
  template <class T>
  void share(T* const* out, std::int64_t count) const {
    for (int b = 1; b < branches(); ++b) {
      if (out[b] != out[0]) std::copy_n(out[0], count, out[b]);
    }
  }
  const WeightStore& store_;

 private:
  template <class T>
  void cut(std::size_t id, std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last,
           T* const* out) const {
    const std::int64_t cols = store_.spec(id).cols;
    std::vector<T> whole(static_cast<std::size_t>(branches() * cols));
    std::vector<T*> row(static_cast<std::size_t>(branches()));
    for (std::int64_t r = begin; r < end; ++r) {
      for (int b = 0; b < branches(); ++b) row[static_cast<std::size_t>(b)] = whole.data() + b * cols;
      rows(id, r, r + 1, row.data());
      for (int b = 0; b < branches(); ++b)
        std::copy_n(whole.data() + b * cols + first, last - first, out[b] + (r - begin) * (last - first));
    }
  }
};

inline void WeightView::low_rank_part(std::size_t id, PairPart part, float* const* out) const {
  const LowRankPair& pair = *low_rank(id);
  for (int b = 0; b < branches(); ++b) std::copy_n(pair.values(part), pair.count(part, store_.spec(id)), out[b]);
}

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
