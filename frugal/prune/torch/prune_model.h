// What a method of pruning works on: the model with the units that are left, and windows of text.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "frugal/nn/blocks/masked_view.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/prune/common/units.h"

namespace frugal {

using Windows = std::vector<std::vector<std::int32_t>>;

class PruneModel {
 public:
  // bos: put before each window; negative: none. tokens: of the whole text.
  PruneModel(std::shared_ptr<const ModelSource> source, WeightType type, Compute compute, Threads& threads,
             std::vector<std::int32_t> tokens, std::int32_t bos);
  const Survivors& survivors() const { return survivors_; }
  const ModelShape& shape() const { return store().shape(); }  // of what is left
  WeightStore& store() const { return *store_; }
  Decoder& decoder() const { return *decoder_; }
  Threads& threads() const { return threads_; }
  std::shared_ptr<const ModelSource> source() const { return source_; }  // the original

  void remove(const std::vector<Unit>& gone);
  void restore(const std::vector<std::uint8_t>& flags);

  // `count` windows of `length` tokens from places of the text that seed and round decide.
  Windows windows(std::uint64_t seed, std::uint64_t round, std::int64_t count, std::int64_t length) const;
  // Mean negative log-likelihood of a token, in nats, over the windows; of each mask where there are some.
  std::vector<double> losses(const Windows& windows, const std::vector<ModelMask>& masks) const;
  double loss(const Windows& windows) const;
  void watch(const Windows& windows, UnitObserver& observer) const;  // a forward over each

 private:
  void load();
  std::vector<double> losses(const Windows& windows, const WeightView& view) const;
  std::shared_ptr<const ModelSource> source_;
  const WeightType type_;
  const Compute compute_;
  Threads& threads_;
  const std::vector<std::int32_t> tokens_;
  const std::int32_t bos_;
  Survivors survivors_;
  std::unique_ptr<WeightStore> store_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace frugal
