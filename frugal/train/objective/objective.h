// A loss over a data set as methods see it: sums over chosen examples for every branch of a view, and their gradient.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/nn/model/gradients.h"
#include "frugal/nn/model/weight_view.h"

namespace frugal {

class Objective {
 public:
  using Indices = std::span<const std::uint32_t>;
  virtual ~Objective() = default;

  virtual std::size_t size() const = 0;  // examples
  virtual std::vector<std::int32_t> classes()
      const = 0;  // of each example, for balanced batches; all 0 where there are none
  // Terms of the loss of these examples, its mean is sum / terms: examples for label words, target tokens for
  // sequences.
  virtual double terms(Indices examples) const = 0;
  virtual std::size_t forwards(Indices examples) const = 0;  // forward passes they take
  // Sums over the terms, one a branch: cross-entropy in nats; wrong answers.
  virtual std::vector<double> loss_sums(const WeightView& view, Indices examples) = 0;
  virtual std::vector<double> error_sums(const WeightView& view, Indices examples) = 0;
  // The sum of the losses, and to `gradients` the gradient of scale times it. keeps: see Tape. Without a backward pass
  // when the sum is not finite.
  virtual double loss_and_gradients(const WeightView& view, Indices examples, double scale, bool keeps,
                                    Gradients& gradients) = 0;
  // Metrics over all examples, "loss" and "examples" among them; progress under the name `what` after two seconds.
  virtual Json evaluate(const WeightView& view, const std::string& what) = 0;
  // Which of the metrics says that weights are better, and whether more of it is.
  struct Metric {
    std::string name;
    bool is_higher_better = true;
  };
  virtual Metric metric() const = 0;
  // Figures of the losses and gradients since the last call, for a step's event; none by default.
  virtual Json take_details() { return Json::object(); }

  // Called after each forward, or few of them, of what is not a training step: evaluations, answers that are written,
  // references. A guard of the memory, which may throw.
  void set_guard(std::function<void()> guard) { guard_ = std::move(guard); }

 protected:
  void guard() const {
    if (guard_) guard_();
  }

 private:
  std::function<void()> guard_;
};

}  // namespace frugal
