// GGUF adapters, as llama.cpp reads them (src/llama-adapter.cpp) and convert_lora_to_gguf.py writes them:
// <weight>.lora_a [rank, in] and <weight>.lora_b [out, rank], rows of B in the order the weight has its rows in GGUF.
#include <algorithm>
#include <cmath>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/formats/adapter/adapter_tensor.h"
#include "frugal/formats/adapter/lora_adapter.h"
#include "frugal/formats/gguf/gguf_writer.h"
#include "frugal/formats/gguf/llama_names.h"

namespace frugal {
namespace {

// The alpha that gives every factor its scale as alpha / rank; 0 where there is none.
double common_alpha(const LoraAdapter& adapter) {
  const auto alpha_of = [](const LowRankFactor& factor) { return factor.scale * static_cast<double>(factor.rank); };
  const double alpha = alpha_of(adapter.factors.front());
  const bool is_common = std::all_of(adapter.factors.begin(), adapter.factors.end(), [&](const LowRankFactor& factor) {
    return std::abs(alpha_of(factor) - alpha) <= 1e-9 * alpha;
  });
  return is_common ? alpha : 0;
}

}  // namespace

void write_gguf_adapter(const LoraAdapter& adapter, const ModelShape& shape, const std::filesystem::path& path,
                        const std::string& dtype) {
  check_adapter(adapter, shape);
  const BlockType& type = adapter_dtype(dtype);
  if (adapter.use_dora()) {
    throw Error(Exit::input, "the adapter has DoRA's magnitudes, which a GGUF adapter cannot hold",
                "merge it into the model and write that as GGUF");
  }
  if (std::filesystem::exists(path))
    throw Error(Exit::input, path.string() + " exists", "choose another --out, or remove it first");
  const double common = common_alpha(adapter);
  GgufWriter writer;
  writer.set_text("general.architecture", "llama");
  writer.set_text("general.type", "adapter");
  writer.set_u32("general.quantization_version", 2);
  writer.set_text("adapter.type", "lora");
  // Alpha 1 makes the reader's scale 1 / rank, which the folded B makes good; readers take an alpha of 0 for scale 1.
  writer.set_f32("adapter.lora.alpha", static_cast<float>(common > 0 ? common : 1));
  for (const LowRankFactor& factor : adapter.factors) {
    const std::string weight = gguf_name(factor.module + ".weight");
    writer.declare(weight + ".lora_a", {factor.in, factor.rank}, type);
    writer.declare(weight + ".lora_b", {factor.rank, factor.out}, type);
  }
  AtomicFile file(path);
  writer.write_header(file);
  const auto write = [&](const std::vector<float>& values) {
    write_values(values, type, [&](const void* bytes, std::size_t size) { writer.write_data(file, bytes, size); });
  };
  for (const LowRankFactor& factor : adapter.factors) {
    const double fold = common > 0 ? 1 : factor.scale * static_cast<double>(factor.rank);
    std::vector<float> b(factor.b.size());
    for (std::int64_t row = 0; row < factor.out; ++row) {
      const std::int64_t to = has_rotary_rows(factor.module + ".weight") ? gguf_row(row, shape.head_dim) : row;
      std::transform(factor.b.data() + row * factor.rank, factor.b.data() + (row + 1) * factor.rank,
                     b.data() + to * factor.rank, [&](float value) { return static_cast<float>(value * fold); });
    }
    write(factor.a);
    write(b);
  }
  file.commit();
}

}  // namespace frugal
