// What a zeroth-order method is made of: estimator, directions, mask, update. MeZO and Sparse MeZO are settings of it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "frugal/core/kernels/kernels.h"

namespace frugal {

struct ZerothOrderOptions {
  kernels::Direction direction = kernels::Direction::gaussian;
  float eps = 0x1p-10f;             // half-step of the two-sided difference
  int samples = 1;                  // directions a step (n-SPSA), same batch
  double weight_decay = 0;          // on matrices; vectors have none
  bool evaluated_direction = true;  // update along the direction as rounding let it be evaluated
  bool stochastic_rounding = true;  // of the bf16 write
  kernels::Mask::Rule mask = kernels::Mask::Rule::none;
  double sparsity = 0.75;     // share of each matrix left alone
  bool dynamic_mask = true;   // re-evaluated on the current weights each step (thresholds stay those of the start)
  bool mask_vectors = false;  // norm gains and biases too
  std::filesystem::path mask_file;  // Rule::file: see mask_file.h
  std::uint64_t seed = 1;
};

}  // namespace frugal
