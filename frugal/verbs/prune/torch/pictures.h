// What a run of prune draws: quality against size, which units are left, what they were worth.
#pragma once
#include <string>
#include <vector>

#include "frugal/prune/torch/prune_model.h"
#include "frugal/train/run/figures.h"

namespace frugal {

// quality: a number a size; sizes: shares of the blocks' parameters that are left.
void draw_quality(Figures& figures, const std::string& name, const std::vector<double>& sizes,
                  const std::vector<double>& quality);
// Key heads by layer, neurons of each layer by sixteenths; and the share of each layer.
void draw_left(Figures& figures, const ModelShape& all, const std::vector<KeptUnits>& kept);
// The newest score of each unit, by its place in the original; none: no map.
void draw_importance(Figures& figures, const ModelShape& all, const std::vector<UnitScores>& scores);

// The units that are left, by their original indices, for frugal_pruning.json beside the model. empty layers: not
// there.
Json kept_json(const ModelShape& all, const std::vector<KeptUnits>& kept);

}  // namespace frugal
