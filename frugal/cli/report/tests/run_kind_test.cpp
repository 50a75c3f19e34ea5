// What a page takes from the table of systems: settings, units, what is better, commands.
#include "frugal/cli/report/run_kind.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "frugal/base/atomic_file.h"
#include "frugal/cli/report/outcome.h"
#include "frugal/cli/report/report.h"
#include "frugal/cli/report/tests/html.h"
#include "frugal/cli/report/text.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

struct DigConfig {
  std::int64_t depth = 2;
  std::string tool = "spade";

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "depth", .help = "levels below the ground, >= 1"}, c.depth);
    v({.name = "tool", .help = "what digs"}, c.tool);
  }
};
void validate(const DigConfig&) {}

struct DrillConfig {
  double speed = 1.5;
  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "speed", .help = "turns a second"}, c.speed);
  }
};

SystemTable table_of_caves() {
  SystemTable table("verb", "verbs");
  Choice tool{"tool", [] {
                return std::vector<Plugin>{
                    {.name = "spade", .summary = "by hand"},
                    {.name = "drill", .summary = "fast", .fields = describe_fields<DrillConfig>()}};
              }};
  Action caves = describe_run<DigConfig>("caves", "dig", {tool});
  caves.next = {{"frugal explore map RUN --data walls.csv", "draw what was found"}};
  table.add({.name = "explore",
             .summary = "caves",
             .actions = {caves},
             .metrics = {{"error", "m", false}, {"gold", "kg", true}}});
  return table;
}

class Caves : public testing::Test {
 protected:
  fs::path run(const std::string& name, const Json& change = Json::object()) {
    Json record = {
        {"format", 1},
        {"action", "explore caves"},
        {"settings", {{"depth", 3}, {"tool", "drill"}, {"speed", 1.5}, {"memory", 1048576}, {"odd", "x"}}},
        {"status", "interrupted"},
        {"map", {{"north", "up"}}},
        {"files", {{"walls", {{"path", "/w.csv"}, {"sha256", "3a11"}}}}},
        {"results", {{"gold", 12.5}, {"holes", 4}, {"dug_bytes", 2048}, {"wait_seconds", 90}, {"list", {1}}}}};
    record.update(change);
    fs::create_directories(folder_ / name);
    write_file(folder_ / name / "run.json", record.dump());
    std::string events;
    for (int step = 1; step <= 3; ++step) {
      const Json taken = {{"event", "step"}, {"step", step}, {"gold", 2.0 * step}, {"loss", 1.0}},
                 found = {{"event", "eval"},
                          {"step", step},
                          {"data", "cave"},
                          {"error", std::abs(step - 2) + 0.5},
                          {"loss", 3.0 - step}};
      events += taken.dump() + "\n" + found.dump() + "\n";
    }
    write_file(folder_ / name / "events.jsonl", events);
    return folder_ / name;
  }
  TemporaryFolder folder_;
  const SystemTable table_ = table_of_caves();
};

TEST_F(Caves, SettingsAreExplainedByTheTable) {
  const std::string page = report_html({run("dig")}, table_);
  EXPECT_EQ(malformed(page), "");
  for (const std::string_view part :
       {"levels below the ground, &gt;= 1", "turns a second", "1.00 MiB", "<td class=\"default\">spade</td>",
        "what the whole process may take", "<code>odd</code>", "<p>explore caves, drill</p>"})
    EXPECT_TRUE(has(page, part)) << part;
  EXPECT_LT(page.find("<code>depth</code>"), page.find("left at their defaults"));
  EXPECT_GT(page.find("<code>speed</code>"), page.find("left at their defaults"));
}

TEST_F(Caves, MetricsHaveTheirUnitsAndDirections) {
  const fs::path path = run("dig");
  const report::RunRecord read = report::read_run(path, table_);
  EXPECT_EQ(report::judge_of(read).key, "error");
  EXPECT_EQ(report::best_of(read, report::judge_of(read))->step, 2);
  const std::string page = report_html({path}, table_);
  for (const std::string_view part :
       {"Best on cave", "error, step 2", "best: step 2, 0.5000", "<b>Gold</b> <small>kg</small>",
        "<small>kg</small></div>", "<span>Holes</span><b>4</b>", "2.00 KiB", "1:30", "/w.csv", "3a11", "<dt>Map</dt>"})
    EXPECT_TRUE(has(page, part)) << part;
  EXPECT_FALSE(has(page, "nats"));
  EXPECT_FALSE(has(page, "merge"));
  EXPECT_TRUE(has(page, "frugal explore caves --resume " + path.string()));
  EXPECT_EQ(
      report::judge_of(
          report::read_run(run("named", {{"results", {{"best", {{"step", 3}, {"metric_name", "loss"}}}}}}), table_))
          .key,
      "loss");
}

// What an action's last step leaves counts, whatever was better before; and a command is filled in from the settings.
TEST_F(Caves, WhatTheLastStepLeavesCounts) {
  SystemTable table("verb", "verbs");
  Action caves = describe_run<DigConfig>("caves", "dig");
  caves.is_last_best = true;
  caves.next = {{"frugal fill {tool} --from RUN --not {nothing}", "close it"}};
  table.add({.name = "explore", .summary = "caves", .actions = {caves}, .metrics = {{"error", "m", false}}});
  const fs::path path = run("dig", {{"status", "done"}, {"settings", {{"tool", "{tool} RUN"}}}});
  const report::RunRecord read = report::read_run(path, table);
  EXPECT_EQ(report::best_of(read, report::judge_of(read))->step, 3);
  const std::string page = report_html({path}, table);
  EXPECT_EQ(malformed(page), "");
  EXPECT_TRUE(has(page, "At the end on cave"));
  EXPECT_FALSE(has(page, "Best on"));
  EXPECT_TRUE(has(page, "frugal fill &#39;{tool} RUN&#39; --from " + path.string() + " --not "));
}

// Bold is set where the system says which way is better, and in results as in evaluations.
TEST_F(Caves, TheBestResultIsBold) {
  const auto with = [](double gold, double error, double holes) {
    return Json{{"results", {{"gold", gold}, {"error", error}, {"holes", holes}}}};
  };
  const std::string page = report_html({run("one", with(10, 0.25, 7)), run("two", with(20, 0.5, 9))}, table_);
  EXPECT_EQ(malformed(page), "");
  for (const std::string_view part :
       {"<b>20.0000</b>", "<b>0.2500</b>", "<td>10.0000</td>", "<td>0.5000</td>", "<td>9</td>"})
    EXPECT_TRUE(has(page, part)) << part;
}

// What a job cuts its steps from is what a page counts.
TEST_F(Caves, StepsAreCountedInTheirUnit) {
  const Json unit = {{"name", "round"}, {"each", 100}, {"per", 1}, {"last", 250}};
  const fs::path path = run("rounds", {{"step_unit", unit}, {"status", "done"}});
  const report::RunRecord read = report::read_run(path, table_);
  EXPECT_EQ(read.curve("gold").x, (std::vector<double>{100, 200, 250}));
  EXPECT_EQ(report::best_of(read, report::judge_of(read))->step, 200);
  const std::string page = report_html({path}, table_);
  EXPECT_EQ(malformed(page), "");
  for (const std::string_view part : {"<span>Rounds</span><b>250</b>", "error, round 200", "best: round 200, 0.5000",
                                      "dy=\"34\">round</text>", "<th>round</th>"})
    EXPECT_TRUE(has(page, part)) << part;
  EXPECT_FALSE(has(page, ">step</text>"));
  EXPECT_EQ(report::one_of("epoch"), "an epoch");
  EXPECT_EQ(report::one_of("round"), "a round");
  EXPECT_FALSE(has(page, "<dt>Step unit"));
  EXPECT_TRUE(has(page, "frugal explore map " + path.string() + " --data walls.csv"));
  const Json odd = {{"name", "epoch"}, {"each", 1}, {"per", 3}, {"last", 0}};
  EXPECT_EQ(report::read_run(run("epochs", {{"step_unit", odd}}), table_).curve("gold").x.back(), 1);
  for (const Json& hostile : {Json(1), Json{{"name", 5}}, Json{{"name", "x"}, {"each", 0}, {"per", 1}},
                              Json{{"name", "x"}, {"each", 1e300}, {"per", 1}}})
    EXPECT_EQ(report::read_run(run("hostile", {{"step_unit", hostile}}), table_).step_name, "step");
}

TEST_F(Caves, ASweepIsCountedInCells) {
  const Json options = {{"depth", {"2", "5"}}, {"seed", {"1", "2", "3"}}},
             swept = {{"options", options}, {"given", {{"tool", {{"value", "spade"}, {"from", "--tool"}}}}}};
  const Json settings = {{"depth", 2}, {"swept", swept}};
  const std::string page = report_html({run("sweep", {{"settings", settings}})}, table_);
  EXPECT_EQ(malformed(page), "");
  for (const std::string_view part : {"<span>Cells</span>", ">cell</text>", "depth 2, 5; seed 1, 2, 3"})
    EXPECT_TRUE(has(page, part)) << part;
  EXPECT_FALSE(has(page, "&quot;options&quot;"));
}

// What is drawn once is not drawn again: a number of an evaluation that steps have as well, where a step is, and what a
// figure of the run draws.
TEST_F(Caves, NothingIsDrawnTwice) {
  const fs::path path = run("once");
  std::string events;
  for (int step = 1; step <= 4; ++step) {
    const Json taken = {
        {"event", "step"}, {"step", step}, {"epoch", step}, {"depth", 3.0 * step}, {"cave_error", 1.0 / step}};
    events += taken.dump() + "\n";
    if (step % 2 == 0)
      events +=
          Json{{"event", "eval"}, {"step", step}, {"data", "cave"}, {"error", 1.0 / step}, {"gold", step}}.dump() +
          "\n";
  }
  events += R"({"event":"figure","step":4,"name":"depth","title":"All depths","kind":"lines","x":"round","y":"m",)"
            R"("series":[{"name":"","x":[1,2],"y":[3,6]}]})"
            "\n";
  write_file(path / "events.jsonl", events);
  const std::string page = report_html({path}, table_);
  EXPECT_EQ(malformed(page), "");
  for (const std::string_view part :
       {"<b>Cave error</b>", "best: step 4, 0.2500", "<b>Gold on cave</b>", "<b>All depths</b>"})
    EXPECT_TRUE(has(page, part)) << part;
  for (const std::string_view part : {"<b>Error on cave</b>", "<b>Epoch</b>", "<b>Depth</b>"})
    EXPECT_FALSE(has(page, part)) << part;
}

TEST_F(Caves, AModelThatIsAPluginIsNamedOnce) {
  SystemTable table("verb", "verbs");
  Choice model{"model", [] { return std::vector<Plugin>{{.name = "cnn", .summary = "a network"}}; }};
  Action train = describe_run<DigConfig>("train", "train", {model});
  table.add({.name = "swarm", .summary = "swarms", .actions = {train}});
  const Json settings = {{"model", "cnn"}};
  EXPECT_TRUE(has(report_html({run("net", {{"action", "swarm train"}, {"settings", settings}})}, table),
                  "<p>swarm train, cnn</p>"));
}

TEST_F(Caves, RunsOfDifferentActionsShareWhatTheyHave) {
  const Json settings = {{"depth", 5}, {"model", "/m"}};
  const std::string page =
      report_html({run("dig"), run("old", {{"action", "sail seas"}, {"settings", settings}})}, table_);
  EXPECT_EQ(malformed(page), "");
  for (const std::string_view part :
       {"explore caves", "sail seas", "<th>holes</th>", "cave error", "<code>depth</code>"})
    EXPECT_TRUE(has(page, part)) << part;
}

TEST_F(Caves, RunsOfBeforeThereWereActionsAreOfTune) {
  Json record = Json::parse(read_file(run("dig") / "run.json"), nullptr, false);
  record.erase("action");
  EXPECT_TRUE(report::kind_of(record, table_).is_tune());
  record["action"] = Json::array();
  EXPECT_EQ(report::kind_of(record, table_).action, "");
  record["action"] = std::string(1000, 'x');
  EXPECT_EQ(report::kind_of(record, table_).action, "");
  record["action"] = "explore $(rm -rf) <b>";
  const report::RunKind kind = report::kind_of(record, table_);
  EXPECT_NE(kind.system, nullptr);
  EXPECT_EQ(kind.field("depth"), nullptr);
  EXPECT_NE(kind.field("memory"), nullptr);
  EXPECT_EQ(report::command_of(kind), "frugal explore '$(rm' '-rf)' '<b>'");
  write_file(folder_ / "dig" / "run.json", record.dump());
  const std::string page = report_html({folder_ / "dig"}, table_);
  EXPECT_EQ(malformed(page), "");
  EXPECT_FALSE(has(page, "<b>'"));
}

}  // namespace
}  // namespace frugal
