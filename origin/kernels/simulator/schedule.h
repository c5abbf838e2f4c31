// The order in which a launch's blocks and threads run, and when its asynchronous copies land: a function of one number.
#pragma once
#include <cstdint>

namespace simulator {

class Schedule {
 public:
  // The remainder by 4 chooses the order of threads, the next by 3 when copies land, the rest is the seed.
  explicit Schedule(uint64_t number);
  // A random number below `end`.
  uint32_t below(uint32_t end);
  bool copy_lands_early();

  enum class Order { FORWARD, BACKWARD, RANDOM, WARP_AHEAD } order;

 private:
  enum class Copies { EARLY, LATE, RANDOM } copies_;
  uint64_t state_;
};

}  // namespace simulator
