// How busy other processes keep the cores that this one may run on.
#pragma once
#include <chrono>
#include <string>
#include <vector>

namespace frugal {

// Seconds that these processors have computed since the machine started, for processes that are not niced and for the
// kernel. stat: the text of /proc/stat (proc(5)); -1 where a processor's line is missing or is not what proc(5) says.
double computed_seconds(const std::string& stat, const std::vector<int>& cpus, double ticks_per_second);

// Whether others keep a good part of a core. all: seconds computed by everyone, own: by this process, in so many
// seconds on the clock; was_busy: the answer before. It begins above 0.35 cores, since a process that competes with one
// thread for a core takes a half, and ends at 0.15, since one that competes with three still takes a quarter.
bool others_compute(double all, double own, double seconds, bool was_busy);

// Cores that other processes have computed on, from what the kernel has counted between two looks.
class Neighbours {
 public:
  Neighbours();
  // Whether they take a good part of a core. The answer of the last look, with a new one every half second: cheap
  // enough to ask thousands of times a second; false after five seconds without a question, whose mean says nothing of
  // now. false where the kernel does not say, where this process is niced, so that it makes way, and where a control
  // group limits its time, which more threads only use up.
  bool are_busy();

 private:
  struct Look {
    std::chrono::steady_clock::time_point at;
    double all = -1, own = 0;  // seconds computed: on the cores, by this process
  };
  Look look() const;

  std::vector<int> cpus_;  // empty: never busy
  Look last_;
  bool are_busy_ = false;
};

}  // namespace frugal
