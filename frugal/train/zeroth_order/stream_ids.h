// What names a parameter where random numbers are drawn: the id of its tensor, and for the parts of a low-rank pair
// ids of their own. The same in every run of a model, so that a log of steps replays.
#pragma once
#include "frugal/nn/model/weight_view.h"
#include "frugal/train/parametrisation/parametrisation.h"

namespace frugal {

inline constexpr std::size_t kStreamsOfATensor = 3;

inline std::size_t stream_id(std::size_t tensor, PairPart part, std::size_t tensors) {
  return tensor + tensors * static_cast<std::size_t>(part);
}
inline std::size_t stream_id(const Parameter& p, std::size_t tensors) {
  const PairPart part = p.part == Parameter::Part::factor_b    ? PairPart::b
                        : p.part == Parameter::Part::magnitude ? PairPart::magnitude
                                                               : PairPart::a;
  return stream_id(p.id, part, tensors);
}

}  // namespace frugal
