#include "frugal/tune/sparse_mezo/config.h"
#include "frugal/tune/torch/zeroth_order_options.h"

namespace frugal {
namespace {

ZerothOrderOptions sparse_options(const Json& settings) {
  const auto config = from_json<SparseMezoConfig>(settings);
  ZerothOrderOptions options = zeroth_order_options(config.mezo, settings);
  options.mask = parse_mask_rule(config.mask);
  if (options.mask == kernels::Mask::Rule::file) options.mask_file = config.mask.substr(5);
  options.sparsity = config.sparsity;
  options.dynamic_mask = config.dynamic_mask;
  options.mask_vectors = config.mask_vectors;
  return options;
}

}  // namespace

void register_tuner_tune_sparse_mezo(TunerRegistry& registry) {
  registry.add("sparse-mezo", zeroth_order_maker(sparse_options), replay_zeroth_order);
}

}  // namespace frugal
