// What a method of pruning works on: the model with the units that are left, and windows of text.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "frugal/nn/blocks/masked_view.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/prune/common/units.h"
#include "frugal/prune/torch/reconstruct.h"
#include "frugal/train/loop/state.h"

namespace frugal {

using Windows = std::vector<std::vector<std::int32_t>>;

// Hidden states of windows in front of a layer, with every unit on: where masks begin that leave the layers before as
// they are.
struct Prefix {
  std::size_t layer = 0;
  std::vector<float> hidden;  // [tokens of all windows, hidden]; of layer 0 empty
};

// The newest score of each unit of a layer, by its place in the original; not a number: it had none.
struct UnitScores {
  std::vector<double> heads, neurons;  // key heads
};

class PruneModel {
 public:
  // bos: put before each window; negative: none. tokens: of the whole text. file_window: see PlanChoices.
  PruneModel(std::shared_ptr<const ModelSource> source, WeightType type, Compute compute, Threads& threads,
             std::vector<std::int32_t> tokens, std::int32_t bos, std::uint64_t file_window = 0);
  const Survivors& survivors();
  const ModelShape& shape() { return store().shape(); }  // of what is left
  const WeightStore& store() { return settle(), *store_; }
  Model& model() { return settle(), *decoder_; }
  const ModelSource& source() const { return *source_; }  // the original

  void remove(const std::vector<Unit>& gone);
  void put_all_back();
  // Which units are left, one byte each: for who goes back to them.
  std::vector<std::uint8_t> left() { return survivors().flags(); }
  void go_back(std::vector<std::uint8_t> left);
  // Keeps scores of units_of(shape()) for pictures; those that are infinite are passed over.
  void keep_scores(const std::vector<double>& scores);
  std::vector<UnitScores> scores() const;  // of each layer; empty: none were kept
  void state(State& state);  // which units are left; restored, the model is the smaller one with the next use

  // `count` windows of `length` tokens from places of the text that seed and round decide.
  Windows windows(std::uint64_t seed, std::uint64_t round, std::int64_t count, std::int64_t length) const;
  // Mean negative log-likelihood of a token, in nats, over the windows; of each mask. layers: of a Prefix.
  std::vector<double> losses(std::span<const std::vector<std::int32_t>> windows, const std::vector<ModelMask>& masks,
                             const LayerRange& layers = {});
  void advance(Prefix& prefix, const Windows& windows, std::size_t layer);  // to a layer that is no lower
  double loss(const Windows& windows);
  // See reconstruct(). Until units go again; no part of state(): whoever restores it refits again.
  void refit(const Windows& windows, Refit refit);
  bool is_refitted() { return survivors(), refitted_ != nullptr; }
  // The model to be written: layers that keep nothing are not there.
  std::unique_ptr<ModelSource> result();
  void unload();  // gives the weights' memory back until they are used again
  void watch(const Windows& windows, UnitObserver& observer);  // a forward over each

 private:
  void load();
  void settle();  // units are as a snapshot had them, and the weights are there
  std::shared_ptr<const ModelSource> source_;
  const WeightType type_;
  const Compute compute_;
  Threads& threads_;
  const std::vector<std::int32_t> tokens_;
  const std::int32_t bos_;
  const std::uint64_t file_window_;
  Survivors survivors_;
  std::shared_ptr<const ModelSource> refitted_;  // what is left, where it is refitted
  std::vector<double> scores_;                   // of each layer its key heads, then its neurons; not a number: none
  std::vector<std::uint8_t> flags_;              // as a snapshot has them
  bool is_unsettled_ = false;                    // they were restored, and nobody has used the model since
  std::unique_ptr<WeightStore> store_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace frugal
