// What the simulated language (cuda.h) asks of the machine that runs it. Kernels see this through cuda.h alone.
#pragma once
#include <cstddef>
#include <cstdint>

struct dim3 {
  uint32_t x = 1, y = 1, z = 1;
};

namespace simulator {

// What one lane gives to a collective, and what it takes from it.
struct Lane {
  uint32_t words[8];
};

// An asynchronous copy of 16 bytes that has not landed yet; no source means zeros.
struct PendingCopy {
  void* to;
  const void* from;
  uint32_t group;
};

constexpr uint32_t PENDING_COPIES_MAX = 256;

// One thread of the block that runs now.
struct Thread {
  dim3 thread, block, block_size, grid_size;
  uint32_t index;
  Lane in, out;
  PendingCopy copies[PENDING_COPIES_MAX];
  uint32_t copy_count;
  uint32_t copy_group;
  // Whether it has waited for the launches before.
  bool has_waited;
};

// The thread that runs now.
extern Thread* current;

// What the lanes of a warp do together.
enum class Collective : uint32_t {
  SYNC,
  SHUFFLE_XOR,
  SHUFFLE_INDEX,
  SHUFFLE_DOWN,
  SHUFFLE_UP,
  BALLOT,
  MULTIPLY_F16,
  MULTIPLY_BF16,
};

// Waits until every lane of the mask is there; each lane's `in` becomes each lane's `out`.
void collective(uint32_t mask, Collective operation);
// Waits until every thread of the block is at the same line.
void barrier(int line);
// From here on what the launches before have written is there.
void wait_for_launches();
// Whether the schedule lets an asynchronous copy land at once; otherwise it lands when it is waited for.
bool copy_lands_early();
// The block's array for this declaration, the same for all its threads.
void* shared_array(const void* declaration, size_t bytes);
// The block's dynamic shared memory.
void* shared_dynamic();
// Ends the launch with an error.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// A kernel, known to the machine by its name.
struct Kernel {
  const char* name;
  // One letter an argument: p a pointer, i 4 bytes of an integer, f 4 bytes of a float, l 8 bytes of an integer.
  const char* layout;
  uint32_t threads_max;
  // Calls it with arguments that lie as the layout says, each at a multiple of its size.
  void (*call)(const uint8_t* arguments);
  Kernel* next;
};

// Makes a kernel known.
struct Registration {
  explicit Registration(Kernel& kernel);
};

}  // namespace simulator
