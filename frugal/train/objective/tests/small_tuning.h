// A small model in fp32, sequences of random tokens and the loss on them, for tests of what trains.
#pragma once
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "frugal/base/philox.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/train/named_bytes.h"
#include "frugal/train/objective/sequence_loss.h"

namespace frugal {

// Two layers, embedding and head tied.
inline std::shared_ptr<const ModelSource> golden_model() {
  return ModelSource::open(std::string(FRUGAL_SOURCE_DIR) + "/frugal/nn/tests/golden/tied");
}

struct SmallTuning {
  // A sequence of each of `lengths`, in tokens; all but its first token are targets.
  SmallTuning(std::shared_ptr<const ModelSource> model, const std::vector<int>& lengths, int threads, WeightType type)
      : team(threads, single_threaded_torch),
        source(std::move(model)),
        store(source, type, team),
        decoder(store.shape(), team, Compute::f32) {
    PhiloxSequence random(4, Stream::initial);
    for (const int length : lengths) {
      Sequence sequence;
      for (int t = 0; t < length; ++t)
        sequence.tokens.push_back(
            static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(store.shape().vocab))));
      sequence.is_target.assign(sequence.tokens.size(), 1);
      data.push_back(sequence);
    }
    loss = std::make_unique<SequenceLoss>(decoder, data);
    all.resize(data.size());
    std::iota(all.begin(), all.end(), 0u);
  }
  std::string sha256() { return weights_sha256(named_bytes(store)); }

  Threads team;
  std::shared_ptr<const ModelSource> source;
  WeightStore store;
  Decoder decoder;
  std::vector<Sequence> data;
  std::unique_ptr<SequenceLoss> loss;
  std::vector<std::uint32_t> all;
};

}  // namespace frugal
