#include "frugal/signals/swarm/torch/evaluate.h"
#include "frugal/signals/swarm/torch/train_job.h"
#include "frugal/train/loop/job_table.h"

namespace frugal {

void register_torch_job_signals_swarm(JobTable& table) {
  using namespace swarm;
  table.job<TrainConfig>("swarm train", [](const TrainConfig& config, const JobContext& context) {
    return std::make_unique<TrainJob>(config, context);
  });
  table.action<EvaluateConfig>("swarm evaluate", [](const EvaluateConfig& config) { return run_evaluate(config); });
}

}  // namespace frugal
