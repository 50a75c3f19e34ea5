// How bf16 rows are cut for products. oneDNN makes a kernel for every shape it meets and keeps it, half a megabyte
// each: batches of natural lengths would make one for each number of rows, hundreds of megabytes in an hour. So rows go
// through in pieces of a few sizes, the last of them in a buffer filled up with zeros. Private to core/.
#pragma once
#include <cstdint>

namespace frugal {

inline constexpr std::int64_t kRows = 32, kMostRows = 512;

// Rows of the next piece of `left` rows: a power of two from kRows to kMostRows, more than `left` only for the last.
inline std::int64_t piece_of(std::int64_t left) {
  std::int64_t rows = kMostRows;
  while (rows > left && rows > kRows) rows /= 2;
  return rows;
}

}  // namespace frugal
