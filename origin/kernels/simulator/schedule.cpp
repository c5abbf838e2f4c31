#include "schedule.h"

namespace simulator {

Schedule::Schedule(uint64_t number)
    : order(Order(number % 4)), copies_(Copies(number / 4 % 3)), state_(number * 0x9e3779b97f4a7c15 + 1) {}

// Xorshift (Marsaglia, 2003).
uint32_t Schedule::below(uint32_t end) {
  state_ ^= state_ << 13;
  state_ ^= state_ >> 7;
  state_ ^= state_ << 17;
  return uint32_t(state_ >> 32) % end;
}

bool Schedule::copy_lands_early() {
  return copies_ == Copies::RANDOM ? below(2) == 0 : copies_ == Copies::EARLY;
}

}  // namespace simulator
