#include "frugal/tune/spruft/torch/row_scores.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "frugal/base/interrupt.h"
#include "frugal/base/philox.h"
#include "frugal/base/progress.h"
#include "frugal/formats/nf4.h"
#include "frugal/train/parametrisation/parametrisation.h"
#include "frugal/train/zeroth_order/engine.h"
#include "frugal/tune/spruft/aggregate.h"
#include "frugal/tune/spruft/selection.h"
#include "frugal/tune/spruft/torch/line_sums.h"

namespace frugal {
namespace {

using Scores = std::vector<std::vector<double>>;

// What a backward pass leaves of some linears: dense gradients, or the squares of what each of them reads.
class Calibration : public Gradients {
 public:
  enum class Of { gradients, inputs };
  Calibration(const WeightStore& store, const std::vector<std::size_t>& linears, Of what)
      : lowest_(0), sums_(store.size()), inputs_(store.size()) {
    lowest_ = static_cast<std::int64_t>(store.shape().layers.size());
    for (const std::size_t id : linears) {
      lowest_ = std::min(lowest_, store.spec(id).layer);
      if (what == Of::gradients)
        sums_[id] = Buffer(static_cast<std::size_t>(store.elements(id)) * sizeof(float));
      else
        inputs_[id].sums.resize(static_cast<std::size_t>(store.spec(id).cols));
    }
  }
  std::int64_t lowest_layer() const override { return lowest_; }
  GradientSum of(std::size_t id) override {
    GradientSum sum;
    if (sums_[id].size() > 0) sum.sum = sums_[id].as<float>();
    if (!inputs_[id].sums.empty()) sum.inputs = &inputs_[id];
    return sum;
  }
  void zero() {
    for (Buffer& sum : sums_) std::fill_n(sum.as<float>(), sum.size() / sizeof(float), 0.0f);
  }
  const float* gradient(std::size_t id) const { return sums_[id].as<float>(); }
  // Root of the mean square of input j over the tokens.
  std::vector<double> input_sizes(std::size_t id) const {
    std::vector<double> sizes = inputs_[id].sums;
    for (double& size : sizes)
      size = std::sqrt(size / static_cast<double>(std::max<std::int64_t>(1, inputs_[id].tokens)));
    return sizes;
  }

 private:
  std::int64_t lowest_;
  std::vector<Buffer> sums_;
  std::vector<InputSquares> inputs_;
};

double product_size(double w, double g, std::int64_t) { return std::abs(w * g); }
double square(double w, double, std::int64_t) { return w * w; }

// The first `count` of `from` in an order drawn by seed.
std::vector<std::uint32_t> drawn(std::vector<std::uint32_t> from, std::size_t count, std::uint64_t seed) {
  PhiloxSequence random(philox_key(seed, 0, kCalibrationSample), Stream::shuffle);
  for (auto left = static_cast<std::uint32_t>(from.size()); left > 1; --left)
    std::swap(from[left - 1], from[random.below(left)]);
  from.resize(std::min(from.size(), count));
  return from;
}

class Scorer {
 public:
  Scorer(const SpruftConfig& config, std::int64_t batch, std::uint64_t seed, WeightStore& store, Threads& threads,
         Objective& objective, const std::vector<std::size_t>& linears)
      : config_(config),
        batch_(static_cast<std::size_t>(batch)),
        seed_(seed),
        store_(store),
        threads_(threads),
        objective_(objective),
        view_(store),
        lines_(store, threads, config.axis == "in"),
        linears_(linears) {
    for (const std::size_t id : linears) scores_.emplace_back(lines_.count(id), 0.0);
  }

  Scores of_gradients() {
    const auto batches = calibration();
    const bool is_fisher = config_.score == "fisher";
    const double share = 1 / static_cast<double>(batches.size());
    const auto fisher = [share](double w, double g, std::int64_t) { return w * w * g * g * share; };
    each_group(Calibration::Of::gradients, batches.size(),
               [&](const std::vector<std::size_t>& places, Calibration& sums) {
                 for (const auto& batch : batches) {
                   if (is_fisher) sums.zero();
                   backward(batch, sums);
                   if (is_fisher) add(places, sums, fisher);
                 }
                 if (!is_fisher) add(places, sums, product_size);
               });
    return scores_;
  }

  Scores of_inputs() {
    const auto batches = calibration();
    each_group(Calibration::Of::inputs, batches.size(), [&](const std::vector<std::size_t>& places, Calibration& seen) {
      for (const auto& batch : batches) backward(batch, seen);
      for (const std::size_t l : places) {
        const std::vector<double> sizes = seen.input_sizes(linears_[l]);
        lines_.add(
            linears_[l], no_companion,
            [&](double w, double, std::int64_t col) { return std::abs(w) * sizes[static_cast<std::size_t>(col)]; },
            scores_[l]);
      }
    });
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
    std::vector<std::vector<std::vector<double>>> of(scores_.size());  // [linear][line][label]
    for (std::size_t l = 0; l < scores_.size(); ++l) of[l].resize(scores_[l].size());
    each_group(Calibration::Of::gradients, each * by_label.size(),
               [&](const std::vector<std::size_t>& places, Calibration& sums) {
                 for (const auto& [label, members] : by_label) {
                   sums.zero();
                   for (const auto& batch : batches_of(drawn(members, each * batch_, seed_))) backward(batch, sums);
                   for (const std::size_t l : places) scores_[l].assign(scores_[l].size(), 0);
                   add(places, sums, product_size);
                   for (const std::size_t l : places) {
                     for (std::size_t line = 0; line < of[l].size(); ++line) of[l][line].push_back(scores_[l][line]);
                   }
                 }
               });
    for (std::size_t l = 0; l < of.size(); ++l) {
      for (std::size_t line = 0; line < of[l].size(); ++line)
        scores_[l][line] = aggregate(config_.aggregate, of[l][line]);
    }
    return scores_;
  }

  // g = 1/n sum c_k z_k; z is made again for each tile of rows, so nothing of the model's size exists.
  Scores of_forward_passes() {
    const std::uint64_t seed = philox_key(seed_, 0, kProbeSample);
    const ZerothOrderConfig config;
    WholeWeights whole(store_, threads_, std::vector<bool>(store_.size(), true));
    ZerothOrderEngine engine(whole, threads_, config, seed);
    const auto n = static_cast<std::size_t>(config_.zo_directions);
    const auto batches = calibration();
    std::vector<float> slopes;
    Progress progress(n, "directions");
    for (std::size_t k = 0; k < n; ++k) {
      throw_if_interrupted();
      const std::span<const std::uint32_t> part = batches[k % batches.size()];
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
      const auto estimated = [&](std::int64_t begin, std::span<const float> w, std::vector<float>& g) -> const float* {
        std::vector<float> z(w.size());
        g.assign(w.size(), 0);
        for (std::size_t k = 0; k < n; ++k) {
          kernels::directions({.direction = parse_direction(config.direction),
                               .key = philox_key(seed, k, 0),
                               .tensor = static_cast<std::uint32_t>(id)},
                              static_cast<std::uint64_t>(begin * cols), z.size(), z.data());
          for (std::size_t j = 0; j < z.size(); ++j) g[j] += slopes[k] * z[j] / static_cast<float>(n);
        }
        return g.data();
      };
      lines_.add(id, estimated, product_size, scores_[l]);
    }
    return scores_;
  }

  Scores of_weights() {
    for (std::size_t l = 0; l < linears_.size(); ++l) lines_.add(linears_[l], no_companion, square, scores_[l]);
    return scores_;
  }

  // |R_i|, R = W - NF4(W); blocks of 64 numbers may cross rows, and tiles of 64 rows are whole blocks.
  Scores of_quantisation() {
    std::size_t id = 0;
    const auto error = [&](std::int64_t begin, std::span<const float> tile, std::vector<float>& r) -> const float* {
      const auto n = static_cast<std::int64_t>(tile.size());
      std::vector<float> w(tile.size());
      store_.source().read_rows(id, begin, begin + n / store_.spec(id).cols, w.data());
      std::vector<std::uint8_t> codes(static_cast<std::size_t>(nf4::code_bytes(n)));
      std::vector<float> scales(static_cast<std::size_t>(nf4::blocks(n)));
      nf4::encode(w.data(), n, codes.data(), scales.data());
      r.resize(w.size());
      nf4::decode(codes.data(), scales.data(), 0, n, r.data());
      for (std::size_t j = 0; j < r.size(); ++j) r[j] -= w[j];
      return r.data();
    };
    for (std::size_t l = 0; l < linears_.size(); ++l) {
      id = linears_[l];
      lines_.add(
          id, error, [](double, double r, std::int64_t) { return r * r; }, scores_[l]);
      for (double& score : scores_[l]) score = std::sqrt(score);
      store_.source().release(id);
    }
    return scores_;
  }

  Scores of_chance() {
    for (std::size_t l = 0; l < linears_.size(); ++l) {
      PhiloxSequence random(philox_key(seed_, 0, kRandomScoreSample), Stream::initial,
                            static_cast<std::uint32_t>(linears_[l]));
      for (double& score : scores_[l]) score = random.uniform();
    }
    return scores_;
  }

 private:
  static constexpr auto no_companion = [](std::int64_t, std::span<const float> w, std::vector<float>&) {
    return w.data();
  };

  std::vector<std::vector<std::uint32_t>> batches_of(const std::vector<std::uint32_t>& examples) const {
    std::vector<std::vector<std::uint32_t>> batches;
    for (std::size_t b = 0; b < examples.size(); b += batch_) {
      const auto begin = examples.begin() + static_cast<std::ptrdiff_t>(b);
      batches.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(std::min(batch_, examples.size() - b)));
    }
    return batches;
  }
  std::vector<std::vector<std::uint32_t>> calibration() const {
    std::vector<std::uint32_t> all(objective_.size());
    std::iota(all.begin(), all.end(), 0u);
    return batches_of(drawn(std::move(all), batch_ * static_cast<std::size_t>(config_.score_batches), seed_));
  }

  template <class Importance>
  void add(const std::vector<std::size_t>& places, const Calibration& sums, const Importance& importance) {
    for (const std::size_t l : places) {
      const std::size_t id = linears_[l];
      const float* gradient = sums.gradient(id);
      const std::int64_t cols = store_.spec(id).cols;
      lines_.add(
          id, [&](std::int64_t begin, std::span<const float>, std::vector<float>&) { return gradient + begin * cols; },
          importance, scores_[l]);
    }
  }

  void backward(std::span<const std::uint32_t> examples, Calibration& sums) {
    throw_if_interrupted();
    objective_.loss_and_gradients(view_, examples, 1 / objective_.terms(examples), false, sums);
    if (progress_) progress_->update(++done_);
  }

  // Runs work(places in linears_, what their backward leaves) over groups of score_layers layers.
  template <class Work>
  void each_group(Calibration::Of what, std::size_t batches, const Work& work) {
    const bool is_small = what == Calibration::Of::inputs;
    const std::int64_t layers = static_cast<std::int64_t>(store_.shape().layers.size()),
                       together = config_.score_layers > 0 && !is_small ? config_.score_layers : layers;
    const auto groups = static_cast<std::size_t>((layers + together - 1) / together);
    progress_ = std::make_unique<Progress>(groups * batches, "scoring batches");
    for (std::int64_t from = 0; from < layers; from += together) {
      std::vector<std::size_t> places, group;
      for (std::size_t l = 0; l < linears_.size(); ++l) {
        const std::int64_t layer = store_.spec(linears_[l]).layer;
        if (layer < from || layer >= from + together) continue;
        places.push_back(l);
        group.push_back(linears_[l]);
      }
      if (group.empty()) continue;
      Calibration sums(store_, group, what);
      work(places, sums);
    }
    progress_.reset();
  }

  const SpruftConfig& config_;
  std::size_t batch_;
  std::uint64_t seed_;
  WeightStore& store_;
  Threads& threads_;
  Objective& objective_;
  BaseView view_;
  LineSums lines_;
  const std::vector<std::size_t>& linears_;
  Scores scores_;
  std::unique_ptr<Progress> progress_;
  std::uint64_t done_ = 0;
};

}  // namespace

std::vector<std::vector<double>> row_scores(const SpruftConfig& config, std::int64_t batch, std::uint64_t seed,
                                            WeightStore& store, Threads& threads, Objective& objective,
                                            const std::vector<std::size_t>& linears) {
  Scorer scorer(config, batch, seed, store, threads, objective, linears);
  if (config.score == "magnitude") return scorer.of_weights();
  if (config.score == "random") return scorer.of_chance();
  if (config.score == "wanda") return scorer.of_inputs();
  if (config.score == "quant-error") return scorer.of_quantisation();
  if (config.score == "zo-taylor") return scorer.of_forward_passes();
  if (config.score == "qm-taylor") return scorer.of_labels();
  return scorer.of_gradients();
}

}  // namespace frugal
