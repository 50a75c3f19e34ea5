#include "frugal/verbs/torch/tune_job.h"

#include <cmath>
#include <filesystem>

#include "frugal/base/error.h"
#include "frugal/base/log.h"
#include "frugal/base/sha256.h"
#include "frugal/core/budget/guard.h"
#include "frugal/plan/choices.h"
#include "frugal/train/lr_race.h"
#include "frugal/train/named_bytes.h"
#include "frugal/train/schedule.h"
#include "frugal/train/tuner_registry.h"
#include "frugal/tune/registry.h"
#include "frugal/verbs/torch/base_record.h"

namespace frugal {

namespace fs = std::filesystem;

namespace {

constexpr const char* kBudgetFix = "give more --memory, or a smaller --batch or --max-length; see frugal plan";
}

TuneJob::TuneJob(const Json& settings, const JobContext& context)
    : config_(from_json<TuneConfig>(settings)),
      step_(from_json<StepConfig>(settings)),
      session_({config_.model, config_.compute, config_.memory, choices_of(settings).file_window}),
      data_(config_, from_json<ObjectiveConfig>(settings).objective, session_,
            static_cast<std::uint64_t>(config_.seed)),
      chosen_(context.record != nullptr ? context.record->value("chosen", Json()) : Json()),
      base_sha256_(base_sha256(session_)),
      guard_(config_.memory, kBudgetFix) {
  TunerRegistry tuners;
  register_tuners(tuners);
  TunerContext made{session_.store, session_.threads, &data_.train(), chosen_, run_settings(settings)};
  tuner_ = tuners.at(config_.method)(settings, made);
  batcher_ = std::make_unique<Batcher>(data_.train().classes(), config_.batch, static_cast<std::uint64_t>(config_.seed),
                                       config_.balance);
  data_.set_guard([this] { guard_.check("judging examples"); });
  guard_.check("the model");
  if (context.record == nullptr) return;
  require_metadata(*context.record, "base", *session_.source);
  if (data_.has_teacher()) require_teacher(*context.record);
}

// Weights that are a copy in memory do not care what becomes of their file.
void TuneJob::require_inputs() {
  for (std::size_t id = 0; id < session_.store.size(); ++id) {
    if (session_.store.type(id) != WeightType::stored) continue;
    session_.source->require_unchanged();
    break;
  }
  if (data_.has_teacher() && config_.distill.teacher_weights == "stored") data_.teacher_source().require_unchanged();
}

std::string TuneJob::budget_fix() const { return kBudgetFix; }

// Paths become absolute, so that a run goes on from any folder; every file it reads is named with its hash.
Json TuneJob::describe(Json& settings) {
  for (const char* file : {"model", "data", "dev", "test", "teacher"}) {
    if (!settings.contains(file) || settings[file] == "" || is_share(settings[file].get<std::string>())) continue;
    settings[file] = fs::absolute(settings[file].get<std::string>()).lexically_normal().string();
  }
  Json files = data_.record();
  for (Json& file : files) file["path"] = fs::absolute(file["path"].get<std::string>()).lexically_normal().string();
  for (const InputFile& file : methods().at(config_.method).input_files(settings)) {
    files[file.name] = {{"path", file.path}, {"sha256", sha256_file(file.path)}};
    if (!file.setting.empty()) settings[file.setting] = file.value;
  }
  Json description = {
      {"base", model_record(*session_.source, base_sha256_)}, {"data", files["data"]}, {"files", files}};
  if (!chosen_.is_null()) description["chosen"] = chosen_;
  if (data_.has_teacher()) description["teacher"] = model_record(data_.teacher_source(), data_.teacher_sha256());
  return description;
}

// Error(Exit::input): the teacher is not the one the run began with.
void TuneJob::require_teacher(const Json& record) const {
  require_metadata(record, "teacher", data_.teacher_source());
  const Json known = record.value("teacher", Json::object());
  const auto began = known.is_object() ? known.value("sha256", Json()) : Json();
  if (!began.is_string() || began == data_.teacher_sha256()) return;
  throw Error(Exit::input,
              "the teacher " + config_.distill.teacher + " has sha256 " + data_.teacher_sha256().substr(0, 12) +
                  "..., the run began with " + began.get<std::string>().substr(0, 12) + "...",
              "put back the teacher the run began with");
}

void TuneJob::begin(RunFolder& folder, bool is_resumed) {
  if (!is_resumed) say(training_line(config_, step_, tuner_->trained(), session_.store, data_.train().size()));
  data_.take_reference(tuner_->view(), folder.reference(), {0, config_.compute.weights, base_sha256_});
  data_.take_teacher(folder.teacher(), needed(folder), [this] { guard_.check("the teacher"); });
  lr_ = choose_lr(folder);
}

// The examples that steps will take, and those that judge step sizes.
std::vector<bool> TuneJob::needed(const RunFolder& folder) const {
  const bool has_race = step_.lr.is_automatic && !folder.record().contains("lr_race");
  std::vector<bool> needed(data_.train().size(), has_race);
  for (std::int64_t step = 0; step < config_.steps && !has_race; ++step) {
    for (const std::uint32_t example : batch(step)) needed[example] = true;
  }
  return needed;
}

// The step size: as given, or by a race whose outcome is recorded and taken again on resume.
double TuneJob::choose_lr(RunFolder& folder) {
  const Json& record = folder.record();
  if (!step_.lr.is_automatic) return step_.lr.value;  // of a leg, too, whatever a race said before
  if (const auto race = record.find("lr_race"); race != record.end()) return (*race)["lr"].get<double>();
  constexpr std::size_t kJudges = 48;
  constexpr std::int64_t kNoStep = 1'000'000'000;
  std::vector<std::uint32_t> judges;
  for (std::int64_t i = 0; judges.size() < kJudges; ++i) {
    const auto part = batch(kNoStep + i);  // batches that no step takes
    judges.insert(judges.end(), part.begin(), part.end());
  }
  const auto judge = [&] { return data_.train().loss_sums(tuner_->view(), judges)[0] / data_.train().terms(judges); };
  say("looking for a step size");
  const Json race = race_learning_rates(
      {.rates = tuner_->likely_rates()}, *tuner_, [&](std::int64_t step) { return batch(kNoStep + 1000 + step); },
      judge);
  folder.set("lr_race", race);
  note("--lr auto chose " + race["lr"].dump());
  return race["lr"].get<double>();
}

void TuneJob::started(const RunFolder& folder) {
  data_.train().take_details();  // of what came before the steps
  for (const Json& leg : folder.record().value("legs", Json::array())) {
    if (leg["settings"].contains("schedule") || leg["settings"].contains("warmup"))
      schedule_from_ = leg["from"].get<std::int64_t>();
  }
}

StepResult TuneJob::step(std::int64_t index) {
  const double lr = static_cast<double>(static_cast<float>(
      learning_rate(step_.schedule, lr_, step_.warmup, config_.steps - schedule_from_, index - schedule_from_)));
  TuningStep taken = tuner_->step(static_cast<std::uint64_t>(index), lr, batch(index));
  StepResult result{.value = taken.loss, .skipped = taken.skipped, .event = {{"loss", taken.loss}, {"lr", lr}}};
  result.details = std::move(taken.details);
  result.details.update(data_.train().take_details());
  watch_rewards(result.details);
  if (replay() != nullptr)
    result.record = {static_cast<std::uint32_t>(index), taken.skipped, static_cast<float>(lr), std::move(taken.record)};
  return result;
}

// Preferences that are learnt by making both answers unlikely: the model forgets how to write. Said once.
void TuneJob::watch_rewards(const Json& details) {
  constexpr double kFallen = -1;  // nats, times --dpo-beta
  const auto found = details.find("rewards/chosen");
  if (found == details.end() || !found->is_number() || std::isinf(chosen_reward_)) return;
  const auto reward = found->get<double>();
  chosen_reward_ = std::isnan(chosen_reward_) ? reward : 0.8 * chosen_reward_ + 0.2 * reward;
  if (chosen_reward_ > kFallen) return;
  warn("the chosen answers have become less likely than they were (rewards/chosen " + Json(reward).dump().substr(0, 6) +
       "): a smaller --lr, or a larger --dpo-beta, keeps the model closer to what it was");
  chosen_reward_ = INFINITY;
}

Json TuneJob::evaluate(std::int64_t step, Figures& figures) {
  if (data_.dev() == nullptr) return {};
  Json found = data_.dev()->evaluate(tuner_->view(), "dev examples");
  data_.draw_samples(tuner_->view(), step, figures);
  return found;
}

Finished TuneJob::finish(Ending& ending) {
  Finished finished{.weights_sha256 = weights_sha256(tuner_->result())};
  finished.results["lr"] = lr_;
  if (std::isfinite(ending.mean_value)) finished.results["train_loss"] = ending.mean_value;
  if (data_.test() != nullptr) {
    if (ending.best && ending.best->step != ending.steps) ending.restore(ending.best->step);
    finished.results["test"] = data_.test()->evaluate(tuner_->view(), "test examples");
    finished.results["test"]["step"] = ending.best ? ending.best->step : ending.steps;
  }
  return finished;
}

}  // namespace frugal
