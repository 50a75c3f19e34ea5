// --labels as it is written: words, "auto" (the values that the data has), or "@file" (one a line).
#pragma once
#include "frugal/base/json.h"

namespace frugal {

// Puts the words in the place of "auto" and "@file". settings: "labels", "label_column", "columns", "data".
// Error(Exit::usage): over 1,000 of them. Error(Exit::input): the file cannot be read, or a record has no label.
void settle_labels(Json& settings);

}  // namespace frugal
