#include "frugal/train/loop/job_table.h"
#include "frugal/verbs/torch/tune_job.h"

namespace frugal {

void register_torch_job_verbs_tune(JobTable& table) {
  table.raw_job("tune", [](const Json& settings, const JobContext& context) {
    validate_tune_settings(settings);
    return std::make_unique<TuneJob>(settings, context);
  });
}

}  // namespace frugal
