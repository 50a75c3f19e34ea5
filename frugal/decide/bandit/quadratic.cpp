#include "frugal/decide/bandit/quadratic.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace frugal::bandit {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

}  // namespace

QuadraticIndex::QuadraticIndex(const ActionTable& actions)
    : mean(at(actions.items_count)),
      weights(mean.size() * mean.size()),
      actions_(actions),
      d_(mean.size()),
      v_(actions.size()),
      root_(actions.size()),
      blocks_((actions.size() + kBlock - 1) / kBlock) {}

double QuadraticIndex::value(std::span<const std::int32_t> action) const {
  double v = 0;
  for (const auto i : action) v += mean[at(i)];
  return v;
}

double QuadraticIndex::quadratic(std::span<const std::int32_t> action) const {
  double diagonal = 0, beside = 0;
  for (std::size_t k = 0; k < action.size(); ++k) {
    const double* row = weights.data() + at(action[k]) * d_;
    diagonal += row[at(action[k])];
    for (std::size_t l = k + 1; l < action.size(); ++l) beside += row[at(action[l])];
  }
  const double q = diagonal + 2 * beside;
  return q > 0 ? q : 0;
}

double QuadraticIndex::rescore(std::uint32_t action, double f) {
  const auto items = actions_[action];
  const double v = value(items), root = std::sqrt(quadratic(items));
  v_[action] = v - drift_v_;
  root_[action] = root - drift_root_;
  Block& block = blocks_[action / kBlock];
  block.root = std::max(block.root, std::abs(root_[action]));
  ++scored_;
  return v + f * root;
}

void QuadraticIndex::score_all() {
  drift_v_ = drift_root_ = 0;
  double least = std::numeric_limits<double>::infinity();
  std::fill(blocks_.begin(), blocks_.end(), Block{});
  for (std::uint32_t a = 0; a < actions_.size(); ++a) {
    rescore(a, 0);
    least = std::min(least, root_[a]);
  }
  least_q_ = least * least;
}

void QuadraticIndex::rows_changed(std::span<const std::int32_t> items, std::span<const double> mean_before,
                                  std::span<const double> rows_before) {
  double rise = 0, fall = 0;  // of Q, for any action, at most
  const double others = static_cast<double>(actions_.largest - 1);
  const auto add = [&](double change, double times) {
    rise += times * std::max(0.0, change);
    fall += times * std::max(0.0, -change);
  };
  for (std::size_t k = 0; k < items.size(); ++k) {
    const std::size_t i = at(items[k]);
    drift_v_ += std::max(0.0, mean[i] - mean_before[i]);
    const double *before = rows_before.data() + k * d_, *now = weights.data() + i * d_;
    change_.resize(d_);
    for (std::size_t j = 0; j < d_; ++j) change_[j] = now[j] - before[j];
    add(change_[i], 1);
    change_[i] = 0;
    for (std::size_t l = 0; l < items.size(); ++l) {  // pairs of two of the items: once
      if (l > k) add(change_[at(items[l])], 2);
      change_[at(items[l])] = 0;
    }
    const auto [least, most] = std::minmax_element(change_.begin(), change_.end());
    add(*most, 2 * others);
    add(*least, 2 * others);
  }
  double step = std::sqrt(rise);
  if (least_q_ > 0) step = std::min(step, rise / (2 * std::sqrt(least_q_)));
  drift_root_ += step;
  least_q_ = std::max(0.0, least_q_ - fall);
}

// A kept value is v + f sqrt(Q) as an action was scored, less the drift until then.
std::uint32_t QuadraticIndex::best(double f, std::uint32_t likely) {
  double best = rescore(likely, f);
  std::uint32_t found = likely;
  const double drift = drift_v_ + f * drift_root_;
  // What a kept value must reach so that its action is scored. Sums of drifts are rounded; the room left for that is
  // far above it and lets hardly more actions through.
  const auto needed = [&] { return best - 1e-11 * (std::abs(best) + drift) - drift; };
  const auto bound = [&](const Block& block) { return block.most + std::abs(f - block.f) * block.root; };
  const auto look = [&](std::size_t at_block) {
    const std::size_t begin = at_block * kBlock, count = std::min(kBlock, v_.size() - begin);
    const double *v = v_.data() + begin, *root = root_.data() + begin;
    double limit = needed();
    double most[4] = {kNone, kNone, kNone, kNone};
    std::array<double, kBlock> kept;
    kept.fill(kNone);
    for (std::size_t k = 0; k < count; ++k) kept[k] = v[k] + f * root[k];
    Block& block = blocks_[at_block];
    for (std::size_t k = 0; k < count; ++k) {
      if (kept[k] < limit) continue;
      const auto a = static_cast<std::uint32_t>(begin + k);
      const double index = rescore(a, f);
      if (index > best || (index == best && a < found)) best = index, found = a, limit = needed();
      kept[k] = v[k] + f * root[k];
    }
    for (std::size_t k = 0; k < kBlock; k += 4) {
      for (std::size_t lane = 0; lane < 4; ++lane)
        most[lane] = kept[k + lane] > most[lane] ? kept[k + lane] : most[lane];
    }
    block.most = std::max(std::max(most[0], most[1]), std::max(most[2], most[3]));
    block.f = f;
  };
  look(likely / kBlock);
  // Then the block with the largest bound: what is found there leaves less to look at elsewhere.
  std::size_t top = 0;
  for (std::size_t k = 1; k < blocks_.size(); ++k) {
    if (bound(blocks_[k]) > bound(blocks_[top])) top = k;
  }
  if (bound(blocks_[top]) >= needed()) look(top);
  for (std::size_t k = 0; k < blocks_.size(); ++k) {
    if (k != top && bound(blocks_[k]) >= needed()) look(k);
  }
  return found;
}

std::uint32_t QuadraticIndex::best_of_all(double f) const {
  double best = kNone;
  std::uint32_t found = 0;
  for (std::uint32_t a = 0; a < actions_.size(); ++a) {
    const double index = value(actions_[a]) + f * std::sqrt(quadratic(actions_[a]));
    if (index > best) best = index, found = a;
  }
  return found;
}

namespace {

// Weights and statistics of pairs grow with d^2: refused before the machine has to.
const ActionTable& table_for(const ActionSet& actions, const std::string& name) {
  constexpr std::int32_t kMostItems = 10'000;
  if (actions.items() > kMostItems)
    throw Error(Exit::usage,
                name + " keeps numbers of all pairs of items, and there are " + std::to_string(actions.items()) +
                    " items, expected at most " + std::to_string(kMostItems),
                "cucb, cts-beta and cos-v keep none: --policy cos-v");
  return actions.table(name);
}

}  // namespace

QuadraticPolicy::QuadraticPolicy(ActionSet actions, const PolicyOptions& options, bool has_pairs,
                                 const std::string& name)
    : Policy(std::move(actions), options, has_pairs), table_(table_for(this->actions(), name)), index_(table_) {
  forget();
}

void QuadraticPolicy::forget() {
  is_filled_ = false;
  frozen_until_ = 1;
  last_ = searched_ = 0;
  most_new_ = table_.largest * (table_.largest + 1) / 2;
}

void QuadraticPolicy::freeze(std::int64_t t) {
  while (frozen_until_ <= t) frozen_until_ = std::max(frozen_until_ + 1, (frozen_until_ * 105 + 99) / 100);
}

void QuadraticPolicy::fill_all() {
  const std::int32_t d = statistics().items();
  for (std::int32_t i = 0; i < d; ++i) {
    index_.mean[at(i)] = statistics().mean(i);
    fill_row(i, frozen_until_, index_.weights.data() + at(i) * at(d));
  }
}

bool QuadraticPolicy::explore(Items& action) {
  return statistics().has_pairs() ? explore_pairs(action) : Policy::explore(action);
}

// The action with the most pairs, an item with itself included, that were not played; of equal ones the first. Counts
// only fall, so that the search goes through the actions once for each count.
bool QuadraticPolicy::explore_pairs(Items& action) {
  for (; most_new_ > 0; --most_new_, searched_ = 0) {
    for (; searched_ < table_.size(); ++searched_) {
      const auto items = table_[searched_];
      int found = 0;
      for (std::size_t k = 0; k < items.size(); ++k) {
        for (std::size_t l = 0; l <= k; ++l) found += statistics().plays(items[k], items[l]) == 0;
      }
      if (found < most_new_) continue;
      action.assign(items.begin(), items.end());
      return true;
    }
  }
  return false;
}

void QuadraticPolicy::prepare() {
  const bool is_due = depends_on_time() && round() >= frozen_until_;
  if (is_due) freeze(round());
  if (!options().is_incremental) {
    fill_all();
  } else if (!is_filled_ || is_due) {
    fill_all();
    index_.score_all();
    is_filled_ = true;
  }
}

void QuadraticPolicy::choose(Items& action) {
  prepare();
  const double f = radius(round());
  last_ = options().is_incremental ? index_.best(f, last_) : index_.best_of_all(f);
  action.assign(table_[last_].begin(), table_[last_].end());
}

void QuadraticPolicy::learn(std::span<const std::int32_t> items, std::span<const double>) {
  if (!is_filled_) return;
  const std::size_t d = at(statistics().items());
  mean_before_ = index_.mean;
  rows_before_.resize(items.size() * d);
  for (std::size_t k = 0; k < items.size(); ++k) {
    const auto row = index_.weights.begin() + static_cast<std::ptrdiff_t>(at(items[k]) * d);
    std::copy(row, row + static_cast<std::ptrdiff_t>(d), rows_before_.begin() + static_cast<std::ptrdiff_t>(k * d));
  }
  for (const auto i : items) {
    index_.mean[at(i)] = statistics().mean(i);
    double* row = index_.weights.data() + at(i) * d;
    fill_row(i, frozen_until_, row);
    for (std::size_t j = 0; j < d; ++j) index_.weights[j * d + at(i)] = row[j];
  }
  index_.rows_changed(items, mean_before_, rows_before_);
}

double QuadraticPolicy::quadratic(std::span<const std::int32_t> action) {
  prepare();
  return index_.quadratic(action);
}

double QuadraticPolicy::bonus(std::span<const std::int32_t> action) {
  return radius(round()) * std::sqrt(quadratic(action));
}

}  // namespace frugal::bandit
