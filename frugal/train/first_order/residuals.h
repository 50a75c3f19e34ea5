// What bf16 weights lose of their fp32 masters when a block's turn ends, in a byte a number until its next turn.
#pragma once
#include <vector>

#include "frugal/base/threads.h"
#include "frugal/core/buffer.h"
#include "frugal/train/parametrisation/parametrisation.h"

namespace frugal {

class Residuals {
 public:
  // For every bf16 parameter of `what`, which outlives this: int8 [count] and an fp32 scale a row, all 0 at first.
  explicit Residuals(Parametrisation& what, Threads& threads);
  // Keeps master - weight, rounded to a 127th of the largest of its row. master: fp32 [count].
  void keep(std::size_t parameter, const float* master);
  void add_to(std::size_t parameter, float* master) const;
  void clear();
  std::vector<NamedBytes> state();

 private:
  struct Place {
    std::size_t values = 0, scales = 0;  // bytes, floats
  };
  Parametrisation& what_;
  Threads& threads_;
  std::vector<Place> places_;
  Buffer values_, scales_;
};

}  // namespace frugal
