#include "frugal/prune/torch/reconstruct.h"

#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "frugal/base/interrupt.h"
#include "frugal/nn/blocks/masked_view.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/nn/model/tensor_ids.h"
#include "frugal/plan/cuts.h"
#include "frugal/prune/torch/least_squares.h"

namespace frugal {
namespace {

// What the projection of a part reads, [tokens, width] fp32.
class ProjectionInput : public UnitObserver {
 public:
  void begin(std::int64_t tokens, std::int64_t width) {
    width_ = width;
    x_.resize(static_cast<std::size_t>(tokens * width));
  }
  float* x() { return x_.data(); }
  void attended(std::size_t, std::int64_t begin, std::int64_t count, const float* x, std::int64_t stride) override {
    keep(begin, count, x, stride);
  }
  void attended(std::size_t, std::int64_t begin, std::int64_t count, const kernels::Bf16* x,
                std::int64_t stride) override {
    keep(begin, count, x, stride);
  }
  void activated(std::size_t, std::int64_t begin, std::int64_t count, const float* x, std::int64_t stride) override {
    keep(begin, count, x, stride);
  }
  void activated(std::size_t, std::int64_t begin, std::int64_t count, const kernels::Bf16* x,
                 std::int64_t stride) override {
    keep(begin, count, x, stride);
  }

 private:
  static void widen(const float* from, float* to, std::int64_t n) { std::copy_n(from, n, to); }
  static void widen(const kernels::Bf16* from, float* to, std::int64_t n) {
    kernels::to_float(from, to, static_cast<std::size_t>(n));
  }
  template <class T>
  void keep(std::int64_t begin, std::int64_t count, const T* x, std::int64_t stride) {
    for (std::int64_t r = 0; r < count; ++r) widen(x + r * stride, x_.data() + (begin + r) * width_, width_);
  }
  std::int64_t width_ = 0;
  std::vector<float> x_;
};

// A model and where it is: the hidden states of each batch before its next part. Its weights stay in the file.
struct Stream {
  Stream(std::shared_ptr<const ModelSource> source, const std::vector<PackedBatch>& batches_, Compute compute,
         Threads& threads)
      : batches(batches_),
        store(std::move(source), WeightType::stored, threads),
        decoder(store.shape(), threads, compute) {
    const std::size_t embedding = DecoderIds(store.shape()).embedding;
    const std::int64_t C = store.shape().hidden;
    for (const PackedBatch& batch : batches) {
      float* h = hidden.emplace_back(static_cast<std::size_t>(batch.size() * C)).data();
      for (const std::int32_t token : batch.tokens) {
        store.read_rows(embedding, token, token + 1, h);
        h += C;
      }
    }
    store.source().release(embedding);
  }
  void run(std::size_t batch, std::size_t layer, LayerPart part, float* h) {
    decoder.run_part(BaseView(store), batches[batch], layer, part, h);
  }
  void run(std::size_t batch, std::size_t layer, LayerPart part, float* h, UnitObserver& observer) {
    decoder.run_part(WatchedView(store, observer), batches[batch], layer, part, h);
  }
  const std::vector<PackedBatch>& batches;
  WeightStore store;
  Decoder decoder;
  std::vector<std::vector<float>> hidden;  // of each batch [tokens, C]
};

std::vector<PackedBatch> packed(const std::vector<std::vector<std::int32_t>>& windows) {
  std::vector<PackedBatch> batches;
  for (const auto& window : windows) {
    if (batches.empty() || batches.back().size() + static_cast<std::int64_t>(window.size()) > kPackedTokens)
      batches.emplace_back();
    batches.back().append(window);
  }
  return batches;
}

// What a token counts for: one over the size of its hidden states in both models, since the norm behind takes the size
// away. So no error counts for more than another by more than what norms make of them, whatever few tokens are hundreds
// of times as large as others, in one model or the other.
std::vector<float> token_weights(const std::vector<float>& dense, const std::vector<float>& left, std::int64_t C) {
  std::vector<float> weights;
  for (auto a = dense.begin(), b = left.begin(); a != dense.end(); a += C, b += C) {
    const double power = std::inner_product(a, a + C, a, 0.0) + std::inner_product(b, b + C, b, 0.0);
    weights.push_back(static_cast<float>(1 / std::sqrt(power / static_cast<double>(C) + 1e-30)));
  }
  return weights;
}

// Both models go through one part of a layer, the smaller one with the projection that it has from here on.
void refit_part(Stream& dense, Stream& left, PatchedModel& model, std::size_t l, LayerPart part, Refit refit,
                Threads& threads) {
  const Role role = part == LayerPart::attention ? Role::o : Role::down;
  const std::size_t id = model.find(static_cast<std::int64_t>(l), role);
  const bool is_there = id < model.tensors().size();  // the part, in what is left
  const std::int64_t C = model.shape().hidden, in = is_there ? model.tensors()[id].cols : 0;
  LeastSquares squares(in, C);
  ProjectionInput input;
  std::vector<float> alone;
  for (std::size_t b = 0; b < dense.batches.size(); ++b) {
    throw_if_interrupted();
    // A bias alone cannot follow, token by token, what the layers before have changed: it takes what has gone here.
    std::vector<float>& goal = refit.has_weights ? dense.hidden[b] : (alone = left.hidden[b]);
    dense.run(b, l, part, goal.data());
    if (!is_there) continue;
    const std::int64_t n = dense.batches[b].size();
    input.begin(n, in);
    std::vector<float> missing(left.hidden[b]);
    left.run(b, l, part, missing.data(), input);
    const std::vector<float> weights = token_weights(goal, missing, C);
    for (std::size_t i = 0; i < missing.size(); ++i) missing[i] = goal[i] - missing[i];
    squares.add(threads, input.x(), missing.data(), weights.data(), n);
  }
  if (!is_there) return;
  LeastSquares::Change change = squares.solve(refit.ridge, refit.has_weights, refit.has_biases);
  if (refit.has_weights) {
    std::vector<float> W(static_cast<std::size_t>(C * in));
    model.read_rows(id, 0, C, W.data());
    for (std::size_t i = 0; i < W.size(); ++i) W[i] += change.weight[i];
    model.replace(id, std::move(W));
  }
  if (const std::size_t bias = model.find(static_cast<std::int64_t>(l), role, true); refit.has_biases) {
    std::vector<float> own(static_cast<std::size_t>(C));  // one that the model had
    model.read_rows(bias, 0, 1, own.data());
    for (std::size_t i = 0; i < own.size(); ++i) own[i] += change.bias[i];
    model.replace(bias, std::move(own));
    left.store.load(threads);  // vectors are its own
  }
  for (std::size_t b = 0; b < left.batches.size(); ++b) left.run(b, l, part, left.hidden[b].data());
}

}  // namespace

std::shared_ptr<PatchedModel> reconstruct(std::shared_ptr<const ModelSource> dense, const std::vector<KeptUnits>& kept,
                                          const std::vector<std::vector<std::int32_t>>& windows, Refit refit,
                                          Compute compute, Threads& threads) {
  Biases biases;
  biases.o = biases.down = refit.has_biases;
  const auto model = std::make_shared<PatchedModel>(open_shrunk(dense, kept), biases);
  const std::vector<PackedBatch> batches = packed(windows);
  Stream all(dense, batches, compute, threads), left(model, batches, compute, threads);
  for (std::size_t l = 0; l < dense->shape().layers.size(); ++l) {
    for (const LayerPart part : {LayerPart::attention, LayerPart::feed_forward})
      refit_part(all, left, *model, l, part, refit, threads);
    for (std::size_t id = 0; id < dense->tensors().size(); ++id) {
      if (dense->tensors()[id].layer == static_cast<std::int64_t>(l)) dense->release(id);
    }
  }
  ::malloc_trim(0);  // what was freed lies between the projections that stay
  return model;
}

}  // namespace frugal
