// Threads that outlive the calls they serve: starting some for each call costs more than most calls.
#pragma once
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace bergson {

class ThreadPool {
 public:
  // Has as many threads as its calls want.
  ThreadPool() : has_threads_(true) {}

  // Has no threads but those that come to `help`. Whoever calls it calls `pause` before each task.
  explicit ThreadPool(std::function<void()> pause) : has_threads_(false), pause_(std::move(pause)) {}

  // That of all threads but those that chose another. Never destroyed: its threads may still wait on it while the process
  // ends.
  static ThreadPool& instance() {
    static ThreadPool* pool = new ThreadPool;
    return chosen() == nullptr ? *pool : *chosen();
  }

  // Makes calls on this thread go to another.
  static void choose(ThreadPool& pool) { chosen() = &pool; }

  // The most threads one call may use.
  void set_threads(std::size_t threads) { most_threads_ = std::max<std::size_t>(1, threads); }

  // Calls `task` with 0 to `tasks` - 1, on the calling thread and as many others as `work`, the multiplications of all
  // tasks together, makes worth waking; returns when all are done. Which thread takes which task depends on timing, so
  // a task's result must not depend on its thread.
  void run(std::size_t tasks, double work, const std::function<void(std::size_t)>& task) {
    const double worth = std::min(work / kWorkPerThread, static_cast<double>(most_threads_.load()));
    const std::size_t threads = static_cast<std::size_t>(worth);
    Job job{task, tasks, {0}};
    // Two JavaScript threads may call at the same time; the second does its work by itself.
    std::unique_lock<std::mutex> turn(turn_, std::defer_lock);
    if (threads < 2 || tasks < 2 || !turn.try_lock()) {
      job.drain(pause_);
      return;
    }
    const std::size_t helpers = (threads < tasks ? threads : tasks) - 1;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      for (; has_threads_ && started_ < helpers; started_++) std::thread([this] { serve(); }).detach();
      job_ = &job;
      places_ = helpers;
    }
    for (std::size_t i = 0; has_threads_ && i < helpers; i++) wake_.notify_one();
    job.drain(pause_);
    std::unique_lock<std::mutex> lock(mutex_);
    places_ = 0;
    job_ = nullptr;
    done_.wait(lock, [this] { return active_ == 0; });
  }

  // Takes part in the call that is going on, to the end of its tasks; returns whether there was one with room.
  bool help() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (places_ == 0) return false;
    join(lock);
    return true;
  }

 private:
  static ThreadPool*& chosen() {
    thread_local ThreadPool* pool = nullptr;
    return pool;
  }

  // Multiplications that take about as long as waking a thread does.
  static constexpr double kWorkPerThread = 2e6;

  struct Job {
    const std::function<void(std::size_t)>& task;
    const std::size_t tasks;
    std::atomic<std::size_t> next;

    void drain(const std::function<void()>& pause) {
      while (next < tasks) {
        if (pause) pause();
        const std::size_t i = next.fetch_add(1);
        if (i < tasks) task(i);
      }
    }
  };

  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return places_ > 0; });
      join(lock);
    }
  }

  void join(std::unique_lock<std::mutex>& lock) {
    places_--;
    active_++;
    Job* job = job_;
    lock.unlock();
    job->drain(nullptr);
    lock.lock();
    if (--active_ == 0) done_.notify_one();
  }

  const bool has_threads_;
  const std::function<void()> pause_;
  std::atomic<std::size_t> most_threads_{1};
  std::mutex turn_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  Job* job_ = nullptr;
  std::size_t places_ = 0;
  std::size_t active_ = 0;
  std::size_t started_ = 0;
};

}  // namespace bergson
