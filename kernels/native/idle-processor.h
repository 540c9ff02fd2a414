// Tells when a processor has nothing else to do.
#pragma once

#ifdef __linux__
#include <sched.h>
#include <semaphore.h>

#include <atomic>
#include <thread>
#endif

namespace bergson {

#ifdef __linux__

// By a thread of the policy SCHED_IDLE, which gets to answer when no other wants its processor. It does nothing but answer: work
// that it had begun would wait for as long as other processes keep all processors busy, and with it whoever needs the result.
// No lock is held on either side, for the same reason.
class IdleProcessor {
 public:
  IdleProcessor() {
    sem_init(&asked_, 0, 0);
    sem_init(&answered_, 0, 0);
  }

  // Returns once a processor is idle, or anybody hurries; of one thread at a time.
  void wait() {
    if (!started_) std::thread([this] { serve(); }).detach();
    started_ = true;
    waiting_ = true;
    if (hurrying_ > 0 && waiting_.exchange(false)) return;
    sem_post(&asked_);
    sleep(answered_);
  }

  // From now on until as many have stopped as began, nobody waits.
  void begin_hurry() {
    hurrying_++;
    answer();
  }
  void stop_hurry() { hurrying_--; }

 private:
  void serve() {
    const sched_param none{};
    sched_setscheduler(0, SCHED_IDLE, &none);
    for (;;) {
      sleep(asked_);
      answer();
    }
  }

  // Once for each wait.
  void answer() {
    if (waiting_.exchange(false)) sem_post(&answered_);
  }

  static void sleep(sem_t& semaphore) {
    while (sem_wait(&semaphore) != 0) continue;
  }

  bool started_ = false;
  std::atomic<bool> waiting_{false};
  std::atomic<int> hurrying_{0};
  sem_t asked_;
  sem_t answered_;
};

#else

// Nobody knows: all are taken to be.
class IdleProcessor {
 public:
  void wait() {}
  void begin_hurry() {}
  void stop_hurry() {}
};

#endif

}  // namespace bergson
