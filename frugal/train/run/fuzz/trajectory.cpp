// Any bytes are a trajectory, or are refused with an error.
#include <cstdint>
#include <string_view>

#include "frugal/base/error.h"
#include "frugal/train/run/trajectory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const frugal::Trajectory read = frugal::parse_trajectory(bytes);
    if (read.bytes_of(read.steps.size()) + read.bad_bytes != size) __builtin_trap();
  } catch (const frugal::Error&) {
  }
  return 0;
}
