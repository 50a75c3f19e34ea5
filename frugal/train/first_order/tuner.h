// First-order tuning: any parametrisation, by AdamW or SGD, all of it at once or in blocks that take turns.
#pragma once
#include <functional>
#include <memory>
#include <optional>

#include "frugal/base/threads.h"
#include "frugal/train/config/first_order.h"
#include "frugal/train/first_order/gradient_buffers.h"
#include "frugal/train/first_order/optimizer.h"
#include "frugal/train/first_order/residuals.h"
#include "frugal/train/objective/objective.h"
#include "frugal/train/tuner.h"

namespace frugal {

// What a run and its plan decide beside the settings.
struct FirstOrderRun {
  std::uint64_t seed = 1;
  bool keeps_activations = false;  // see Tape
  bool keeps_residuals = false;    // what bf16 weights lose of their masters comes back at a block's next turn
  std::vector<double> likely_rates = {3e-6, 1e-5, 3e-5, 1e-4};
};

// Blocks of parameters that take turns: block(step) is trained in a step, with an optimiser state of its own that
// begins anew.
struct BlockSchedule {
  std::vector<std::vector<std::size_t>> blocks;  // indices of parameters, none in two
  std::vector<std::string> names;
  std::vector<std::size_t> always;  // parameters trained beside every block
  bool resets_always = false;       // their state begins anew with every block
  std::function<std::size_t(std::uint64_t step)> active;
  std::function<std::uint64_t(std::uint64_t step)> turn;  // rises by 1 where state begins anew
};

class FirstOrderTuner : public Tuner {
 public:
  // objective null: no steps are taken. Without a schedule all parameters are trained all the time.
  FirstOrderTuner(std::unique_ptr<Parametrisation> what, Threads& threads, Objective* objective,
                  const FirstOrderConfig& config, FirstOrderRun run, std::optional<BlockSchedule> schedule = {});
  TuningStep step(std::uint64_t step, double lr, std::span<const std::uint32_t> batch) override;
  const WeightView& view() const override { return what_->view(); }
  std::uint64_t trained() const override { return what_->trained(); }
  std::vector<double> likely_rates() const override { return run_.likely_rates; }
  void restart() override;
  std::vector<NamedBytes> state(std::uint64_t steps) override;
  std::vector<NamedBytes> result() override { return what_->state(); }
  void merged_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const override {
    what_->merged_rows(id, begin, end, out);
  }
  std::optional<LoraAdapter> adapter() const override { return what_->adapter(); }
  std::optional<RowsAdapter> rows_adapter() const override { return what_->rows_adapter(); }

 private:
  void activate(std::uint64_t turn, std::size_t block);
  void activate_for(std::uint64_t step);  // unless its turn has begun
  void retire(std::unique_ptr<Optimizer>& optimizer);
  std::unique_ptr<Optimizer> fresh(const std::vector<std::size_t>& members);
  GradientBuffers& gradients(bool by_layer);
  double squared_norm(const GradientBuffers& gradients, std::span<const std::size_t> parameters) const;

  std::unique_ptr<Parametrisation> what_;
  Threads& threads_;
  Objective* objective_;
  const FirstOrderConfig config_;
  const FirstOrderRun run_;
  std::optional<BlockSchedule> schedule_;
  std::optional<std::uint64_t> turn_;
  std::vector<std::size_t> active_;
  std::unique_ptr<Optimizer> optimizer_, always_;  // of the block; of the parameters that are always active
  std::unique_ptr<Residuals> residuals_;           // null: none are kept
  std::unique_ptr<GradientBuffers> buffers_;
  bool buffers_by_layer_ = false;
};

}  // namespace frugal
