// Sizes of low-rank pairs from a model's shape, or from the adapter they go on from. No LibTorch.
#pragma once
#include <algorithm>
#include <map>
#include <string>

#include "frugal/formats/adapter/lora_adapter.h"
#include "frugal/formats/names.h"
#include "frugal/plan/plan.h"
#include "frugal/train/config/low_rank.h"

namespace frugal {

// Numbers in the pair beside each tensor: rank (in + out), and out more with DoRA.
class PairSizes {
 public:
  // Error(Exit::input): the adapter cannot be read, or is for another shape.
  PairSizes(const ModelShape& shape, const LowRankConfig& c) : has_magnitudes_(c.dora) {
    if (!c.adapter.empty()) {
      const LoraAdapter adapter = read_peft_adapter(c.adapter, shape);
      has_magnitudes_ = adapter.use_dora();
      for (const LowRankFactor& pair : adapter.factors)
        numbers_[pair.module + ".weight"] = pair.a.size() + pair.b.size() + pair.magnitude.size();
      return;
    }
    for (const TensorSpec& spec : tensor_specs(shape)) {
      const bool is_target =
          c.targets.empty() || std::any_of(c.targets.begin(), c.targets.end(),
                                           [&](const std::string& t) { return is_named_by(spec.name, t); });
      if (!spec.is_layer_linear() || !is_target) continue;
      numbers_[spec.name] = static_cast<std::uint64_t>(c.rank) * static_cast<std::uint64_t>(spec.rows + spec.cols) +
                            static_cast<std::uint64_t>(c.dora ? spec.rows : 0);
    }
  }
  std::uint64_t of(const TensorSpec& spec) const {  // 0: it has no pair
    const auto found = numbers_.find(spec.name);
    return found == numbers_.end() ? 0 : found->second;
  }
  std::uint64_t all() const {
    std::uint64_t sum = 0;
    for (const auto& [name, count] : numbers_) sum += count;
    return sum;
  }
  bool has_magnitudes() const { return has_magnitudes_; }

 private:
  std::map<std::string, std::uint64_t> numbers_;
  bool has_magnitudes_;
};

// What a first-order method's plan takes from pairs that it trains, all of them or some at a time.
inline void add_pairs(FirstOrderPlan& method, const PairSizes& pairs, const LowRankConfig& c) {
  method.beside = 4 * pairs.all();
  method.weight_gradients = 0.1;  // of the factors alone
  method.has_pairs = true;
  method.has_dropout = c.dropout > 0;
  method.has_magnitudes = pairs.has_magnitudes();
}

}  // namespace frugal
