#include "frugal/verbs/common/inspect_data.h"

#include <algorithm>
#include <cmath>

#include "frugal/base/log.h"
#include "frugal/base/validate.h"
#include "frugal/data/preference_task.h"
#include "frugal/verbs/common/inspect.h"
#include "frugal/verbs/common/plan_request.h"
#include "frugal/verbs/common/read_once.h"

namespace frugal {
namespace {

// The lengths' mean and standard deviation; extra: tokens that each has beside.
void set_lengths(PlanRequest& request, const std::vector<std::size_t>& lengths, double extra = 0) {
  double sum = 0, squares = 0;
  for (const std::size_t length : lengths) sum += static_cast<double>(length);
  const double mean = sum / static_cast<double>(lengths.size());
  for (const std::size_t length : lengths) squares += std::pow(static_cast<double>(length) - mean, 2);
  request.mean_length = mean + extra;
  request.length_deviation = std::sqrt(squares / static_cast<double>(lengths.size()));
}

InspectedData inspect_labels(const std::string& model, const PromptConfig& config, const DataFiles& files,
                             const ComputeConfig& compute, Bytes memory) {
  const InspectedTask task(model, config);
  std::uint64_t bytes = 0;
  const auto load = [&](const DataPart& part) {
    Dataset data = task.load(part.path, part.choice, data_guard(memory, part.path));
    bytes += kept_bytes(data, data.examples.size());
    return data;
  };
  Dataset train = load(files.parts.data);
  InspectedData found{
      .request = {}, .description = task.task().describe(train), .text = task.task().describe_text(train)};
  std::size_t longest = longest_prompt(train);
  for (const DataPart* part : {&files.parts.dev, &files.parts.test}) {
    if (part->path.empty()) continue;
    Dataset data = load(*part);
    longest = std::max(longest, longest_prompt(data));
    keep_examples(config, part->path, part->choice, std::move(data));
  }
  found.request = plan_request(task, longest, compute, memory);
  found.request.example_bytes = bytes;
  std::vector<std::size_t> lengths;
  for (const auto& example : train.examples) lengths.push_back(example.prompt.size());
  // The words of the labels branch from each prompt: as many tokens more as the longest has.
  set_lengths(found.request, lengths, static_cast<double>(found.request.length) - static_cast<double>(longest));
  if (!task.task().has_single_token_options())
    note("some label words are several tokens; their mean log-probability is the score");
  for (std::size_t i = 0; i < train.label_counts.size(); ++i) {
    if (train.label_counts[i] == 0) warn("no training example has the label '" + task.task().labels()[i].value + "'");
  }
  found.examples = train.examples.size();
  keep_examples(config, files.parts.data.path, files.parts.data.choice, std::move(train));
  return found;
}

InspectedData inspect_sequences(const std::string& path, const SequenceConfig& config, const DataFiles& files,
                                const ComputeConfig& compute, Bytes memory) {
  const InspectedSequences inspected(path, config);
  InspectedData found{.request = plan_request(inspected.model(), compute, memory)};
  found.request.whole_head = found.request.all_tokens = true;
  std::size_t longest = 0;
  const auto measure = [&](const DataPart& part, bool is_judge) {
    SequenceDataset data = inspected.load(part.path, part.choice, data_guard(memory, part.path));
    found.request.example_bytes += kept_bytes(data, data.sequences.size());
    longest = std::max(longest, longest_sequence(data));
    if (files.answers && is_judge) {
      found.request.cached_tokens =
          std::max(found.request.cached_tokens,
                   cached_tokens(inspected.model(), data, inspected.tokenizer(), *files.answers, kAnswersTogether));
    }
    return data;
  };
  SequenceDataset train = measure(files.parts.data, false);
  found.description = inspected.task().describe(train);
  found.text = inspected.task().describe_text(train);
  for (const DataPart* part : {&files.parts.dev, &files.parts.test}) {
    if (!part->path.empty()) keep_examples(config, part->path, part->choice, measure(*part, true));
  }
  found.request.length = static_cast<std::int64_t>(longest);
  found.request.evaluates = !files.parts.dev.path.empty() || !files.parts.test.path.empty();
  std::vector<std::size_t> lengths;
  for (const Sequence& sequence : train.sequences) lengths.push_back(sequence.tokens.size());
  set_lengths(found.request, lengths);
  found.examples = train.sequences.size();
  keep_examples(config, files.parts.data.path, files.parts.data.choice, std::move(train));
  return found;
}

// The tokens of a pair are those of its prompt and of both answers, which go through one forward.
InspectedData inspect_preferences(const std::string& path, const SequenceConfig& config, const DataFiles& files,
                                  const ComputeConfig& compute, Bytes memory) {
  const auto model = ModelSource::open(path);
  check_context(*model, "--max-length", config.max_length);
  const auto tokenizer = model->tokenizer();
  const PreferenceTask task(config, *tokenizer, model->chat_template(), model->shape().context);
  InspectedData found{.request = plan_request(*model, compute, memory)};
  found.request.whole_head = found.request.all_tokens = true;
  std::size_t longest = 0;
  const auto measure = [&](const DataPart& part) {
    PreferenceDataset data = task.load(part.path, part.choice, data_guard(memory, part.path));
    found.request.example_bytes += kept_bytes(data, data.preferences.size());
    longest = std::max(longest, longest_preference(data));
    return data;
  };
  PreferenceDataset train = measure(files.parts.data);
  found.description = task.describe(train);
  found.text = task.describe_text(train);
  for (const DataPart* part : {&files.parts.dev, &files.parts.test}) {
    if (!part->path.empty()) keep_examples(config, part->path, part->choice, measure(*part));
  }
  found.request.length = static_cast<std::int64_t>(longest);
  found.request.evaluates = true;  // the reference model judges every pair before the first step
  std::vector<std::size_t> lengths;
  for (const Preference& pair : train.preferences) lengths.push_back(pair.packed_tokens());
  set_lengths(found.request, lengths);
  found.examples = train.preferences.size();
  keep_examples(config, files.parts.data.path, files.parts.data.choice, std::move(train));
  return found;
}

}  // namespace

SequenceConfig sequence_config(const Settings& settings) {
  auto config = from_json<SequenceConfig>(settings.values());
  if (!settings.is_given("max_length")) config.max_length = SequenceConfig().max_length;
  return config;
}

void refuse_data_flags(const Settings& settings, const std::string& why) {
  refuse_flags(settings,
               {"template", "labels", "label_column", "columns", "max_length", "data_format", "completion", "loss_on",
                "overlong"},
               why);
}

InspectedData inspect_data(const std::string& model, const PromptConfig& prompts, const SequenceConfig& sequences,
                           const DataFiles& files, const ComputeConfig& compute, Bytes memory) {
  if (!prompts.labels.empty() && files.are_preferences) {
    throw Error(Exit::usage, "--labels is given, but --objective dpo takes pairs of answers", "leave one of them out");
  }
  if (!prompts.labels.empty()) return inspect_labels(model, prompts, files, compute, memory);
  return files.are_preferences ? inspect_preferences(model, sequences, files, compute, memory)
                               : inspect_sequences(model, sequences, files, compute, memory);
}

}  // namespace frugal
