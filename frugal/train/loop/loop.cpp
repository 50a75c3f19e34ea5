#include "frugal/train/loop/loop.h"

#include <algorithm>
#include <iostream>

#include "frugal/base/log.h"
#include "frugal/train/loop/loop_run.h"

namespace frugal {

namespace fs = std::filesystem;

// The run's name for what it began with, the job's own or its settings, and what its settings are.
void Loop::identify() {
  settings_sha256_ = settings_sha256(action_, settings_);
  identity_ = job_.identity();
  if (identity_.empty()) identity_ = settings_sha256_;
}

void Loop::restore(const fs::path& snapshot, std::int64_t step) {
  State state(snapshot_sizes(snapshot));
  job_.state(state, step);
  read_snapshot(snapshot, state.parts());
}

int Loop::start(const fs::path& out) {
  {
    State state;
    job_.state(state, 0);
    require_free_space(out, most_snapshot_bytes(snapshot_bytes(state.parts()) + job_.growth_bytes(job_.steps()),
                                                static_cast<std::size_t>(run_.keep)));
  }
  const Json own = job_.describe(settings_);
  identify();
  for (const char* of_process : {"out", "resume", "trust_damaged"}) settings_.erase(of_process);
  Json description = {{"action", action_}, {"settings", settings_}};
  if (const StepUnit unit = job_.step_unit(); unit.name != StepUnit().name)
    description["step_unit"] = {{"name", unit.name}, {"each", unit.each}, {"per", unit.per}, {"last", unit.last}};
  description.update(own);
  description.update(facts_);
  RunFolder folder = RunFolder::create(out, description);
  job_.begin(folder, false);
  std::optional<TrajectoryWriter> log;
  if (job_.replay() != nullptr) log.emplace(new_log(folder));
  folder.keep();
  return steps(folder, std::move(log), 0);
}

int run_job(const JobTable::MakeJob& make, const RunRequest& request) {
  const Loop::Clock::time_point began = Loop::Clock::now();
  const std::uint64_t floor_bytes = memory_usage().peak;
  const auto of_process = from_json<RunConfig>(request.settings);
  if (of_process.resume.empty()) {
    const auto job = make(request.settings, {of_process, nullptr, request.facts});
    return Loop(*job, request, request.settings, of_process, began, floor_bytes).start(of_process.out);
  }
  RunFolder folder = RunFolder::resume(of_process.resume, of_process.trust_damaged ? Damage::trusted : Damage::refused);
  const std::string action = folder.record().value("action", "tune");  // runs of before there were others
  if (action != request.action) {
    throw Error(Exit::usage, of_process.resume + " is a run of frugal " + action + ", not of " + request.action,
                "frugal " + action + " --resume " + of_process.resume);
  }
  if (folder.record().value("status", "") == "done" && request.leg.empty()) {
    if (!RunFolder::is_whole(folder.record())) folder.set("status", name(RunStatus::done));  // it is believed now
    require_model(folder);
    say("the run is done; frugal report " + of_process.resume + " draws it");
    if (of_process.json) std::cout << folder.record().dump() << std::endl;
    return 0;
  }
  Json settings = folder.record()["settings"];
  for (const auto& [name, value] : request.settings.items()) {
    if (name != "resume") settings[name] = value;
  }
  settings.update(request.leg);
  const auto run = from_json<RunConfig>(settings);
  const Json record = folder.record();
  const auto job = make(settings, {run, &record});
  return Loop(*job, request, settings, run, began, floor_bytes).resume(std::move(folder));
}

std::uint64_t measure_job(const JobTable::MakeJob& make, const RunRequest& request) {
  const auto job = make(request.settings, {from_json<RunConfig>(request.settings), nullptr, request.facts});
  Figures figures;
  for (std::int64_t step = 0; step < std::min<std::int64_t>(2, job->steps()); ++step) job->step(step);
  job->evaluate(std::min<std::int64_t>(2, job->steps()), figures);
  return memory_usage().peak + job->growth_bytes(job->steps());
}

}  // namespace frugal
