// A run's own weights as bytes: what snapshots hold and hashes name.
#pragma once
#include "frugal/nn/model/weight_store.h"
#include "frugal/train/run/snapshot.h"

namespace frugal {

inline std::vector<NamedBytes> named_bytes(WeightStore& store) {
  std::vector<NamedBytes> all;
  for (std::size_t id = 0; id < store.size(); ++id) all.push_back({store.spec(id).name, store.bytes(id)});
  return all;
}

}  // namespace frugal
