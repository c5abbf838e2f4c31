// Stacks that the threads of a block run on, one at a time, on the one thread of the process.
#pragma once
#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace simulator {

class Fiber {
 public:
  // A fiber that runs `body` when it is entered, over and over: once `body` returns or calls `leave` control is back with
  // whoever entered.
  explicit Fiber(void (*body)());
  Fiber(const Fiber&) = delete;
  // Runs it until it leaves.
  void enter();
  // Back to where the current fiber was entered.
  static void leave();

 private:
  static void start();
  static Fiber* running_;

  void (*body_)();
  char* stack_;
  void* fake_stack_ = nullptr;
  // What the thread sanitizer takes it for: a thread that is ordered with others only where they meet.
  void* identity_ = nullptr;
#if defined(__x86_64__)
  void* pointer_;
#else
  ucontext_t context_;
#endif
};

}  // namespace simulator
