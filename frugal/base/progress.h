// Progress of anything that takes longer than two seconds, on stderr:
//    20.6% 412/2000  2.20 it/s  ETA 12:01  loss 0.5127  mem 3.00 GiB
// Redrawn in place on a terminal; elsewhere one plain line every 30 s. Silent when quiet.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace frugal {

// The line itself, without the end. rate in items a second, 0: unknown. `more` is put at the end as it stands.
std::string progress_line(std::uint64_t done, std::uint64_t all, double rate, std::string_view unit,
                          std::string_view more);

class Progress {
 public:
  // start: items done before this process (a resumed run), which do not count in the rate.
  explicit Progress(std::uint64_t all, std::string unit = "it", std::uint64_t start = 0);
  ~Progress();  // ends the redrawn line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(std::uint64_t done, std::string_view more = {});

 private:
  using Clock = std::chrono::steady_clock;
  std::uint64_t all_, start_;
  std::string unit_;
  Clock::time_point began_, drawn_;
  bool is_open_ = false;  // a line is on the terminal without its end
};

}  // namespace frugal
