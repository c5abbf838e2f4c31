// The interfaces by which fibers are made known to the sanitizers; null where a sanitizer is not linked in.
#pragma once
#include <cstddef>

extern "C" {
void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t size) __attribute__((weak));
void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, size_t* size) __attribute__((weak));
void __asan_poison_memory_region(const volatile void* at, size_t bytes) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void* at, size_t bytes) __attribute__((weak));
void* __tsan_create_fiber(unsigned flags) __attribute__((weak));
void* __tsan_get_current_fiber() __attribute__((weak));
void __tsan_switch_to_fiber(void* fiber, unsigned flags) __attribute__((weak));
void __tsan_acquire(void* at) __attribute__((weak));
void __tsan_release(void* at) __attribute__((weak));
}

namespace simulator {

// A point where threads meet: what was done before `release` has happened before what follows `acquire`. The thread
// sanitizer learns of it; for the machine itself it is nothing.
struct Meeting {
  char place;
  void release() {
    if (__tsan_release) __tsan_release(&place);
  }
  void acquire() {
    if (__tsan_acquire) __tsan_acquire(&place);
  }
};

}  // namespace simulator
