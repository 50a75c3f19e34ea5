#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "frugal/base/interrupt.h"
#include "frugal/base/philox.h"
#include "frugal/base/progress.h"
#include "frugal/nn/tensor_ids.h"
#include "frugal/train/first_order/parametrisation.h"
#include "frugal/train/zeroth_order/engine.h"
#include "frugal/tune/spruft/row_scores.h"
#include "frugal/tune/spruft/selection.h"

namespace frugal {
namespace {

using Scores = std::vector<std::vector<double>>;

// Dense gradients of some linears.
class DenseSums : public Gradients {
 public:
  DenseSums(const WeightStore& store, const std::vector<std::size_t>& linears) : lowest_(0), sums_(store.size()) {
    const DecoderIds ids(store.shape());
    lowest_ = static_cast<std::int64_t>(ids.layers.size());
    for (const std::size_t id : linears) {
      lowest_ = std::min(lowest_, layer_of(ids, id));
      sums_[id] = Buffer(static_cast<std::size_t>(store.elements(id)) * sizeof(float));
    }
  }
  std::int64_t lowest_layer() const override { return lowest_; }
  GradientSum of(std::size_t id) override { return {sums_[id].size() == 0 ? nullptr : sums_[id].as<float>()}; }
  void zero() {
    for (Buffer& sum : sums_) std::fill_n(sum.as<float>(), sum.size() / sizeof(float), 0.0f);
  }

 private:
  std::int64_t lowest_;
  std::vector<Buffer> sums_;
};

// Calls add(linear, row, weights, gradient) for every row.
template <class Add>
void each_row(WeightStore& store, Threads& threads, const std::vector<std::size_t>& linears, Gradients& gradients,
              const Add& add) {
  for (std::size_t l = 0; l < linears.size(); ++l) {
    const std::size_t id = linears[l];
    const std::int64_t rows = store.spec(id).rows, cols = store.spec(id).cols;
    threads.run(rows, [&](std::int64_t row, int) {
      std::vector<float> weights(static_cast<std::size_t>(cols));
      store.read_rows(id, row, row + 1, weights.data());
      add(l, static_cast<std::size_t>(row), std::span<const float>(weights), gradients.of(id).sum + row * cols);
    });
  }
}

double taylor(std::span<const float> w, const float* g) {
  double sum = 0;
  for (std::size_t j = 0; j < w.size(); ++j) sum += std::abs(static_cast<double>(w[j]) * static_cast<double>(g[j]));
  return sum;
}

// The first `count` of `from` in an order drawn by seed.
std::vector<std::uint32_t> drawn(std::vector<std::uint32_t> from, std::size_t count, std::uint64_t seed) {
  PhiloxSequence random(philox_key(seed, 0, 0x5c0), Stream::shuffle);
  for (auto left = static_cast<std::uint32_t>(from.size()); left > 1; --left)
    std::swap(from[left - 1], from[random.below(left)]);
  from.resize(std::min(from.size(), count));
  return from;
}

class Scorer {
 public:
  Scorer(const SpruftConfig& config, std::int64_t batch, std::uint64_t seed, WeightStore& store, Decoder& decoder,
         Objective& objective, const std::vector<std::size_t>& linears)
      : config_(config),
        batch_(static_cast<std::size_t>(batch)),
        seed_(seed),
        store_(store),
        decoder_(decoder),
        objective_(objective),
        view_(store),
        linears_(linears) {
    for (const std::size_t id : linears) scores_.emplace_back(static_cast<std::size_t>(store.spec(id).rows), 0.0);
  }

  Scores of_gradients() {
    std::vector<std::uint32_t> all(objective_.size());
    std::iota(all.begin(), all.end(), 0u);
    const auto calibration = drawn(std::move(all), batch_ * static_cast<std::size_t>(config_.score_batches), seed_);
    const bool is_fisher = config_.score == "fisher";
    each_group(
        [&](const std::vector<std::size_t>& group, std::size_t first, DenseSums& sums) {
          const auto take = [&](double share) {
            each_row(store_, decoder_.threads(), group, sums,
                     [&](std::size_t l, std::size_t row, std::span<const float> w, const float* g) {
                       double sum = 0;
                       if (!is_fisher) sum = taylor(w, g);
                       for (std::size_t j = 0; is_fisher && j < w.size(); ++j) {
                         sum += static_cast<double>(w[j]) * static_cast<double>(w[j]) * static_cast<double>(g[j]) *
                                static_cast<double>(g[j]) * share;
                       }
                       scores_[first + l][row] += sum;
                     });
          };
          const std::size_t batches = (calibration.size() + batch_ - 1) / batch_;
          for (std::size_t b = 0; b < batches; ++b) {
            if (is_fisher) sums.zero();
            backward(std::span(calibration).subspan(b * batch_, std::min(batch_, calibration.size() - b * batch_)),
                     sums);
            if (is_fisher) take(1 / static_cast<double>(batches));
          }
          if (!is_fisher) take(1);
        },
        (calibration.size() + batch_ - 1) / batch_);
    return scores_;
  }

  Scores of_labels() {
    std::map<std::int32_t, std::vector<std::uint32_t>> by_label;
    const auto classes = objective_.classes();
    for (std::size_t i = 0; i < classes.size(); ++i) by_label[classes[i]].push_back(static_cast<std::uint32_t>(i));
    if (by_label.size() < 2) {
      throw Error(Exit::usage, "--score is qm-taylor, but the data has no labels", "--score taylor needs none");
    }
    const auto each = std::max<std::size_t>(1, static_cast<std::size_t>(config_.score_batches) / by_label.size());
    std::vector<std::vector<std::vector<double>>> of(scores_.size());  // [linear][row][label]
    for (std::size_t l = 0; l < scores_.size(); ++l) of[l].resize(scores_[l].size());
    each_group(
        [&](const std::vector<std::size_t>& group, std::size_t first, DenseSums& sums) {
          for (const auto& [label, members] : by_label) {
            sums.zero();
            const auto own = drawn(members, each * batch_, seed_);
            for (std::size_t b = 0; b < own.size(); b += batch_)
              backward(std::span(own).subspan(b, std::min(batch_, own.size() - b)), sums);
            each_row(store_, decoder_.threads(), group, sums,
                     [&](std::size_t l, std::size_t row, std::span<const float> w, const float* g) {
                       of[first + l][row].push_back(taylor(w, g));
                     });
          }
        },
        each * by_label.size());
    for (std::size_t l = 0; l < of.size(); ++l) {
      for (std::size_t r = 0; r < of[l].size(); ++r) scores_[l][r] = quantile_mean(of[l][r]);
    }
    return scores_;
  }

  // g = 1/n sum c_k z_k; z is made again for each tile of rows, so nothing of the model's size exists.
  Scores of_forward_passes() {
    ZerothOrderOptions options;
    options.seed = philox_key(seed_, 0, 0x20);
    ZerothOrderEngine engine(store_, decoder_.threads(), options);
    std::vector<std::uint32_t> all(objective_.size());
    std::iota(all.begin(), all.end(), 0u);
    const auto n = static_cast<std::size_t>(config_.zo_directions);
    const auto calibration = drawn(std::move(all), batch_ * static_cast<std::size_t>(config_.score_batches), seed_);
    std::vector<float> slopes;
    Progress progress(n, "directions");
    for (std::size_t k = 0; k < n; ++k) {
      throw_if_interrupted();
      const std::size_t begin = k * batch_ % calibration.size();
      const auto part = std::span(calibration).subspan(begin, std::min(batch_, calibration.size() - begin));
      const auto estimate = engine.estimate(k, [&](const WeightView& view) {
        const auto sums = objective_.loss_sums(view, part);
        return ZerothOrderEngine::BranchLosses{sums[0] / objective_.terms(part), sums[1] / objective_.terms(part)};
      });
      slopes.push_back(estimate.projected_gradients[0]);
      progress.update(k + 1);
    }
    for (std::size_t l = 0; l < linears_.size(); ++l) {
      const std::size_t id = linears_[l];
      const std::int64_t cols = store_.spec(id).cols;
      decoder_.threads().run(store_.spec(id).rows, [&](std::int64_t row, int) {
        const auto c = static_cast<std::size_t>(cols);
        std::vector<float> w(c), z(c), g(c, 0);
        store_.read_rows(id, row, row + 1, w.data());
        for (std::size_t k = 0; k < n; ++k) {
          kernels::directions({.direction = options.direction,
                               .key = philox_key(options.seed, k, 0),
                               .tensor = static_cast<std::uint32_t>(id)},
                              static_cast<std::uint64_t>(row * cols), c, z.data());
          for (std::size_t j = 0; j < c; ++j) g[j] += slopes[k] * z[j] / static_cast<float>(n);
        }
        scores_[l][static_cast<std::size_t>(row)] = taylor(w, g.data());
      });
    }
    return scores_;
  }

  Scores of_weights() {
    for (std::size_t l = 0; l < linears_.size(); ++l) {
      const std::size_t id = linears_[l];
      std::vector<float> w(static_cast<std::size_t>(store_.spec(id).cols));
      for (std::int64_t row = 0; row < store_.spec(id).rows; ++row) {
        store_.read_rows(id, row, row + 1, w.data());
        for (const float x : w)
          scores_[l][static_cast<std::size_t>(row)] += static_cast<double>(x) * static_cast<double>(x);
      }
    }
    return scores_;
  }

  Scores of_chance() {
    for (std::size_t l = 0; l < linears_.size(); ++l) {
      PhiloxSequence random(philox_key(seed_, 0, 0x4a), Stream::initial, static_cast<std::uint32_t>(linears_[l]));
      for (double& score : scores_[l]) score = random.uniform();
    }
    return scores_;
  }

 private:
  void backward(std::span<const std::uint32_t> examples, DenseSums& sums) {
    throw_if_interrupted();
    objective_.loss_and_gradients(view_, examples, 1 / objective_.terms(examples), false, sums);
    if (progress_) progress_->update(++done_);
  }

  // Runs work(linears of some layers, the first one's place, sums) over groups of score_layers layers.
  template <class Work>
  void each_group(const Work& work, std::size_t batches) {
    const DecoderIds ids(store_.shape());
    const std::int64_t layers = static_cast<std::int64_t>(ids.layers.size()),
                       together = config_.score_layers > 0 ? config_.score_layers : layers;
    const auto groups = static_cast<std::size_t>((layers + together - 1) / together);
    progress_ = std::make_unique<Progress>(groups * batches, "scoring batches");
    for (std::int64_t from = 0; from < layers; from += together) {
      std::vector<std::size_t> group;
      std::size_t first = 0;
      for (std::size_t l = 0; l < linears_.size(); ++l) {
        const std::int64_t layer = layer_of(ids, linears_[l]);
        if (layer < from || layer >= from + together) continue;
        if (group.empty()) first = l;
        group.push_back(linears_[l]);
      }
      if (group.empty()) continue;
      DenseSums sums(store_, group);
      work(group, first, sums);
    }
    progress_.reset();
  }

  const SpruftConfig& config_;
  std::size_t batch_;
  std::uint64_t seed_;
  WeightStore& store_;
  Decoder& decoder_;
  Objective& objective_;
  BaseView view_;
  const std::vector<std::size_t>& linears_;
  Scores scores_;
  std::unique_ptr<Progress> progress_;
  std::uint64_t done_ = 0;
};

}  // namespace

std::vector<std::vector<double>> row_scores(const SpruftConfig& config, std::int64_t batch, std::uint64_t seed,
                                            WeightStore& store, Decoder& decoder, Objective& objective,
                                            const std::vector<std::size_t>& linears) {
  Scorer scorer(config, batch, seed, store, decoder, objective, linears);
  if (config.score == "magnitude") return scorer.of_weights();
  if (config.score == "random") return scorer.of_chance();
  if (config.score == "zo-taylor") return scorer.of_forward_passes();
  if (config.score == "qm-taylor") return scorer.of_labels();
  return scorer.of_gradients();
}

}  // namespace frugal
