// One launch: every block of the grid, one after another.
#pragma once
#include <string>

#include "machine.h"

namespace simulator {

struct LaunchShape {
  dim3 grid, block;
  uint32_t shared_bytes;
  // Which order and seed; see Schedule.
  uint64_t schedule;
};

// The kernel of this name, or null.
const Kernel* find_kernel(const std::string& name);
// Runs it; the error, or nothing.
std::string launch(const Kernel& kernel, const LaunchShape& shape, const uint8_t* arguments);
// The host waits for all launches; work of another kind begins with it.
void finish_launches();

}  // namespace simulator
