#include "frugal/train/parametrisation/low_rank.h"

#include <algorithm>
#include <cmath>

#include "frugal/base/error.h"
#include "frugal/base/philox.h"
#include "frugal/formats/names.h"

namespace frugal {

LowRankPairs::LowRankPairs(const WeightStore& store, const LowRankConfig& config, std::uint64_t seed)
    : store_(store),
      config_(config),
      seed_(seed),
      alphas_(store.size()),
      pairs_(store.size()),
      view_(store, pairs_),
      training_view_(store, pairs_) {
  if (config_.rank < 1) {
    throw Error(Exit::usage, "--rank is " + std::to_string(config_.rank) + ", expected at least 1",
                "--rank 8 suits most tasks");
  }
  std::vector<bool> found(config_.targets.size());
  for (std::size_t id = 0; id < store.size(); ++id) {
    const TensorSpec& spec = store.spec(id);
    if (!spec.is_layer_linear()) continue;
    bool is_target = config_.targets.empty();
    for (std::size_t t = 0; t < found.size(); ++t) {
      if (is_named_by(spec.name, config_.targets[t])) is_target = found[t] = true;
    }
    if (!is_target) continue;
    if (config_.rank > std::min(spec.rows, spec.cols)) {
      throw Error(Exit::usage,
                  "--rank is " + std::to_string(config_.rank) + ", but " + spec.name + " is " +
                      std::to_string(spec.rows) + " x " + std::to_string(spec.cols),
                  "--rank " + std::to_string(std::min(spec.rows, spec.cols)) + " is the most");
    }
    add(id, config_.rank, lora_scale(config_.alpha, config_.rank, config_.rslora), config_.alpha);
  }
  for (std::size_t t = 0; t < found.size(); ++t) {
    if (!found[t]) {
      throw Error(Exit::usage, "--targets names '" + config_.targets[t] + "', which no linear of the model ends in",
                  "choose from q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj");
    }
  }
  place();
}

LowRankPairs::LowRankPairs(const WeightStore& store, LoraAdapter start, double dropout, std::uint64_t seed)
    : store_(store),
      config_{.dropout = dropout, .rslora = start.use_rslora, .dora = start.use_dora()},
      seed_(seed),
      start_(std::move(start)),
      alphas_(store.size()),
      pairs_(store.size()),
      view_(store, pairs_),
      training_view_(store, pairs_) {
  for (std::size_t id = 0; id < store.size(); ++id) {
    for (const LowRankFactor& factor : start_.factors) {
      if (factor.module + ".weight" != store.spec(id).name) continue;
      if (!store.spec(id).is_layer_linear()) {
        throw Error(Exit::input, "the adapter has a pair beside " + store.spec(id).name,
                    "give an adapter of the layers' linears alone");
      }
      add(id, factor.rank, factor.scale, factor.alpha);
    }
  }
  place();
}

void LowRankPairs::add(std::size_t id, std::int64_t rank, double scale, double alpha) {
  const TensorSpec& spec = store_.spec(id);
  const std::string module = spec.name.substr(0, spec.name.size() - std::string(".weight").size());
  pairs_[id] = {rank, static_cast<float>(scale)};
  alphas_[id] = alpha;
  const auto part = [&](Parameter::Part of, const char* name, std::int64_t rows, std::int64_t cols) {
    parameters_.push_back({.name = module + name,
                           .id = id,
                           .part = of,
                           .rows = {},
                           .cols = cols,
                           .count = rows * cols,
                           .layer = spec.layer,
                           .decays = of != Parameter::Part::magnitude});
  };
  part(Parameter::Part::factor_a, ".lora_A.weight", rank, spec.cols);
  part(Parameter::Part::factor_b, ".lora_B.weight", spec.rows, rank);
  if (config_.dora) part(Parameter::Part::magnitude, ".lora_magnitude_vector", 1, spec.rows);
}

void LowRankPairs::place() {
  std::size_t end = 0;
  for (const Parameter& p : parameters_) {
    places_.push_back(end);
    end += static_cast<std::size_t>((p.count + 15) / 16 * 16);
  }
  memory_ = Buffer(end * sizeof(float));
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    LowRankPair& pair = pairs_[parameters_[i].id];
    const Parameter::Part part = parameters_[i].part;
    (part == Parameter::Part::factor_a   ? pair.a
     : part == Parameter::Part::factor_b ? pair.b
                                         : pair.magnitude) = memory_.as<float>() + places_[i];
  }
  first_lengths_.resize(pairs_.size());
  restart();
}

const LowRankFactor* LowRankPairs::start_of(std::size_t id) const {
  const auto found = std::find_if(start_.factors.begin(), start_.factors.end(),
                                  [&](const LowRankFactor& f) { return f.module + ".weight" == store_.spec(id).name; });
  return found == start_.factors.end() ? nullptr : &*found;
}

void LowRankPairs::merged_lengths(std::size_t id, std::int64_t begin, std::int64_t end, float* w,
                                  float* lengths) const {
  const std::int64_t cols = store_.spec(id).cols;
  store_.read_rows(id, begin, end, w);
  const LowRankPair& pair = pairs_[id];
  pair_row_norms(w, begin, end - begin, cols, pair.rank, pair.scale, pair.a, pair.b, lengths);
}

void LowRankPairs::restart() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {  // a pair's factors come before its magnitude
    const Parameter& p = parameters_[i];
    float* to = memory_.as<float>() + places_[i];
    if (const LowRankFactor* start = start_of(p.id)) {
      const auto& from = p.part == Parameter::Part::factor_a   ? start->a
                         : p.part == Parameter::Part::factor_b ? start->b
                                                               : start->magnitude;
      std::copy_n(from.data(), p.count, to);
    } else if (p.part == Parameter::Part::factor_b) {
      std::fill_n(to, p.count, 0.0f);
    } else if (p.part == Parameter::Part::factor_a) {
      const double bound = 1 / std::sqrt(static_cast<double>(p.cols));
      PhiloxSequence random(seed_, Stream::initial, static_cast<std::uint32_t>(p.id));
      for (std::int64_t j = 0; j < p.count; ++j) to[j] = static_cast<float>((2 * random.uniform() - 1) * bound);
    } else {  // b is 0: the length of the base's row, so that the model is unchanged
      std::vector<float>& lengths = first_lengths_[p.id];
      constexpr std::int64_t kRows = 64;
      if (lengths.empty()) {
        lengths.resize(static_cast<std::size_t>(p.count));
        std::vector<float> rows(static_cast<std::size_t>(kRows * store_.spec(p.id).cols));
        for (std::int64_t begin = 0; begin < p.count; begin += kRows)
          merged_lengths(p.id, begin, std::min(p.count, begin + kRows), rows.data(), lengths.data() + begin);
      }
      std::copy(lengths.begin(), lengths.end(), to);
    }
  }
}

const WeightView& LowRankPairs::training_view(std::uint64_t step) {
  training_view_.set_dropout(config_.dropout, philox_key(seed_, step, kDropoutSample));
  return training_view_;
}

std::byte* LowRankPairs::values(std::size_t parameter) {
  return reinterpret_cast<std::byte*>(memory_.as<float>() + places_[parameter]);
}

std::vector<NamedBytes> LowRankPairs::state() {
  std::vector<NamedBytes> all;
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    all.push_back({parameters_[i].name, {values(i), static_cast<std::size_t>(parameters_[i].count) * sizeof(float)}});
  return all;
}

void LowRankPairs::merged_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const {
  const LowRankPair& pair = pairs_[id];
  if (pair.rank == 0) return store_.read_rows(id, begin, end, out);
  std::vector<float> lengths(static_cast<std::size_t>(end - begin));
  merged_lengths(id, begin, end, out, lengths.data());
  if (pair.magnitude == nullptr) return;
  const std::int64_t cols = store_.spec(id).cols;
  for (std::int64_t i = begin; i < end; ++i) {
    const float length = lengths[static_cast<std::size_t>(i - begin)],
                factor = length > 0 ? pair.magnitude[i] / length : 0;
    for (std::int64_t j = 0; j < cols; ++j) out[(i - begin) * cols + j] *= factor;
  }
}

std::optional<LoraAdapter> LowRankPairs::adapter() const {
  LoraAdapter adapter{.factors = {},
                      .use_rslora = config_.rslora,
                      .dropout = config_.dropout,
                      .base_model = store_.source().path().string()};
  for (std::size_t id = 0; id < pairs_.size(); ++id) {
    const LowRankPair& pair = pairs_[id];
    if (pair.rank == 0) continue;
    const TensorSpec& spec = store_.spec(id);
    adapter.factors.push_back({.module = spec.name.substr(0, spec.name.size() - std::string(".weight").size()),
                               .rank = pair.rank,
                               .in = spec.cols,
                               .out = spec.rows,
                               .a = std::vector<float>(pair.a, pair.a + pair.rank * spec.cols),
                               .b = std::vector<float>(pair.b, pair.b + pair.rank * spec.rows),
                               .magnitude = pair.magnitude == nullptr
                                                ? std::vector<float>()
                                                : std::vector<float>(pair.magnitude, pair.magnitude + spec.rows),
                               .scale = lora_scale(alphas_[id], pair.rank, config_.rslora),
                               .alpha = alphas_[id]});
  }
  return adapter;
}

}  // namespace frugal
