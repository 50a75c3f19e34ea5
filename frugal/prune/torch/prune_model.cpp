#include "frugal/prune/torch/prune_model.h"

#include <cmath>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/philox.h"
#include "frugal/plan/cuts.h"

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

void PruneModel::load() {
  decoder_.reset();  // the smaller weights take the place of the larger ones
  store_.reset();
  store_ = std::make_unique<WeightStore>(open_shrunk(source_, survivors_.kept()), type_, threads_);
  decoder_ = std::make_unique<Decoder>(store_->shape(), threads_, compute_);
}

void PruneModel::remove(const std::vector<Unit>& gone) {
  if (gone.empty()) return;
  survivors_.remove(gone);
  load();
}

void PruneModel::restore(const std::vector<std::uint8_t>& flags) {
  if (flags == survivors_.flags()) return;
  survivors_.restore(flags);
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

// Windows go through together up to as many tokens as an evaluation packs.
std::vector<double> PruneModel::losses(const Windows& windows, const WeightView& view) const {
  std::vector<double> sums(static_cast<std::size_t>(view.branches()));
  std::int64_t predicted = 0;
  for (std::size_t begin = 0; begin < windows.size();) {
    throw_if_interrupted();
    PackedBatch batch;
    std::vector<Pass::Query> queries;
    do {
      const auto& window = windows[begin++];
      const std::int64_t first = batch.size();
      batch.append(window);
      for (std::size_t t = 0; t + 1 < window.size(); ++t)
        queries.push_back({first + static_cast<std::int64_t>(t), window[t + 1]});
    } while (begin < windows.size() &&
             batch.size() + static_cast<std::int64_t>(windows[begin].size()) <= kPackedTokens / view.branches());
    const std::vector<double> found = decoder_->forward(view, batch)->log_probabilities(queries);
    for (std::size_t b = 0; b < sums.size(); ++b) {
      for (std::size_t i = 0; i < queries.size(); ++i) sums[b] -= found[b * queries.size() + i];
    }
    predicted += static_cast<std::int64_t>(queries.size());
  }
  for (double& sum : sums) sum /= static_cast<double>(predicted);
  return sums;
}

std::vector<double> PruneModel::losses(const Windows& windows, const std::vector<ModelMask>& masks) const {
  return losses(windows, MaskedView(*store_, masks));
}

double PruneModel::loss(const Windows& windows) const { return losses(windows, BaseView(*store_))[0]; }

void PruneModel::watch(const Windows& windows, UnitObserver& observer) const {
  const WatchedView view(*store_, observer);
  for (const auto& window : windows) {
    throw_if_interrupted();
    PackedBatch batch;
    batch.append(window);
    decoder_->forward(view, batch);
  }
}

}  // namespace frugal
