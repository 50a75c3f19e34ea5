// What run.json says of a model that a run reads.
#pragma once
#include <string>

#include "frugal/base/json.h"
#include "frugal/formats/model_source.h"

namespace frugal {

// {"path", "format", "sha256", "metadata_sha256"}. sha256: of its weights, as the run names them.
Json model_record(const ModelSource& model, const std::string& sha256);

// Error(Exit::input): configuration, tokenizer or chat template are not those that record[key], a model_record, was
// made of. What a run of before they were hashed has none of is passed over.
void require_metadata(const Json& record, const std::string& key, const ModelSource& model);

}  // namespace frugal
