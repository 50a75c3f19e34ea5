#include "frugal/core/threads.h"

#include <utility>

namespace frugal {
namespace {
// Before it sleeps a thread looks this often (a few microseconds): the next phase of a layer usually follows at once.
constexpr int kLooks = 200;
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}
}  // namespace

Threads::Threads(int count, std::function<void()> start) {
  if (start) start();
  for (int thread = 1; thread < count; ++thread) {
    workers_.emplace_back([this, thread, start] {
      if (start) start();
      serve(thread);
    });
  }
}

Threads::~Threads() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
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

void Threads::serve(int thread) {
  std::uint64_t seen = 0;
  for (;;) {
    for (int look = 0; look < kLooks && round_.load(std::memory_order_acquire) == seen; ++look) relax();
    // Its own copy: the round is closed (work_ = nullptr) while late threads still finish their items.
    const Work* work = nullptr;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || round_ != seen; });
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
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    items_ = items;
    next_ = 0;
    error_ = nullptr;
    ++round_;
  }
  wake_.notify_all();
  take_items(work, 0);
  for (int look = 0; look < kLooks && active_.load(std::memory_order_acquire) > 0; ++look) relax();
  std::unique_lock lock(mutex_);
  work_ = nullptr;
  done_.wait(lock, [&] { return active_ == 0; });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

}  // namespace frugal
