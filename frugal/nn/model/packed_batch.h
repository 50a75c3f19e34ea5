// Sequences of a batch laid end to end: no padding, attention per sequence, positions restart.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace frugal {

// Tokens [begin, begin + length) of the batch. With a parent they go on where the parent segment ends, and see all of
// it: one prompt with several candidate answers runs once. A parent comes before its children and has no parent itself.
struct Segment {
  std::int64_t begin = 0, length = 0, parent = -1;
};

struct PackedBatch {
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> positions;
  std::vector<Segment> segments;

  std::int64_t size() const { return static_cast<std::int64_t>(tokens.size()); }
  // Returns the new segment's index. `ids` is not empty.
  std::int64_t append(std::span<const std::int32_t> ids, std::int64_t parent = -1) {
    const std::int64_t first = parent < 0 ? 0 : segments[parent].length;
    segments.push_back({size(), static_cast<std::int64_t>(ids.size()), parent});
    for (std::size_t i = 0; i < ids.size(); ++i) {
      tokens.push_back(ids[i]);
      positions.push_back(static_cast<std::int32_t>(first + static_cast<std::int64_t>(i)));
    }
    return static_cast<std::int64_t>(segments.size()) - 1;
  }
};

}  // namespace frugal
