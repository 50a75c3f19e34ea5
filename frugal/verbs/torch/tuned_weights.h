// What a run or an adapter makes of a model, laid over its weights: used as it is, or written as a plain model.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "frugal/base/json.h"
#include "frugal/train/parametrisation/parametrisation.h"
#include "frugal/train/run/trajectory.h"
#include "frugal/train/tuner.h"

namespace frugal {

class Session;

class TunedWeights {
 public:
  // from: a run of tune or adapt, a zeroth-order run's log of steps (.bin), a PEFT adapter's folder, or trained rows. A
  // run that changed whole weights changes those of the session. step: -1: the run's best, else its last.
  // Error(Exit::input): the model is not the one that the run began with, or the run is damaged. Error(Exit::usage):
  // the run has no such step, or changed weights of another type than the session's.
  TunedWeights(Session& session, const std::filesystem::path& from, std::int64_t step = -1);

  ~TunedWeights();
  const WeightView& view() const { return tuner_ ? tuner_->view() : parts_->view(); }
  // Rows as a plain model has them.
  void merged_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const;
  std::optional<LoraAdapter> adapter() const { return tuner_ ? tuner_->adapter() : parts_->adapter(); }
  std::optional<RowsAdapter> rows_adapter() const { return tuner_ ? tuner_->rows_adapter() : parts_->rows_adapter(); }
  bool changes_weights() const { return !adapter() && !rows_adapter(); }  // the session's own

  bool is_run() const { return tuner_ != nullptr; }
  std::int64_t step() const { return step_; }    // of a run
  std::int64_t steps() const { return steps_; }  // that it took
  const std::string& sha256() const;             // of what the run trained

 private:
  void reach(const std::filesystem::path& run);
  std::unique_ptr<Parametrisation> parts_;  // of an adapter alone
  Json record_ = Json::object();            // of a run's folder
  Json chosen_;                             // by the method when the run began
  std::unique_ptr<Trajectory> trajectory_;  // of a run whose steps repeat
  std::unique_ptr<Tuner> tuner_;
  std::int64_t step_ = 0, steps_ = 0;
  mutable std::string sha256_;  // once it was asked for: all weights may go through it
};

// The type of weights that a run trained with; of an adapter alone "stored": any.
std::string weights_of_run(const std::filesystem::path& from);

}  // namespace frugal
