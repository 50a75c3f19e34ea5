// The door of libfrugal_torch.so: one function that the program looks up by name.
#include <iostream>
#include <string>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/json_text.h"
#include "frugal/base/log.h"
#include "frugal/base/report_error.h"
#include "frugal/verbs/verbs.h"

namespace frugal {
namespace {

int run(const std::string& verb, const Json& settings) {
  catch_interrupts();
  set_quiet(settings.value("quiet", false));
  if (verb == "eval") return run_eval(settings);
  if (verb == "tune") return run_tune(settings);
  if (verb == "merge") return run_merge(settings);
  if (verb == "generate") return run_generate(settings);
  if (verb == "chat") return run_chat(settings);
  if (verb == "bench")
    return option(settings, "what") == "machine" ? run_bench_machine(settings) : run_bench_step(settings);
  if (verb == "calibrate") return run_calibrate(settings);
  throw Error(Exit::internal, "the verb '" + verb + "' is not in the library",
              "build program and library together: make build");
}

}  // namespace

void print_line(std::string_view line) { std::cout << line << std::endl; }

}  // namespace frugal

// settings_json: what the command line resolved. Prints the result or the error; returns the exit code.
extern "C" __attribute__((visibility("default"))) int frugal_torch_run(const char* verb, const char* settings_json) {
  const frugal::Json settings = frugal::json_of(settings_json);
  try {
    return frugal::run(verb, settings);
  } catch (...) {
    return frugal::report_exception(settings.is_object() && settings.value("json", false));
  }
}
