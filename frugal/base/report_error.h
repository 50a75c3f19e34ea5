// How the program ends on an exception: one `error:` and one `fix:` line on stderr, or one JSON object on stdout, and
// the exit code.
#pragma once
#include <exception>
#include <iostream>
#include <new>
#include <string>

#include "frugal/base/error.h"
#include "frugal/base/handed.h"
#include "frugal/base/json.h"
#include "frugal/base/log.h"

namespace frugal {

inline int report_error(Exit code, const std::string& what, const std::string& fix, bool json) {
  const int exit = static_cast<int>(code);
  if (json) {
    const Json report = {{"error", what}, {"fix", fix}, {"exit", exit}};
    std::cout << report.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  } else {
    write_stderr("error: " + what + "\nfix: " + fix + "\n");
  }
  return exit;
}

// For use inside a catch block.
inline int report_exception(bool json) {
  try {
    throw;
  } catch (const Error& error) {
    return report_error(error.code(), error.what(), error.fix(), json);
  } catch (const std::bad_alloc&) {
    return report_error(Exit::budget, "the machine has no memory left", "see frugal plan for what fits", json);
  } catch (const nlohmann::json::exception& error) {
    const std::string& run = handed().record;
    if (run.empty())
      return report_error(Exit::internal, std::string("internal: ") + error.what(),
                          "this is a bug; please report it with the command line", json);
    return report_error(Exit::input, "a value in the record of " + run + " is not what it should be: " + error.what(),
                        "the run's folder is damaged; copy it again, or start a new run", json);
  } catch (const std::exception& error) {
    return report_error(Exit::internal, std::string("internal: ") + error.what(),
                        "this is a bug; please report it with the command line", json);
  } catch (...) {
    return report_error(Exit::internal, "internal: unknown exception",
                        "this is a bug; please report it with the command line", json);
  }
}

}  // namespace frugal
