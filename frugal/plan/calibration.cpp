#include "frugal/plan/calibration.h"

#include "frugal/plan/sizes.h"

namespace frugal {
using namespace plan_sizes;  // NOLINT: private to this folder

MachineRates fit_rates(const MeasuredSteps& m) {
  MachineRates rates = m.few.rates;
  const double threads = number(at_least_one(m.few.threads));
  const double flops_many = forward_flops(m.many), flops_few = forward_flops(m.few), weights = panel_weights(m.few);
  double& flops = m.few.bf16_compute ? rates.bf16_flops : rates.f32_flops;
  const double rate = (flops_many - flops_few) / ((m.forward_many - m.forward_few) * threads);
  if (!(rate > 0) || !(m.forward_many > m.forward_few)) return rates;
  flops = rate;
  // What is left of a small forward is the weights' part; where products explain all of it, a hundredth.
  const double left = std::max(m.forward_few * threads - flops_few / rate, 0.01 * m.forward_few * threads);
  rates.plain_weights = weights / left;
  const double all = number(Sizes(m.few.shape).matrices()), share = rates.update_weights / rates.panel_weights;
  const double beside = m.zeroth_order_few * threads - 2 * flops_few / rate;
  if (beside > 0) {
    rates.panel_weights = (weights + all / share) / beside;
    rates.update_weights = share * rates.panel_weights;
  }
  return rates;
}

}  // namespace frugal
