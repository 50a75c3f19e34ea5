// The door of a room's library: one function that the program looks up by name.
#include <unistd.h>

#include <string>

#include "frugal/base/handed.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/log.h"
#include "frugal/base/report_error.h"
#include "frugal/train/loop/loop.h"

namespace frugal {
namespace {

int run(const std::string& action, const Json& request) {
  const Json settings = request.value("settings", Json::object());
  catch_interrupts();
  set_quiet(settings.value("quiet", false));
  JobTable table;
  register_room(table);
  const Json facts = request.value("facts", Json::object());
  if (const auto* make = table.find_job(action))
    return run_job(*make, {action, settings, facts, request.value("leg", Json::object())});
  if (constexpr std::string_view kMeasure = "measure "; action.starts_with(kMeasure)) {
    if (const auto* make = table.find_job(action.substr(kMeasure.size()))) {
      const std::uint64_t peak = measure_job(*make, {action.substr(kMeasure.size()), settings, facts});
      return ::write(request["pipe"].get<int>(), &peak, sizeof peak) == sizeof peak ? 0 : 1;
    }
  }
  if (const auto* compute = table.find_action(action)) return (*compute)(settings);
  throw Error(Exit::internal, "'" + action + "' is not in the library, which has: " + table.names(),
              "register it under this name in its folder's torch/, or build program and library together: make build");
}

}  // namespace
}  // namespace frugal

// request: {"settings": what the command line resolved, "facts": for the record of a run, "leg": see RunRequest}; of
// "measure ACTION" "pipe", too, which takes the peak in bytes. from_program: what its check has read (base/handed.h).
// Prints the result or the error; returns the exit code.
extern "C" __attribute__((visibility("default"))) int frugal_room_run(const char* action, const frugal::Json* request,
                                                                      frugal::Handed* from_program) {
  frugal::take_over(*from_program);
  try {
    return frugal::run(action, *request);
  } catch (...) {
    const frugal::Json settings =
        request->is_object() ? request->value("settings", frugal::Json::object()) : frugal::Json::object();
    return frugal::report_exception(settings.value("json", false));
  }
}
