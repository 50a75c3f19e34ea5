#include "frugal/formats/gguf/llama_mix.h"

#include <algorithm>
#include <string_view>

namespace frugal {
namespace {

bool use_more_bits(std::int64_t i, std::int64_t n) { return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2; }

std::string_view fallback(std::string_view type, std::int64_t cols) {
  const auto divides = [&](std::string_view name) { return cols % find_block_type(name)->elements == 0; };
  if (divides(type)) return type;
  constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
      {"Q4_K", "Q5_0"}, {"Q5_K", "Q5_1"}, {"Q6_K", "Q8_0"}};
  for (const auto& [from, to] : kOthers) {
    if (type == from && divides(to)) return to;
  }
  return "F16";
}

// Of the tensors that the mixes count.
struct Counts {
  std::int64_t v = 0, down = 0;
};

std::string_view wanted(const TensorSpec& spec, const ModelShape& shape, const ExportDtype& dtype, const Counts& all,
                        Counts& seen) {
  const std::string_view type = dtype.type_name;
  const bool is_output = spec.role == Role::head || (spec.role == Role::embedding && shape.tied_embeddings);
  if (is_output) return type == "Q8_0" || spec.cols % dtype.type().elements != 0 ? "Q8_0" : "Q6_K";
  if (spec.role == Role::v) {
    const std::int64_t i = seen.v++;
    if (dtype.mix == Mix::medium && use_more_bits(i, all.v)) return "Q6_K";
    const bool is_better = dtype.mix == Mix::small && i < 4;
    const bool is_70b =
        all.down == 80 && (!shape.is_uniform() || shape.layers.front().heads != shape.layers.front().kv_heads);
    return type == "Q4_K" && (is_better || is_70b) ? "Q5_K" : type;
  }
  if (spec.role == Role::down) {
    const std::int64_t i = seen.down++;
    if (dtype.mix == Mix::medium && use_more_bits(i, all.down)) return "Q6_K";
    return type == "Q4_K" && dtype.mix == Mix::small && i < all.down / 8 ? "Q5_K" : type;
  }
  return type;
}

}  // namespace

std::vector<const BlockType*> llama_types(const ModelShape& shape, const ExportDtype& dtype) {
  const std::vector<TensorSpec> specs = tensor_specs(shape);
  Counts all{.down = static_cast<std::int64_t>(shape.layers.size())}, seen;
  for (const LayerShape& layer : shape.layers) all.v += layer.heads > 0;
  std::vector<const BlockType*> types;
  for (const TensorSpec& spec : specs) {
    const std::string_view name = spec.is_vector     ? "F32"
                                  : dtype.is_plain() ? dtype.type_name
                                                     : fallback(wanted(spec, shape, dtype, all, seen), spec.cols);
    types.push_back(find_block_type(name));
  }
  return types;
}

}  // namespace frugal
