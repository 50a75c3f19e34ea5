// Byte pair encoding of one word: the pair of neighbours with the lowest rank is joined until none is left.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace frugal {

class Merges {
 public:
  // What a rule makes of a pair of neighbours; rank -1: no rule.
  struct Rule {
    std::int32_t rank = -1, id = -1;
  };
  // Space that encode() reuses from word to word; one per thread.
  struct Scratch {
    struct Symbol {
      std::int32_t id, previous, next;  // previous and next: index or -1; id -1: joined to the one before
    };
    struct Candidate {
      std::int32_t rank, at, left, right;
    };
    std::vector<Symbol> symbols;
    std::vector<Candidate> heap;
    std::vector<bool>* made = nullptr;  // where it is there: by id, set for all that a rule makes on the way
  };

  explicit Merges(std::size_t rules);                          // how many add() will bring
  void add(std::int32_t left, std::int32_t right, Rule rule);  // the last one for a pair counts
  Rule find(std::int32_t left, std::int32_t right) const;

  // Ids of the bytes' tokens (-1: none, the byte is dropped) joined by rank, ties from the left; appended to `out`.
  // O(n log n) in the length of the word, which must be below 2^31 bytes.
  void encode(std::string_view word, const std::array<std::int32_t, 256>& byte_ids, Scratch& scratch,
              std::vector<std::int32_t>& out) const;

 private:
  struct Slot {
    std::uint64_t key;
    Rule rule;
  };
  std::size_t slot_of(std::uint64_t key) const;
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
};

}  // namespace frugal
