#include "frugal/formats/file_window.h"

#include <algorithm>

namespace frugal {
namespace {

constexpr std::uint64_t kPart = 16 << 20;  // bytes of a tensor outside layers that come and go together

}  // namespace

std::vector<FileWindow::Group> FileWindow::groups_of(const ModelSource& source) {
  std::vector<Group> groups;
  for (std::size_t id = 0; id < source.tensors().size(); ++id) {
    const SourceTensor& tensor = source.tensors()[id];
    if (tensor.is_vector) continue;
    if (tensor.is_of_layer()) {
      if (groups.empty() || groups.back().layer != tensor.layer) groups.push_back({.layer = tensor.layer});
      groups.back().rows.push_back({id, 0, tensor.rows});
      groups.back().bytes += tensor.bytes;
      continue;
    }
    const auto parts = static_cast<std::int64_t>(std::max<std::uint64_t>(1, (tensor.bytes + kPart - 1) / kPart));
    const std::int64_t step = (tensor.rows + parts - 1) / parts;
    for (std::int64_t begin = 0; begin < tensor.rows; begin += step) {
      const std::int64_t end = std::min(tensor.rows, begin + step);
      const double share = static_cast<double>(end - begin) / static_cast<double>(tensor.rows);
      groups.push_back(
          {.rows = {{id, begin, end}}, .bytes = static_cast<std::uint64_t>(share * static_cast<double>(tensor.bytes))});
    }
  }
  return groups;
}

std::uint64_t FileWindow::least(const std::vector<Group>& groups) {
  std::uint64_t layer = 0, part = 0;
  for (const Group& group : groups) {
    std::uint64_t& most = group.layer >= 0 ? layer : part;
    most = std::max(most, group.bytes);
  }
  return 2 * (layer + part);
}

std::uint64_t FileWindow::least(const ModelSource& source) { return least(groups_of(source)); }

FileWindow::FileWindow(const ModelSource& source, std::uint64_t limit)
    : source_(source), groups_(groups_of(source)), limit_(std::max(limit, least(groups_))) {
  group_of_.resize(source.tensors().size());
  part_rows_.resize(source.tensors().size(), 1);
  is_held_ = std::make_unique<std::atomic<bool>[]>(groups_.size());
  std::uint64_t room = limit_ - least(groups_);
  for (const bool is_layer : {true, false}) {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      Group& group = groups_[g];
      if ((group.layer >= 0) != is_layer) continue;
      if (is_layer) layers_ = std::max(layers_, group.layer + 1);
      for (const Rows& rows : group.rows) {
        auto& of = group_of_[rows.tensor];
        if (of.empty()) part_rows_[rows.tensor] = std::max<std::int64_t>(1, rows.end - rows.begin);
        of.push_back(g);
      }
      group.is_pinned = group.bytes <= room;
      if (!group.is_pinned) {
        room = 0;  // the first ones, not the smallest
        if (is_layer && first_streamed_ < 0) first_streamed_ = group.layer;
        continue;
      }
      room -= group.bytes;
      pinned_ += group.bytes;
    }
  }
}

FileWindow::~FileWindow() {
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if (is_held_[g].load(std::memory_order_relaxed)) release(g);
  }
}

void FileWindow::release(std::size_t group) const {
  for (const Rows& rows : groups_[group].rows) source_.release_rows(rows.tensor, rows.begin, rows.end);
}

void FileWindow::touch(std::size_t tensor, std::int64_t begin, std::int64_t end) {
  const auto& of = group_of_[tensor];
  if (of.empty()) return;  // a vector
  const auto first = static_cast<std::size_t>(begin / part_rows_[tensor]),
             last = static_cast<std::size_t>((end - 1) / part_rows_[tensor]);
  for (std::size_t part = first; part <= std::min(last, of.size() - 1); ++part) {
    if (!is_held_[of[part]].load(std::memory_order_relaxed)) enter(of[part]);
  }
}

void FileWindow::enter(std::size_t g) {
  const std::lock_guard lock(mutex_);
  if (is_held_[g].load(std::memory_order_relaxed)) return;
  const Group& group = groups_[g];
  entered_ += group.bytes;
  if (group.is_pinned) {
    pinned_held_ += group.bytes;
  } else {
    held_bytes_ += group.bytes;
    while (held_bytes_ > limit_ - pinned_ && !held_.empty()) {
      const std::size_t oldest = held_.front();
      held_.pop_front();
      is_held_[oldest].store(false, std::memory_order_relaxed);
      release(oldest);
      held_bytes_ -= groups_[oldest].bytes;
    }
    held_.push_back(g);
  }
  is_held_[g].store(true, std::memory_order_relaxed);
  most_held_ = std::max(most_held_, pinned_held_ + held_bytes_);
  if (group.layer < 0) return;
  // A backward goes down; behind the last layer of a forward comes the first that does not stay.
  const std::int64_t way = last_layer_ > group.layer && group.layer != first_streamed_ ? -1 : 1;
  last_layer_ = group.layer;
  for (std::int64_t step = 1; step < layers_; ++step) {
    const std::int64_t next = ((group.layer + way * step) % layers_ + layers_) % layers_;
    for (std::size_t other = 0; other < groups_.size(); ++other) {
      if (groups_[other].layer != next || is_held_[other].load(std::memory_order_relaxed)) continue;
      return read_ahead(other);
    }
  }
}

void FileWindow::read_ahead(std::size_t group) const {
  for (const Rows& rows : groups_[group].rows) source_.read_ahead(rows.tensor);
}

std::uint64_t FileWindow::entered_bytes() const {
  const std::lock_guard lock(mutex_);
  return entered_;
}
std::uint64_t FileWindow::most_held() const {
  const std::lock_guard lock(mutex_);
  return most_held_;
}

}  // namespace frugal
