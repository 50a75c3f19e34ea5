// frugal doctor --calibrate: three steps measured on a model give the rates that plans are made with.
#include <algorithm>
#include <cstdio>

#include "frugal/base/processor.h"
#include "frugal/plan/calibration.h"
#include "frugal/tune/registry.h"
#include "frugal/verbs/bench/torch/machine.h"
#include "frugal/verbs/torch/measure_step.h"
#include "frugal/verbs/torch/session.h"

namespace frugal {

int run_calibrate(const Json& settings) {
  const auto model = settings["model"].get<std::string>();
  PlanRequest request;
  request.shape = ModelSource::open(model)->shape();
  request.threads = settings.value("threads", std::int64_t{0});
  if (request.threads == 0) request.threads = usable_cores();
  request.bf16_compute = computes_in_bf16();
  request.rates = machine_rates();
  request.all_tokens = true;
  const auto of = [&](std::int64_t batch, std::int64_t length) {
    PlanRequest sized = request;
    sized.batch = batch;
    sized.length = request.shape.context > 0 ? std::min(length, request.shape.context) : length;
    return sized;
  };
  MeasuredSteps measured{.many = of(8, 128), .few = of(1, 32)};
  const auto seconds = [&](const PlanRequest& step, const char* method) {
    Json chosen = Json::object();
    if (const MethodInfo* info = methods().find(method)) {
      for (const FieldInfo& field : info->fields) chosen[std::string(field.field.name)] = field.initial;
    }
    MeasuredStep one{.model = model, .method = method, .batch = step.batch, .length = step.length, .repeats = 5};
    one.compute.threads = step.threads;
    return measure_step(one, chosen)["seconds_median"].get<double>();
  };
  measured.forward_many = seconds(measured.many, "forward");
  measured.forward_few = seconds(measured.few, "forward");
  measured.zeroth_order_few = seconds(measured.few, "mezo");
  const MachineRates rates = fit_rates(measured);
  store_rates(rates);
  if (settings.value("json", false)) {
    Json line = rates_json(rates);
    line["file"] = rates_file().string();
    print_line(line.dump());
    return 0;
  }
  std::printf(
      "products  %.0f GFLOP/s a thread (%s)\nweights   %.2f G/s read, %.2f G/s perturbed, %.2f G/s updated\nwrote     "
      "%s\n",
      (request.bf16_compute ? rates.bf16_flops : rates.f32_flops) / 1e9, request.bf16_compute ? "bf16" : "f32",
      rates.plain_weights / 1e9, rates.panel_weights / 1e9, rates.update_weights / 1e9, rates_file().c_str());
  return 0;
}

}  // namespace frugal
