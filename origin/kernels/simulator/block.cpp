#include "block.h"

#include <cstdio>

namespace simulator {

Thread* current;
Block* Block::running;
Meeting Launch::begin, Launch::ends[2];
uint32_t Launch::count;
const Kernel* Launch::kernel;
const uint8_t* Launch::arguments;

namespace {

// Slots live as long as the process: stacks are costly, and a fiber that was abandoned cannot be freed.
std::vector<std::unique_ptr<Slot>> all_slots;

}  // namespace

Block::Block(Schedule& schedule, SharedMemory& shared, Meetings& meetings, uint32_t threads)
    : shared(shared), schedule(schedule), meetings_(meetings), threads_(threads), alive_(threads) {
  while (all_slots.size() < threads) all_slots.push_back(std::make_unique<Slot>(body));
  // Another fiber for the same thread of the next block, so that the sanitizer does not take the two for one thread.
  uint32_t shift = schedule.below(all_slots.size());
  for (uint32_t i = 0; i < threads; i++) slots_.push_back(all_slots[(i + shift) % all_slots.size()].get());
  ready_.reserve(16 * BLOCK_THREADS_MAX);
  draw_priorities();
}

void Block::body() {
  Launch::begin.acquire();
  Launch::kernel->call(Launch::arguments);
  Launch::ends[Launch::count % 2].release();
  Block& block = *running;
  if (!current->has_waited) simulator::fail("the thread ends before it has waited for the launches before");
  if (current->copy_count != 0) simulator::fail("the thread ends while its cp.async are under way");
  block.self().state = Slot::State::DONE;
  block.alive_--;
  if (block.at_barrier_ != 0) simulator::fail("the thread ends while others wait at __syncthreads");
}

bool Block::run(dim3 place, dim3 block_size, dim3 grid_size) {
  running = this;
  for (uint32_t i = 0; i < threads_; i++) {
    Thread& thread = slot(i).thread;
    thread.thread = {i % block_size.x, i / block_size.x % block_size.y, i / (block_size.x * block_size.y)};
    thread.block = place;
    thread.block_size = block_size;
    thread.grid_size = grid_size;
    thread.index = i;
    thread.copy_count = thread.copy_group = 0;
    thread.has_waited = false;
    wake(i);
  }
  while (alive_ > 0 && !failed_) {
    if (ready_first_ == ready_.size()) {
      describe_deadlock();
      return false;
    }
    Slot& slot = this->slot(next());
    current = &slot.thread;
    slot.fiber.enter();
  }
  return !failed_;
}

void Block::wake(uint32_t thread) {
  slot(thread).state = Slot::State::READY;
  ready_.push_back(thread);
}

// Takes a ready thread out of the queue.
uint32_t Block::next() {
  if (ready_first_ > 8 * BLOCK_THREADS_MAX) {
    ready_.erase(ready_.begin(), ready_.begin() + ready_first_);
    ready_first_ = 0;
  }
  if (schedule.order == Schedule::Order::FORWARD) return ready_[ready_first_++];
  size_t chosen = ready_.size() - 1;
  if (schedule.order == Schedule::Order::RANDOM) {
    chosen = ready_first_ + schedule.below(ready_.size() - ready_first_);
  } else if (schedule.order == Schedule::Order::WARP_AHEAD) {
    for (size_t i = ready_first_; i < ready_.size(); i++) {
      if (priorities_[ready_[i] / WARP_LANES] > priorities_[ready_[chosen] / WARP_LANES]) chosen = i;
    }
  }
  uint32_t thread = ready_[chosen];
  ready_[chosen] = ready_.back();
  ready_.pop_back();
  return thread;
}

void Block::draw_priorities() {
  for (auto& priority : priorities_) priority = schedule.below(1u << 30);
}

void Block::barrier(int line) {
  if (alive_ != threads_) simulator::fail("__syncthreads at line %d after a thread of the block has ended", line);
  Slot& slot = self();
  Meeting& meeting = meetings_.barriers[barrier_count_ % 2];
  meeting.release();
  slot.line = line;
  slot.state = Slot::State::AT_BARRIER;
  at_barrier_++;
  if (at_barrier_ == threads_) open_barrier();
  Fiber::leave();
  meeting.acquire();
}

void Block::open_barrier() {
  for (uint32_t i = 0; i < threads_; i++) {
    if (slot(i).line != slot(0).line) {
      simulator::fail("__syncthreads is divergent: thread 0 waits at line %d, thread %u at line %d", slot(0).line, i,
                      slot(i).line);
    }
  }
  at_barrier_ = 0;
  barrier_count_++;
  draw_priorities();
  for (uint32_t i = 0; i < threads_; i++) wake(i);
}

void Block::collective(uint32_t mask, Collective operation) {
  Slot& slot = self();
  uint32_t warp = current->index / WARP_LANES, lane = current->index % WARP_LANES, first = warp * WARP_LANES;
  uint32_t count = threads_ - first < WARP_LANES ? threads_ - first : WARP_LANES;
  uint32_t existing = count == WARP_LANES ? ~0u : (1u << count) - 1;
  if (operation >= Collective::MULTIPLY_F16 && existing != ~0u) simulator::fail("a matrix operation in a partial warp");
  if (mask == ~0u) mask = existing;
  if (!(mask >> lane & 1)) simulator::fail("a collective whose mask %08x lacks the lane itself", mask);
  if (mask & ~existing) simulator::fail("a collective whose mask %08x names lanes that are not there", mask);
  // A shuffle orders no memory, so the sanitizer learns of __syncwarp alone.
  if (operation == Collective::SYNC) meetings_.warps[warp].release();
  slot.state = Slot::State::IN_COLLECTIVE;
  slot.mask = mask;
  slot.operation = operation;
  waiting_[warp] |= 1u << lane;
  if ((waiting_[warp] & mask) == mask) {
    Slot* lanes[WARP_LANES];
    for (uint32_t i = 0; i < WARP_LANES; i++) lanes[i] = i < count ? &this->slot(first + i) : nullptr;
    for (uint32_t i = 0; i < count; i++) {
      if ((mask >> i & 1) && (lanes[i]->mask != mask || lanes[i]->operation != operation)) {
        simulator::fail("warp %u is divergent: lane %u is in collective %u of %08x, lane %u in %u of %08x", warp, lane,
                        uint32_t(operation), mask, i, uint32_t(lanes[i]->operation), lanes[i]->mask);
      }
    }
    perform(lanes, mask, operation);
    waiting_[warp] &= ~mask;
    for (uint32_t i = 0; i < count; i++) {
      if (mask >> i & 1) wake(first + i);
    }
  }
  Fiber::leave();
  if (operation == Collective::SYNC) meetings_.warps[warp].acquire();
}

void Block::describe_deadlock() {
  error = "the block is stuck:";
  uint32_t named = 0;
  for (uint32_t i = 0; i < threads_ && named < 4; i++) {
    if (slot(i).state == Slot::State::DONE) continue;
    bool at_barrier = slot(i).state == Slot::State::AT_BARRIER;
    error += " thread " + std::to_string(i) + " waits " +
             (at_barrier ? "at line " + std::to_string(slot(i).line) : "for its warp") + ";";
    named++;
  }
}

void Block::fail(const char* format, va_list arguments) {
  char text[300];
  int length = snprintf(text, sizeof text, "block (%u, %u, %u) thread %u: ", current->block.x, current->block.y,
                        current->block.z, current->index);
  vsnprintf(text + length, sizeof text - length, format, arguments);
  error = text;
  failed_ = true;
  for (;;) Fiber::leave();
}

void barrier(int line) { Block::running->barrier(line); }
void collective(uint32_t mask, Collective operation) { Block::running->collective(mask, operation); }
void wait_for_launches() {
  Launch::ends[(Launch::count + 1) % 2].acquire();
  current->has_waited = true;
}
bool copy_lands_early() { return Block::running->schedule.copy_lands_early(); }
void* shared_array(const void* declaration, size_t bytes) { return Block::running->shared.array(declaration, bytes); }
void* shared_dynamic() { return Block::running->shared.dynamic(); }
void fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  Block::running->fail(format, arguments);
}

}  // namespace simulator
