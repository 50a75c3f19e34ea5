#include "frugal/prune/torch/prune_model.h"

#include <cmath>
#include <utility>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/philox.h"
#include "frugal/plan/cuts.h"
#include "frugal/train/objective/window_loss.h"

namespace frugal {

PruneModel::PruneModel(std::shared_ptr<const ModelSource> source, WeightType type, Compute compute, Threads& threads,
                       std::vector<std::int32_t> tokens, std::int32_t bos, std::uint64_t file_window)
    : source_(std::move(source)),
      type_(type),
      compute_(compute),
      threads_(threads),
      tokens_(std::move(tokens)),
      bos_(bos),
      file_window_(file_window),
      survivors_(source_->shape()) {}

void PruneModel::unload() {
  decoder_.reset();
  store_.reset();
}

void PruneModel::load() {
  decoder_.reset();  // the smaller weights take the place of the larger ones
  store_.reset();
  std::shared_ptr<const ModelSource> left = refitted_;
  if (!left) left = open_shrunk(source_, survivors_.kept());
  store_ = std::make_unique<WeightStore>(std::move(left), type_, threads_);
  if (file_window_ > 0) store_->keep_resident(file_window_);
  decoder_ = std::make_unique<Decoder>(store_->shape(), threads_, compute_);
}

void PruneModel::remove(const std::vector<Unit>& gone) {
  if (gone.empty()) return;
  survivors();
  survivors_.remove(gone);
  refitted_.reset();
  load();
}

void PruneModel::put_all_back() { go_back(Survivors(source_->shape()).flags()); }

void PruneModel::go_back(std::vector<std::uint8_t> left) {
  flags_ = std::move(left);
  is_unsettled_ = true;
}

void PruneModel::keep_scores(const std::vector<double>& scores) {
  const ModelShape &all = source_->shape(), left = survivors().shape();
  std::vector<std::size_t> begins;  // of a layer's scores
  std::size_t count = 0;
  for (const LayerShape& layer : all.layers) {
    begins.push_back(count);
    count += static_cast<std::size_t>(layer.kv_heads + layer.ffn);
  }
  scores_.resize(count, NAN);
  const std::vector<Unit> units = units_of(left);
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (!std::isfinite(scores[i])) continue;
    const auto l = static_cast<std::size_t>(units[i].layer), index = static_cast<std::size_t>(units[i].index);
    const KeptUnits& kept = survivors_.kept()[l];
    std::int64_t place = 0;
    if (units[i].kind == UnitKind::neuron) {
      place = all.layers[l].kv_heads + kept.neurons[index];
    } else {
      const std::int64_t own = left.layers[l].heads / left.layers[l].kv_heads,
                         group = all.layers[l].heads / all.layers[l].kv_heads;
      place = kept.heads[index * static_cast<std::size_t>(own)] / group;
    }
    scores_[begins[l] + static_cast<std::size_t>(place)] = scores[i];
  }
}

std::vector<UnitScores> PruneModel::scores() const {
  std::vector<UnitScores> all;
  if (scores_.empty()) return all;
  auto at = scores_.begin();
  for (const LayerShape& layer : source_->shape().layers) {
    const auto neurons = at + static_cast<std::ptrdiff_t>(layer.kv_heads),
               end = neurons + static_cast<std::ptrdiff_t>(layer.ffn);
    all.push_back({{at, neurons}, {neurons, end}});
    at = end;
  }
  return all;
}

void PruneModel::refit(const Windows& windows, Refit refit) {
  unload();
  refitted_ = reconstruct(source_, survivors_.kept(), windows, refit, compute_, threads_);
  load();
}

std::unique_ptr<ModelSource> PruneModel::result() {
  settle();
  if (!refitted_) return open_shrunk(source_, survivors_.kept(), true);
  std::vector<KeptUnits> all;
  for (const LayerShape& layer : refitted_->shape().layers) all.push_back(all_units(layer));
  return open_shrunk(refitted_, all, true);
}

void PruneModel::state(State& state) {
  if (!state.is_restored()) flags_ = survivors().flags();
  state.list("units", flags_);
  state.list("scores", scores_);
  is_unsettled_ |= state.is_restored();
}

void PruneModel::settle() {
  survivors();
  if (store_ == nullptr) load();
}

const Survivors& PruneModel::survivors() {
  if (std::exchange(is_unsettled_, false) && flags_ != survivors_.flags()) {
    survivors_.restore(flags_);
    refitted_.reset();
    unload();
  }
  return survivors_;
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

std::vector<double> PruneModel::losses(std::span<const std::vector<std::int32_t>> windows,
                                       const std::vector<ModelMask>& masks, const LayerRange& layers) {
  settle();
  const WindowLoss found = window_loss(*decoder_, MaskedView(*store_, masks), windows,
                                       static_cast<std::int64_t>(windows.size()), kPackedTokens, layers);
  std::vector<double> means;
  for (std::size_t b = 0; b < masks.size(); ++b) means.push_back(found.mean(static_cast<int>(b)));
  return means;
}

void PruneModel::advance(Prefix& prefix, const Windows& windows, std::size_t layer) {
  settle();
  if (layer <= prefix.layer) return;
  const BaseView view(*store_);
  std::vector<float>& hidden = prefix.hidden;
  const bool has_begun = !hidden.empty();
  std::size_t rows = 0;
  for (const auto& window : windows) rows += window.size();
  hidden.resize(rows * static_cast<std::size_t>(shape().hidden));
  for (std::size_t begin = 0, at = 0; begin < windows.size();) {
    throw_if_interrupted();
    PackedBatch batch;
    do {
      batch.append(windows[begin++]);
    } while (begin < windows.size() &&
             batch.size() + static_cast<std::int64_t>(windows[begin].size()) <= kPackedTokens);
    const LayerRange layers{prefix.layer, layer, has_begun ? hidden.data() + at : nullptr};
    const auto pass = decoder_->forward(view, batch, {}, layers);
    const auto count = static_cast<std::size_t>(batch.size() * shape().hidden);
    std::copy_n(pass->hidden().at(0), count, hidden.data() + at);
    at += count;
  }
  prefix.layer = layer;
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
