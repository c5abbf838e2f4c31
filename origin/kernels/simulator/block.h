// One block of threads: who runs next, who waits for whom.
#pragma once
#include <cstdarg>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fiber.h"
#include "machine.h"
#include "sanitizer.h"
#include "schedule.h"

namespace simulator {

constexpr uint32_t WARP_LANES = 32;
constexpr uint32_t BLOCK_THREADS_MAX = 1024;

// A thread of the block, on the fiber that runs it.
struct Slot {
  explicit Slot(void (*body)()) : fiber(body) {}

  enum class State { READY, AT_BARRIER, IN_COLLECTIVE, DONE };

  Thread thread;
  Fiber fiber;
  State state;
  // Where it waits.
  int line;
  uint32_t mask;
  Collective operation;
};

// Shared arrays that a kernel may declare.
constexpr size_t ARRAYS_MAX = 16;

// Shared memory of one block: every array apart from the others, the ground between them poisoned.
class SharedMemory {
 public:
  // Over `bytes` of fresh memory.
  SharedMemory(char* memory, size_t bytes, size_t dynamic_bytes);
  void* array(const void* declaration, size_t bytes);
  void* dynamic() const { return dynamic_; }

 private:
  char* take(size_t bytes);

  struct Array {
    const void* declaration;
    void* memory;
  };
  char* next_;
  char* end_;
  char* dynamic_;
  size_t static_bytes_ = 0;
  // Nothing is allocated while a fiber runs: the thread sanitizer would take that for an access of the kernel's thread.
  Array arrays_[ARRAYS_MAX];
  size_t array_count_ = 0;
};

// Where a block's threads meet. Each block has places of its own until the launch ends: at another block's they would be
// ordered with its threads.
struct Meetings {
  // Two by turns: a thread may be at the next barrier before another has left this one.
  Meeting barriers[2];
  Meeting warps[BLOCK_THREADS_MAX / WARP_LANES];
};

class Block {
 public:
  Block(Schedule& schedule, SharedMemory& shared, Meetings& meetings, uint32_t threads);
  // Runs every thread to its end; false if one failed, with the reason in `error`.
  bool run(dim3 place, dim3 block_size, dim3 grid_size);

  void barrier(int line);
  void collective(uint32_t mask, Collective operation);
  [[noreturn]] void fail(const char* format, va_list arguments);

  static Block* running;
  SharedMemory& shared;
  Schedule& schedule;
  std::string error;

 private:
  static void body();
  Slot& slot(uint32_t thread) { return *slots_[thread]; }
  Slot& self() { return slot(current->index); }
  void wake(uint32_t thread);
  uint32_t next();
  void open_barrier();
  void describe_deadlock();
  void draw_priorities();

  Meetings& meetings_;
  uint32_t threads_;
  uint32_t alive_;
  uint32_t at_barrier_ = 0;
  bool failed_ = false;
  std::vector<Slot*> slots_;
  std::vector<uint32_t> ready_;
  size_t ready_first_ = 0;
  // Lanes of each warp that wait in a collective.
  uint32_t waiting_[BLOCK_THREADS_MAX / WARP_LANES] = {};
  // The warp with the greatest runs as far as it can, in one of the orders.
  uint32_t priorities_[BLOCK_THREADS_MAX / WARP_LANES] = {};
  uint32_t barrier_count_ = 0;
};

// What the launch's threads have in common with what comes before and after it.
struct Launch {
  // What the host has done before it, and before the launches that it may run beside.
  static Meeting begin;
  // The ends of its threads and of those of the launch before, by turns.
  static Meeting ends[2];
  static uint32_t count;
  // The kernel and its arguments.
  static const Kernel* kernel;
  static const uint8_t* arguments;
};

// Computes every lane's `out` for the lanes of `mask`; `lanes[i]` is lane i of the warp.
void perform(Slot* const* lanes, uint32_t mask, Collective operation);

}  // namespace simulator
