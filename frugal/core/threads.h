// A team of threads that takes numbered items from a queue. Waiting is passive, so a busy neighbour process costs its
// share of the cores and no more (spinning teams lose a factor of 3 to 20 there).
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace frugal {

class Threads {
 public:
  // count >= 1, the caller's thread included. start: called first in each thread, the caller's too.
  explicit Threads(int count, std::function<void()> start = {});
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  int count() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls work(item, thread) once for each item in [0, items); thread in [0, count()). Returns when all are done. Which
  // thread takes which item is open, so an item's result may depend on the item alone. Rethrows the first exception.
  // Not reentrant.
  using Work = std::function<void(std::int64_t item, int thread)>;
  void run(std::int64_t items, const Work& work);

 private:
  void serve(int thread);
  void take_items(const Work& work, int thread);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const Work* work_ = nullptr;
  std::int64_t items_ = 0;
  std::atomic<std::int64_t> next_{0};
  std::atomic<std::uint64_t> round_{0};
  std::atomic<int> active_{0};  // workers inside the current round; one that wakes after its end is not waited for
  bool stop_ = false;
  std::exception_ptr error_;
};

}  // namespace frugal
