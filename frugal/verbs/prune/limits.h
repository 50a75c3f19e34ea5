// What is refused before a run of prune begins: results that no file can hold, and sizes that cannot be reached.
#pragma once
#include "frugal/formats/model_source.h"
#include "frugal/verbs/prune/config.h"

namespace frugal {

// What the format of the result can say. Error(Exit::usage).
void require_export(const PruneVerbConfig& c, const ModelSource& model, const Tokenizer& tokenizer);
// How far heads, neurons and layers can go; a warning where that is not as far as --sparsity. Error: nothing can.
void require_reachable(const PruneVerbConfig& c, const ModelShape& shape);

}  // namespace frugal
