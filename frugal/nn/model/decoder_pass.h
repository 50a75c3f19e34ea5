// A pass of the decoder: its view and batch, and the memory that it has while it lasts. Private to nn/.
#pragma once
#include <memory>

#include "frugal/nn/model/decoder_state.h"

namespace frugal {

class DecoderPass : public RecordedPass {
 public:
  DecoderPass(DecoderState& state, const WeightView& view, const PackedBatch& batch, std::span<KvCache* const> caches,
              const LayerRange& layers, const TapePlan* plan);
  ~DecoderPass() override;  // the memory goes back to the state
  DecoderPass(const DecoderPass&) = delete;
  DecoderPass& operator=(const DecoderPass&) = delete;

  const Hidden& hidden() const override { return memory_->hidden; }
  std::vector<double> log_probabilities(std::span<const Query> queries) override;
  std::vector<float> candidate_logits(std::span<const std::int64_t> rows,
                                      std::span<const std::int32_t> candidates) override;
  std::vector<float> logits(std::span<const std::int64_t> rows) override;
  std::vector<std::int32_t> likeliest(std::span<const std::int64_t> rows) override;
  LikelyWords likeliest_words(std::span<const std::int64_t> rows, std::int64_t k) override;
  void backward_log_probabilities(std::span<const Query> queries, std::span<const double> weights,
                                  Gradients& gradients) override;
  void backward_candidates(std::span<const std::int64_t> rows, std::span<const std::int32_t> candidates,
                           std::span<const float> gradient, Gradients& gradients) override;
  void backward(Gradients& gradients, const HiddenLoss& hidden) override;
  Tape& tape() override { return memory_->tape; }

 private:
  // Error(Exit::internal): its backward has run, which has overwritten the hidden states.
  PassMemory& usable() const;
  // Of each query, given the log-sum-exps of its row: [branches][rows], rows rising.
  std::vector<double> log_probabilities(std::span<const Query> queries, std::span<const std::int64_t> rows,
                                        const std::vector<double>& sums);

  DecoderState& state_;
  const WeightView& view_;
  const PackedBatch& batch_;
  std::unique_ptr<PassMemory> memory_;
  bool is_used_up_ = false;
};

}  // namespace frugal
