// A team of threads that takes numbered items from a queue. Waiting is passive, so a busy neighbour process costs its
// share of the cores and no more (spinning teams lose a factor of 3 to 20 there).
//
// Beside a neighbour another thing costs more than its share: it displaces a thread for a slice of some milliseconds in
// the middle of an item, and the others, done with the round, sleep and leave it their cores, too. So while the machine
// is crowded helpers make a team of up to 8 three times as large, and each core keeps its three: the scheduler leaves a
// core to one of them while another waits, and does not gather the team on one core (measured on two cores:
// docs/performance.md). Where rounds are short, as for one token, a displaced thread is rare and waking helpers costs
// more than it saves (half of the tokens a second), and where there is no more than an item for each of the team they
// have nothing to take, so they stay away. So they do from larger teams: of many cores a neighbour takes a small part.
#pragma once
#include <atomic>
#include <chrono>
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
  // What a team does while other processes compete for its cores. `is_crowded` is asked by the caller of run(), before
  // a round, unless rounds are short or the last change was less than `hold` ago.
  struct Crowd {
    std::function<bool()> is_crowded;  // empty: the machine is taken as its own
    double least_round = 1.5e-3;       // seconds that rounds take on average for helpers to come; they stay from half
    double hold = 0.5;                 // seconds from a change to the next
  };

  // count >= 1, the caller's thread included. start: called first in each thread, the caller's too. Error(Exit::usage)
  // where the system starts fewer threads.
  explicit Threads(int count, std::function<void()> start = {}) : Threads(count, std::move(start), Crowd{}) {}
  Threads(int count, std::function<void()> start, Crowd crowd);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  int count() const { return count_; }
  int slots() const { return slots_; }  // that `thread` below stays under: count and the helpers there may be
  // Of the team now, helpers that did not start left out. For the caller of run().
  int members() const { return is_crowded_ ? static_cast<int>(workers_.size()) + 1 : count_; }

  // Calls work(item, thread) once for each item in [0, items); thread in [0, slots()). Returns when all are done. Which
  // thread takes which item is open, so an item's result may depend on the item alone. Rethrows the first exception.
  // Not reentrant.
  using Work = std::function<void(std::int64_t item, int thread)>;
  void run(std::int64_t items, const Work& work);

 private:
  void add(int until);  // workers, so that the team has `until` members; fewer helpers where the system gives no more
  void stop();
  void follow_crowd();
  void set_crowded(bool is_crowded);
  void share(std::int64_t items, const Work& work, bool is_helped);
  void serve(int thread, std::uint64_t seen);
  void take_items(const Work& work, int thread);

  const int count_, slots_;
  const std::function<void()> start_;
  const Crowd crowd_;
  bool is_crowded_ = false;
  std::vector<int> cpus_;  // of the caller at the last change; in a crowd a member stays on one of them, in turn
  double mean_round_ = 0;  // seconds, of the last rounds
  std::chrono::steady_clock::time_point changed_{};  // none yet
  std::vector<std::thread> workers_;                 // member i + 1
  std::mutex mutex_;
  std::condition_variable wake_, wake_helpers_, done_;
  const Work* work_ = nullptr;
  std::int64_t items_ = 0;
  std::atomic<std::int64_t> next_{0};
  std::atomic<std::uint64_t> round_{0};
  std::atomic<int> active_{0};  // workers inside the current round; one that wakes after its end is not waited for
  bool is_helped_ = false;      // the current round
  bool stop_ = false;
  std::exception_ptr error_;
};

}  // namespace frugal
