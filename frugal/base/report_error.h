// How the program ends on an exception: one `error:` and one `fix:` line on stderr, or one JSON object on stdout, and
// the exit code.
#pragma once
#include <exception>
#include <iostream>
#include <new>
#include <string>

#include "frugal/base/error.h"
#include "frugal/base/json.h"

namespace frugal {

inline int report_error(Exit code, const std::string& what, const std::string& fix, bool json) {
  const int exit = static_cast<int>(code);
  if (json) {
    const Json report = {{"error", what}, {"fix", fix}, {"exit", exit}};
    std::cout << report.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  } else {
    std::cerr << "error: " << what << "\nfix: " << fix << std::endl;
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
  } catch (const std::exception& error) {
    return report_error(Exit::internal, std::string("internal: ") + error.what(),
                        "this is a bug; please report it with the command line", json);
  } catch (...) {
    return report_error(Exit::internal, "internal: unknown exception",
                        "this is a bug; please report it with the command line", json);
  }
}

}  // namespace frugal
