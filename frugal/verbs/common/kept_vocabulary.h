// Which tokens a model keeps for a text: those of the text, and of what the chat template writes around messages.
#pragma once
#include <string>

#include "frugal/formats/model_source.h"
#include "frugal/formats/smaller_vocabulary.h"

namespace frugal {

// path: a text file. Error(Exit::input): it cannot be read, or has nothing that is more than bytes to the tokenizer.
SmallerVocabulary kept_vocabulary(const ModelSource& model, const std::string& path);

}  // namespace frugal
