#include "frugal/verbs/common/plan_request.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include "frugal/base/processor.h"
#include "frugal/data/answer_examples.h"
#include "frugal/formats/file_window.h"

namespace frugal {

PlanRequest plan_request(const ModelSource& model, const ComputeConfig& compute, Bytes memory) {
  PlanRequest request;
  request.shape = model.shape();
  request.file_bytes = model.file_bytes();
  for (const auto& tensor : model.tensors()) request.largest_tensor = std::max(request.largest_tensor, tensor.bytes);
  request.file_window = FileWindow::least(model);
  request.weights = compute.weight_type();
  request.threads = compute.threads > 0 ? compute.threads : usable_cores();
  request.bf16_compute = computes_in_bf16(compute);
  request.rates = machine_rates();
  request.memory = memory.count;
  return request;
}

PlanRequest plan_request(const InspectedTask& task, std::size_t longest_prompt, const ComputeConfig& compute,
                         Bytes memory) {
  PlanRequest request = plan_request(task.model(), compute, memory);
  request.whole_head = !task.task().has_single_token_options();
  std::size_t words = 0;  // label words of several tokens all branch from their prompt
  for (const auto& option : task.task().options()) words = request.whole_head ? words + option.size() : 1;
  request.length = static_cast<std::int64_t>(longest_prompt + words);
  return request;
}

std::string with_option(std::string advice, const std::string& length_option) {
  if (const auto at = advice.find("--length"); at != std::string::npos) advice.replace(at, 8, length_option);
  return advice;
}

std::int64_t cached_tokens(const ModelSource& model, const SequenceDataset& data, const Tokenizer& tokenizer,
                           const AnswerConfig& answers, std::int64_t together) {
  const AnswerExamples examples = answer_examples(data, tokenizer, parse_match(answers.match));
  const std::int64_t context = model.shape().context, all = std::max<std::int64_t>(1, together);
  const std::int64_t most_of_one = context > 0 ? context : std::numeric_limits<std::int64_t>::max() / all;
  std::vector<std::int64_t> lengths;
  for (const auto& prompt : examples.prompts) {
    const auto length = static_cast<std::int64_t>(prompt.size());
    lengths.push_back(answers.max_new_tokens > most_of_one - length ? most_of_one : length + answers.max_new_tokens);
  }
  const auto most = std::min(lengths.size(), static_cast<std::size_t>(together));
  std::partial_sort(lengths.begin(), lengths.begin() + static_cast<std::ptrdiff_t>(most), lengths.end(),
                    std::greater<>());
  return std::accumulate(lengths.begin(), lengths.begin() + static_cast<std::ptrdiff_t>(most), std::int64_t{0});
}

const PlanRow& require_fit_as(const std::vector<PlanRow>& rows, const PlanRequest& request, const std::string& method,
                              const std::string& length_option) {
  try {
    return require_fit(rows, request, method);
  } catch (const Error& error) {
    throw Error(error.code(), error.what(), with_option(error.fix(), length_option));
  }
}

}  // namespace frugal
