#include "frugal/core/threads.h"

#include <pthread.h>
#include <sched.h>

#include <system_error>
#include <utility>

namespace frugal {
namespace {
// Before it sleeps a thread looks this often (a few microseconds): the next phase of a layer usually follows at once.
constexpr int kLooks = 200;
// Members in a crowd: beside one neighbour a forward with two takes 1.50 times as long as alone, with three 1.40.
constexpr int kOnACore = 3;
constexpr double kMean = 32;  // rounds that the mean of their time remembers: some of a step
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
      slots_(count > 1 && crowd.is_crowded ? kOnACore * count : count),
      start_(std::move(start)),
      crowd_(std::move(crowd)) {
  if (start_) start_();
  add(count);
}

void Threads::add(int until) {
  for (int thread = static_cast<int>(workers_.size()) + 1; thread < until; ++thread) {
    try {
      workers_.emplace_back([this, thread, seen = round_.load()] {
        if (start_) start_();
        serve(thread, seen);
      });
    } catch (const std::system_error&) {
      if (thread < count_) throw;
      return;
    }
  }
}

Threads::~Threads() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  wake_helpers_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Threads::set_crowded(bool is_crowded) {
  {
    const std::lock_guard lock(mutex_);
    is_crowded_ = is_crowded;
  }
  if (is_crowded) add(slots_);  // the first time; later the helpers sleep
  for (std::size_t i = 0; i < workers_.size() && !crowd_.cpus.empty(); ++i)
    keep_on(workers_[i].native_handle(),
            is_crowded ? std::vector{crowd_.cpus[(i + 1) % crowd_.cpus.size()]} : crowd_.cpus);
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
        return stop_ || (round_ != seen && (is_crowded_ || !is_helper));
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
  if (!crowd_.is_crowded) return share(items, work);
  const auto began = std::chrono::steady_clock::now();
  const auto seconds_since = [](auto then) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
  };
  const bool is_crowded = mean_round_ >= crowd_.least_round && crowd_.is_crowded();
  const bool may_change = changed_ == std::chrono::steady_clock::time_point() || seconds_since(changed_) >= crowd_.hold;
  if (is_crowded != is_crowded_ && may_change) {
    set_crowded(is_crowded);
    changed_ = began;
  }
  if (is_crowded_) {
    const KeptOn first(crowd_.cpus);
    share(items, work);
  } else {
    share(items, work);
  }
  mean_round_ += (seconds_since(began) - mean_round_) / kMean;
}

void Threads::share(std::int64_t items, const Work& work) {
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    items_ = items;
    next_ = 0;
    error_ = nullptr;
    ++round_;
  }
  wake_.notify_all();
  if (is_crowded_) wake_helpers_.notify_all();
  take_items(work, 0);
  for (int look = 0; look < kLooks && active_.load(std::memory_order_acquire) > 0; ++look) relax();
  std::unique_lock lock(mutex_);
  work_ = nullptr;
  done_.wait(lock, [&] { return active_ == 0; });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

}  // namespace frugal
