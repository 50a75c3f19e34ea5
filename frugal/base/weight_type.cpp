#include "frugal/base/weight_type.h"

#include "frugal/base/error.h"

namespace frugal {

WeightType parse_weight_type(const std::string& text) {
  for (const WeightType type : {WeightType::bf16, WeightType::f32, WeightType::nf4, WeightType::stored}) {
    if (text == name(type)) return type;
  }
  throw Error(Exit::usage, "--weights is '" + text + "'", "choose bf16, f32, nf4 or stored");
}

const char* name(WeightType type) {
  switch (type) {
    case WeightType::bf16:
      return "bf16";
    case WeightType::f32:
      return "f32";
    case WeightType::nf4:
      return "nf4";
    case WeightType::stored:
      return "stored";
  }
  return "";
}

}  // namespace frugal
