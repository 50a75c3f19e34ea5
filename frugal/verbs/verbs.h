// The verbs that compute. Each takes the resolved settings the command line made, prints its result, and returns an
// exit code.
#pragma once
#include <string_view>

#include "frugal/base/json.h"
#include "frugal/verbs/session.h"

namespace frugal {

int run_eval(const Json& settings);
int run_tune(const Json& settings);
int run_merge(const Json& settings);
int run_generate(const Json& settings);
int run_chat(const Json& settings);
int run_bench_step(const Json& settings);
int run_bench_machine(const Json& settings);
Json measure_step(const Json& settings);  // what bench step prints as JSON
int run_calibrate(const Json& settings);

void print_line(std::string_view line);  // to stdout, flushed

}  // namespace frugal
