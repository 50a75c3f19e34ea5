#include "frugal/formats/tokenizer/merges.h"

#include <algorithm>
#include <bit>

namespace frugal {
namespace {

constexpr std::uint64_t kEmpty = ~std::uint64_t{0};

std::uint64_t key_of(std::int32_t left, std::int32_t right) {
  return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}

}  // namespace

Merges::Merges(std::size_t rules) : slots_(std::bit_ceil(2 * rules + 2), Slot{kEmpty, {}}) {}

std::size_t Merges::slot_of(std::uint64_t key) const {
  std::uint64_t hash = key * 0x9e3779b97f4a7c15u;
  hash ^= hash >> 32;
  std::size_t at = hash & (slots_.size() - 1);
  while (slots_[at].key != key && slots_[at].key != kEmpty) at = (at + 1) & (slots_.size() - 1);
  return at;
}

void Merges::add(std::int32_t left, std::int32_t right, Rule rule) {
  const std::uint64_t key = key_of(left, right);
  slots_[slot_of(key)] = {key, rule};
}

Merges::Rule Merges::find(std::int32_t left, std::int32_t right) const {
  return slots_[slot_of(key_of(left, right))].rule;
}

void Merges::encode(std::string_view word, const std::array<std::int32_t, 256>& byte_ids, Scratch& scratch,
                    std::vector<std::int32_t>& out) const {
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  symbols.clear();
  heap.clear();
  for (const char c : word) {
    const std::int32_t id = byte_ids[static_cast<unsigned char>(c)];
    const auto at = static_cast<std::int32_t>(symbols.size());
    if (id >= 0) symbols.push_back({id, at - 1, at + 1});
  }
  if (symbols.empty()) return;
  symbols.back().next = -1;

  const auto later = [](const Scratch::Candidate& a, const Scratch::Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
  };
  const auto consider = [&](std::int32_t at) {
    const std::int32_t next = at < 0 ? -1 : symbols[static_cast<std::size_t>(at)].next;
    if (next < 0) return;
    const std::int32_t left = symbols[static_cast<std::size_t>(at)].id,
                       right = symbols[static_cast<std::size_t>(next)].id;
    const Rule rule = find(left, right);
    if (rule.rank < 0) return;
    heap.push_back({rule.rank, at, left, right});
    std::push_heap(heap.begin(), heap.end(), later);
  };
  for (std::size_t at = 0; at < symbols.size(); ++at) consider(static_cast<std::int32_t>(at));

  while (!heap.empty()) {
    const Scratch::Candidate best = heap.front();
    std::pop_heap(heap.begin(), heap.end(), later);
    heap.pop_back();
    auto& symbol = symbols[static_cast<std::size_t>(best.at)];
    if (symbol.id != best.left || symbol.next < 0) continue;  // joined since it was found
    auto& right = symbols[static_cast<std::size_t>(symbol.next)];
    if (right.id != best.right) continue;
    symbol.id = find(best.left, best.right).id;
    if (scratch.made != nullptr) (*scratch.made)[static_cast<std::size_t>(symbol.id)] = true;
    symbol.next = right.next;
    right.id = -1;
    if (symbol.next >= 0) symbols[static_cast<std::size_t>(symbol.next)].previous = best.at;
    consider(symbol.previous);
    consider(best.at);
  }
  for (std::int32_t at = 0; at >= 0; at = symbols[static_cast<std::size_t>(at)].next) {
    out.push_back(symbols[static_cast<std::size_t>(at)].id);
  }
}

}  // namespace frugal
