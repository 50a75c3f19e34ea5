// Some rows, or columns, of matrices trained in fp32 over a frozen base of any type (SPruFT, arXiv:2502.11439): a view
// lays them over the base's.
#pragma once
#include <vector>

#include "frugal/core/buffer.h"
#include "frugal/train/parametrisation/parametrisation.h"

namespace frugal {

class RowsView : public BaseView {
 public:
  struct Rows {
    std::vector<std::int32_t> indices;
    const float* values = nullptr;
    bool is_columns = false;
  };  // indices rising; none: the base's rows. values: [indices, cols], or [rows, indices] of columns
  RowsView(const WeightStore& store, const std::vector<Rows>& rows) : BaseView(store), rows_(rows) {}
  bool is_plain() const override { return false; }
  void rows(std::size_t id, std::int64_t begin, std::int64_t end, float* const* out) const override {
    make(id, begin, end, out[0]);
  }
  void rows(std::size_t id, std::int64_t begin, std::int64_t end, kernels::Bf16* const* out) const override {
    make(id, begin, end, out[0]);
  }

 private:
  template <class T>
  void make(std::size_t id, std::int64_t begin, std::int64_t end, T* out) const;
  const std::vector<Rows>& rows_;  // by tensor
};

class SelectedRows : public Parametrisation {
 public:
  // chosen: by tensor of the store, rising; empty: none. They begin as the model's file has them, exactly.
  // Error(Exit::usage): none is chosen. Error(Exit::input): one of a tensor that is no linear of a layer.
  SelectedRows(const WeightStore& store, const std::vector<std::vector<std::int32_t>>& chosen, bool is_columns = false);
  // Goes on from an adapter: its rows and their values. Errors as above.
  SelectedRows(const WeightStore& store, RowsAdapter start);
  const WeightView& view() const override { return view_; }
  std::byte* values(std::size_t parameter) override;
  std::vector<NamedBytes> state() override;
  void restart() override;
  void merged_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const override;
  std::optional<RowsAdapter> rows_adapter() const override;

 private:
  void place(const std::vector<std::vector<std::int32_t>>& chosen, bool is_columns);
  const WeightStore& store_;
  RowsAdapter start_;  // empty: the file's values
  std::vector<RowsView::Rows> rows_;
  std::vector<std::size_t> places_;  // floats, by parameter
  Buffer memory_;
  RowsView view_;
};

}  // namespace frugal
