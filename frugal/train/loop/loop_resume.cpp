// A run goes on: from its newest whole snapshot, and the log of steps where there is one; a new leg begins there.
#include "frugal/base/json_text.h"
#include "frugal/base/log.h"
#include "frugal/train/loop/loop_run.h"
#include "frugal/train/run/resume.h"

namespace frugal {

namespace fs = std::filesystem;

namespace {

// Before anything of the run is left out.
[[noreturn]] void refuse_leg(const fs::path& run) {
  throw Error(Exit::input, run.string() + " has neither a whole snapshot nor a log of steps to go on from",
              "copy the run again");
}

}  // namespace

// Where the settings of now began.
std::int64_t Loop::leg_from(const Json& record) {
  const Json legs = record.value("legs", Json::array());
  return legs.empty() ? 0 : legs.back()["from"].get<std::int64_t>();
}

void Loop::take(const std::vector<Json>& events, std::int64_t taken, std::int64_t leg_from) {
  for (const Json& event : events) {
    if (event.value("step", std::int64_t{0}) > taken) break;
    if (event.value("event", "") == "eval") {
      evaluated_ = event["step"].get<std::int64_t>();
      offer(event, evaluated_);
      if (evaluated_ <= leg_from) best_.since = 0;
    }
    if (event.value("event", "") != "step") continue;
    seconds_before_ = event.value("seconds", seconds_before_);
    const auto value = event.find(job_.value_name());
    count(event.value("skipped", false), value != event.end() && value->is_number() ? value->get<double>() : NAN);
  }
}

// What snapshots of this run may have been made with: its settings now, and those of earlier legs. None: any.
std::vector<std::string> Loop::known_settings(const RunFolder& folder) const {
  if (run_.trust_damaged) return {};
  std::vector<std::string> known = settings_of_legs(action_, folder.record());
  known.push_back(settings_sha256_);
  return known;
}

// From here on the run has other settings; its record says so at once, or not at all.
void Loop::begin_leg(RunFolder& folder, std::int64_t from) {
  if (job_.steps() <= from) {
    throw Error(
        Exit::usage,
        "the run has taken " + std::to_string(from) + " steps, but it is to have " + std::to_string(job_.steps()),
        "--steps " + std::to_string(2 * from) + " goes on with it");
  }
  Json legs = folder.record().value("legs", Json::array());
  legs.push_back(
      {{"from", from}, {"settings", leg_}, {"settings_sha256", settings_sha256(action_, folder.record()["settings"])}});
  Json settings = folder.record()["settings"];
  settings.update(leg_);
  folder.begin_leg(settings, legs);
  best_.since = 0;  // its patience begins anew
  say("a new leg begins after " + job_.step_unit().text(from));
}

int Loop::resume(RunFolder folder) {
  identify();
  const std::vector<std::string> expected_settings = known_settings(folder);
  if (folder.record().contains("base")) folder.require_base(identity_);
  RunFolder::require_files(folder.record());
  job_.begin(folder, true);
  SnapshotStore snapshots(folder.snapshots(), static_cast<std::size_t>(run_.keep));
  std::optional<TrajectoryWriter> log;
  ReadEvents read = read_events(folder.events(), folder.has_checksums(), RunFolder::chain_start(folder.record()));
  std::int64_t taken = 0, restored = 0;
  Replay* const replay = job_.replay();
  const bool has_legs = !leg_.empty() || leg_from(folder.record()) > 0;  // there is something to lose
  // A leg may have fewer steps than there are, which is refused before anything is left out.
  const auto most = leg_.empty() ? static_cast<std::uint64_t>(job_.steps()) : std::numeric_limits<std::uint64_t>::max();
  if (replay == nullptr) {
    const FoundSnapshot found = find_snapshot(snapshots, {identity_, expected_settings}, most);
    for (const std::string& text : found.notes) warn(text);
    taken = static_cast<std::int64_t>(found.step);
    if (found.path.empty() && has_legs) refuse_leg(folder.path());
    if (found.path.empty())  // all is done again, what was evaluated before the first step, too
      fs::remove(folder.events()), read = {};
    else
      restore(found.path, restored = taken);
  } else if (!fs::exists(folder.trajectory())) {  // killed before the first step
    if (has_legs) refuse_leg(folder.path());
    log.emplace(new_log(folder));
  } else {
    const ResumePoint point = find_resume_point(folder.trajectory(), snapshots, expected_settings, &read);
    for (const std::string& text : point.notes) warn(text);
    point.trajectory.require_base(identity_);
    point.trajectory.require_header(json_of(replay->header().dump()));  // numbers as a file has them
    taken = static_cast<std::int64_t>(point.steps());
    restored = static_cast<std::int64_t>(point.snapshot_step);
    if (restored > 0) restore(point.snapshot, restored);
    for (const StepRecord& record : point.replay()) {
      if (!record.skipped) replay->replay(record);
    }
    log.emplace(TrajectoryWriter::resume(folder.trajectory(), point.trajectory, point.steps()));
  }
  if (const std::int64_t from = leg_from(folder.record()); taken < from)
    throw Error(Exit::input,
                "the newest whole snapshot is of step " + std::to_string(taken) +
                    ", but the run's settings changed after step " + std::to_string(from),
                "copy the run again, or start a new run");
  require_events(read, folder, taken, restored, run_.trust_damaged ? Damage::trusted : Damage::refused);
  if (!leg_.empty()) begin_leg(folder, taken);  // what refuses it comes before
  snapshots.forget_after(static_cast<std::uint64_t>(taken));
  take(read.events, taken, leg_from(folder.record()));
  if (run_.trust_damaged) folder.set("trusted", true);
  if (run_.trust_damaged && taken > 0) {  // what is believed from now on is in a snapshot, too
    if (best_.step >= 0) snapshots.protect(static_cast<std::uint64_t>(best_.step));
    State state;
    job_.state(state, taken);
    snapshots.write(info(taken), state.parts());
  }
  folder.set_status(RunStatus::running);
  const std::string all = job_.step_unit().text(job_.steps());
  say("going on after " + job_.step_unit().text(taken) + " of" + all.substr(all.rfind(' ')));
  return steps(folder, std::move(log), taken);
}

}  // namespace frugal
