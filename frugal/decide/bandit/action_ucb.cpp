// UCB over whole actions: it sees the sum of an action's rewards alone, as without semi-bandit feedback.
#include <algorithm>
#include <cmath>

#include "frugal/decide/bandit/policy.h"

namespace frugal::bandit {
namespace {

// UCB-V (Audibert, Munos and Szepesvari, 2009): mean + sqrt(2 V z / N) + 3 m B z / N, z = 1.2 log t, with V the
// variance of an action's sums and N its plays. Actions that were not played come first.
class ActionUcb : public Policy {
 public:
  ActionUcb(ActionSet actions, const PolicyOptions& options)
      : Policy(std::move(actions), options, false),
        table_(this->actions().table("action-ucb")),
        plays_(table_.size()),
        mean_(table_.size()),
        spread_(table_.size()) {}

 protected:
  bool explore(Items& action) override {
    if (static_cast<std::size_t>(round()) > table_.size()) return false;
    last_ = static_cast<std::size_t>(round()) - 1;
    action.assign(table_[last_].begin(), table_[last_].end());
    return true;
  }
  void choose(Items& action) override {
    const double z = 1.2 * log_round(round()), linear = 3 * table_.largest * options().range * z;
    double most = 0;
    for (std::size_t a = 0; a < table_.size(); ++a) {
      const double n = plays_[a];
      const double index = mean_[a] + std::sqrt(2 * z * spread_[a]) / n + linear / n;
      if (a == 0 || index > most) most = index, last_ = a;
    }
    action.assign(table_[last_].begin(), table_[last_].end());
  }
  void learn(std::span<const std::int32_t>, std::span<const double> rewards) override {
    double sum = 0;
    for (const double y : rewards) sum += y;
    const double delta = sum - mean_[last_];
    plays_[last_] += 1;
    mean_[last_] += delta / plays_[last_];
    spread_[last_] += delta * (sum - mean_[last_]);
  }
  void own_state(State& state, const std::string& prefix) override {
    state.list(prefix + "action_plays", plays_);
    state.list(prefix + "action_mean", mean_);
    state.list(prefix + "action_spread", spread_);
  }
  bool is_sound() const override {
    const auto is_sum = [](double v) { return v >= 0 && v < 1e250; };
    return Policy::is_sound() && std::all_of(plays_.begin(), plays_.end(), is_sum) &&
           std::all_of(mean_.begin(), mean_.end(), is_sum) && std::all_of(spread_.begin(), spread_.end(), is_sum);
  }

 private:
  const ActionTable& table_;
  std::vector<double> plays_, mean_, spread_;  // [P]; spread: sum of squared differences from the mean (Welford)
  std::size_t last_ = 0;                       // of select(), which comes before learn()
};

}  // namespace

void add_action_ucb(PolicyTable& table) {
  table.add({.name = "action-ucb",
             .summary = "UCB-V over whole actions, blind to single items",
             .source = "Audibert, Munos and Szepesvari, 2009",
             .make = [](ActionSet actions, const PolicyOptions& options) -> std::unique_ptr<Policy> {
               return std::make_unique<ActionUcb>(std::move(actions), options);
             },
             .needs_every_action = true});
}

}  // namespace frugal::bandit
