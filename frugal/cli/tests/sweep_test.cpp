// What a sweep is made of, and what its runs are given; jobs_test.cpp sweeps every job.
#include "frugal/cli/sweep.h"

#include <gtest/gtest.h>

#include "frugal/base/error.h"
#include "frugal/base/json_text.h"
#include "frugal/cli/sweep_rows.h"
#include "frugal/train/run/resume.h"
#include "run_program.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

using Words = std::vector<std::string>;

std::string refusal(const Words& words) {
  try {
    cells_of(parse_sweep(words));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::usage);
    EXPECT_FALSE(error.fix().empty());
    return error.what();
  }
  return "accepted";
}

TEST(ParseSweep, ValuesBelongToTheOptionBeforeThem) {
  const auto options = parse_sweep({"window=5", "10", "noise=0:0.5:0.1", "max-length=3:1:-1", "model=a:b:c", "x=1:2"});
  ASSERT_EQ(options.size(), 5u);
  EXPECT_EQ(options[0].name, "window");
  EXPECT_EQ(options[0].values, (Words{"5", "10"}));
  EXPECT_EQ(options[1].values, (Words{"0", "0.1", "0.2", "0.3", "0.4", "0.5"})) << "both ends";
  EXPECT_EQ(options[2].name, "max_length");
  EXPECT_EQ(options[2].values, (Words{"3", "2", "1"}));
  EXPECT_EQ(options[3].values, (Words{"a:b:c"})) << "no numbers";
  EXPECT_EQ(options[4].values, (Words{"1:2"}));
  EXPECT_TRUE(parse_sweep({}).empty());
}

TEST(ParseSweep, Refusals) {
  EXPECT_NE(refusal({"5"}).find("expected an option and its values"), std::string::npos);
  EXPECT_NE(refusal({"=5"}).find("names no option"), std::string::npos);
  EXPECT_NE(refusal({"a=5", "a=6"}).find("names an option again"), std::string::npos);
  EXPECT_NE(refusal({"a-b=5", "a_b=6"}).find("names an option again"), std::string::npos);
  EXPECT_NE(refusal({"a="}).find("an empty value"), std::string::npos);
  EXPECT_NE(refusal({"a=1", ""}).find("an empty value"), std::string::npos);
  for (const char* counts_nothing : {"a=0:1:0", "a=0:1:-0.1", "a=0:1e9:1"})
    EXPECT_NE(refusal({counts_nothing}).find("counts no values"), std::string::npos) << counts_nothing;
  EXPECT_NE(refusal({"a=1:200:1", "b=1:200:1"}).find("more than 10000 runs"), std::string::npos);
}

TEST(CellsOf, EveryCombinationTheLastOptionFastest) {
  const auto cells = cells_of({{"a", {"1", "2"}}, {"b", {"x", "y", "z"}}});
  ASSERT_EQ(cells.size(), 6u);
  EXPECT_EQ(cells[0], (Cell{{"a", "1"}, {"b", "x"}}));
  EXPECT_EQ(cells[1], (Cell{{"a", "1"}, {"b", "y"}}));
  EXPECT_EQ(cells[5], (Cell{{"a", "2"}, {"b", "z"}}));
}

TEST(SweepRows, NumbersOfObjectsAreColumnsAndWhatWasSetStays) {
  const Json results = {{"lr", 0.5}, {"best", {{"metric", 0.75}, {"metric_name", "accuracy"}}}, {"list", {1, 2}}};
  const Json row = row_of({{"lr", "auto"}, {"note", "a,\"b\""}}, "done", results, "cells/0001");
  EXPECT_EQ(
      row,
      Json({{"lr", "auto"}, {"note", "a,\"b\""}, {"status", "done"}, {"best.metric", 0.75}, {"run", "cells/0001"}}));
  const Json diverged = row_of({{"lr", "9"}, {"note", ""}}, "diverged", Json::object(), "cells/0002");
  EXPECT_EQ(csv_of({diverged, row}),
            "lr,note,status,run,best.metric\n9,,diverged,cells/0002,\nauto,\"a,\"\"b\"\"\",done,cells/0001,0.75\n");
}

TEST(SweepRows, AMetricIsFoundWhereResultsKeepIt) {
  const Json direct = {{"accuracy", 1}, {"best.metric", 2}, {"test.accuracy", 3}},
             best = {{"best.metric", 2}, {"test.accuracy", 3}}, test = {{"test.accuracy", 3}},
             none = {{"accuracy", "high"}, {"lr", 0.5}, {"seconds", 1.5}, {"train_loss", 0.25}};
  EXPECT_EQ(metric_column({none, direct}, "accuracy"), "accuracy");
  EXPECT_EQ(metric_column({best}, "accuracy"), "best.metric");
  EXPECT_EQ(metric_column({test}, "accuracy"), "test.accuracy");
  EXPECT_EQ(metric_column({none}, "accuracy"), "");
  const Settings options = settings_of(asked_for({"tune"}), {{"method", "mezo", "--method"}});
  EXPECT_EQ(drawn_column({none}, "accuracy", options), "train_loss") << "neither an option nor the loop's";
}

const std::string kBandit = "bandit run --policy ols-ucb-c,cos-v --items 6 --choose 2 --horizon 2000 --quiet ";

Json record_of(const fs::path& run) { return json_of(read_file(run / "run.json")); }

// Lists, seeds of the action's own, snapshots, and an option that is given and swept, too, by flag and environment.
TEST(Sweep, ItsRunsAreGivenWhatItWasGiven) {
  const fs::path out = scratch() / "given";
  const Outcome outcome =
      run_program(kBandit + "--seeds 3 --checkpoint-every 7 --rho 0.3 --sweep rho=0,-0.5 --sweep seed=5 --json --out " +
                      out.string(),
                  "FRUGAL_RHO=0.9 FRUGAL_SEED=8 FRUGAL_CHOOSE=3 FRUGAL_SWEEP=seed=1,2,3");
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  const Json rows = json_of(outcome.out)["rows"];
  ASSERT_EQ(rows.size(), 2u);
  for (const Json& row : rows) {
    const Json settings = record_of(out / row["run"].get<std::string>())["settings"];
    EXPECT_EQ(settings["policy"], Json({"ols-ucb-c", "cos-v"}));
    EXPECT_EQ(settings["seeds"], 3);
    EXPECT_EQ(settings["seed"], 5);
    EXPECT_EQ(settings["choose"], 2) << "a flag goes before the environment";
    EXPECT_EQ(settings["checkpoint_every"], 7);
    EXPECT_EQ(settings["rho"], &row == &rows[0] ? 0 : -0.5);
    EXPECT_EQ(settings["threads"], 1);
    EXPECT_TRUE(settings["sweep"].empty());
    EXPECT_TRUE(row.contains("policies.cos-v.regret"));
  }
}

TEST(Sweep, ADryRunChecksAndStartsNothing) {
  const fs::path out = scratch() / "dry";
  for (const std::string& more : {std::string(), " --out " + out.string()}) {
    const Outcome outcome = run_program(kBandit + "--sweep rho=0,0.5 --sweep range=1,2 --dry-run --json" + more);
    ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
    const Json line = json_of(outcome.out);
    EXPECT_EQ(line["runs"], 4);
    EXPECT_EQ(line["swept"]["range"], Json({"1", "2"}));
  }
  EXPECT_FALSE(fs::exists(out));
  EXPECT_EQ(run_program("swarm train --model cnn --sweep reshuffle=true,false --dry-run").code, 0) << "a flag";
}

TEST(Sweep, RefusesBeforeAnythingRuns) {
  const fs::path out = scratch() / "refused";
  const std::pair<const char*, const char*> cases[] = {
      {"--sweep rho=0,2", "--rho is 2.0, expected a number in [-1, 1] (of the run with rho 2)"},
      {"--sweep rho=0,much", "--rho is 'much', expected a number"},
      {"--sweep rhp=1", "unknown option '--rhp'; did you mean"},
      {"--sweep threads=1,2", "--threads cannot be swept"},
      {"--sweep out=a,b", "--out cannot be swept"},
      {"--sweep 1,2", "expected an option and its values"}};
  for (const auto& [options, said] : cases) {
    const Outcome outcome = run_program(kBandit + options + " --out " + out.string());
    EXPECT_EQ(outcome.code, 2) << options;
    EXPECT_NE(outcome.err.find(said), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("\nfix: "), std::string::npos) << outcome.err;
  }
  EXPECT_FALSE(fs::exists(out));
  EXPECT_EQ(run_program("swarm train --seeds 2 --sweep seed=1,2 --dry-run").code, 2);
  EXPECT_EQ(run_program("swarm train --seeds 100000 --dry-run").code, 2);
  EXPECT_EQ(run_program("swarm sweep --dry-run").code, 2) << "--over is missing";
}

// A run that breaks off is a row; a sweep of which none ended well has failed.
TEST(Sweep, SaysWhatBrokeOffAndFailsWhereEverythingDid) {
  const fs::path out = scratch() / "broken";
  const std::string sweep =
      "bandit run --policy ols-ucb-c,cos-v --items 6 --choose 2 --horizon 20000000 --quiet "
      "--sweep rho=0,0.5 --json --out " +
      out.string();
  const Outcome outcome = run_program(sweep, "ulimit -t 1; ");  // a second: too little for a cell
  EXPECT_EQ(outcome.code, 5) << outcome.out << outcome.err;
  const Json line = json_of(outcome.out);
  ASSERT_EQ(line["rows"].size(), 2u);
  for (const Json& row : line["rows"]) EXPECT_EQ(row["status"], "failed");
  EXPECT_EQ(line["exit"], 5);
  EXPECT_NE(line["error"].get<std::string>().find("none of the 2 runs"), std::string::npos);
  EXPECT_FALSE(line["fix"].get<std::string>().empty());
}

// What stdin, stdout and stderr were is no place for a run's files, and a limit of file sizes is an error.
TEST(Run, LivesWithoutStandardStreamsAndWithSmallFiles) {
  const fs::path out = scratch() / "closed", small = scratch() / "small";
  ASSERT_EQ(
      std::system((FRUGAL_BINARY_DIR "/bin/frugal " + kBandit + "--out " + out.string() + " <&- >&- 2>&-").c_str()) >>
          8,
      3)
      << "nothing could be printed";
  EXPECT_EQ(record_of(out)["status"], "done");
  const ReadEvents events = events_of_run(out);
  EXPECT_EQ(events.damaged_line, 0u);
  EXPECT_FALSE(events.events.empty());
  EXPECT_LT(fs::file_size(out / "lock"), 12u) << "a number of a process";
  const Outcome limited = run_program(
      "bandit run --policy ols-ucb-c,cos-v --items 6 --choose 2 --horizon 200000 --quiet --out " + small.string(),
      "ulimit -f 4; ");
  EXPECT_EQ(limited.code, 3) << limited.err;
  EXPECT_NE(limited.err.find("File too large"), std::string::npos) << limited.err;
  const Outcome few = run_program(kBandit + "--out " + (scratch() / "few").string(), "ulimit -n 20; ");
  EXPECT_EQ(few.code, 3) << few.err;
  EXPECT_NE(few.err.find("expected at least 64"), std::string::npos) << few.err;
}

TEST(Rerun, SaysWhenTheBitsDiffer) {
  const fs::path out = scratch() / "first", again = scratch() / "again";
  ASSERT_EQ(run_program(kBandit + "--out " + out.string()).code, 0);
  Json record = record_of(out);
  record["results"]["state_sha256"] = "0";
  record["format"] = 1;  // of before there were checksums
  record.erase("checksum");
  write_file(out / "run.json", record.dump());
  const std::string command = "rerun " + out.string() + " --out " + again.string() + " --quiet";
  const Outcome json = run_program(command + " --json");
  EXPECT_EQ(json.code, 5);
  const Json verdict = json_of(json.out);
  EXPECT_EQ(verdict["is_same"], false) << json.out;
  EXPECT_EQ(verdict["exit"], 5);
  EXPECT_EQ(verdict["run"], again.string());
  EXPECT_EQ(record_of(again)["policies"], record["policies"]) << "a fact of the check";
  fs::remove_all(again);
  EXPECT_EQ(run_program(command).code, 5);
  const Outcome refused = run_program(command + " --json");
  EXPECT_EQ(refused.code, 3);
  EXPECT_EQ(json_of(refused.out)["exit"], 3) << refused.out;
}

}  // namespace
}  // namespace frugal
