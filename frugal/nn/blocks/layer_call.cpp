#include "frugal/nn/blocks/layer_call.h"

#include "frugal/nn/blocks/backward_state.h"

namespace frugal {
namespace {

void add_rows(float* y, const float* bias, std::int64_t n, std::int64_t m) {
  for (std::int64_t r = 0; r < n; ++r) kernels::add(y + r * m, bias, static_cast<std::size_t>(m));
}
void add_rows(kernels::Bf16* y, const float* bias, std::int64_t n, std::int64_t m) {
  std::vector<float> row(static_cast<std::size_t>(m));
  for (std::int64_t r = 0; r < n; ++r) {
    kernels::to_float(y + r * m, row.data(), row.size());
    kernels::add(row.data(), bias, row.size());
    kernels::to_bf16(row.data(), y + r * m, row.size());
  }
}

}  // namespace

Workspace::Workspace(Threads& threads_)
    : threads(threads_),
      scratch(static_cast<std::size_t>(threads_.slots())),
      pair_scratch(static_cast<std::size_t>(threads_.slots())) {}
Workspace::~Workspace() = default;

void read_vectors(const WeightView& view, const LayerIds& id, const LayerLayout& at, Workspace& work) {
  if (at.has_attention()) read_vector(view, id.input_norm, work.gains, 0);
  if (at.has_feed_forward()) read_vector(view, id.post_norm, work.gains, static_cast<std::size_t>(at.C));
  for (std::size_t s = 0; s < kSlots; ++s) {
    const auto slot = static_cast<Slot>(s);
    if (id[slot].bias != kNoTensor) read_vector(view, id[slot].bias, work.biases, at.bias_at(slot));
  }
}

template <class T>
void LayerCall<T>::add_bias(Slot slot, const Rows& r, T* y, std::int64_t width) const {
  if (id[slot].bias != kNoTensor) add_rows(y, work.biases.at<float>(r.branch, at.bias_at(slot)), r.count, width);
}

template struct LayerCall<float>;
template struct LayerCall<kernels::Bf16>;

}  // namespace frugal
