// `swarm train` as a job of the loop: a step is an epoch, or a fixed part of one where the network is large.
#pragma once
#include <limits>
#include <memory>

#include "frugal/nn/modules/trained_parameters.h"
#include "frugal/signals/swarm/model_card.h"
#include "frugal/signals/swarm/torch/classifier.h"
#include "frugal/signals/swarm/torch/data.h"
#include "frugal/signals/swarm/torch/measure.h"
#include "frugal/train/loop/job.h"

namespace frugal::swarm {

class TrainJob : public Job {
 public:
  TrainJob(const TrainConfig& config, const JobContext& context);  // simulates the engagements

  // At most --epochs epochs. An early stop makes it smaller; steps behind it change nothing.
  std::int64_t steps() const override;
  StepResult step(std::int64_t index) override;
  void state(State& state, std::int64_t steps) override;
  Json evaluate(std::int64_t step, Figures& figures) override;  // on the validation set
  Finished finish(Ending& ending) override;                     // with the weights of the best epoch, on the test set
  Json describe(Json& settings) override;
  std::string snapshot_type() const override { return "f32"; }
  StepUnit step_unit() const override { return {.name = "epoch", .per = parts_}; }
  std::string closing(const Json& results, const RunFolder& folder) const override;
  std::string divergence_fix() const override { return "start again with a smaller --lr"; }

  std::int64_t parts() const { return parts_; }  // steps an epoch
  std::int64_t parameters() const { return trained_->count(); }

 private:
  // All that is not weights; numbers alone, so that it is saved as it lies.
  struct Position {
    std::int64_t updates = 0;  // of Adam
    std::int64_t epochs = 0;   // whole ones
    std::int64_t best_epoch = 0, waited = 0, has_stopped = 0;
    double best_loss = std::numeric_limits<double>::infinity(), best_accuracy = 0;
    double validation_loss = 0, validation_accuracy = 0;  // after the last epoch
    double sum = 0, seen = 0;                             // training loss of this epoch so far
  };
  struct Part {
    torch::Tensor x, labels;
  };
  Part part(const std::vector<std::int64_t>& of) const;
  void look_up_order(std::int64_t epoch);
  double train_batch(std::int64_t epoch, std::int64_t batch);
  void end_epoch();
  std::string more_options() const;
  void draw_figures(const Measured& test, Figures& figures) const;

  TrainConfig config_;
  std::uint64_t seed_;
  int threads_;
  Data data_;
  ModelCard card_;
  std::shared_ptr<tsc::Classifier> classifier_;
  std::unique_ptr<TrainedParameters> trained_;
  Part validation_;
  std::int64_t batches_ = 0, parts_ = 1;
  std::vector<std::int64_t> order_;
  std::int64_t ordered_epoch_ = -1;
  Position at_;
};

}  // namespace frugal::swarm
