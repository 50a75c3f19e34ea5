#include "frugal/verbs/tune_data.h"

#include "frugal/base/error.h"
#include "frugal/base/log.h"
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
  dpo_ = from_json<PreferenceConfig>(settings);
  if (option(settings, "objective") == "dpo")
    preferences_.emplace(from_json<SequenceConfig>(settings), *session.tokenizer, session.source->chat_template());
  else if (prompts.labels.empty())
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
  if (preferences_) {
    split.pairs = preferences_->load(path, static_cast<std::size_t>(limit));
    return std::make_unique<DpoLoss>(session_.decoder, split.pairs, dpo_);
  }
  split.sequences = sequences_->load(path, static_cast<std::size_t>(limit));
  if (is_judge && needs_answers(dev_metric_)) {
    ManyOptions generation;
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
  if (auto* pairs = dynamic_cast<DpoLoss*>(objective.get()))
    references_.emplace_back(std::string("reference.") + name, pairs);
  record_[name] = {{"path", path}, {"sha256", sha256_file(path)}, {"examples", objective->size()}};
  return objective;
}

void TuneData::set_guard(const std::function<void()>& guard) {
  for (Objective* each : {train_.get(), dev_.get(), test_.get()}) {
    if (each != nullptr) each->set_guard(guard);
  }
}

void TuneData::take_reference(const WeightView& start, const std::filesystem::path& path, const SnapshotInfo& info) {
  if (references_.empty()) return;
  std::vector<std::vector<double>> values;
  std::vector<NamedBytes> parts;
  for (const auto& [name, objective] : references_) values.emplace_back(2 * objective->size());
  for (std::size_t i = 0; i < references_.size(); ++i)
    parts.push_back({references_[i].first, std::as_writable_bytes(std::span(values[i]))});
  bool is_read = false;
  if (std::filesystem::exists(path)) {
    try {
      is_read = read_snapshot(path, parts).base_sha256 == info.base_sha256;
      if (!is_read) warn(path.string() + " is of another model; the reference is computed again");
    } catch (const Error& error) {
      warn(std::string(error.what()) + "; the reference is computed again");
    }
  }
  if (!is_read) {
    for (std::size_t i = 0; i < references_.size(); ++i) {
      const auto found = references_[i].second->reference_of(start, "reference pairs");
      std::copy(found.begin(), found.end(), values[i].begin());  // `parts` stay valid
    }
    write_snapshot(path, info, parts);
  }
  for (std::size_t i = 0; i < references_.size(); ++i) references_[i].second->set_reference(std::move(values[i]));
}

}  // namespace frugal
