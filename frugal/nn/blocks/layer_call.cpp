#include "frugal/nn/blocks/layer_call.h"

#include "frugal/nn/blocks/backward_state.h"

namespace frugal {
namespace {

// The slots whose outputs lie in the same rows as that of `slot`, the first of them.
std::span<const Slot> sharing_rows(Slot slot) {
  static constexpr Slot kAll[] = {kQ, kK, kV, kO, kGate, kUp, kDown};
  return std::span(kAll).subspan(slot, slot == kQ ? 3 : slot == kGate ? 2 : 1);
}

bool has_bias(const LayerIds& id, Slot slot) {
  const std::span<const Slot> slots = sharing_rows(slot);
  return std::any_of(slots.begin(), slots.end(), [&](Slot each) { return id[each].bias != kNoTensor; });
}

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
  for (const Slot first : {kQ, kO, kGate, kDown}) {
    if (!has_bias(id, first) || !(first < kGate ? at.has_attention() : at.has_feed_forward())) continue;
    for (const Slot slot : sharing_rows(first)) {
      if (id[slot].bias != kNoTensor) {
        read_vector(view, id[slot].bias, work.biases, at.bias_at(slot));
        continue;
      }
      for (int b = 0; b < view.branches(); ++b)
        std::fill_n(work.biases.at<float>(b, at.bias_at(slot)), at.out(slot), 0.0f);
    }
  }
}

template <class T>
void LayerCall<T>::add_bias(Slot slot, const Rows& r, T* y, std::int64_t width) const {
  if (has_bias(id, slot)) add_rows(y, work.biases.at<float>(r.branch, at.bias_at(slot)), r.count, width);
}

template struct LayerCall<float>;
template struct LayerCall<kernels::Bf16>;

}  // namespace frugal
