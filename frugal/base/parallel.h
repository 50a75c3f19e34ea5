// Numbered, independent pieces of work on plain threads.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "frugal/base/processor.h"

namespace frugal {

inline int threads_or_cores(std::int64_t asked) {  // 0: one a core
  return static_cast<int>(asked > 0 ? asked : usable_cores());
}

// Calls work(i) once for each i in [0, count), from `threads` threads (at least one). The first exception ends it and
// is thrown again.
template <class Work>
void in_parallel(std::int64_t count, int threads, const Work& work) {
  std::atomic<std::int64_t> next = 0;
  std::exception_ptr failed;
  std::mutex mutex;
  const auto serve = [&] {
    try {
      for (std::int64_t i = next++; i < count; i = next++) work(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failed) failed = std::current_exception();
      next = count;
    }
  };
  std::vector<std::jthread> others;
  for (std::int64_t k = 1; k < std::min<std::int64_t>(threads, count); ++k) others.emplace_back(serve);
  serve();
  others.clear();  // joins
  if (failed) std::rethrow_exception(failed);
}

}  // namespace frugal
