// frugal bench step.
#include <cstdio>

#include "frugal/base/units.h"
#include "frugal/train/loop/job_table.h"
#include "frugal/verbs/bench/config.h"
#include "frugal/verbs/bench/torch/machine.h"
#include "frugal/verbs/torch/measure_step.h"
#include "frugal/verbs/torch/session.h"

namespace frugal {
namespace {

int run_bench_step(const Json& settings) {
  const auto c = from_json<BenchConfig>(settings);
  const Json result = measure_step({.model = c.model,
                                    .method = c.method,
                                    .batch = c.batch,
                                    .length = c.length,
                                    .repeats = c.repeats,
                                    .tokens = settings.value("tokens", std::int64_t{0}),
                                    .data = from_json<DataConfig>(settings),
                                    .memory = c.memory,
                                    .compute = c.compute},
                                   settings);
  if (c.output.json) {
    print_line(result.dump());
    return 0;
  }
  const auto seconds = [&](const char* key) { return result[key].get<double>(); };
  const auto size = [&](const char* key) { return format_bytes(result[key].get<std::uint64_t>()); };
  std::printf("%s  median %.3f s  min %.3f s  loss %.4f  peak %s (floor %s, weights %s)\n", c.method.c_str(),
              seconds("seconds_median"), seconds("seconds_min"), seconds("loss"), size("peak_rss_bytes").c_str(),
              size("floor_rss_bytes").c_str(), size("weight_bytes").c_str());
  return 0;
}

}  // namespace

void register_torch_job_verbs_bench(JobTable& table) {
  table.raw_action("bench step", run_bench_step);
  table.raw_action("bench", run_bench_step);
  table.action<MachineConfig>("bench machine", run_bench_machine);
  table.raw_action("doctor calibrate", run_calibrate);
}

}  // namespace frugal
