// How work is cut: sizes that what computes goes by, and the plan of its memory with it.
#pragma once
#include <algorithm>
#include <cstdint>

namespace frugal {

inline constexpr std::int64_t kVocabularyBlock = 2048;      // rows of the head made at a time
inline constexpr std::int64_t kPackedTokens = 1024;         // sequences share a forward up to here; a longer goes alone
inline constexpr std::int64_t kEvaluatedTogether = 32;      // sequences of one call of an evaluation
inline constexpr std::int64_t kConvertedNumbers = 1 << 18;  // that a thread converts at a time while a file is read
inline constexpr std::int64_t kResidentNumbers = 1 << 23;   // whose pages of the file are resident at once meanwhile

// Tokens a work item takes: the largest of 512, 256, 128, 64 that makes at least four items, a function of the batch
// alone.
inline std::int64_t chunk_tokens(std::int64_t tokens, std::int64_t branches) {
  for (const std::int64_t chunk : {512, 256, 128}) {
    if (branches * ((tokens + chunk - 1) / chunk) >= 4) return chunk;
  }
  return 64;
}

// Tokens from which on a segment's attention is cut into items by heads of keys, and that of the others of its batch.
inline constexpr std::int64_t kLongSegment = 256;

// bf16 rows of products. oneDNN makes a kernel for every shape it meets and keeps it, half a megabyte each: batches of
// natural lengths would make one for each number of rows, hundreds of megabytes in an hour. So rows go through in
// pieces of a few sizes, the last of them in a buffer filled up with zeros; sums over tokens likewise.
inline constexpr std::int64_t kLeastRows = 32, kMostRows = 512;
// Rows of the next piece of `left` rows: a power of two from kLeastRows to kMostRows, more than `left` only for the
// last.
inline std::int64_t piece_of(std::int64_t left) {
  std::int64_t rows = kMostRows;
  while (rows > left && rows > kLeastRows) rows /= 2;
  return rows;
}
// Terms of a sum over tokens: whole multiples of kWholeTerms, then what is left, filled up to one of kLeftTerms.
inline constexpr std::int64_t kWholeTerms = 256, kLeftTerms[] = {32, 64, 128, 192, 256};

// Columns of a feed-forward whose weights are made at a time where every branch has its own, so that the scratch of a
// large model stays small: all `ffn` of them, or where they are more than twice kFfnBlockBytes of gate, up and down a
// multiple of 64. column_bytes: of a column of the three, in all branches.
inline constexpr std::int64_t kFfnBlockBytes = 32 << 20;
inline std::int64_t ffn_block_width(std::int64_t ffn, std::int64_t column_bytes) {
  if (ffn <= 2 * kFfnBlockBytes / column_bytes) return ffn;
  return std::max<std::int64_t>(64, kFfnBlockBytes / column_bytes / 64 * 64);
}

}  // namespace frugal
