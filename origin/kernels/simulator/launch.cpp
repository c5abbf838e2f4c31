#include "launch.h"

#include <sys/mman.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "block.h"

namespace simulator {
namespace {

// What a block may ask for on compute capability 9.0, and where its arrays lie with the gaps between them.
constexpr size_t DYNAMIC_BYTES_MAX = 227 << 10;
constexpr size_t GROUND_BYTES = 320 << 10;
// Blocks of one launch: what a test needs, not what a device can.
constexpr uint64_t BLOCKS_MAX = 1 << 16;

Kernel* kernels;

uint64_t volume(dim3 size) { return uint64_t(size.x) * size.y * size.z; }

std::vector<uint32_t> block_order(uint32_t count, Schedule& schedule) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  if (schedule.order == Schedule::Order::BACKWARD) std::reverse(order.begin(), order.end());
  if (schedule.order >= Schedule::Order::RANDOM) {
    for (uint32_t i = count; i > 1; i--) std::swap(order[i - 1], order[schedule.below(i)]);
  }
  return order;
}

std::string check(const Kernel& kernel, const LaunchShape& shape) {
  uint64_t threads = volume(shape.block), blocks = volume(shape.grid);
  if (threads == 0 || threads > kernel.threads_max) {
    return "blocks of " + std::to_string(threads) + " threads; it is built for up to " +
           std::to_string(kernel.threads_max);
  }
  if (shape.grid.y > 65535 || shape.grid.z > 65535) return "the grid is larger than a device allows";
  if (blocks == 0 || blocks > BLOCKS_MAX) return "a grid of " + std::to_string(blocks) + " blocks";
  if (shape.shared_bytes > DYNAMIC_BYTES_MAX) {
    return std::to_string(shape.shared_bytes) + " bytes of dynamic shared memory";
  }
  return "";
}

}  // namespace

Registration::Registration(Kernel& kernel) {
  kernel.next = kernels;
  kernels = &kernel;
}

const Kernel* find_kernel(const std::string& name) {
  const Kernel* kernel = kernels;
  while (kernel && kernel->name != name) kernel = kernel->next;
  return kernel;
}

std::string launch(const Kernel& kernel, const LaunchShape& shape, const uint8_t* arguments) {
  std::string error = check(kernel, shape);
  if (!error.empty()) return error;
  Schedule schedule(shape.schedule);
  uint32_t blocks = volume(shape.grid);
  // Every block has shared memory of its own until the launch ends: blocks are unordered, and the thread sanitizer would
  // take one that follows another in the same memory for a race.
  size_t bytes = blocks * GROUND_BYTES;
  void* ground = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (ground == MAP_FAILED) return "no memory for the shared memory of " + std::to_string(blocks) + " blocks";
  std::vector<Meetings> meetings(blocks);
  Launch::kernel = &kernel;
  Launch::arguments = arguments;
  Launch::count++;
  // Not what the launches before have done: it may begin before they end.
  Launch::begin.release();
  for (uint32_t index : block_order(blocks, schedule)) {
    SharedMemory shared(static_cast<char*>(ground) + index * GROUND_BYTES, GROUND_BYTES, shape.shared_bytes);
    Block block(schedule, shared, meetings[index], volume(shape.block));
    dim3 place{index % shape.grid.x, index / shape.grid.x % shape.grid.y, index / (shape.grid.x * shape.grid.y)};
    if (!block.run(place, shape.block, shape.grid)) return block.error;
  }
  if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(ground, bytes);
  munmap(ground, bytes);
  return "";
}

void finish_launches() {
  for (Meeting& end : Launch::ends) end.acquire();
}

}  // namespace simulator
