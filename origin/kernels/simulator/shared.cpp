// Shared memory of a block.
#include "block.h"

namespace simulator {
namespace {

// What a kernel may declare, and between two arrays the bytes whose use is a fault.
constexpr size_t STATIC_BYTES_MAX = 48 << 10;
constexpr size_t GAP_BYTES = 256;
constexpr size_t ALIGNMENT = 128;

// Not a number, whatever the type; in a loop that no sanitizer sees and no compiler makes into memset, which they see.
void spoil(char* memory, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) *static_cast<volatile char*>(memory + i) = char(0xff);
}

}  // namespace

SharedMemory::SharedMemory(char* memory, size_t bytes, size_t dynamic_bytes) : next_(memory), end_(memory + bytes) {
  if (__asan_poison_memory_region) __asan_poison_memory_region(memory, bytes);
  dynamic_ = take(dynamic_bytes);
}

char* SharedMemory::take(size_t bytes) {
  char* memory = next_;
  next_ += (bytes + GAP_BYTES + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  if (next_ > end_) fail("%zu bytes of shared memory are more than there are", bytes);
  if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(memory, bytes);
  spoil(memory, bytes);
  return memory;
}

void* SharedMemory::array(const void* declaration, size_t bytes) {
  for (size_t i = 0; i < array_count_; i++) {
    if (arrays_[i].declaration == declaration) return arrays_[i].memory;
  }
  if (array_count_ == ARRAYS_MAX) fail("more than %zu shared arrays", ARRAYS_MAX);
  static_bytes_ += bytes;
  if (static_bytes_ > STATIC_BYTES_MAX) fail("%zu bytes of declared shared memory are too many", static_bytes_);
  void* memory = take(bytes);
  arrays_[array_count_++] = {declaration, memory};
  return memory;
}

}  // namespace simulator
