// Policies whose index of an action a is  v(a) + f_t sqrt(Q(a)),  v(a) = sum mu^_i,  Q(a) = sum_ij W_ij over a: the
// search for the best action, and what these policies share. d: items, m: the most of an action, P: actions.
#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "frugal/decide/bandit/policy.h"

namespace frugal::bandit {

// The action with the largest index while means and weights change a few rows at a time.
//
// Each action keeps v and sqrt(Q) as they were when it was last scored. A change of rows can raise v by at most the sum
// of what the means rose by, and Q by at most E = sum over the rows of (rise of W_ii + (m - 1) largest rise of 2 W_ij);
// sqrt(Q) then rises by at most min(sqrt(E), E / (2 sqrt(least Q))). These drifts are summed up for all actions
// together, so that kept value + drift is an upper bound, and only actions whose bound reaches the best index found are
// scored again, by the same arithmetic as if all were. The result is that of scoring all of them, to the bit. Blocks of
// actions keep their largest value, so that most are not looked at either. A round costs P / 32 comparisons and a few
// scores instead of P m^2. Memory: 8 (d^2 + d) + 17 P bytes.
class QuadraticIndex {
 public:
  explicit QuadraticIndex(const ActionTable& actions);

  std::vector<double> mean;     // [d] mu^
  std::vector<double> weights;  // [d, d] W, symmetric

  void score_all();  // after any change
  // After changes of mean[i] and of row and column i of weights for i in items; before: how they were, mean [d] and
  // rows [items, d]. Weights of two of the items may count for both.
  void rows_changed(std::span<const std::int32_t> items, std::span<const double> mean_before,
                    std::span<const double> rows_before);
  // The action with the largest index; of equal ones the first. f >= 0. likely: looked at first, any action.
  std::uint32_t best(double f, std::uint32_t likely);
  std::uint32_t best_of_all(double f) const;                     // by scoring every action
  double value(std::span<const std::int32_t> action) const;      // v
  double quadratic(std::span<const std::int32_t> action) const;  // Q, at least 0
  std::uint64_t scored() const { return scored_; }               // actions that best() scored so far

 private:
  static constexpr std::size_t kBlock = 32;
  // Of so many actions: the largest kept value when they were looked at last, at this f, and the largest |sqrt(Q)| that
  // was kept, by which it can have grown for every change of f. Not looked at yet: any value is possible.
  struct Block {
    double most = std::numeric_limits<double>::infinity(), f = 0, root = 0;
  };
  double rescore(std::uint32_t action, double f);
  const ActionTable& actions_;
  std::size_t d_;
  std::vector<double> v_, root_;  // [P] less the drift at the time of scoring
  std::vector<double> change_;
  std::vector<Block> blocks_;
  double drift_v_ = 0, drift_root_ = 0, least_q_ = 0;
  std::uint64_t scored_ = 0;
};

class QuadraticPolicy : public Policy {
 public:
  QuadraticPolicy(ActionSet actions, const PolicyOptions& options, bool has_pairs, const std::string& name);

  double quadratic(std::span<const std::int32_t> action);  // Q of this round; items never played count for 0
  virtual double radius(std::int64_t t) const = 0;         // f_t
  double bonus(std::span<const std::int32_t> action);      // f_t sqrt(Q)
  std::uint64_t scored() const { return index_.scored(); }

 protected:
  // row[j] = W_ij for all j, 0 for items never played together. t: the round that time-dependent widths are taken at.
  virtual void fill_row(std::int32_t i, std::int64_t t, double* row) const = 0;
  virtual bool depends_on_time() const { return false; }
  bool explore(Items& action) override;
  void choose(Items& action) override;
  void learn(std::span<const std::int32_t> items, std::span<const double> rewards) override;
  void forget() override;

 private:
  void fill_all();
  void freeze(std::int64_t t);
  void prepare();  // weights for this round
  bool explore_pairs(Items& action);
  const ActionTable& table_;
  QuadraticIndex index_;
  bool is_filled_ = false;
  // Widths that grow with time are those of this round: the first after now of 1, 2, 3, ..., each 5 % further, so that
  // they are upper bounds and rows change only with their items in between.
  std::int64_t frozen_until_ = 1;
  std::uint32_t last_ = 0;  // the action played last
  std::vector<double> mean_before_, rows_before_;
  int most_new_ = 0;            // initial exploration: no action has more pairs that were not played
  std::uint32_t searched_ = 0;  // no action before this one has as many
};

}  // namespace frugal::bandit
