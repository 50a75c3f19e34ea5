// What can be known of a model and its data without LibTorch; refusals come from here in milliseconds.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "frugal/base/units.h"
#include "frugal/data/prompt_task.h"
#include "frugal/data/sequence_task.h"
#include "frugal/formats/model_source.h"

namespace frugal {

void validate(const PromptConfig& config);  // template and labels are given, max_length in range

class InspectedTask {
 public:
  // Opens the model's header and tokenizer. Error: not a model, max_length over the model's context, template or labels
  // that do not serve.
  InspectedTask(const std::string& model, const PromptConfig& config);

  // guard: see PromptTask::load.
  Dataset load(const std::string& path, const RowChoice& choice = {},
               const std::function<void(std::uint64_t)>& guard = {}) const {
    return task_->load(path, config_.columns, choice, guard);
  }
  const PromptTask& task() const { return *task_; }
  const ModelSource& model() const { return *model_; }

 private:
  PromptConfig config_;
  std::unique_ptr<ModelSource> model_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<PromptTask> task_;
};

// The same for completions, chats and text.
class InspectedSequences {
 public:
  InspectedSequences(const std::string& model, const SequenceConfig& config);
  SequenceDataset load(const std::string& path, const RowChoice& choice,
                       const std::function<void(std::uint64_t)>& guard = {}) const {
    return task_->load(path, choice, guard);
  }
  const SequenceTask& task() const { return *task_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const ModelSource& model() const { return *model_; }

 private:
  std::unique_ptr<ModelSource> model_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<SequenceTask> task_;
};
std::size_t longest_sequence(const SequenceDataset& data);  // tokens

// What a run keeps in memory of its examples: themselves, and a few numbers of each that batches are drawn by.
template <class Data>
std::uint64_t kept_bytes(const Data& data, std::size_t examples) {
  constexpr std::uint64_t kNumbersOfExample = 24;
  return data.bytes + examples * kNumbersOfExample;
}
// Called while examples are read, with the bytes that they take so far. Error(Exit::budget): more than --memory,
// whatever the rest takes.
std::function<void(std::uint64_t)> data_guard(Bytes memory, const std::string& path);

// The tokens of each. Error(Exit::input): more than the model's context has.
std::vector<std::vector<std::int32_t>> check_prompts(const ModelSource& model, const std::vector<std::string>& prompts);
// Those of a question as the model's chat template has it, before the answer. system: empty: none. Same errors.
std::vector<std::int32_t> check_chat(const ModelSource& model, const std::string& question, const std::string& system);
void check_context(const ModelSource& model, const char* option, std::int64_t length);
std::size_t longest_prompt(const Dataset& data);  // tokens

}  // namespace frugal
