// Work that operations leave to a thread of the addon, so that training goes on meanwhile.
#pragma once
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#ifdef __linux__
#include <sys/resource.h>
#endif

#include "idle-processor.h"
#include "thread-pool.h"

namespace bergson {

class Background {
 public:
  // Never destroyed, as the thread pool.
  static Background& instance() {
    static Background* background = new Background;
    return *background;
  }

  // The most threads that one job may use.
  void set_threads(std::size_t threads) { helpers_.set_threads(threads); }

  // Whether operations that can are to leave their work behind, while they are called on this thread.
  static bool& wanted() {
    thread_local bool wanted = false;
    return wanted;
  }

  // Takes a job of `work` multiplications, which is begun, with all before it, when there is enough to do, or at `wait`. What it
  // owns is freed by the thread that leaves it, when it next leaves one, and before `wait` returns: tensors may be memory of
  // JavaScript's, which only its own thread can give back. Returns how many jobs were left since the process began, with this one.
  std::size_t leave(double work, std::function<void()> job) {
    free_finished();
    std::unique_lock<std::mutex> lock(mutex_);
    if (left_++ == 0) std::thread([this] { serve(); }).detach();
    jobs_.push_back({std::this_thread::get_id(), std::move(job)});
    work_ += work;
    const std::size_t left = left_;
    if (work_ < kWorthWaking) return left;
    work_ = 0;
    started_ = left;
    // Whoever wakes finds the lock free.
    lock.unlock();
    wake_.notify_one();
    return left;
  }

  // Returns once the first `last` jobs are done. Does those itself that the thread has not begun, and its share of the one
  // that it has.
  void wait(std::size_t last) {
    std::unique_lock<std::mutex> lock(mutex_);
    last = std::min(last, left_);
    if (done_ < last) finish(last, lock);
    lock.unlock();
    free_finished();
  }

 private:
  struct Job {
    std::thread::id owner;
    std::function<void()> run;
  };

  // Multiplications that take several times as long as waking the thread does.
  static constexpr double kWorthWaking = 8e6;

  // A tenth of another thread's share, where there is no time to spare.
  static constexpr int kNiceness = 10;

  // How long the thread goes on before it asks again for an idle processor, and so about how long TensorFlow's threads, which wait
  // for each other, may be held up by it.
  static constexpr std::chrono::microseconds kUnasked{40};

  // Does what `wait` says.
  void finish(std::size_t last, std::unique_lock<std::mutex>& lock) {
    idle_.begin_hurry();
    while (done_ < last) {
      if (!busy_) {
        do_next(lock);
        continue;
      }
      lock.unlock();
      const bool helped = helpers_.help();
      lock.lock();
      if (!helped) free_.wait(lock, [this] { return !busy_; });
    }
    idle_.stop_hurry();
  }

  // Before each task of the thread's.
  void pause() {
    const auto now = std::chrono::steady_clock::now();
    if (now - asked_ < kUnasked) return;
    idle_.wait();
    asked_ = std::chrono::steady_clock::now();
  }

  void serve() {
#ifdef __linux__
    // Of this thread alone: it takes what time training leaves of the cores.
    setpriority(PRIO_PROCESS, 0, kNiceness);
#endif
    ThreadPool::choose(helpers_);
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return !busy_ && done_ < started_; });
      do_next(lock);
    }
  }

  // One after the other, since a job may read what those before it write.
  void do_next(std::unique_lock<std::mutex>& lock) {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    busy_ = true;
    lock.unlock();
    job.run();
    lock.lock();
    finished_.push_back(std::move(job));
    busy_ = false;
    done_++;
    free_.notify_all();
    if (done_ < started_) wake_.notify_one();
  }

  // Frees what this thread's finished jobs own.
  void free_finished() {
    std::vector<Job> own;
    std::lock_guard<std::mutex> lock(mutex_);
    const auto others = [](const Job& job) { return job.owner != std::this_thread::get_id(); };
    const auto first = std::stable_partition(finished_.begin(), finished_.end(), others);
    own.assign(std::make_move_iterator(first), std::make_move_iterator(finished_.end()));
    finished_.erase(first, finished_.end());
  }

  // Those that wait. The pool of all others stays theirs.
  ThreadPool helpers_{[this] { pause(); }};
  IdleProcessor idle_;
  std::chrono::steady_clock::time_point asked_;  // by the thread
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable free_;
  std::deque<Job> jobs_;
  std::vector<Job> finished_;  // what they own is still to be freed
  double work_ = 0;          // of the jobs that are not to be begun yet
  bool busy_ = false;        // with a job, whichever thread
  std::size_t left_ = 0;     // jobs
  std::size_t started_ = 0;  // of those, to be begun
  std::size_t done_ = 0;     // of those
};

}  // namespace bergson
