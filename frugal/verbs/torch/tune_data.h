// The data of a run as objectives: labelled prompts when there are label words, pairs for dpo, else sequences.
#pragma once
#include <memory>
#include <optional>

#include "frugal/data/preference_task.h"
#include "frugal/train/objective/distill_loss.h"
#include "frugal/train/objective/dpo_loss.h"
#include "frugal/train/objective/generated_answers.h"
#include "frugal/train/run/figures.h"
#include "frugal/train/run/snapshot.h"
#include "frugal/verbs/common/data_config.h"
#include "frugal/verbs/common/data_parts.h"
#include "frugal/verbs/torch/session.h"
#include "frugal/verbs/torch/teacher_model.h"

namespace frugal {

class TuneData {
 public:
  // seed: of samples that are drawn.
  TuneData(const DataConfig& config, const std::string& objective, Session& session, std::uint64_t seed = 1);
  // Another file of the same kind.
  std::unique_ptr<Objective> open(const DataPart& part);

  Objective& train() const { return *train_; }
  Objective* dev() const { return dev_.get(); }  // null: none
  Objective* test() { return test_.get(); }
  Objective::Metric metric() const;  // that says which evaluation of dev is the best: --dev-metric
  // What losses need of the weights a run begins with (the reference of dpo): read from the file at `path`, or computed
  // with `start` and written there, with a warning where the file was damaged. Writes nothing when nothing is needed.
  void take_reference(const WeightView& start, const std::filesystem::path& path, const SnapshotInfo& info);
  // Of distill: makes the teacher ready for these examples, by the file at `path` where it is stored.
  bool has_teacher() const { return teacher_ != nullptr; }
  const ModelSource& teacher_source() const { return teacher_->source(); }
  const std::string& teacher_sha256() const { return teacher_->sha256(); }
  void take_teacher(const std::filesystem::path& path, const std::vector<bool>& needed,
                    const std::function<void()>& guard);
  // {"train": {"path", "sha256", "examples"}, "dev": ..., "test": ...}: what a run depends on.
  Json record() const { return record_; }
  void set_guard(const std::function<void()>& guard);  // of all of them, see Objective
  // --show: what the model writes to the first prompts of dev, as a table; behind an evaluation of dev.
  void draw_samples(const WeightView& view, std::int64_t step, Figures& figures);

 private:
  struct Split {  // what an objective refers to
    Dataset labelled;
    SequenceDataset sequences;
    PreferenceDataset preferences;
  };
  // is_judge: an evaluation gives what --dev-metric names.
  std::unique_ptr<Objective> open(const DataPart& part, bool is_judge);
  std::unique_ptr<Objective> take(const std::string& name, const DataPart& part);
  std::unique_ptr<GeneratedAnswers> answers_to(const SequenceDataset& sequences);
  Session& session_;
  DataConfig config_;
  std::optional<PromptTask> prompts_;
  std::optional<SequenceTask> sequences_;
  std::optional<PreferenceTask> preferences_;
  std::vector<std::pair<std::string, DpoLoss*>> references_;  // "reference.data": whose it is
  std::vector<std::unique_ptr<Split>> splits_;
  std::unique_ptr<TeacherModel> teacher_;  // null: none
  const std::vector<Sequence>* taught_ = nullptr;
  std::unique_ptr<Objective> train_, dev_, test_;
  SequenceDataset shown_;                      // the first of dev
  std::unique_ptr<GeneratedAnswers> samples_;  // to them; null: none, or dev_ writes them anyway
  Json record_ = Json::object();
};

}  // namespace frugal
