// Adapters for small models, and the model of the golden ones.
#pragma once
#include <random>
#include <span>
#include <string>

#include "frugal/base/atomic_file.h"
#include "frugal/formats/adapter/lora_adapter.h"
#include "frugal/formats/tests/small_model.h"

namespace frugal::adapter_tests {

using namespace formats_tests;

inline std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(FRUGAL_SOURCE_DIR "/frugal/formats/adapter/tests/golden") / name;
}
inline std::unique_ptr<ModelSource> golden_model() {
  return ModelSource::open(FRUGAL_SOURCE_DIR "/frugal/nn/tests/golden/tied");
}

inline std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

enum class Kind { lora, rslora, dora };

// Factors for every linear of the layers whose name holds `part`; values that binary16 and bfloat16 hold exactly.
inline LoraAdapter small_adapter(const ModelShape& shape, Kind kind, const std::string& part = "",
                                 std::int64_t rank = 3, double alpha = 6) {
  LoraAdapter adapter;
  adapter.use_rslora = kind == Kind::rslora;
  adapter.dropout = 0.125;
  adapter.base_model = "small";
  std::mt19937 random(9);
  for (const TensorSpec& spec : adaptable_linears(shape)) {
    if (spec.name == "lm_head.weight" || spec.name.find(part) == std::string::npos) continue;
    LowRankFactor factor;
    factor.module = spec.name.substr(0, spec.name.rfind('.'));
    factor.rank = rank;
    factor.in = spec.cols;
    factor.out = spec.rows;
    factor.alpha = alpha;
    factor.scale = lora_scale(alpha, rank, adapter.use_rslora);
    const auto draw = [&](std::int64_t n, std::vector<float>& to) {
      for (std::int64_t i = 0; i < n; ++i)
        to.push_back(static_cast<float>(std::uniform_int_distribution<int>(-127, 127)(random)) / 64);
    };
    draw(rank * factor.in, factor.a);
    draw(factor.out * rank, factor.b);
    if (kind == Kind::dora) draw(factor.out, factor.magnitude);
    adapter.factors.push_back(std::move(factor));
  }
  return adapter;
}

inline void set_scale(LoraAdapter& adapter, std::size_t index, double alpha) {
  LowRankFactor& factor = adapter.factors[index];
  factor.alpha = alpha;
  factor.scale = lora_scale(alpha, factor.rank, adapter.use_rslora);
}

}  // namespace frugal::adapter_tests
