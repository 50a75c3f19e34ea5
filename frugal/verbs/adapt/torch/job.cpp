// The job of frugal adapt: that of tune, and the tuned model written at the end.
#include "frugal/base/log.h"
#include "frugal/base/units.h"
#include "frugal/train/loop/job_table.h"
#include "frugal/verbs/adapt/config.h"
#include "frugal/verbs/common/model_out.h"
#include "frugal/verbs/torch/tune_job.h"
#include "frugal/verbs/torch/write_model.h"

namespace frugal {
namespace {

class AdaptJob : public TuneJob {
 public:
  AdaptJob(const Json& settings, const JobContext& context)
      : TuneJob(settings, context), dtype_(from_json<AdaptConfig>(settings).dtype) {}

  // Of the best step where there is one.
  Finished finish(Ending& ending) override {
    Finished finished = TuneJob::finish(ending);
    if (ending.best && ending.best->step != ending.steps) ending.restore(ending.best->step);
    const std::string out = model_of_run(ending.folder.path());
    write_model_of_run(
        ending.folder.path(), source(),
        [&](std::size_t id, std::int64_t begin, std::int64_t end, float* to) {
          tuner().merged_rows(id, begin, end, to);
        },
        dtype_, out);
    finished.results["model"] = out;
    finished.results["file_bytes"] = ModelSource::open(out)->file_bytes();
    return finished;
  }
  std::string closing(const Json& results, const RunFolder& folder) const override {
    const auto model = results["model"].get<std::string>();
    return training_lines(results, folder) + "model     " + model + ", " +
           format_bytes(results["file_bytes"].get<std::uint64_t>()) + "\nnext      frugal eval " + model +
           " --text test.txt\n";
  }

 private:
  const std::string dtype_;
};

}  // namespace

void register_torch_job_verbs_adapt(JobTable& table) {
  table.raw_job("adapt", [](const Json& settings, const JobContext& context) -> std::unique_ptr<Job> {
    validate_tune_settings(settings);
    return std::make_unique<AdaptJob>(settings, context);
  });
}

}  // namespace frugal
