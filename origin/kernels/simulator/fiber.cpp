#include "fiber.h"

#include <sys/mman.h>

#include <cstdlib>

#include "sanitizer.h"

namespace simulator {
namespace {

constexpr size_t STACK_BYTES = 256 << 10;
constexpr size_t GUARD_BYTES = 16 << 10;

// Where `enter` was called: the process's own stack, as the sanitizers know it.
const void* outer_bottom;
size_t outer_bytes;
void* outer_fake_stack;
void* outer_identity;

char* new_stack() {
  void* memory = mmap(nullptr, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, GUARD_BYTES, PROT_NONE) != 0) abort();
  return static_cast<char*>(memory) + GUARD_BYTES;
}

#if defined(__x86_64__)
void* outer_pointer;
extern "C" void simulator_switch(void** saved, void* next);
// Saves what a called function must keep, swaps stacks, restores it.
asm(R"(
.text
.globl simulator_switch
.type simulator_switch, @function
simulator_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
.size simulator_switch, . - simulator_switch
)");
#else
ucontext_t outer_context;
#endif

}  // namespace

Fiber* Fiber::running_;

Fiber::Fiber(void (*body)()) : body_(body), stack_(new_stack()) {
  if (__tsan_create_fiber) identity_ = __tsan_create_fiber(0);
#if defined(__x86_64__)
  // Stacks that begin at different places do not fight for the same lines of the cache.
  static size_t stagger = 0;
  stagger = (stagger + 320) % 16384;
  auto** top = reinterpret_cast<void**>(stack_ + STACK_BYTES - 64 - stagger);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(start);
  for (int saved = 0; saved < 6; saved++) *--top = nullptr;
  pointer_ = top;
#else
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack_;
  context_.uc_stack.ss_size = STACK_BYTES;
  context_.uc_link = nullptr;
  makecontext(&context_, start, 0);
#endif
}

void Fiber::start() {
  if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(nullptr, &outer_bottom, &outer_bytes);
  for (;;) {
    running_->body_();
    leave();
  }
}

void Fiber::enter() {
  running_ = this;
  if (__tsan_switch_to_fiber) {
    if (!outer_identity) outer_identity = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(identity_, 1);
  }
  if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(&outer_fake_stack, stack_, STACK_BYTES);
#if defined(__x86_64__)
  simulator_switch(&outer_pointer, pointer_);
#else
  swapcontext(&outer_context, &context_);
#endif
  if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(outer_fake_stack, nullptr, nullptr);
}

void Fiber::leave() {
  Fiber* self = running_;
  // 1: a switch orders nothing.
  if (__tsan_switch_to_fiber) __tsan_switch_to_fiber(outer_identity, 1);
  if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(&self->fake_stack_, outer_bottom, outer_bytes);
#if defined(__x86_64__)
  simulator_switch(&self->pointer_, outer_pointer);
#else
  swapcontext(&self->context_, &outer_context);
#endif
  if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(self->fake_stack_, &outer_bottom, &outer_bytes);
}

}  // namespace simulator
