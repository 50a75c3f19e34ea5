#include "frugal/base/neighbours.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "frugal/base/processor.h"
#include "frugal/base/time_quota.h"

namespace frugal {
namespace {

constexpr std::chrono::milliseconds kEvery{500}, kStale{5000};
constexpr double kBusy = 0.35, kQuiet = 0.15;  // cores: above what short work of the system takes

}  // namespace

double computed_seconds(const std::string& stat, const std::vector<int>& cpus, double ticks_per_second) {
  std::set<int> missing(cpus.begin(), cpus.end());
  double ticks = 0;
  std::istringstream in(stat);
  for (std::string line; std::getline(in, line) && line.starts_with("cpu");) {
    std::istringstream fields(line.substr(3));
    int cpu = -1;
    double user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0;
    if (line.starts_with("cpu ") || !(fields >> cpu) || missing.erase(cpu) == 0) continue;
    if (!(fields >> user >> nice >> system >> idle >> iowait >> irq >> softirq)) return -1;
    ticks += user + system + irq + softirq;
  }
  return missing.empty() && ticks_per_second > 0 ? ticks / ticks_per_second : -1;
}

bool others_compute(double all, double own, double seconds, bool was_busy) {
  return seconds > 0 && (all - own) / seconds > (was_busy ? kQuiet : kBusy);
}

Neighbours::Neighbours()
    : cpus_(::getpriority(PRIO_PROCESS, 0) > 0 || has_time_quota() ? std::vector<int>() : usable_cpus()),
      last_(look()) {}

Neighbours::Look Neighbours::look() const {
  Look now{std::chrono::steady_clock::now()};
  std::ifstream in("/proc/stat");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  now.all = computed_seconds(text, cpus_, static_cast<double>(::sysconf(_SC_CLK_TCK)));
  timespec own{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
  now.own = static_cast<double>(own.tv_sec) + 1e-9 * static_cast<double>(own.tv_nsec);
  return now;
}

bool Neighbours::are_busy() {
  if (cpus_.empty() || last_.all < 0) return false;
  const auto age = std::chrono::steady_clock::now() - last_.at;
  if (age < kEvery) return are_busy_;
  const Look now = look();
  const std::chrono::duration<double> seconds = now.at - last_.at;
  are_busy_ = age < kStale && now.all >= 0 &&
              others_compute(now.all - last_.all, now.own - last_.own, seconds.count(), are_busy_);
  last_ = now;
  return are_busy_;
}

}  // namespace frugal
