#include "frugal/data/batcher.h"

#include <algorithm>
#include <map>

#include "frugal/base/error.h"
#include "frugal/base/philox.h"

namespace frugal {

Batcher::Batcher(std::span<const std::int32_t> labels, std::int64_t size, std::uint64_t seed, bool is_balanced)
    : size_(static_cast<std::uint64_t>(size)), seed_(seed) {
  if (labels.empty() || size < 1)
    throw Error(Exit::internal, "a batcher needs examples and a batch size of at least 1", "report this");
  std::map<std::int32_t, std::vector<std::uint32_t>> by_class;
  for (std::size_t i = 0; i < labels.size(); ++i)
    by_class[is_balanced ? labels[i] : 0].push_back(static_cast<std::uint32_t>(i));
  for (auto& [label, members] : by_class) groups_.push_back(std::move(members));
  orders_.resize(groups_.size());
}

std::uint32_t Batcher::pick(std::size_t group, std::uint64_t position) const {
  const auto& members = groups_[group];
  const std::uint64_t epoch = position / members.size();
  Order& order = orders_[group];
  if (order.epoch != epoch) {
    order.epoch = epoch;
    order.indices = members;
    PhiloxSequence random(philox_key(seed_, epoch), Stream::shuffle, static_cast<std::uint32_t>(group));
    for (auto left = static_cast<std::uint32_t>(members.size()); left > 1; --left) {
      std::swap(order.indices[left - 1], order.indices[random.below(left)]);
    }
  }
  return order.indices[position % members.size()];
}

std::vector<std::uint32_t> Batcher::batch(std::uint64_t step) const {
  std::vector<std::uint32_t> indices;
  for (std::uint64_t position = step * size_; position < (step + 1) * size_; ++position) {
    indices.push_back(pick(position % groups_.size(), position / groups_.size()));
  }
  return indices;
}

double Batcher::epoch(std::uint64_t step) const {
  std::size_t largest = 0;
  for (const auto& group : groups_) largest = std::max(largest, group.size());
  return static_cast<double>(step * size_) / static_cast<double>(largest * groups_.size());
}

}  // namespace frugal
