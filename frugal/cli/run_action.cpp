#include "frugal/cli/run_action.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>
#include <sstream>

#include "frugal/base/interrupt.h"
#include "frugal/base/json_text.h"
#include "frugal/base/log.h"
#include "frugal/base/machine_memory.h"
#include "frugal/base/print.h"
#include "frugal/base/room.h"
#include "frugal/base/units.h"
#include "frugal/base/validate.h"
#include "frugal/cli/captured_output.h"
#include "frugal/cli/report/report.h"
#include "frugal/cli/sweep.h"
#include "frugal/core/budget/memory_usage.h"
#include "frugal/train/loop/loop.h"

namespace frugal {
namespace {

// Settings of a process, not of the run: they may differ when it goes on. A sweep's threads are runs side by side.
std::vector<std::string_view> resumable(const Action& action, bool is_of_sweep) {
  std::vector<std::string_view> names = {"resume", "trust_damaged", "keep", "memory", "json", "quiet"};
  if (!action.depends_on_threads || is_of_sweep) names.push_back("threads");
  return names;
}

// What was given of what a leg may have anew, as far as the run has it otherwise.
Json leg_of(const Asked& asked, const Settings& settings, const Json& record) {
  Json leg = Json::object();
  for (const std::string_view option : asked.action->leg_options) {
    const std::string name(option);
    if (!settings.is_given(name)) continue;
    const bool begins_anew = name == "schedule" || name == "warmup";  // the same one again, from there on
    if (begins_anew || record["settings"].value(name, Json()) != settings.at(name).value)
      leg[name] = settings.at(name).value;
  }
  if (leg.value("lr", Json()) == "auto")
    throw Error(Exit::usage, "--lr is auto, but a run that goes on has no race of step sizes", "give --lr a number");
  const std::string schedule = record["settings"].value("schedule", "constant");
  if (leg.contains("steps") && !leg.contains("schedule") && schedule != "constant")
    throw Error(Exit::usage, "--steps is given, but the run's --schedule is " + schedule + ", which has ended by then",
                "give the --schedule of the steps that follow, too");
  return leg;
}

// {"resume": RUN} and those that were given and may be.
Json resume_settings(const Asked& asked, const Settings& settings) {
  const auto run = settings.at("resume").value.get<std::string>();
  if (!std::filesystem::is_regular_file(std::filesystem::path(run) / "run.json")) {
    throw Error(Exit::input, "--resume: " + run + " holds no run.json",
                "give the folder that " + asked.name() + " --out made");
  }
  const auto may_differ = resumable(*asked.action, is_swept(run));
  Json given = Json::object();
  for (const auto& info : settings.fields()) {
    const std::string name(info.field.name);
    if (!settings.is_given(name)) continue;
    const auto& legs = asked.action->leg_options;
    if (!is_swept(run) && std::find(legs.begin(), legs.end(), name) != legs.end()) continue;
    if (std::find(may_differ.begin(), may_differ.end(), name) == may_differ.end()) {
      throw Error(
          Exit::usage,
          "--resume takes " + flag_name(name) + " from the run, but " + settings.at(name).origin + " gives it again",
          "leave it out, or start a new run with --out");
    }
    given[name] = settings.at(name).value;
  }
  return given;
}

const JobTable& jobs_of_the_program() {
  static const JobTable table = [] {
    JobTable all;
    register_jobs(all);
    return all;
  }();
  return table;
}

// facts: of the check; their names are kept beside them, so that a repeated run has them again.
int compute(const Asked& asked, const Json& settings, Json facts, const Json& leg = Json::object()) {
  if (settings.value("dry_run", false))
    throw Error(Exit::internal, "a dry run of frugal " + asked.name() + " would compute", "report this");
  Json names = Json::array();
  for (const auto& [name, value] : facts.items()) names.push_back(name);
  if (!names.empty()) facts["facts"] = names;
  if (const auto* make = jobs_of_the_program().find_job(asked.name())) {
    catch_interrupts();
    return run_job(*make, {asked.name(), settings, facts, leg});
  }
  return run_in_room(library_of(asked.system->folder), asked.name(),
                     {{"settings", settings}, {"facts", facts}, {"leg", leg}});
}

// The page of a run that has ended, beside its records; a run that cannot be drawn is still a run.
void write_page(const std::string& run) {
  try {
    RunFolder::require_own_files(run);
    write_report(std::filesystem::path(run) / "report.html", {run});
    say("report    " + run + "/report.html");
  } catch (const Error& error) {
    warn(std::string("no report: ") + error.what());
  }
}

int finished(int code, const std::string& run) {
  if (code == 0) write_page(run);
  return code;
}

// What the run takes at its peak: a child process takes two steps and an evaluation, and what grows is added, and the
// pages of the program's own file, which a fork does not bring along.
std::uint64_t measured_peak(const Asked& asked, const Checked& checked) {
  int ends[2];
  if (::pipe(ends) != 0) throw Error(Exit::internal, "cannot make a pipe", "close some programs and try again");
  std::cout.flush();
  const pid_t child = ::fork();
  if (child < 0) throw Error(Exit::budget, "the system starts no further process", "close some programs and try again");
  if (child == 0) {
    ::close(ends[0]);
    set_quiet(true);
    Json settings = checked.settings;
    settings["memory"] = 0;
    std::uint64_t peak = 0;
    int code = 0;
    try {
      const RunRequest request{asked.name(), settings, checked.facts};
      if (const auto* make = jobs_of_the_program().find_job(asked.name()))
        peak = measure_job(*make, request);
      else
        code = run_in_room(library_of(asked.system->folder), "measure " + asked.name(),
                           {{"settings", settings}, {"facts", checked.facts}, {"pipe", ends[1]}});
      if (peak > 0 && ::write(ends[1], &peak, sizeof peak) != sizeof peak) code = 1;
    } catch (const std::exception& error) {
      std::cerr << "error: " << error.what() << std::endl;
      code = 1;
    }
    ::_exit(code);
  }
  ::close(ends[1]);
  std::uint64_t peak = 0;
  const bool is_read = ::read(ends[0], &peak, sizeof peak) == sizeof peak;
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!is_read || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw Error(Exit::input, "the two steps that measure the memory of frugal " + asked.name() + " failed",
                "see what it says above, or leave --memory and --dry-run out");
  }
  return peak + memory_usage().file;
}

// "--memory 512MiB" that holds `peak`, with room for what a measurement may be wrong by.
std::string budget_for(std::uint64_t peak) {
  constexpr std::uint64_t kMiB = 1 << 20;
  return "--memory " + std::to_string((peak + peak / 10) / kMiB + 3) + "MiB";
}

// Error(Exit::budget): --memory is less.
std::uint64_t require_measured(const Asked& asked, const Checked& checked, const RunConfig& run) {
  const std::uint64_t peak = measured_peak(asked, checked);
  if (run.memory.count > 0 && peak > run.memory.count) {
    throw Error(Exit::budget,
                "frugal " + asked.name() + " needs " + format_bytes(peak) + " but --memory is " +
                    format_bytes(run.memory.count),
                budget_for(peak));
  }
  return peak;
}

// A dry run of what plans no memory of its own: what two steps took.
int show_measured(const Asked& asked, const Checked& checked, const RunConfig& run) {
  const std::uint64_t peak = require_measured(asked, checked, run);
  if (run.json)
    print_json({{"settings", checked.settings}, {"peak", peak}});
  else
    std::cout << "peak memory " << format_bytes(peak) << ", measured over two steps; " << budget_for(peak)
              << " holds it\n";
  return 0;
}

// Without --memory nothing is promised: what the machine has not got is said, and tried.
void warn_of_memory(const Checked& checked, const RunConfig& run) {
  const std::uint64_t available = available_memory();
  const Json plan = checked.facts.value("plan", Json::object());
  if (run.memory.count > 0 || available == 0 || !plan.contains("peak")) return;
  const auto peak = plan["peak"].get<std::uint64_t>();
  if (peak > available)
    warn("the run is planned at " + format_bytes(peak) + ", the machine has " + format_bytes(available) +
         " left: the system may end it; --memory says what it may take, frugal plan what fits");
}

// What a run records of its files are paths from here.
void require_readable_place() {
  const std::string here = std::filesystem::current_path().string();
  if (!is_utf8(here))
    throw Error(Exit::input, "the name of this folder is not UTF-8, in which a run records its files: " + here,
                "rename it, or start from another folder");
}

int start(const Asked& asked, const Settings& settings) {
  const auto run = from_json<RunConfig>(settings.values());
  require_readable_place();
  validate(run);
  if (run.trust_damaged)
    throw Error(Exit::usage, "--trust-damaged is for a run that goes on, but --resume is not given", "leave it out");
  if (is_sweep(asked, settings)) {
    if (!run.dry_run) require_given("--out", run.out, "--out run");
    if (!run.out.empty()) require_new_folder(run.out);
    const int code = run_sweep(asked, settings, run);
    return run.dry_run ? code : finished(code, run.out);
  }
  const Checked checked = asked.action->check(settings);
  if (run.dry_run && checked.show) return checked.show();
  if (!run.dry_run) require_given("--out", run.out, "--out run");
  if (!run.out.empty()) require_new_folder(run.out);
  if (run.dry_run) return show_measured(asked, checked, run);
  warn_of_memory(checked, run);
  if (!asked.action->plans_memory && run.memory.count > 0)
    say("memory    " + format_bytes(require_measured(asked, checked, run)) + ", measured over two steps");
  return finished(compute(asked, checked.settings, checked.facts), checked.settings.value("out", run.out));
}

// What the check of the run found, as its record has it; of runs of before there were names the plan.
Json facts_of(const Json& record) {
  Json facts = Json::object();
  for (const Json& name : record.value("facts", Json::array({"plan"}))) {
    if (const auto found = record.find(name.get<std::string>()); found != record.end()) facts[found.key()] = *found;
  }
  return facts;
}

// Of its weights, or of its whole state.
std::string bits_of(const Json& record) {
  return record.value("weights_sha256", record.value("results", Json::object()).value("state_sha256", ""));
}

}  // namespace

int run_of(const Asked& asked, const Settings& settings) {
  if (!settings.is_given("resume")) return start(asked, settings);
  const Json given = resume_settings(asked, settings);
  const auto run = given["resume"].get<std::string>();
  if (is_swept(run)) return finished(run_sweep_again(asked, given), run);
  Json leg = Json::object();
  if (!asked.action->leg_options.empty()) {
    const bool is_trusted = settings.at("trust_damaged").value.get<bool>();
    leg = leg_of(asked, settings, RunFolder::read_record(run, is_trusted ? Damage::trusted : Damage::refused));
  }
  return finished(compute(asked, given, Json::object(), leg), run);
}

int repeat_run(const std::string& run, const std::string& out, bool json, bool quiet) {
  const Json record = RunFolder::read_record(run);
  if (record.value("status", "") != "done")
    throw Error(Exit::input, run + " has not ended: its status is " + record.value("status", "unknown"),
                "frugal " + record.value("action", "tune") + " --resume " + run + " goes on with it");
  for (const Json& leg : record.value("legs", Json::array())) {
    if (record["settings"].value("patience", 0) > 0)
      throw Error(Exit::usage,
                  run + " went on after step " + leg["from"].dump() +
                      " with --patience, which a repeated run would lose elsewhere",
                  "start a run with its settings");
    for (const auto& [name, value] : leg["settings"].items()) {
      if (name != "steps" && name != "eval_every" && name != "checkpoint_every")
        throw Error(
            Exit::usage,
            run + " went on with another " + flag_name(name) + " after step " + leg["from"].dump() +
                ", which a repeated run does not",
            "start a run with its first settings, and go on with tune --resume as legs in " + run + "/run.json says");
    }
  }
  RunFolder::require_files(record);
  require_new_folder(out);
  std::vector<std::string> words;
  std::istringstream action(record.value("action", "tune"));
  for (std::string word; action >> word;) words.push_back(word);
  const Asked asked = asked_for(words);
  Json settings = record["settings"];
  settings.update({{"out", out}, {"json", json}, {"quiet", quiet}, {"dry_run", false}});
  std::optional<CapturedOutput> printed;  // with --json one object is, and it has the verdict
  if (json) printed.emplace();
  const int code =
      finished(is_swept(run) ? run_sweep_again(asked, settings) : compute(asked, settings, facts_of(record)), out);
  const std::string line = printed ? printed->end() : "";
  if (code != 0) {
    std::cout << line;
    return code;
  }
  const Json again = RunFolder::read_record(out);
  const bool is_same = bits_of(again) == bits_of(record) && !bits_of(again).empty();
  const std::string what = "the run ended with " + bits_of(again) + ", " + run + " with " + bits_of(record),
                    fix = "runs repeat on the same kind of machine and version: see machine in both run.json";
  if (!json && !is_same) throw Error(Exit::diverged, what, fix);
  if (!json) {
    say("the same bits as " + run);
    return 0;
  }
  Json verdict = {{"run", out}, {"repeats", run}, {"is_same", is_same}};
  verdict.update(again["results"]);
  if (again.contains("weights_sha256")) verdict["weights_sha256"] = again["weights_sha256"];
  if (!is_same) verdict.update({{"error", what}, {"fix", fix}, {"exit", static_cast<int>(Exit::diverged)}});
  print_json(verdict);
  return is_same ? 0 : static_cast<int>(Exit::diverged);
}

}  // namespace frugal
