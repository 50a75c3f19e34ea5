#include "frugal/train/parametrisation/parametrisation.h"

#include <algorithm>

#include "frugal/base/error.h"

namespace frugal {

WholeWeights::WholeWeights(WeightStore& store, Threads& threads, const std::vector<bool>& chosen)
    : store_(store), threads_(threads), view_(store) {
  for (std::size_t id = 0; id < store.size(); ++id) {
    if (!chosen[id]) continue;
    if (!can_change(store.type(id))) {
      throw Error(
          Exit::usage,
          std::string("--weights is ") + name(store.type(id)) + ", but " + store.spec(id).name + " is to be trained",
          "--weights bf16, or train adapters with --method lora");
    }
    const TensorSpec& spec = store.spec(id);
    parameters_.push_back({.name = spec.name,
                           .id = id,
                           .part = Parameter::Part::whole,
                           .rows = {},
                           .cols = spec.cols,
                           .count = spec.rows * spec.cols,
                           .layer = spec.layer,
                           .decays = !spec.is_vector,
                           .type = store.type(id)});
  }
  if (parameters_.empty())
    throw Error(Exit::usage, "nothing is trained: no tensor is chosen", "choose other blocks or targets");
  std::stable_sort(parameters_.begin(), parameters_.end(),
                   [](const Parameter& a, const Parameter& b) { return a.layer < b.layer; });
}

std::byte* WholeWeights::values(std::size_t parameter) { return store_.bytes(parameters_[parameter].id).data(); }

std::vector<NamedBytes> WholeWeights::state() {
  std::vector<NamedBytes> all;
  for (const Parameter& p : parameters_) all.push_back({p.name, store_.bytes(p.id)});
  return all;
}

}  // namespace frugal
