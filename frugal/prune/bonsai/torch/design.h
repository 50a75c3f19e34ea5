// Which units masked models run without: candidates by their prior, drawn in complementary pairs (lines 5 to 12 of
// Bonsai's algorithm). Private to bonsai/.
#pragma once
#include <cstdint>
#include <vector>

#include "frugal/nn/blocks/masked_view.h"
#include "frugal/prune/common/units.h"

namespace frugal::bonsai {

struct DesignOptions {
  double q = 0, head_q = 0;  // share of the neurons, and of the heads, that an iteration removes
  std::int64_t min_heads = 1, min_neurons = 32, neuron_multiple = 1;  // a layer has candidates for a multiple at least
  bool is_block = false;                                              // a pair touches a random block of layers alone
  bool is_uniform = false;  // heads go in every layer or in none: each has candidates
  bool has_kinds = false;   // the first kKindPairs pairs touch units of one kind alone, see factors_of
  std::int64_t pairs = 0;
  std::uint64_t seed = 0, iteration = 0;
};

// Pair 0 is of heads, pair 1 of neurons.
inline constexpr std::int64_t kKindPairs = 2;

// Of a pair: units of the candidates that its first mask runs without, and those that its second does.
struct MaskPair {
  std::vector<std::size_t> first, second;  // rising
  std::size_t begin = 0;                   // layers below it keep all their units in both
};

class Design {
 public:
  Design() = default;
  // rho: the prior of each unit, in the order of units_of(shape).
  Design(const ModelShape& shape, std::vector<Unit> units, const std::vector<double>& rho,
         const DesignOptions& options);

  const std::vector<std::size_t>& candidates() const { return candidates_; }  // rising
  // A function of its index, the seed and the iteration. Of a block design `begin` rises with the index.
  MaskPair pair(std::int64_t index) const;
  ModelMask mask(const std::vector<std::size_t>& off) const;

 private:
  struct Module {                         // units that are drawn together
    std::vector<std::size_t> candidates;  // into the units
    std::vector<double> weights;          // w_u: the chance to be drawn
    std::size_t off = 0;                  // of the candidates, in the first mask of a pair
  };
  void add(std::vector<std::size_t> candidates, const std::vector<double>& rho, double largest, std::size_t off);
  void add_module(std::vector<std::size_t> live, const std::vector<double>& rho, double q, std::int64_t least,
                  std::int64_t most);
  Module within(const Module& module, std::int64_t begin, std::int64_t end) const;  // of layers [begin, end)

  std::vector<LayerShape> layers_;
  std::vector<Unit> units_;
  DesignOptions options_;
  std::vector<Module> modules_;  // each of one kind
  std::vector<std::size_t> candidates_;
};

}  // namespace frugal::bonsai
