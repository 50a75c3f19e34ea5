// CUCB (Chen, Wang and Yuan, ICML 2013): a bonus for every item by itself, and a linear oracle.
#include <cmath>

#include "frugal/decide/bandit/policy.h"

namespace frugal::bandit {
namespace {

// Item i scores mu^_i + B sqrt(1.5 log t / n_i).
class Cucb : public Policy {
 public:
  Cucb(ActionSet actions, const PolicyOptions& options)
      : Policy(std::move(actions), options, false), scores_(static_cast<std::size_t>(this->actions().items())) {}

 protected:
  void choose(Items& action) override {
    const double width = 1.5 * log_round(round());
    for (std::int32_t i = 0; i < statistics().items(); ++i)
      scores_[static_cast<std::size_t>(i)] =
          statistics().mean(i) + options().range * std::sqrt(width / statistics().plays(i));
    actions().best(scores_, action);
  }

 private:
  std::vector<double> scores_;
};

}  // namespace

void add_cucb(PolicyTable& table) {
  table.add({.name = "cucb",
             .summary = "optimism by a bound for each item alone",
             .source = "Chen, Wang and Yuan, ICML 2013",
             .make = [](ActionSet actions, const PolicyOptions& options) -> std::unique_ptr<Policy> {
               return std::make_unique<Cucb>(std::move(actions), options);
             }});
}

}  // namespace frugal::bandit
