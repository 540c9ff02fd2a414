// Work that operations leave to a thread of the addon, so that training goes on meanwhile.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace bergson {

class Background {
 public:
  // Never destroyed, as the thread pool.
  static Background& instance() {
    static Background* background = new Background;
    return *background;
  }

  // Whether operations that can are to leave their work behind, while they are called on this thread.
  static bool& wanted() {
    thread_local bool wanted = false;
    return wanted;
  }

  // Does `job` after all those before it. What it owns is freed before `wait` returns.
  void run(std::function<void()> job) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (begun_++ == 0) std::thread([this] { serve(); }).detach();
    jobs_.push_back(std::move(job));
    wake_.notify_one();
  }

  // Returns once all jobs begun before this call are done.
  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    const std::size_t last = begun_;
    done_.wait(lock, [&] { return finished_ >= last; });
  }

 private:
  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return !jobs_.empty(); });
      std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
      finished_++;
      done_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::deque<std::function<void()>> jobs_;
  std::size_t begun_ = 0;
  std::size_t finished_ = 0;
};

}  // namespace bergson
