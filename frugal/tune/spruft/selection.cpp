#include "frugal/tune/spruft/selection.h"

#include <algorithm>
#include <numeric>

#include "frugal/formats/names.h"

namespace frugal {

std::int64_t row_budget(const SpruftConfig& config, const std::string& name, std::int64_t rows) {
  if (config.ratio > 0) {
    const auto share =
        static_cast<std::int64_t>(config.ratio * static_cast<double>(rows)) / config.round_to * config.round_to;
    return std::min(rows, std::max(share, config.min_rows));
  }
  if (config.rows == 0) return std::min(rows, SpruftConfig::kDefaultRows);
  const std::int64_t wanted = config.rows;
  if (wanted > rows) {
    throw Error(Exit::usage,
                "--rows is " + std::to_string(wanted) + ", but " + name + " has " + std::to_string(rows) +
                    (config.axis == "in" ? " columns" : " rows"),
                "--rows " + std::to_string(rows) + " is the most, or take a share with --ratio");
  }
  return wanted;
}

std::vector<std::vector<std::int32_t>> select_rows(const SpruftConfig& config, const std::vector<std::string>& names,
                                                   const std::vector<std::vector<double>>& scores) {
  std::vector<std::vector<std::int32_t>> chosen(names.size());
  if (!config.global) {
    for (std::size_t l = 0; l < names.size(); ++l) {
      const auto& own = scores[l];
      std::vector<std::int32_t> order(own.size());
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
        return own[static_cast<std::size_t>(a)] > own[static_cast<std::size_t>(b)];
      });
      order.resize(static_cast<std::size_t>(row_budget(config, names[l], static_cast<std::int64_t>(own.size()))));
      std::sort(order.begin(), order.end());
      chosen[l] = std::move(order);
    }
    return chosen;
  }
  struct Row {
    double score;
    std::size_t linear;
    std::int32_t row;
  };
  std::vector<Row> all;
  for (std::size_t l = 0; l < names.size(); ++l) {
    const double mean =
        std::accumulate(scores[l].begin(), scores[l].end(), 0.0) / static_cast<double>(scores[l].size());
    for (std::size_t r = 0; r < scores[l].size(); ++r) {
      all.push_back({mean > 0 ? scores[l][r] / mean : 0, l, static_cast<std::int32_t>(r)});
    }
  }
  const auto count = std::max<std::size_t>(1, static_cast<std::size_t>(config.ratio * static_cast<double>(all.size())));
  std::stable_sort(all.begin(), all.end(), [](const Row& a, const Row& b) { return a.score > b.score; });
  for (std::size_t i = 0; i < count; ++i) chosen[all[i].linear].push_back(all[i].row);
  for (auto& rows : chosen) std::sort(rows.begin(), rows.end());
  return chosen;
}

bool is_target(const TensorSpec& tensor, const std::vector<std::string>& targets) {
  if (!tensor.is_layer_linear()) return false;
  return targets.empty() || std::any_of(targets.begin(), targets.end(),
                                        [&](const std::string& target) { return is_named_by(tensor.name, target); });
}

}  // namespace frugal
