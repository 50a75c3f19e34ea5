// How the program ends on an exception: one `error:` and one `fix:` line on stderr, or one JSON object on stdout, and
// the exit code.
#pragma once
#include <sys/resource.h>

#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <string_view>
#include <system_error>

#include "frugal/base/error.h"
#include "frugal/base/handed.h"
#include "frugal/base/json.h"
#include "frugal/base/log.h"

namespace frugal {

inline constexpr const char *kNoMemory = "there is no memory left, or the process may not take more (ulimit -v)",
                            *kNoMemoryFix = "close other programs, or allow more; frugal plan says what fits";

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

// Whether the system refuses memory before there is none (ulimit -v): what goes wrong in a library is then of that.
inline bool is_address_space_limited() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

// For use inside a catch block.
inline int report_exception(bool json) {
  try {
    throw;
  } catch (const Error& error) {
    return report_error(error.code(), error.what(), error.fix(), json);
  } catch (const std::filesystem::filesystem_error& error) {
    return report_error(Exit::input, error.what(), "check the disk, and that you may write there", json);
  } catch (const std::bad_alloc&) {
    return report_error(Exit::budget, kNoMemory, kNoMemoryFix, json);
  } catch (const std::system_error& error) {  // of a thread that cannot be started
    const bool is_short =
        error.code() == std::errc::resource_unavailable_try_again || error.code() == std::errc::not_enough_memory;
    return is_short ? report_error(Exit::budget, kNoMemory, kNoMemoryFix, json)
                    : report_error(Exit::internal, std::string("internal: ") + error.what(),
                                   "this is a bug; please report it with the command line", json);
  } catch (const nlohmann::json::exception& error) {
    const std::string& run = handed().record;
    if (run.empty())
      return report_error(Exit::internal, std::string("internal: ") + error.what(),
                          "this is a bug; please report it with the command line", json);
    return report_error(Exit::input, "a value in the record of " + run + " is not what it should be: " + error.what(),
                        "the run's folder is damaged; copy it again, or start a new run", json);
  } catch (const std::exception& error) {
    const bool is_short = std::string_view(error.what()).find("can't allocate memory") != std::string_view::npos;
    if (is_short || is_address_space_limited())  // what LibTorch says, and what oneDNN may say
      return report_error(Exit::budget, std::string(kNoMemory) + ": " + error.what(), kNoMemoryFix, json);
    return report_error(Exit::internal, std::string("internal: ") + error.what(),
                        "this is a bug; please report it with the command line", json);
  } catch (...) {
    return report_error(Exit::internal, "internal: unknown exception",
                        "this is a bug; please report it with the command line", json);
  }
}

}  // namespace frugal
