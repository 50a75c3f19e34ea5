// The k largest logits of rows whose vocabulary comes in blocks. Private to nn/.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace frugal {

class MostLikely {
 public:
  MostLikely(std::int64_t rows, std::int64_t k)
      : k_(static_cast<std::size_t>(k)), heaps_(static_cast<std::size_t>(rows)) {
    for (Heap& heap : heaps_) heap.reserve(k_);
  }
  // Logits of the words [first, first + count) of one row, whose blocks come in their order. Rows may be taken by
  // different threads.
  void take(std::int64_t row, std::int32_t first, const float* logits, std::int64_t count) {
    Heap& heap = heaps_[static_cast<std::size_t>(row)];
    float least = heap.size() < k_ ? -INFINITY : heap.front().first;
    for (std::int64_t i = 0; i < count; ++i) {
      if (heap.size() == k_ && !(logits[i] > least)) continue;
      if (heap.size() == k_) {
        std::pop_heap(heap.begin(), heap.end(), is_better);
        heap.pop_back();
      }
      heap.emplace_back(logits[i], first + static_cast<std::int32_t>(i));
      std::push_heap(heap.begin(), heap.end(), is_better);
      least = heap.front().first;
    }
  }
  std::vector<std::int32_t> words(std::int64_t row) const {  // rising
    std::vector<std::int32_t> words;
    for (const auto& [logit, word] : heaps_[static_cast<std::size_t>(row)]) words.push_back(word);
    std::sort(words.begin(), words.end());
    return words;
  }

 private:
  using Entry = std::pair<float, std::int32_t>;
  using Heap = std::vector<Entry>;  // its front is the worst: of equal logits the higher word
  static bool is_better(const Entry& a, const Entry& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  }
  std::size_t k_;
  std::vector<Heap> heaps_;
};

}  // namespace frugal
