#include "frugal/prune/torch/prune_model.h"

#include <utility>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/philox.h"
#include "frugal/plan/cuts.h"
#include "frugal/train/objective/window_loss.h"

namespace frugal {

PruneModel::PruneModel(std::shared_ptr<const ModelSource> source, WeightType type, Compute compute, Threads& threads,
                       std::vector<std::int32_t> tokens, std::int32_t bos)
    : source_(std::move(source)),
      type_(type),
      compute_(compute),
      threads_(threads),
      tokens_(std::move(tokens)),
      bos_(bos),
      survivors_(source_->shape()) {
  load();
}

void PruneModel::unload() {
  settle();
  decoder_.reset();
  store_.reset();
}

void PruneModel::load() {
  decoder_.reset();  // the smaller weights take the place of the larger ones
  store_.reset();
  store_ = std::make_unique<WeightStore>(open_shrunk(source_, survivors_.kept()), type_, threads_);
  decoder_ = std::make_unique<Decoder>(store_->shape(), threads_, compute_);
}

void PruneModel::remove(const std::vector<Unit>& gone) {
  settle();
  if (gone.empty()) return;
  survivors_.remove(gone);
  load();
}

void PruneModel::state(State& state) {
  if (!state.is_restored()) flags_ = survivors().flags();
  state.list("units", flags_);
  is_unsettled_ |= state.is_restored();
}

void PruneModel::settle() {
  if (!std::exchange(is_unsettled_, false) || flags_ == survivors_.flags()) return;
  survivors_.restore(flags_);
  load();
}

Windows PruneModel::windows(std::uint64_t seed, std::uint64_t round, std::int64_t count, std::int64_t length) const {
  const std::int64_t own = length - (bos_ >= 0 ? 1 : 0), places = static_cast<std::int64_t>(tokens_.size()) - own + 1;
  if (places < 1) {
    throw Error(Exit::input,
                "the text has " + std::to_string(tokens_.size()) + " tokens, a window takes " + std::to_string(own),
                "give a longer --data, or a smaller --window-length");
  }
  PhiloxSequence random(philox_key(seed, round), named_stream("prune.windows"));
  Windows windows(static_cast<std::size_t>(count));
  for (auto& window : windows) {
    const std::int64_t begin = random.below(static_cast<std::uint32_t>(places));
    if (bos_ >= 0) window.push_back(bos_);
    window.insert(window.end(), tokens_.begin() + begin, tokens_.begin() + begin + own);
  }
  return windows;
}

std::vector<double> PruneModel::losses(const Windows& windows, const std::vector<ModelMask>& masks) {
  settle();
  const WindowLoss found = window_loss(*decoder_, MaskedView(*store_, masks), windows,
                                       static_cast<std::int64_t>(windows.size()), kPackedTokens);
  std::vector<double> means;
  for (std::size_t b = 0; b < masks.size(); ++b) means.push_back(found.mean(static_cast<int>(b)));
  return means;
}

double PruneModel::loss(const Windows& windows) {
  settle();
  return window_loss(*decoder_, BaseView(*store_), windows, static_cast<std::int64_t>(windows.size()), kPackedTokens)
      .mean();
}

void PruneModel::watch(const Windows& windows, UnitObserver& observer) {
  settle();
  const WatchedView view(*store_, observer);
  for (const auto& window : windows) {
    throw_if_interrupted();
    PackedBatch batch;
    batch.append(window);
    decoder_->forward(view, batch);
  }
}

}  // namespace frugal
