// What the parts of the decoder share: shape, layers, the memory of passes and scratch. Private to nn/.
#pragma once
#include <memory>
#include <vector>

#include "frugal/nn/blocks/layer_call.h"
#include "frugal/nn/heads/most_likely.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/plan/cuts.h"

namespace frugal {

struct DecoderState {
  DecoderState(const ModelShape& shape, Threads& threads, Compute compute);

  const ModelShape shape;
  const DecoderIds ids;
  std::vector<LayerLayout> layouts;  // of each layer
  Threads& threads;
  const Compute compute;
  std::vector<float> inverse_frequencies;  // [D / 2]

  // Memory of passes that have ended, for those to come: as a rule one, which lives on from step to step.
  std::vector<std::unique_ptr<PassMemory>> resting;
  std::unique_ptr<PassMemory> take_memory();
  Workspace work;

  // ---- layers, see decoder.cpp ----
  void rotations(PassMemory& pass, const std::vector<std::int32_t>& positions) const;
  template <class T>
  LayerCall<T> call(PassMemory& pass, const WeightView& view, const PackedBatch& batch, std::size_t layer,
                    const LayerLayout& at, const LayerPairs<T>& pairs, LayerTape* tape, Recording recording);
  template <class T>
  void reserve(PassMemory& pass, const WeightView& view, std::int64_t tokens, bool is_recorded);
  template <class T>
  void forward_packed(PassMemory& pass, const WeightView& view, const PackedBatch& batch,
                      std::span<KvCache* const> caches, const LayerRange& range, Tape* tape);
  template <class T>
  void forward_part(PassMemory& pass, const WeightView& view, const PackedBatch& batch, std::size_t l, LayerPart part,
                    float* h);
  template <class T>
  void forward_few(PassMemory& pass, const WeightView& view, const PackedBatch& batch,
                   std::span<KvCache* const> caches);
  template <class T>
  void backward_layer(PassMemory& pass, const WeightView& view, const PackedBatch& batch, std::size_t l,
                      LayerTape& tape, bool is_recorded, std::uint32_t part, Gradients& gradients);

  // ---- the head, see heads/ ----
  // expected [rows, C] fp32 (one branch; null: not wanted): see HeadTape. likeliest (one branch; null: not wanted):
  // takes every logit.
  template <class T>
  void log_sum_exps(PassMemory& pass, const WeightView& view, std::span<const std::int64_t> rows,
                    std::vector<double>& out, float* expected, MostLikely* likeliest = nullptr);
  // Fills the pass's head_tape.
  void record_head(PassMemory& pass, const WeightView& view, const std::vector<std::int64_t>& rows);
  // Zeroes the pass's dhidden unless a head's backward has run.
  void start_backward(PassMemory& pass, const WeightView& view);
  // Block `index` of the head's rows, to be made where head_panel(b, index) is; nothing behind the last. Takes the
  // place of the layers' weights.
  template <class T>
  Preparation<T> head_block(const WeightView& view, std::int64_t index) {
    work.panels_rest.grow(view.branches(), 2 * block_elements() * sizeof(T), view.shares_weights());
    Preparation<T> made;
    const std::int64_t begin = index * kVocabularyBlock;
    if (begin < shape.vocab)
      made.add(view, ids.head, work.panels_rest, static_cast<std::size_t>(index % 2) * block_elements(), begin,
               std::min(shape.vocab, begin + kVocabularyBlock));
    return made;
  }
  std::size_t block_elements() const { return static_cast<std::size_t>(kVocabularyBlock * shape.hidden); }
  template <class T>
  T* head_panel(int branch, std::int64_t index) const {
    return work.panels_rest.at<T>(branch, static_cast<std::size_t>(index % 2) * block_elements());
  }
  void backward_final_norm(PassMemory& pass, const WeightView& view, std::span<const std::int64_t> rows,
                           const float* dnormed, Gradients& gradients);
  template <class T>
  void backward_head_weights(PassMemory& pass, const WeightView& view, std::span<const Pass::Query> queries,
                             std::span<const double> weights, const GradientSum& head);
  void backward_head(PassMemory& pass, const WeightView& view, std::span<const Pass::Query> queries,
                     std::span<const double> weights, Gradients& gradients);

  // The final norm's gain of every branch, [B, C], and the norm with that of branch b.
  std::vector<float> final_gain(const WeightView& view);
  NormBlock final_norm(const std::vector<float>& gain, int branch = 0) const {
    return {gain.data() + branch * shape.hidden, shape.hidden, static_cast<float>(shape.norm_eps)};
  }
  // Branch 0's `rows` after the final norm, [rows, C].
  std::vector<float> final_rows(const PassMemory& pass, const WeightView& view, std::span<const std::int64_t> rows);
  // Logits of n such rows x for the words [begin, end): row i at out + i * stride. Any thread may call it.
  void word_logits(const WeightView& view, const float* x, std::int64_t n, std::int64_t begin, std::int64_t end,
                   float* out, std::size_t stride) const;
};

std::vector<std::int64_t> distinct_rows(std::span<const Pass::Query> queries);  // rising

}  // namespace frugal
