#include "frugal/verbs/torch/tune_data.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/base/log.h"
#include "frugal/base/sha256.h"
#include "frugal/train/objective/label_loss.h"
#include "frugal/train/objective/sequence_loss.h"
#include "frugal/verbs/common/read_once.h"

namespace frugal {
namespace {

SequenceDataset first_of(const SequenceDataset& all, std::size_t count) {
  SequenceDataset some{.name = all.name, .format = all.format, .sequences = {}};
  for (std::size_t i = 0; i < std::min(all.sequences.size(), count); ++i) some.sequences.push_back(all.sequences[i]);
  return some;
}

bool is_inside_character(char c) { return (c & 0xc0) == 0x80; }  // of UTF-8

// Of long texts, so that a page stays one to look at.
std::string ending_of(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t first = text.size() - most;
  while (first < text.size() && is_inside_character(text[first])) ++first;
  return "..." + text.substr(first);
}
std::string beginning_of(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && is_inside_character(text[most])) --most;
  return text.substr(0, most) + "...";
}

}  // namespace

TuneData::TuneData(const DataConfig& config, const std::string& objective, Session& session, std::uint64_t seed)
    : session_(session), config_(config) {
  if (objective == "dpo")
    preferences_.emplace(config.sequences(), *session.tokenizer, session.source->chat_template());
  else if (config.task.labels.empty())
    sequences_.emplace(config.sequences(), *session.tokenizer, session.source->chat_template());
  else
    prompts_.emplace(config.task, *session.tokenizer);
  if (objective == "distill" && !config.data.empty())
    teacher_ = std::make_unique<TeacherModel>(config.distill, session.threads, session.decoder.compute());
  const DataParts parts = data_parts(config, seed);
  train_ = take("data", parts.data);
  dev_ = take("dev", parts.dev);
  if (config.show > 0 && dev_ != nullptr && dynamic_cast<GeneratedAnswers*>(dev_.get()) == nullptr) {
    shown_ = first_of(splits_.back()->sequences, static_cast<std::size_t>(config.show));
    samples_ = answers_to(shown_);
  }
  test_ = take("test", parts.test);
}

std::unique_ptr<GeneratedAnswers> TuneData::answers_to(const SequenceDataset& sequences) {
  ManyOptions generation;
  generation.max_new_tokens = config_.answers.max_new_tokens;
  generation.together = kAnswersTogether;
  generation.stop_tokens = stop_tokens(*session_.source, *session_.tokenizer);
  return std::make_unique<GeneratedAnswers>(session_.decoder, *session_.tokenizer, sequences,
                                            parse_match(config_.answers.match), generation);
}

// A table for each evaluation: a run that goes on has those from before.
void TuneData::draw_samples(const WeightView& view, std::int64_t step, Figures& figures) {
  if (config_.show == 0 || dev_ == nullptr) return;
  const auto* of_dev = dynamic_cast<GeneratedAnswers*>(dev_.get());
  if (of_dev == nullptr) samples_->evaluate(view, "samples");
  const std::vector<WrittenAnswer>& all = (of_dev == nullptr ? *samples_ : *of_dev).answers();
  constexpr std::size_t kPrompt = 120, kAnswer = 200;
  FigureTable table{.name = "written_" + std::to_string(step),
                    .title = "What the model writes after step " + std::to_string(step),
                    .columns = {"prompt", "reference", "written"},
                    .rows = {}};
  for (std::size_t i = 0; i < std::min(all.size(), static_cast<std::size_t>(config_.show)); ++i)
    table.rows.push_back({ending_of(all[i].prompt, kPrompt), beginning_of(all[i].reference, kAnswer),
                          beginning_of(all[i].prediction, kAnswer)});
  figures.add(table);
}

std::unique_ptr<Objective> TuneData::open(const DataPart& part) { return open(part, false); }

Objective::Metric TuneData::metric() const {
  if (config_.dev_metric == "auto") return dev_->metric();
  return {config_.dev_metric, config_.dev_metric != "loss"};
}

std::unique_ptr<Objective> TuneData::open(const DataPart& part, bool is_judge) {
  Split& split = *splits_.emplace_back(std::make_unique<Split>());
  if (prompts_) {
    split.labelled = take_examples(config_.task, part.path, part.choice,
                                   [&] { return prompts_->load(part.path, config_.task.columns, part.choice); });
    return std::make_unique<LabelLoss>(session_.decoder, *prompts_, split.labelled, config_.balance);
  }
  if (preferences_) {
    split.preferences = take_examples(config_.sequences(), part.path, part.choice,
                                      [&] { return preferences_->load(part.path, part.choice); });
    return std::make_unique<DpoLoss>(session_.decoder, split.preferences, config_.dpo);
  }
  split.sequences = take_examples(config_.sequences(), part.path, part.choice,
                                  [&] { return sequences_->load(part.path, part.choice); });
  if (is_judge && needs_answers(config_.dev_metric)) return answers_to(split.sequences);
  if (teacher_ && !is_judge && taught_ == nullptr) {
    taught_ = &split.sequences.sequences;
    return std::make_unique<DistillLoss>(session_.decoder, split.sequences.sequences, config_.distill);
  }
  return std::make_unique<SequenceLoss>(session_.decoder, split.sequences.sequences);
}

std::unique_ptr<Objective> TuneData::take(const std::string& name, const DataPart& part) {
  if (part.path.empty()) return nullptr;
  auto objective = open(part, name != "data");
  if (auto* pairs = dynamic_cast<DpoLoss*>(objective.get())) references_.emplace_back("reference." + name, pairs);
  record_[name] = {{"path", part.path}, {"sha256", sha256_file(part.path)}, {"examples", objective->size()}};
  const RowChoice& choice = part.choice;
  if (!choice.is_whole_file()) record_[name]["share"] = {choice.from, choice.to};
  if (choice.is_sample && choice.limit > 0) record_[name]["sample"] = {{"seed", choice.seed}, {"most", choice.limit}};
  return objective;
}

void TuneData::set_guard(const std::function<void()>& guard) {
  for (Objective* each : {train_.get(), dev_.get(), test_.get(), static_cast<Objective*>(samples_.get())}) {
    if (each != nullptr) each->set_guard(guard);
  }
}

void TuneData::take_teacher(const std::filesystem::path& path, const std::vector<bool>& needed,
                            const std::function<void()>& guard) {
  if (!teacher_) return;
  static_cast<DistillLoss&>(*train_).set_teacher(teacher_->speak(path, *taught_, needed, guard));
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
