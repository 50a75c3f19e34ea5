#include "frugal/plan/machine_rates.h"

#include "frugal/base/processor.h"

namespace frugal {

MachineRates machine_rates() {
  MachineRates rates;
  if (has_processor_flag("amx_bf16")) rates.bf16_flops = 300e9;
  return rates;
}

}  // namespace frugal
