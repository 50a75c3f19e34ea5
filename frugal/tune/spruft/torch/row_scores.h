// How important each row of a linear is for a task. Needs the training floor.
#pragma once
#include <vector>

#include "frugal/nn/model/weight_store.h"
#include "frugal/train/objective/objective.h"
#include "frugal/tune/spruft/config.h"

namespace frugal {

// Scores of the rows of `linears` (ids of the store's tensors), [rows] each, or of their columns with --axis in. Sums
// are over a row; w: its weights, g: their gradient, the sum of that of the mean loss over calibration batches drawn
// from the training set by `seed`.
//   taylor sum |w g|;  fisher sum w^2 mean g^2 over batches;  magnitude sum w^2;  random: uniform
//   wanda sum |w| sqrt(mean x^2), x: what the weight is multiplied with, mean over the batches' tokens
//   quant-error: sqrt(sum (w - NF4(w))^2), w as the file has it
//   qm-taylor: taylor for the examples of each label alone, then --aggregate over the labels
//   zo-taylor: taylor with g from two-sided differences along random directions; close to |w| alone unless there are
//   very many
// Error(Exit::usage): qm-taylor without labels, or a label without an example; a score that needs gradients without an
// objective.
std::vector<std::vector<double>> row_scores(const SpruftConfig& config, std::int64_t batch, std::uint64_t seed,
                                            WeightStore& store, Threads& threads, Objective& objective,
                                            const std::vector<std::size_t>& linears);

}  // namespace frugal
