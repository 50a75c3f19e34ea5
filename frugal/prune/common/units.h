// What pruning removes: a key head with its query heads, or a neuron of a feed-forward.
#pragma once
#include <cstdint>
#include <vector>

#include "frugal/formats/shrunk_model.h"
#include "frugal/prune/common/prune_config.h"

namespace frugal {

enum class UnitKind : std::uint8_t { head, neuron };

struct Unit {
  std::int32_t layer = 0;
  UnitKind kind = UnitKind::head;
  std::int32_t index = 0;  // of the key head or the neuron in its layer
  std::int64_t cost = 0;   // parameters that go with it (Bonsai's c)
};

// Layer by layer, heads before neurons. Parameters: head D C (2 H/K + 2), neuron 3 C.
std::vector<Unit> units_of(const ModelShape& shape);
std::int64_t block_parameters(const ModelShape& shape);  // P0: all but embedding and head, final norm included

// Which units of the original model are still there, and where those of the shrunk one lie in it.
class Survivors {
 public:
  explicit Survivors(const ModelShape& shape);
  const std::vector<KeptUnits>& kept() const { return kept_; }  // by the original indices
  ModelShape shape() const;                                     // of what is left
  // gone: units by their index in what is left.
  void remove(const std::vector<Unit>& gone);
  double sparsity() const;  // share of P0 that is gone

  // One byte a unit of the original, 1 where it is left: for snapshots.
  std::vector<std::uint8_t> flags() const;
  void restore(const std::vector<std::uint8_t>& flags);

 private:
  ModelShape original_;
  std::vector<KeptUnits> kept_;
};

struct SelectOptions {
  std::int64_t budget = 0;  // parameters that may go
  std::int64_t min_heads = 1, min_neurons = 32, neuron_multiple = 32;
  bool is_uniform = false;  // every layer loses the same number of heads, and of neurons; what is left loads as llama
  bool is_local = false;    // each layer loses its own share of the budget
};

inline SelectOptions select_options(const PruneConfig& c, std::int64_t budget) {
  return {.budget = budget,
          .min_heads = c.min_heads,
          .min_neurons = c.min_neurons,
          .neuron_multiple = c.neuron_multiple,
          .is_uniform = c.layout == "uniform"};
}

// What select() can take of P0, whatever the scores: its smallest part, and all that need not stay. 0: nothing.
struct Reach {
  double least = 0, most = 0;
};
Reach reach_of(const ModelShape& shape, const SelectOptions& options);
Reach reach_of_layers(const ModelShape& shape);  // where whole layers go, all but one

// The units with the lowest scores, as many as the budget holds: neurons of a layer in whole multiples, heads one by
// one; scores are of a unit, of a group of neurons their mean. Units with a score of infinity stay. Ties go to the
// lower of `ties` (of each unit; empty: none), then the lower layer, heads before neurons, then the lower index.
std::vector<Unit> select(const ModelShape& shape, const std::vector<Unit>& units, const std::vector<double>& scores,
                         const SelectOptions& options, const std::vector<double>& ties = {});

}  // namespace frugal
