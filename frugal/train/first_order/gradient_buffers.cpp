#include "frugal/train/first_order/gradient_buffers.h"

#include <algorithm>
#include <map>

namespace frugal {

GradientBuffers::GradientBuffers(const std::vector<Parameter>& parameters, std::vector<std::size_t> active,
                                 std::size_t tensors, std::int64_t layers, bool by_layer)
    : parameters_(parameters),
      active_(std::move(active)),
      layers_(layers),
      lowest_(layers),
      by_layer_(by_layer),
      places_(parameters.size()),
      sums_(tensors),
      pairs_(tensors) {
  std::map<std::int64_t, std::size_t> used;  // floats, by layer
  for (const std::size_t i : active_) {
    lowest_ = std::min(lowest_, parameters[i].layer);
    if (takes_turns(i))
      turns_ = std::max(turns_, used[parameters[i].layer] += static_cast<std::size_t>(parameters[i].gradient_count()));
  }
  used.clear();
  std::size_t end = turns_;
  for (const std::size_t i : active_) {
    std::size_t& at = takes_turns(i) ? used[parameters[i].layer] : end;
    places_[i] = at;
    at += static_cast<std::size_t>(parameters[i].gradient_count());
  }
  memory_ = Buffer(end * sizeof(float));
  for (const std::size_t i : active_) {
    const Parameter& p = parameters[i];
    switch (p.part) {
      case Parameter::Part::whole:
        sums_[p.id] = {sum(i)};
        break;
      case Parameter::Part::rows:
        sums_[p.id] = {sum(i), p.rows};
        break;
      case Parameter::Part::columns:
        sums_[p.id] = {sum(i), {}, p.rows};
        break;
      case Parameter::Part::factor_a:
        pairs_[p.id].a = sum(i);
        break;
      case Parameter::Part::factor_b:
        pairs_[p.id].b = sum(i);
        break;
      case Parameter::Part::magnitude:
        pairs_[p.id].magnitude = sum(i);
        break;
    }
  }
}

bool GradientBuffers::takes_turns(std::size_t parameter) const {
  return by_layer_ && parameters_[parameter].layer >= 0 && parameters_[parameter].layer < layers_;
}

void GradientBuffers::zero() {
  parts_ = 0;
  std::fill_n(memory_.as<float>(), memory_.size() / sizeof(float), 0.0f);
}

void GradientBuffers::layer_done(std::size_t layer) {
  if (!by_layer_) return;
  on_layer(layer);
  std::fill_n(memory_.as<float>(), turns_, 0.0f);
}

}  // namespace frugal
