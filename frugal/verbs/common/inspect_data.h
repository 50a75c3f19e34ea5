// What a training file is and needs, read without LibTorch: how its examples look, the tokens of the longest and of
// all.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "frugal/base/settings.h"
#include "frugal/data/answer_metrics.h"
#include "frugal/data/prompt_task.h"
#include "frugal/data/sequence_task.h"
#include "frugal/plan/plan.h"
#include "frugal/verbs/common/data_parts.h"
#include "frugal/verbs/common/options.h"

namespace frugal {

struct DataFiles {
  DataParts parts;
  std::optional<AnswerConfig> answers = std::nullopt;  // dev and test are judged by answers that the model writes
  bool are_preferences = false;                        // of --objective dpo
};

struct InspectedData {
  PlanRequest request;       // but for the batch; its length is that of the longest example of any file
  Json description;          // of the training examples, as `tune --dry-run --json` prints it
  std::size_t examples = 0;  // that are trained on
  std::string text;          // the same to read, one rendered example with the scored part marked
};

// max_length as sequences have it where none is given: they are longer than prompts, which have the same option.
SequenceConfig sequence_config(const Settings& settings);

// Refuses flags that say how a file is read. why: "there is no --data".
void refuse_data_flags(const Settings& settings, const std::string& why);

// Labelled prompts where `prompts` has labels, else pairs of answers or sequences; keeps them for the library. Error: a
// model, a file or a record that does not serve, more tokens than the model's context.
InspectedData inspect_data(const std::string& model, const PromptConfig& prompts, const SequenceConfig& sequences,
                           const DataFiles& files, const ComputeConfig& compute, Bytes memory);

}  // namespace frugal
