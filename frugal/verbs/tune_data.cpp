#include "frugal/verbs/tune_data.h"

#include "frugal/base/sha256.h"
#include "frugal/train/objective/generated_answers.h"
#include "frugal/train/objective/label_loss.h"
#include "frugal/train/objective/sequence_loss.h"

namespace frugal {

TuneData::TuneData(const Json& settings, Session& session)
    : session_(session),
      dev_metric_(settings.value("dev_metric", "auto")),
      answers_(from_json<AnswerConfig>(settings)),
      decides_balanced_(settings.value("balance", false)) {
  const auto prompts = from_json<PromptConfig>(settings);
  columns_ = prompts.columns;
  if (prompts.labels.empty())
    sequences_.emplace(from_json<SequenceConfig>(settings), *session.tokenizer, session.source->chat_template());
  else
    prompts_.emplace(prompts, *session.tokenizer);
  train_ = take(settings, "data", "train_size");
  dev_ = take(settings, "dev", "dev_size");
  test_ = take(settings, "test", "test_size");
}

std::unique_ptr<Objective> TuneData::open(const std::string& path, std::int64_t limit) {
  return open(path, limit, false);
}

Objective::Metric TuneData::metric() const {
  if (dev_metric_ == "auto") return dev_->metric();
  return {dev_metric_, dev_metric_ != "loss"};
}

std::unique_ptr<Objective> TuneData::open(const std::string& path, std::int64_t limit, bool is_judge) {
  Split& split = *splits_.emplace_back(std::make_unique<Split>());
  if (prompts_) {
    split.labelled = prompts_->encode(read_records(path, columns_, static_cast<std::size_t>(limit)));
    return std::make_unique<LabelLoss>(session_.decoder, *prompts_, split.labelled, decides_balanced_);
  }
  split.sequences = sequences_->load(path, static_cast<std::size_t>(limit));
  if (is_judge && needs_answers(dev_metric_)) {
    GreedyOptions generation;
    generation.max_new_tokens = answers_.max_new_tokens;
    generation.together = kAnswersTogether;
    generation.stop_tokens = stop_tokens(session_);
    return std::make_unique<GeneratedAnswers>(session_.decoder, *session_.tokenizer, split.sequences,
                                              parse_match(answers_.match), generation);
  }
  return std::make_unique<SequenceLoss>(session_.decoder, split.sequences.sequences);
}

std::unique_ptr<Objective> TuneData::take(const Json& settings, const char* name, const char* size) {
  const std::string path = option(settings, name);
  if (path.empty()) return nullptr;
  auto objective = open(path, settings.value(size, std::int64_t{0}), std::string_view(name) != "data");
  record_[name] = {{"path", path}, {"sha256", sha256_file(path)}, {"examples", objective->size()}};
  return objective;
}

}  // namespace frugal
