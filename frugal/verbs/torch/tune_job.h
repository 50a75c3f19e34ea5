// frugal tune as a job: a method's tuner over a model and its data.
#pragma once
#include <limits>
#include <memory>

#include "frugal/data/batcher.h"
#include "frugal/train/config/step.h"
#include "frugal/train/loop/job.h"
#include "frugal/train/tuner.h"
#include "frugal/verbs/common/tune_config.h"
#include "frugal/verbs/torch/session.h"
#include "frugal/verbs/torch/tune_data.h"
#include "frugal/verbs/torch/tune_summary.h"

namespace frugal {

class TuneJob : public Job, private Replay {
 public:
  TuneJob(const Json& settings, const JobContext& context);
  std::int64_t steps() const override { return config_.steps; }
  StepResult step(std::int64_t index) override;
  void state(State& state, std::int64_t steps) override {
    for (NamedBytes& part : tuner_->state(static_cast<std::uint64_t>(steps))) state.bytes(part.name, part.bytes);
  }
  Json evaluate(std::int64_t step, Figures&) override;
  Finished finish(Ending& ending) override;

  std::optional<Judge> judge() const override {
    if (data_.dev() == nullptr) return {};
    const Objective::Metric metric = data_.metric();
    return Judge{metric.name, metric.is_higher_better};
  }
  Json describe(Json& settings) override;
  void begin(RunFolder& folder, bool is_resumed) override;
  void started(const RunFolder& folder) override;
  std::int64_t patience() const override { return config_.patience; }
  std::string identity() override { return base_sha256_; }
  std::string snapshot_type() const override { return config_.compute.weights; }
  bool restarts() const override { return true; }
  void restart() override { tuner_->restart(); }
  Replay* replay() override { return tuner_->record_size() > 0 ? this : nullptr; }
  double snapshot_seconds() const override { return std::numeric_limits<double>::infinity(); }  // they may be large
  void require_inputs() override;
  std::string budget_fix() const override;
  std::string divergence_fix() const override {
    return "start again with a smaller --lr (it was " + Json(lr_).dump() + ")";
  }
  std::string shown(const Json& evaluation) const override { return shown_metrics(evaluation); }
  std::string closing(const Json& results, const RunFolder& folder) const override {
    return closing_lines(config_.model, results, folder);
  }

 protected:
  const ModelSource& source() const { return *session_.source; }  // of the model the run began with
  const Tuner& tuner() const { return *tuner_; }

 private:
  std::size_t record_size() const override { return tuner_->record_size(); }
  Json header() const override {
    Json header = tuner_->trajectory_header();
    header["base_sha256"] = base_sha256_;
    header["weights"] = config_.compute.weights;
    return header;
  }
  void replay(const StepRecord& record) override {
    tuner_->replay(record.step, static_cast<double>(record.lr), record.gradients);
  }

  std::vector<std::uint32_t> batch(std::int64_t step) const {
    return batcher_->batch(static_cast<std::uint64_t>(step));
  }
  double choose_lr(RunFolder& folder);
  void require_teacher(const Json& record) const;
  std::vector<bool> needed(const RunFolder& folder) const;

  const TuneConfig config_;
  const StepConfig step_;
  Session session_;
  TuneData data_;
  Json chosen_;
  std::string base_sha256_;
  BudgetGuard guard_;
  std::unique_ptr<Tuner> tuner_;
  std::unique_ptr<Batcher> batcher_;
  void watch_rewards(const Json& details);
  double lr_ = 0;
  double chosen_reward_ = NAN;      // of dpo: the mean of the last steps; infinite: it was warned of
  std::int64_t schedule_from_ = 0;  // the step where the schedule began: a leg may have one of its own
};

}  // namespace frugal
