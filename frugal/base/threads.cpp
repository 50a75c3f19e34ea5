#include "frugal/base/threads.h"

#include <pthread.h>
#include <sched.h>

#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "frugal/base/error.h"
#include "frugal/base/processor.h"

namespace frugal {
namespace {
// Before it sleeps a thread looks this often (a few microseconds): the next phase of a layer usually follows at once.
constexpr int kLooks = 200;
// Members in a crowd: beside one neighbour a forward with two takes 1.50 times as long as alone, with three 1.40.
constexpr int kOnACore = 3;
constexpr int kMostHelped = 8;  // members of the largest team that is helped
constexpr double kMean = 32;    // rounds that the mean of their time remembers: some of a step
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Where a thread may run. A refusal leaves it where it was, which costs time and nothing else.
void keep_on(pthread_t thread, const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(cpu, &set);
  if (!cpus.empty()) ::pthread_setaffinity_np(thread, sizeof set, &set);
}

// Keeps the calling thread on a core for a round, and lets it go where it might before: what it does between rounds,
// and whoever it starts there, is not bound.
class KeptOn {
 public:
  explicit KeptOn(const std::vector<int>& cpus) {
    if (!cpus.empty() && ::pthread_getaffinity_np(::pthread_self(), sizeof before_, &before_) == 0) {
      keep_on(::pthread_self(), {cpus.front()});
      is_kept_ = true;
    }
  }
  ~KeptOn() {
    if (is_kept_) ::pthread_setaffinity_np(::pthread_self(), sizeof before_, &before_);
  }
  KeptOn(const KeptOn&) = delete;
  KeptOn& operator=(const KeptOn&) = delete;

 private:
  cpu_set_t before_{};
  bool is_kept_ = false;
};
}  // namespace

Threads::Threads(int count, std::function<void()> start, Crowd crowd)
    : count_(count),
      slots_(crowd.is_crowded && count > 1 && count <= kMostHelped ? kOnACore * count : count),
      start_(std::move(start)),
      crowd_(std::move(crowd)) {
  if (start_) start_();
  try {
    add(count);
  } catch (...) {
    stop();
    throw;
  }
}

Threads::~Threads() { stop(); }

void Threads::add(int until) {
  for (int thread = static_cast<int>(workers_.size()) + 1; thread < until; ++thread) {
    try {
      workers_.emplace_back([this, thread, seen = round_.load()] {
        if (start_) start_();
        serve(thread, seen);
      });
    } catch (const std::system_error& error) {
      if (thread >= count_) return;
      throw Error(Exit::usage,
                  "the system started " + std::to_string(thread) + " of " + std::to_string(count_) +
                      " threads: " + error.what(),
                  "fewer --threads, or a higher limit of processes (ulimit -u; of a container: pids.max)");
    }
  }
}

void Threads::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  wake_helpers_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Threads::follow_crowd() {
  const auto now = std::chrono::steady_clock::now();
  if (changed_ != std::chrono::steady_clock::time_point() &&
      std::chrono::duration<double>(now - changed_).count() < crowd_.hold)
    return;
  const double least = is_crowded_ ? crowd_.least_round / 2 : crowd_.least_round;  // helpers make rounds shorter
  const bool is_crowded = mean_round_ >= least && crowd_.is_crowded();
  if (is_crowded == is_crowded_) return;
  set_crowded(is_crowded);
  changed_ = now;
}

void Threads::set_crowded(bool is_crowded) {
  is_crowded_ = is_crowded;
  if (is_crowded) add(slots_);  // the first time; later the helpers sleep
  cpus_ = usable_cpus();
  for (std::size_t i = 0; i < workers_.size() && !cpus_.empty(); ++i)
    keep_on(workers_[i].native_handle(), is_crowded ? std::vector{cpus_[(i + 1) % cpus_.size()]} : cpus_);
}

void Threads::take_items(const Work& work, int thread) {
  for (;;) {
    const std::int64_t item = next_.fetch_add(1);
    if (item >= items_) return;
    try {
      work(item, thread);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      next_ = items_;
    }
  }
}

void Threads::serve(int thread, std::uint64_t seen) {
  const bool is_helper = thread >= count_;
  for (;;) {
    for (int look = 0; look < kLooks && round_.load(std::memory_order_acquire) == seen; ++look) relax();
    // Its own copy: the round is closed (work_ = nullptr) while late threads still finish their items.
    const Work* work = nullptr;
    {
      std::unique_lock lock(mutex_);
      (is_helper ? wake_helpers_ : wake_).wait(lock, [&] {
        return stop_ || (round_ != seen && (is_helped_ || !is_helper));
      });
      if (stop_) return;
      seen = round_;
      if (work_ == nullptr) continue;  // the others have finished this round
      work = work_;
      ++active_;
    }
    take_items(*work, thread);
    if (active_.fetch_sub(1) == 1) {
      const std::lock_guard lock(mutex_);
      done_.notify_one();
    }
  }
}

void Threads::run(std::int64_t items, const Work& work) {
  if (workers_.empty() || items <= 1) {
    for (std::int64_t item = 0; item < items; ++item) work(item, 0);
    return;
  }
  if (slots_ == count_) return share(items, work, false);
  follow_crowd();
  const auto began = std::chrono::steady_clock::now();
  {
    std::optional<KeptOn> first;
    if (is_crowded_) first.emplace(cpus_);
    share(items, work, is_crowded_ && items > count_);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
  mean_round_ += (seconds.count() - mean_round_) / kMean;
}

void Threads::share(std::int64_t items, const Work& work, bool is_helped) {
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    items_ = items;
    next_ = 0;
    error_ = nullptr;
    is_helped_ = is_helped;
    ++round_;
  }
  wake_.notify_all();
  if (is_helped) wake_helpers_.notify_all();
  take_items(work, 0);
  for (int look = 0; look < kLooks && active_.load(std::memory_order_acquire) > 0; ++look) relax();
  std::unique_lock lock(mutex_);
  work_ = nullptr;
  done_.wait(lock, [&] { return active_ == 0; });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

}  // namespace frugal
