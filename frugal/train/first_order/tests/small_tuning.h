// A small model with something to train, for the tests of this folder.
#pragma once
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "frugal/base/philox.h"
#include "frugal/train/first_order/low_rank.h"
#include "frugal/train/first_order/selected_rows.h"
#include "frugal/train/first_order/tuner.h"
#include "frugal/train/objective/sequence_loss.h"

namespace frugal::first_order_tests {

using Bits = std::vector<std::byte>;

struct Fixture {
  explicit Fixture(int threads = 2, WeightType type = WeightType::f32)
      : team(threads, single_threaded_torch),
        source(ModelSource::open(std::string(FRUGAL_SOURCE_DIR) + "/frugal/nn/tests/golden/tied")),
        store(source, type, team),
        decoder(store.shape(), team, Compute::f32) {
    PhiloxSequence random(4, Stream::initial);
    for (int s = 0; s < 6; ++s) {
      Sequence sequence;
      for (int t = 0; t < 6 + 2 * s; ++t) sequence.tokens.push_back(static_cast<std::int32_t>(random.below(61)));
      sequence.is_target.assign(sequence.tokens.size(), 1);
      data.push_back(sequence);
    }
    loss = std::make_unique<SequenceLoss>(decoder, data);
    all.resize(data.size());
    std::iota(all.begin(), all.end(), 0u);
  }
  std::unique_ptr<FirstOrderTuner> tuner(const std::string& what,
                                         const FirstOrderOptions& options = FirstOrderOptions()) {
    std::unique_ptr<Parametrisation> trained;
    if (what == "full") trained = std::make_unique<WholeWeights>(store, team, std::vector<bool>(store.size(), true));
    if (what.starts_with("lora") || what.starts_with("dora")) {
      LowRankOptions pairs;
      pairs.rank = 2;
      pairs.dropout = what.ends_with("without dropout") ? 0 : 0.1;
      pairs.dora = what.starts_with("dora");
      trained = std::make_unique<LowRankPairs>(store, pairs);
    }
    if (what == "rows" || what == "columns") {
      std::vector<std::vector<std::int32_t>> rows(store.size());
      for (std::size_t id = 0; id < store.size(); ++id) {
        if (store.spec(id).name.ends_with("_proj.weight")) rows[id] = {0, 3, 7};
      }
      trained = std::make_unique<SelectedRows>(store, rows, what == "columns");
    }
    return std::make_unique<FirstOrderTuner>(std::move(trained), decoder, loss.get(), options);
  }
  Bits weights() {
    Bits bits;
    for (std::size_t id = 0; id < store.size(); ++id)
      bits.insert(bits.end(), store.bytes(id).begin(), store.bytes(id).end());
    return bits;
  }

  Threads team;
  std::shared_ptr<const ModelSource> source;
  WeightStore store;
  Decoder decoder;
  std::vector<Sequence> data;
  std::unique_ptr<SequenceLoss> loss;
  std::vector<std::uint32_t> all;
};

inline Bits bits_of(std::vector<NamedBytes> parts) {
  Bits bits;
  for (const NamedBytes& part : parts) bits.insert(bits.end(), part.bytes.begin(), part.bytes.end());
  return bits;
}

// Takes what `state` says into the tuner's own after `steps` steps; false: of another size.
inline bool load(Tuner& tuner, const Bits& state, std::uint64_t steps) {
  std::size_t at = 0;
  for (const NamedBytes& part : tuner.state(steps)) {
    if (at + part.bytes.size() > state.size()) return false;
    std::memcpy(part.bytes.data(), state.data() + at, part.bytes.size());
    at += part.bytes.size();
  }
  return at == state.size();
}

}  // namespace frugal::first_order_tests
