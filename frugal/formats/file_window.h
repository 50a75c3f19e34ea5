// Which pages of a model's file stay resident when they must not all: the first layers for good, as far as there is
// room; the others while they are read, with the next one read ahead. What is computed does not depend on it.
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "frugal/formats/model_source.h"

namespace frugal {

class FileWindow {
 public:
  // limit: of resident bytes. Under least(source) it is taken to be that.
  FileWindow(const ModelSource& source, std::uint64_t limit);
  ~FileWindow();  // what it holds goes back: another window over the same file may follow
  FileWindow(const FileWindow&) = delete;
  FileWindow& operator=(const FileWindow&) = delete;

  // What a window needs: a layer that is computed with and one that is made ready, and two parts of tensors outside
  // layers.
  static std::uint64_t least(const ModelSource& source);

  // Before rows [begin, end) of a tensor are read. From any thread; pages that another thread still reads are loaded
  // again.
  void touch(std::size_t tensor, std::int64_t begin, std::int64_t end);

  std::uint64_t limit() const { return limit_; }
  std::uint64_t pinned_bytes() const { return pinned_; }
  // Of everything that came into the window so far, and the most it held at once, what stays for good included.
  std::uint64_t entered_bytes() const;
  std::uint64_t most_held() const;

 private:
  struct Rows {
    std::size_t tensor;
    std::int64_t begin, end;
  };
  struct Group {  // a layer, or some rows of a tensor outside layers
    std::vector<Rows> rows;
    std::uint64_t bytes = 0;
    std::int64_t layer = -1;
    bool is_pinned = false;
  };
  static std::vector<Group> groups_of(const ModelSource& source);
  static std::uint64_t least(const std::vector<Group>& groups);
  void enter(std::size_t group);
  void release(std::size_t group) const;
  void read_ahead(std::size_t group) const;

  const ModelSource& source_;
  std::vector<Group> groups_;
  std::uint64_t limit_, pinned_ = 0;
  std::vector<std::vector<std::size_t>> group_of_;  // by tensor: one of each part
  std::vector<std::int64_t> part_rows_;             // by tensor
  std::unique_ptr<std::atomic<bool>[]> is_held_;    // by group
  mutable std::mutex mutex_;
  std::deque<std::size_t> held_;  // not pinned, oldest first
  std::int64_t layers_ = 0, first_streamed_ = -1, last_layer_ = -1;
  std::uint64_t held_bytes_ = 0, pinned_held_ = 0, entered_ = 0, most_held_ = 0;
};

}  // namespace frugal
