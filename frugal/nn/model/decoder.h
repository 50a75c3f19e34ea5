// The forward pass of a llama-family decoder: layers outside, chunks of tokens inside.
// Per layer the weights of all branches are made once in scratch by all threads; then items (branch x chunk of tokens,
// in attention branch x sequence, of long ones by heads) go through it from a queue, each on one thread. Chunks depend
// on the batch alone, so results do not depend on the number of threads.
#pragma once
#include <memory>

#include "frugal/base/threads.h"
#include "frugal/nn/model/model.h"

namespace frugal {

struct DecoderState;

enum class LayerPart { attention, feed_forward };  // each adds to the hidden states, the first before the second

class Decoder : public Model {
 public:
  // threads: started with single_threaded_torch.
  Decoder(const ModelShape& shape, Threads& threads, Compute compute);
  ~Decoder() override;

  const ModelShape& shape() const override;
  Compute compute() const override;
  using Model::forward;
  std::unique_ptr<Pass> forward(const WeightView& view, const PackedBatch& batch, std::span<KvCache* const> caches = {},
                                const LayerRange& layers = {}) override;
  std::unique_ptr<RecordedPass> record(const WeightView& view, const PackedBatch& batch, const TapePlan& plan) override;
  // One part of one layer on hidden states [tokens, hidden] fp32, to which it adds; nothing where the layer has none.
  // For those who take a batch through the layers themselves. view: of one branch.
  void run_part(const WeightView& view, const PackedBatch& batch, std::size_t layer, LayerPart part, float* hidden);

 private:
  std::unique_ptr<DecoderState> state_;
};

}  // namespace frugal
