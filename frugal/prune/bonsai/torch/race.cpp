#include "frugal/prune/bonsai/torch/race.h"

#include <cmath>
#include <numeric>

namespace frugal::bonsai {
namespace {

constexpr std::size_t kLeastWindows = 4, kLeastPairs = 4;

double mean(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}
double deviation(const std::vector<double>& x) {
  const double m = mean(x);
  double sum = 0;
  for (const double each : x) sum += (each - m) * (each - m);
  return std::sqrt(sum / static_cast<double>(x.size() - 1));
}

}  // namespace

RaceResult race(PruneModel& model, const Windows& windows, const Prefix& prefix, const std::vector<ModelMask>& masks,
                double tolerance, const std::vector<double>& before) {
  const auto from = [&](std::size_t token) {
    return LayerRange{.first = prefix.layer,
                      .hidden = prefix.layer == 0
                                    ? nullptr
                                    : prefix.hidden.data() + token * static_cast<std::size_t>(model.shape().hidden)};
  };
  const auto all = static_cast<std::int64_t>(windows.size() * masks.size());
  if (tolerance <= 0 || before.size() < 2 * kLeastPairs) return {model.losses(windows, masks, from(0)), all};
  std::vector<double> differences;
  for (std::size_t i = 0; i < before.size(); i += 2) differences.push_back(before[i] - before[i + 1]);
  const double enough = tolerance * deviation(differences);
  RaceResult result{std::vector<double>(masks.size())};
  std::vector<std::vector<double>> losses(masks.size());  // of each window
  std::vector<std::size_t> running(masks.size() / 2);     // pairs
  std::iota(running.begin(), running.end(), std::size_t{0});
  for (std::size_t w = 0, token = 0; w < windows.size() && !running.empty(); token += windows[w++].size()) {
    std::vector<ModelMask> now;
    for (const std::size_t pair : running) now.insert(now.end(), {masks[2 * pair], masks[2 * pair + 1]});
    const std::vector<double> found = model.losses(std::span(windows).subspan(w, 1), now, from(token));
    result.windows += static_cast<std::int64_t>(found.size());
    for (std::size_t i = 0; i < found.size(); ++i) losses[2 * running[i / 2] + i % 2].push_back(found[i]);
    std::erase_if(running, [&](std::size_t pair) {
      if (w + 1 < kLeastWindows) return false;
      std::vector<double> own;
      for (std::size_t i = 0; i <= w; ++i) own.push_back(losses[2 * pair][i] - losses[2 * pair + 1][i]);
      return deviation(own) / std::sqrt(static_cast<double>(own.size())) < enough;
    });
  }
  for (std::size_t i = 0; i < masks.size(); ++i) result.losses[i] = mean(losses[i]);
  return result;
}

}  // namespace frugal::bonsai
