// The small model with something to train, for the tests of first-order methods.
#pragma once
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "frugal/train/first_order/tuner.h"
#include "frugal/train/objective/tests/small_tuning.h"
#include "frugal/train/parametrisation/low_rank.h"
#include "frugal/train/parametrisation/selected_rows.h"

namespace frugal::first_order_tests {

using Bits = std::vector<std::byte>;

struct Fixture : SmallTuning {
  explicit Fixture(int threads = 2, WeightType type = WeightType::f32)
      : SmallTuning(golden_model(), {6, 8, 10, 12, 14, 16}, threads, type) {}
  std::unique_ptr<FirstOrderTuner> tuner(const std::string& what, const FirstOrderConfig& config = {}) {
    std::unique_ptr<Parametrisation> trained;
    if (what == "full") trained = std::make_unique<WholeWeights>(store, team, std::vector<bool>(store.size(), true));
    if (what.starts_with("lora") || what.starts_with("dora")) {
      LowRankConfig pairs;
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
    return std::make_unique<FirstOrderTuner>(std::move(trained), team, loss.get(), config, FirstOrderRun());
  }
  Bits weights() {
    Bits bits;
    for (std::size_t id = 0; id < store.size(); ++id)
      bits.insert(bits.end(), store.bytes(id).begin(), store.bytes(id).end());
    return bits;
  }
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
