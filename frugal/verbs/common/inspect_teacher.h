// What can be known of a teacher without LibTorch: whether it can teach, and what it takes.
#pragma once
#include "frugal/data/distill_config.h"
#include "frugal/formats/model_source.h"
#include "frugal/plan/plan.h"

namespace frugal {

// The teacher of `config`, for `student`. Error(Exit::usage): the two do not have the same words, or for
// --hidden-weight not as many layers or not the same width.
std::unique_ptr<ModelSource> open_teacher(const DistillConfig& config, const ModelSource& student);

// What the teacher adds to a plan of steps on `request`, kept in memory or not (see PlanRequest::beside).
void add_teacher(const ModelSource& teacher, const DistillConfig& config, bool is_live, PlanRequest& request);

}  // namespace frugal
