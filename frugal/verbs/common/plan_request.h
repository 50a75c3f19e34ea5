// A plan's request as far as the model, the machine and what every verb has decide it.
#pragma once
#include "frugal/data/answer_metrics.h"
#include "frugal/formats/model_source.h"
#include "frugal/plan/plan.h"
#include "frugal/verbs/common/inspect.h"
#include "frugal/verbs/common/options.h"

namespace frugal {

PlanRequest plan_request(const ModelSource& model, const ComputeConfig& compute, Bytes memory);
// The same for examples of a task whose longest prompt has that many tokens.
PlanRequest plan_request(const InspectedTask& task, std::size_t longest_prompt, const ComputeConfig& compute,
                         Bytes memory);

// A plan's advice with --length named as the verb names it: --max-length.
std::string with_option(std::string advice, const std::string& length_option);

// Tokens whose keys and values are kept while `together` answers are written: of the longest prompts and answers that
// may come together. Error: data without answers to generate, see answer_examples.
std::int64_t cached_tokens(const ModelSource& model, const SequenceDataset& data, const Tokenizer& tokenizer,
                           const AnswerConfig& answers, std::int64_t together);

// require_fit, naming --length in its fix as the verb does: --max-length.
const PlanRow& require_fit_as(const std::vector<PlanRow>& rows, const PlanRequest& request, const std::string& method,
                              const std::string& length_option);

}  // namespace frugal
