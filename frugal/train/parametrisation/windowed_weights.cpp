#include "frugal/train/parametrisation/windowed_weights.h"

#include <algorithm>
#include <numeric>

#include "frugal/base/philox.h"

namespace frugal {
namespace {

std::int64_t share(double ratio, std::int64_t of) {
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(ratio * static_cast<double>(of)), 1, of);
}

// The rows that hold the window's entries, and what its gradient then leaves out.
std::vector<std::int32_t> covering_rows(Window& window, std::int64_t rows, std::int64_t cols) {
  const std::int64_t last = window.first + window.count - 1, begin = window.first / cols;
  std::int64_t end = std::min(last / cols + 1, rows), wrapped = 0;
  if (last >= window.size) {
    end = rows;
    wrapped = (last - window.size) / cols + 1;
  }
  if (wrapped > 0 && wrapped >= begin) return {};  // all of them
  window.gap_from = wrapped * cols;
  window.gap = (begin - wrapped) * cols;
  std::vector<std::int32_t> all(static_cast<std::size_t>(wrapped + end - begin));
  std::iota(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(wrapped), 0);
  std::iota(all.begin() + static_cast<std::ptrdiff_t>(wrapped), all.end(), static_cast<std::int32_t>(begin));
  window.gradients = static_cast<std::int64_t>(all.size()) * cols;
  return all;
}

// Numbers of a turn in a tensor of `rows` x `cols`: floor(ratio * size), at least 1, or whole rows of it.
std::int64_t window_count(const WindowOptions& options, std::int64_t rows, std::int64_t cols) {
  if (rows * cols < WindowedWeights::kWhole) return rows * cols;
  const bool is_by_row = options.order == WindowOptions::Order::adjacent_rows && rows > 1;
  return is_by_row ? share(options.ratio, rows) * cols : share(options.ratio, rows * cols);
}

}  // namespace

WindowedWeights::WindowedWeights(WeightStore& store, Threads& threads, const std::vector<bool>& chosen,
                                 WindowOptions options)
    : WholeWeights(store, threads, chosen), options_(options) {
  begin_turn(0);
}

void WindowedWeights::begin_turn(std::uint64_t turn) {
  for (Parameter& p : parameters_) {
    const TensorSpec& spec = view().store().spec(p.id);
    const std::int64_t size = spec.rows * spec.cols;
    p.count = window_count(options_, spec.rows, spec.cols);
    p.rows.clear();
    p.part = Parameter::Part::whole;
    p.window.reset();
    if (p.count == size) continue;
    const auto all = static_cast<std::uint64_t>(size), step = static_cast<std::uint64_t>(p.count);
    Window window{.size = size, .count = p.count, .gradients = size};
    window.first = static_cast<std::int64_t>(turn % all * step % all);
    if (options_.order == WindowOptions::Order::scatter) {
      window.order.emplace(all, philox_key(options_.seed, p.id, kWindowOrderSample));
    } else if (spec.is_layer_linear()) {
      p.rows = covering_rows(window, spec.rows, spec.cols);
      if (!p.rows.empty()) p.part = Parameter::Part::rows;
    }
    p.window = window;
  }
}

}  // namespace frugal
