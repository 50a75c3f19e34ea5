#include "frugal/verbs/common/inspect.h"

#include <algorithm>

#include "frugal/base/validate.h"
#include "frugal/data/chat_renderer.h"

namespace frugal {

void validate(const PromptConfig& config) {
  require_given("--template", config.prompt_template, "--template \"Review: {text}\\nSentiment:\"");
  if (config.labels.empty())
    throw Error(Exit::usage, "--labels is missing", "give it, as in --labels negative,positive");
  require_at_least("--max-length", config.max_length, 8);
  PromptTemplate{config.prompt_template};
  parse_labels(config.labels);
}

void check_context(const ModelSource& model, const char* option, std::int64_t length) {
  const std::int64_t context = model.shape().context;
  if (context > 0 && length > context) {
    throw Error(Exit::input,
                std::string(option) + " is " + std::to_string(length) + " tokens, but the model's context is " +
                    std::to_string(context),
                std::string(option) + " " + std::to_string(context) + " is the most");
  }
}

namespace {
void require_in_context(const ModelSource& model, std::size_t tokens, const std::string& what) {
  const auto context = static_cast<std::size_t>(std::max<std::int64_t>(0, model.shape().context));
  if (context > 0 && tokens > context)
    throw Error(
        Exit::input,
        what + " has " + std::to_string(tokens) + " tokens, but the model's context is " + std::to_string(context),
        "shorten the prompt");
}
}  // namespace

std::vector<std::vector<std::int32_t>> check_prompts(const ModelSource& model,
                                                     const std::vector<std::string>& prompts) {
  const auto tokenizer = model.tokenizer();
  std::vector<std::vector<std::int32_t>> ids;
  for (const std::string& prompt : prompts) {
    const std::size_t tokens = ids.emplace_back(tokenizer->encode_with_special(prompt)).size();
    require_in_context(model, tokens, prompts.size() == 1 ? "the prompt" : "prompt " + std::to_string(ids.size()));
  }
  return ids;
}

std::vector<std::int32_t> check_chat(const ModelSource& model, const std::string& question, const std::string& system) {
  const auto tokenizer = model.tokenizer();
  std::vector<Message> messages;
  if (!system.empty()) messages.push_back({"system", system});
  messages.push_back({"user", question});
  auto ids = tokenizer->encode(ChatRenderer(model.chat_template(), *tokenizer).render(messages, true), true);
  require_in_context(model, ids.size(), "the question");
  return ids;
}

InspectedTask::InspectedTask(const std::string& model, const PromptConfig& config)
    : config_(config), model_(ModelSource::open(model)), tokenizer_(model_->tokenizer()) {
  check_context(*model_, "--max-length", config.max_length);
  task_ = std::make_unique<PromptTask>(config_, *tokenizer_);
}

std::function<void(std::uint64_t)> data_guard(Bytes memory, const std::string& path) {
  if (memory.count == 0) return {};
  return [memory, path](std::uint64_t bytes) {
    if (bytes > memory.count)
      throw Error(Exit::budget,
                  "the first examples of " + path + " take " + format_bytes(bytes) + " of memory; --memory is " +
                      format_bytes(memory.count),
                  "give more --memory, or fewer examples: --train-size, --dev-size, --test-size or --limit");
  };
}

InspectedSequences::InspectedSequences(const std::string& model, const SequenceConfig& config)
    : model_(ModelSource::open(model)), tokenizer_(model_->tokenizer()) {
  check_context(*model_, "--max-length", config.max_length);
  task_ = std::make_unique<SequenceTask>(config, *tokenizer_, model_->chat_template(), model_->shape().context);
}

std::size_t longest_sequence(const SequenceDataset& data) {
  std::size_t longest = 0;
  for (const auto& sequence : data.sequences) longest = std::max(longest, sequence.tokens.size());
  return longest;
}

std::size_t longest_prompt(const Dataset& data) {
  std::size_t longest = 0;
  for (const auto& example : data.examples) longest = std::max(longest, example.prompt.size());
  return longest;
}

}  // namespace frugal
