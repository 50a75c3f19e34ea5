// What of bench is no step: rates of the machine, for a roofline and for plans.
#pragma once
#include "frugal/verbs/bench/config.h"

namespace frugal {

int run_bench_machine(const MachineConfig& config);
int run_calibrate(const Json& settings);  // {"model", "threads", "json"}: of frugal doctor --calibrate

}  // namespace frugal
