// The process: a device's memory and its launches, asked for on standard input, answered on standard output.
//
// A request is an operation (4 bytes) and its numbers; strings and data follow their length (8 bytes). Every answer begins
// with 4 bytes, 0 if all went well, else 1 and the error as a string. After a failed launch every request fails, as on a
// device whose context is lost. Numbers are little-endian.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>

#include "launch.h"

namespace {

enum Operation : uint32_t { ALLOCATE = 1, FREE, WRITE, READ, CLEAR, COPY, LAUNCH };

// Devices align to this.
constexpr size_t ALIGNMENT = 256;

std::string lost;
// Of the launches that the host has not waited for.
std::deque<std::string> arguments;

// False at the end of the input.
bool receive_bytes(void* to, size_t bytes) {
  auto* at = static_cast<char*>(to);
  while (bytes > 0) {
    ssize_t count = read(STDIN_FILENO, at, bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    at += count;
    bytes -= count;
  }
  return true;
}

void send_bytes(const void* from, size_t bytes) {
  auto* at = static_cast<const char*>(from);
  while (bytes > 0) {
    ssize_t count = write(STDOUT_FILENO, at, bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) exit(1);
    at += count;
    bytes -= count;
  }
}

template <class T>
T receive() {
  T value;
  if (!receive_bytes(&value, sizeof value)) exit(1);
  return value;
}

std::string receive_string() {
  std::string text(receive<uint64_t>(), '\0');
  if (!receive_bytes(text.data(), text.size())) exit(1);
  return text;
}

template <class T>
T* receive_pointer() {
  return reinterpret_cast<T*>(receive<uint64_t>());
}

dim3 receive_size() {
  dim3 size;
  size.x = receive<uint32_t>();
  size.y = receive<uint32_t>();
  size.z = receive<uint32_t>();
  return size;
}

// Answers that all went well, or that it did not.
bool answer(const std::string& error) {
  uint32_t status = error.empty() ? 0 : 1;
  send_bytes(&status, sizeof status);
  if (status == 0) return true;
  uint64_t length = error.size();
  send_bytes(&length, sizeof length);
  send_bytes(error.data(), length);
  return false;
}

void allocate() {
  auto bytes = receive<uint64_t>();
  void* memory = nullptr;
  bool failed = posix_memalign(&memory, ALIGNMENT, bytes) != 0;
  // Not a number, so that what nobody wrote shows.
  if (!failed) memset(memory, 0xff, bytes);
  if (answer(!lost.empty() ? lost : failed ? "out of memory" : "")) {
    auto address = reinterpret_cast<uint64_t>(memory);
    send_bytes(&address, sizeof address);
  }
}

void write_memory() {
  auto* to = receive_pointer<char>();
  auto bytes = receive<uint64_t>();
  if (!receive_bytes(to, bytes)) exit(1);
  answer(lost);
}

void read_memory() {
  auto* from = receive_pointer<const char>();
  auto bytes = receive<uint64_t>();
  if (answer(lost)) send_bytes(from, bytes);
}

void clear_memory() {
  auto* to = receive_pointer<char>();
  memset(to, 0, receive<uint64_t>());
  answer(lost);
}

void copy_memory() {
  auto* to = receive_pointer<char>();
  auto* from = receive_pointer<const char>();
  auto bytes = receive<uint64_t>();
  memmove(to, from, bytes);
  answer(lost);
}

void launch() {
  std::string name = receive_string();
  simulator::LaunchShape shape;
  shape.grid = receive_size();
  shape.block = receive_size();
  shape.shared_bytes = receive<uint32_t>();
  shape.schedule = receive<uint64_t>();
  std::string layout = receive_string();
  arguments.push_back(receive_string());
  const simulator::Kernel* kernel = simulator::find_kernel(name);
  if (!lost.empty()) {
  } else if (!kernel) {
    lost = "there is no kernel " + name;
  } else if (layout != kernel->layout) {
    lost = name + " takes " + kernel->layout + " and was given " + layout;
  } else {
    lost = simulator::launch(*kernel, shape, reinterpret_cast<const uint8_t*>(arguments.back().data()));
    if (!lost.empty()) lost = name + ": " + lost;
  }
  answer(lost);
}

}  // namespace

extern "C" const char* __asan_default_options() { return "detect_leaks=0:detect_stack_use_after_return=0"; }
extern "C" const char* __tsan_default_options() { return "halt_on_error=1:report_signal_unsafe=0"; }

int main() {
  uint32_t operation;
  while (receive_bytes(&operation, sizeof operation)) {
    if (operation != LAUNCH) {
      simulator::finish_launches();
      arguments.clear();
    }
    switch (operation) {
      case ALLOCATE: allocate(); break;
      case FREE:
        free(receive_pointer<void>());
        answer("");
        break;
      case WRITE: write_memory(); break;
      case READ: read_memory(); break;
      case CLEAR: clear_memory(); break;
      case COPY: copy_memory(); break;
      case LAUNCH: launch(); break;
      default: fprintf(stderr, "there is no operation %u\n", operation); return 1;
    }
  }
}
