// What a method of pruning works on: the model with the units that are left, and windows of text.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "frugal/nn/blocks/masked_view.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/prune/common/units.h"
#include "frugal/train/loop/state.h"

namespace frugal {

using Windows = std::vector<std::vector<std::int32_t>>;

class PruneModel {
 public:
  // bos: put before each window; negative: none. tokens: of the whole text.
  PruneModel(std::shared_ptr<const ModelSource> source, WeightType type, Compute compute, Threads& threads,
             std::vector<std::int32_t> tokens, std::int32_t bos);
  const Survivors& survivors() { return settle(), survivors_; }
  const ModelShape& shape() { return store().shape(); }  // of what is left
  const WeightStore& store() { return settle(), *store_; }
  const ModelSource& source() const { return *source_; }  // the original

  void remove(const std::vector<Unit>& gone);
  void state(State& state);  // which units are left; restored, the model is the smaller one with the next use

  // `count` windows of `length` tokens from places of the text that seed and round decide.
  Windows windows(std::uint64_t seed, std::uint64_t round, std::int64_t count, std::int64_t length) const;
  // Mean negative log-likelihood of a token, in nats, over the windows; of each mask.
  std::vector<double> losses(const Windows& windows, const std::vector<ModelMask>& masks);
  double loss(const Windows& windows);
  void unload();  // gives the weights' memory back; survivors() stays, nothing else is called afterwards
  void watch(const Windows& windows, UnitObserver& observer);  // a forward over each

 private:
  void load();
  void settle();
  std::shared_ptr<const ModelSource> source_;
  const WeightType type_;
  const Compute compute_;
  Threads& threads_;
  const std::vector<std::int32_t> tokens_;
  const std::int32_t bos_;
  Survivors survivors_;
  std::vector<std::uint8_t> flags_;  // as a snapshot has them
  bool is_unsettled_ = false;        // they were restored, and nobody has used the model since
  std::unique_ptr<WeightStore> store_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace frugal
