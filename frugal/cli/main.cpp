#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "frugal/base/interrupt.h"
#include "frugal/base/last_words.h"
#include "frugal/base/log.h"
#include "frugal/base/report_error.h"
#include "frugal/cli/config/show_config.h"
#include "frugal/cli/doctor/version.h"
#include "frugal/cli/help.h"
#include "frugal/cli/parse.h"
#include "frugal/cli/run_action.h"

namespace frugal {
namespace {

int run(const std::vector<std::string>& words) {
  if (words.empty()) {
    std::cerr << overview();
    return static_cast<int>(Exit::usage);
  }
  const std::string& first = words.front();
  if (first == "--help" || first == "-h" || (first == "help" && words.size() == 1)) {
    std::cout << overview();
    return 0;
  }
  if (first == "--version") {
    std::cout << "frugal " << version() << '\n';
    return 0;
  }
  const bool asks_help = first == "help";  // frugal help swarm train
  const Asked asked = asked_for({words.begin() + asks_help, words.end()}, asks_help);
  if (is_config_show(asked)) return show_config(asked.arguments);
  const bool wants_help = asks_help || asked.action == nullptr;
  Parsed parsed = wants_help ? Parsed{true, Settings({})} : parse_arguments(asked);
  if (parsed.wants_help) {
    std::cout << help_of(*asked.system, asked.action, parsed.chosen);
    return 0;
  }
  set_quiet(parsed.settings.has("quiet") && parsed.settings.at("quiet").value.get<bool>());
  return asked.action->is_run ? run_of(asked, parsed.settings) : asked.action->run(parsed.settings);
}

// What a file takes whose descriptor is that of a closed stdin, stdout or stderr would be written by everything that
// prints. Of stdout nothing can be written, which is said at the end. A limit of file sizes is an error of the write.
void settle_process() {
  for (const int standard : {0, 1, 2}) {
    if (::fcntl(standard, F_GETFD) >= 0 || errno != EBADF) continue;
    if (::open("/dev/null", standard == 2 ? O_WRONLY : O_RDONLY) != standard) ::_exit(static_cast<int>(Exit::input));
  }
  ::signal(SIGXFSZ, SIG_IGN);
  constexpr rlim_t kLeastFiles = 64;  // with fewer the libraries take other ways without a word
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= kLeastFiles) return;
  const rlim_t given = files.rlim_cur;
  files.rlim_cur = std::min(files.rlim_max, rlim_t{1024});
  if (files.rlim_cur >= kLeastFiles && ::setrlimit(RLIMIT_NOFILE, &files) == 0) return;
  throw Error(
      Exit::input,
      "the process may open " + std::to_string(given) + " files, expected at least " + std::to_string(kLeastFiles),
      "ulimit -n 1024");
}

}  // namespace
}  // namespace frugal

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  frugal::end_with_parent();
  frugal::leave_last_words(json);
  try {
    frugal::settle_process();
    const int code = frugal::run(words);
    errno = 0;
    std::cout.flush();
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout) return code;
    const std::string why = errno != 0 ? std::string(": ") + std::strerror(errno) : "";
    // On stderr even with --json: stdout is what failed.
    return frugal::report_error(frugal::Exit::input, "cannot write all of the output" + why,
                                "check the disk or the program that stdout goes to", false);
  } catch (...) {
    return frugal::report_exception(json);
  }
}
